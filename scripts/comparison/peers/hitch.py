"""hitch: it ends TLS and hands the octets on."""

from __future__ import annotations

from comparison.peers.peer import Program
from comparison.setting import Setting

_NO_HTTP = "it knows no HTTP and answers nothing by itself"


class Hitch(Program):
    """Its refusals of the handshake rows come from the origin, and it has no access log."""

    name = "hitch"
    program = "hitch"
    version_arguments = ("--version",)
    leaves_out = {"refusal": _NO_HTTP}  # noqa: RUF012 - never changed
    remark = "hitch reads no HTTP: no rule, no access log; in the handshake rows the origin refuses"

    def texts(self, setting: Setting) -> dict[str, str]:
        """One file."""
        return {"hitch.conf": _conf(setting)}

    def command(self, setting: Setting) -> list[str]:
        """In the foreground, because ``daemon`` is off."""
        return [self.path() or self.program, "--config", str(setting.directory / "hitch.conf")]


def _conf(setting: Setting) -> str:
    pki = setting.pki
    user = 'user = "root"\n' if setting.root else ""
    return f"""\
{user}frontend = "[127.0.0.1]:{setting.port}"
backend = "[127.0.0.1]:{setting.origin_port}"
pem-file = "{pki.server_both}"
client-verify = required
client-verify-ca = "{pki.client_ca}"
tls-protos = TLSv1.2 TLSv1.3
workers = 1
daemon = off
quiet = on
"""
