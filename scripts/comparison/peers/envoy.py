"""Envoy with one worker. Its configuration is JSON, which YAML includes."""

from __future__ import annotations

import json
import re
from typing import Any

from comparison.peers.peer import Program
from comparison.setting import COMMON_NAME, HOST, NOBODY, REFUSAL, REFUSED_PATH, Setting

_TYPE = "type.googleapis.com/envoy.extensions."
_MANAGER = "filters.network.http_connection_manager.v3.HttpConnectionManager"


class Envoy(Program):
    """The refusal is a direct response; the rule is the RBAC filter on the subject."""

    name = "Envoy"
    program = "envoy"
    version_arguments = ("--version",)
    tls_library = "BoringSSL"

    def read_version(self, said: str) -> str:
        """``envoy  version: 9e55.../1.40.0/Clean/RELEASE/BoringSSL``."""
        found = re.search(r"/(\d+\.\d+\.\d+)", said)
        return f"Envoy {found[1] if found else 'of unknown version'}"

    def texts(self, setting: Setting) -> dict[str, str]:
        """One file."""
        return {"envoy.json": json.dumps(_bootstrap(setting), indent=1)}

    def command(self, setting: Setting) -> list[str]:
        """No hot restart: two of them may run on one machine."""
        path = str(setting.directory / "envoy.json")
        quiet = ("--log-level", "warning", "--disable-hot-restart")
        return [self.path() or self.program, "-c", path, "--concurrency", "1", *quiet]


def _bootstrap(setting: Setting) -> dict[str, Any]:
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "clients",
                    "address": _address(setting.port),
                    "filter_chains": [{"transport_socket": _tls(setting), "filters": [_http(setting)]}],
                }
            ],
            "clusters": [
                {
                    "name": "origin",
                    "type": "STATIC",
                    "connect_timeout": "5s",
                    "load_assignment": {
                        "cluster_name": "origin",
                        "endpoints": [
                            {"lb_endpoints": [{"endpoint": {"address": _address(setting.origin_port)}}]}
                        ],
                    },
                }
            ],
        }
    }


def _tls(setting: Setting) -> dict[str, Any]:
    pki = setting.pki
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": _TYPE + "transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": True,
            "common_tls_context": {
                "alpn_protocols": ["http/1.1"],
                "tls_params": {
                    "tls_minimum_protocol_version": "TLSv1_2",
                    "tls_maximum_protocol_version": "TLSv1_3",
                },
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(pki.server)},
                        "private_key": {"filename": str(pki.server_key)},
                    }
                ],
                "validation_context": {"trusted_ca": {"filename": str(pki.client_ca)}},
            },
        },
    }


def _http(setting: Setting) -> dict[str, Any]:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": _TYPE + _MANAGER,
            "stat_prefix": "clients",
            "codec_type": "HTTP1",
            "access_log": [
                {
                    "name": "envoy.access_loggers.file",
                    "typed_config": {
                        "@type": _TYPE + "access_loggers.file.v3.FileAccessLog",
                        "path": str(setting.directory / "access.log"),
                    },
                }
            ],
            "http_filters": [_rule(), _router()],
            "local_reply_config": {
                "mappers": [
                    {
                        "filter": {
                            "status_code_filter": {
                                "comparison": {
                                    "op": "EQ",
                                    "value": {"default_value": 403, "runtime_key": "refused"},
                                }
                            }
                        },
                        "body": {"inline_string": REFUSAL},
                        "body_format_override": {
                            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
                            "content_type": "application/json",
                        },
                    }
                ]
            },
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": HOST,
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin"}}],
                    }
                ]
            },
        },
    }


def _rule() -> dict[str, Any]:
    refused = {"url_path": {"path": {"prefix": REFUSED_PATH}}}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": _TYPE + "filters.http.rbac.v3.RBAC",
            "rules": {
                "action": "ALLOW",
                "policies": {
                    "the client": {
                        "permissions": [{"not_rule": refused}],
                        "principals": [_common_name(COMMON_NAME)],
                    },
                    "nobody": {"permissions": [refused], "principals": [_common_name(NOBODY)]},
                },
            },
        },
    }


def _common_name(text: str) -> dict[str, Any]:
    """A leaf without alternative names is known to Envoy by its subject."""
    return {"authenticated": {"principal_name": {"exact": f"CN={text}"}}}


def _router() -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": _TYPE + "filters.http.router.v3.Router"},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
