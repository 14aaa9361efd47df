from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.config.endpoints import ListenAddress, OriginUrl
from edge.config.load import load
from edge.config.schema import Access, Configuration, Host, Limits
from tests.unit.config.samples import FULL, MINIMAL


def load_text(folder: Path, text: str) -> Configuration:
    (folder / "edge.toml").write_text(text)
    return load(Path("edge.toml"), {})


def test_the_limits_have_the_published_defaults() -> None:
    assert Limits().model_dump() == {
        "handshake_timeout": 10.0,
        "header_timeout": 10.0,
        "header_size": 32768,
        "header_count": 100,
        "target_size": 8192,
        "keep_alive_timeout": 75.0,
        "body_idle_timeout": 60.0,
        "body_size": 0,
        "body_minimum_rate": 128,
        "origin_connect_timeout": 5.0,
        "origin_first_byte_timeout": 60.0,
        "origin_idle_timeout": 60.0,
        "connections_per_worker": 20000,
        "connections_per_address": 1000,
        "handshakes_per_address": 200,
        "drain_timeout": 30.0,
        "tls_record_size": 16384,
    }


def test_a_minimal_configuration_takes_every_default(folder: Path) -> None:
    config = load_text(folder, MINIMAL)
    (host,) = config.hosts
    assert config.server.listen == (ListenAddress("0.0.0.0", 8443),)
    assert (config.server.workers, config.server.state_dir) == (0, folder / "state")
    assert (config.server.limits, config.access) == (Limits(), Access())
    assert (host.name, host.origin) == ("iot.example.com", (OriginUrl("http", "127.0.0.1", 9000),))
    assert host.certificate.path == folder / "certs" / "server.pem"
    assert (host.client_certificate, host.unmatched, host.origin_tls) == (None, None, None)
    assert host.default is False
    assert (host.aliases, host.forward_client_certificate) == ((), ())
    assert (config.mtls_certificates, config.applications, config.groups) == ((), (), ())


def test_an_application_takes_its_defaults(folder: Path) -> None:
    (application,) = load_text(folder, FULL).applications
    assert application.destinations == ("iot.example.com/ingest",)
    assert (application.session_duration, application.recheck_certificate) == (86400.0, True)
    assert application.same_site_cookie_attribute == "none"
    assert (application.http_only_cookie_attribute, application.path_cookie_attribute) == (True, False)
    (policy,) = application.policies
    assert (policy.decision, policy.include, policy.require) == ("non_identity", ("certificate",), ())


def test_a_list_of_origins_keeps_its_order(folder: Path) -> None:
    text = MINIMAL.replace('"http://127.0.0.1:9000"', '["https://b", "demo:", "http://a"]')
    assert [str(origin) for origin in load_text(folder, text).hosts[0].origin] == [
        "https://b:443",
        "demo:",
        "http://a:80",
    ]


@pytest.mark.parametrize(
    ("name", "issuer"),
    [
        ("a.example.com", "https://a.example.com"),
        ("*.example.com", "https://example.com"),
        ("::1", "https://[::1]"),
    ],
)
def test_the_issuer_is_by_default_the_first_host(folder: Path, name: str, issuer: str) -> None:
    assert load_text(folder, MINIMAL.replace("iot.example.com", name)).issuer == issuer


def test_the_issuer_is_what_the_operator_says(folder: Path) -> None:
    assert load_text(folder, '[access]\nissuer = "https://x/"\n' + MINIMAL).issuer == "https://x/"


def test_a_configuration_does_not_change(folder: Path) -> None:
    config = load_text(folder, MINIMAL)
    with pytest.raises(ValidationError):
        config.hosts[0].default = True


def test_two_readings_of_one_text_are_equal(folder: Path) -> None:
    assert load_text(folder, FULL) == load_text(folder, FULL)


def test_later_errors_find_their_place(folder: Path) -> None:
    config = load_text(folder, FULL)
    assert config.place("hosts", 0, "certificate") == ("edge.toml", "hosts[0].certificate", 5)
    assert config.place("hosts", 0, "unmatched") == ("edge.toml", "hosts[0].unmatched", 3)
    assert config.place("server", "workers") == ("edge.toml", "server.workers", 1)
    assert config.place("access", "issuer") == ("edge.toml", "access.issuer", None)
    error = config.error(("applications", 0, "policies", 0, "include", 0), "bad", "good")
    assert str(error) == "edge.toml:18: applications[0].policies[0].include[0]: bad; good"
    assert str(config.warning(("groups", 0, "id"), "odd")) == "edge.toml:20: groups[0].id: odd"


def test_values_are_shown_as_the_file_has_them(folder: Path) -> None:
    config = load_text(folder, FULL)
    assert config.shown("hosts", 0, "name") == '"iot.example.com"'
    assert config.shown("hosts", 0, "default") == "hosts[0].default"
    assert config.shown("hosts", 0) == "a table"


def test_later_errors_do_not_repeat_the_environment(folder: Path) -> None:
    (folder / "edge.toml").write_text(FULL.replace("Telemetry", "${SECRET_NAME}"))
    config = load(Path("edge.toml"), {"SECRET_NAME": "hunter2-and-more"})
    assert config.applications[0].name == "hunter2-and-more"
    error = config.error(("applications", 0, "name"), "'hunter2-and-more' is odd", "not hunter2-and-more")
    assert str(error) == "edge.toml:13: applications[0].name: '${SECRET_NAME}' is odd; not ${SECRET_NAME}"
    assert config.shown("applications", 0, "name") == '"${SECRET_NAME}"'


def test_a_configuration_made_by_hand_has_places_without_a_file() -> None:
    host = Host.model_validate({"name": "a", "certificate": "/c", "private_key": "/k", "origin": "demo:"})
    config = Configuration.model_validate({"server": {"listen": [":0"]}, "hosts": [host]})
    assert config.place("hosts", 0, "name") == ("configuration", "hosts[0].name", None)
    assert config.hosts == (host,)
