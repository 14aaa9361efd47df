"""Makes what the servers are started with: many CAs, each once for all servers, CRLs, and edge.toml."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from comparison.setting import COMMON_NAME, HOST, LIFETIME, NOBODY, REFUSED_PATH, Setting

from edge.pki import issue
from edge.pki.issue import Authority, Profile
from edge.pki.keys import key_pem, new_key
from edge.pki.leaf import describe
from edge.pki.names import read_subject
from growth.crl import write_crl
from growth.tables import Size

RULES_IN_A_POLICY = 1000
"""The edge takes no more."""


class Material:
    """A directory of CAs. The client's is made anew here: its key is needed to sign CRLs."""

    def __init__(self, directory: Path, now: datetime) -> None:
        directory.mkdir(mode=0o700)
        self._directory, self._now = directory, now
        self._validity = issue.valid_for(now, LIFETIME + timedelta(hours=1))
        self._made = 0
        self.authority = self._root("Clients")

    def replace_client(self, certificate: Path, key_file: Path, ca: Path) -> None:
        """Write a client certificate that our own CA signed, and that CA, over the files of the setting."""
        key = new_key()
        leaf = describe(COMMON_NAME, Profile.CLIENT).sign(
            self.authority, key.public_key(), issue.valid_for(self._now, LIFETIME), secrets.randbits
        )
        certificate.write_bytes(issue.certificate_pem(leaf))
        key_file.write_bytes(key_pem(key))
        ca.write_bytes(issue.certificate_pem(self.authority.certificate))

    def other_cas(self, count: int) -> list[Path]:
        """Return the files of that many CAs that signed nothing; what was made before is used again."""
        for number in range(self._made, count):
            root = self._root(f"Others {number}")
            (self._directory / f"{number}.pem").write_bytes(issue.certificate_pem(root.certificate))
        self._made = max(self._made, count)
        return [self._directory / f"{number}.pem" for number in range(count)]

    def crl(self, entries: int) -> Path:
        """Return the file of a CRL of the clients' CA."""
        path = self._directory / f"{entries}.crl"
        if not path.exists():
            path.write_bytes(write_crl(self.authority, entries, self._now))
        return path

    def _root(self, name: str) -> Authority:
        return issue.make_root(read_subject(f"Scaling {name}"), new_key(), self._validity, secrets.randbits)


def toml(size: Size, setting: Setting, material: Material) -> str:
    """Return the configuration of one server."""
    return "\n".join(_parts(size, setting, material))


def _parts(size: Size, setting: Setting, material: Material) -> Iterator[str]:
    cas = [str(path) for path in material.other_cas(max(size.hosts, size.cas) - 1)]
    yield _server(size, setting)
    middle = (size.hosts - 1) // 2
    for number in range(size.hosts - 1):
        if number == middle:
            yield _measured_host(size, setting, material)
        name = f"host-{number}.test"
        yield _host(name, setting)
        yield _ca(f"CA of {name}", cas[number], name)
        yield _application(name, name, [f'include = [{{ common_name = "{COMMON_NAME}" }}]'])
    if size.hosts == 1:
        yield _measured_host(size, setting, material)
    for number in range(size.cas - 1):
        yield _ca(f"CA {number}", cas[number], HOST)


def _server(size: Size, setting: Setting) -> str:
    return f"""\
[server]
listen = ["127.0.0.1:{setting.port}"]
workers = {size.workers}

[server.limits]
connections_per_worker = 100000
connections_per_address = 100000
handshakes_per_address = 0
keep_alive_timeout = "1h"
drain_timeout = "1s"
"""


def _measured_host(size: Size, setting: Setting, material: Material) -> str:
    crl = None if size.revoked is None else str(material.crl(size.revoked))
    parts = [
        _host(HOST, setting),
        _ca("Clients", str(setting.pki.client_ca), HOST, crl),
        _application("Everything", HOST, list(_rules(size.rules))),
        _application("Nothing", HOST + REFUSED_PATH, [f'include = [{{ common_name = "{NOBODY}" }}]']),
    ]
    for number in range(size.others):
        # Every second one has a wildcard: these are looked up in another way.
        path = f"/other-{number}" + ("/*/here" if number % 2 else "")
        parts.append(
            _application(f"Other {number}", HOST + path, [f'include = [{{ common_name = "{COMMON_NAME}" }}]'])
        )
    return "\n".join(parts)


def _host(name: str, setting: Setting) -> str:
    return f"""\
[[hosts]]
name = "{name}"
certificate = "{setting.pki.server}"
private_key = "{setting.pki.server_key}"
origin = "http://127.0.0.1:{setting.origin_port}"
"""


def _ca(name: str, path: str, host: str, crl: str | None = None) -> str:
    lines = [
        "[[mtls_certificates]]",
        f'name = "{name}"',
        f'certificate = "{path}"',
        f'associated_hostnames = ["{host}"]',
    ]
    return "\n".join([*lines, *([] if crl is None else [f'crl = ["{crl}"]']), ""])


def _application(name: str, domain: str, includes: list[str]) -> str:
    policies = "".join(
        f"""
  [[applications.policies]]
  name = "policy {number}"
  decision = "non_identity"
  {include}
"""
        for number, include in enumerate(includes)
    )
    return f'[[applications]]\nname = "{name}"\ndomain = "{domain}"\n{policies}'


def _rules(count: int) -> Iterator[str]:
    """Yield the includes of policies with that many rules together; the client's is the last one."""
    names = [*(f"device-{number}" for number in range(count - 1)), COMMON_NAME]
    for start in range(0, count, RULES_IN_A_POLICY):
        rules = ", ".join(
            f'{{ common_name = "{name}" }}' for name in names[start : start + RULES_IN_A_POLICY]
        )
        yield f"include = [{rules}]"
