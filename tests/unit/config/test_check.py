"""What needs more than one key: each contradiction with the line that people get."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.load import load
from tests.unit.config.conftest import Lines
from tests.unit.config.samples import APPLICATION, CA, GROUP, HOST, MINIMAL, SERVER

# ruff: noqa: E501 - a line that people get stays one line here

ONE_HOST = "every name and alias belongs to one host"
OWN = "is an address the edge itself listens on; requests would go round for ever; name the server behind it"
ADD_HOST = "add a [[hosts]] with this name, or correct it"


def second_host(name: str, more: str = "") -> str:
    return HOST.replace("iot.example.com", name) + more


CONTRADICTIONS = {
    # names
    MINIMAL + HOST: [
        f'edge.toml:9: hosts[1].name: "iot.example.com" is already used by hosts[0].name (edge.toml:4); {ONE_HOST}'
    ],
    MINIMAL + second_host("IOT.Example.com."): [
        f'edge.toml:9: hosts[1].name: "IOT.Example.com." is already used by hosts[0].name (edge.toml:4); {ONE_HOST}'
    ],
    MINIMAL + 'aliases = ["iot.example.com"]\n': [
        f'edge.toml:8: hosts[0].aliases[0]: "iot.example.com" is already used by hosts[0].name (edge.toml:4); {ONE_HOST}'
    ],
    MINIMAL + second_host("b.example.com", 'aliases = ["x", "IOT.example.com"]\n'): [
        f'edge.toml:13: hosts[1].aliases[1]: "IOT.example.com" is already used by hosts[0].name (edge.toml:4); {ONE_HOST}'
    ],
    MINIMAL + 'aliases = ["::1", "[0::1]"]\ndefault = true\n': [
        f'edge.toml:8: hosts[0].aliases[1]: "[0::1]" is already used by hosts[0].aliases[0] (edge.toml:8); {ONE_HOST}'
    ],
    MINIMAL + "default = true\n" + second_host("b.example.com", "default = true\n"): [
        "edge.toml:14: hosts[1].default: true is already used by hosts[0].default (edge.toml:8); at most one host has default = true"
    ],
    MINIMAL + CA + CA: [
        'edge.toml:13: mtls_certificates[1].name: "Device CA" is already used by mtls_certificates[0].name (edge.toml:9); every CA has a name of its own'
    ],
    MINIMAL + GROUP + GROUP: [
        'edge.toml:12: groups[1].id: "ops" is already used by groups[0].id (edge.toml:9); every group has an id of its own'
    ],
    # associations
    MINIMAL + CA.replace("iot.", "iott."): [
        'edge.toml:11: mtls_certificates[0].associated_hostnames[0]: "iott.example.com" is no host\'s name or alias; did you mean "iot.example.com"?'
    ],
    MINIMAL + CA.replace("iot.example.com", "zzz"): [
        f'edge.toml:11: mtls_certificates[0].associated_hostnames[0]: "zzz" is no host\'s name or alias; {ADD_HOST}'
    ],
    SERVER + HOST.replace("iot.", "*.") + CA: [
        'edge.toml:11: mtls_certificates[0].associated_hostnames[0]: "iot.example.com" is no host\'s name or alias; did you mean "*.example.com"?'
    ],
    MINIMAL + CA.replace('"iot.example.com"', '"iot.example.com", "IOT.example.com"'): [
        'edge.toml:11: mtls_certificates[0].associated_hostnames[1]: "IOT.example.com" is listed twice; keep one of them'
    ],
    # client_certificate
    MINIMAL + 'client_certificate = "off"\n' + CA: [
        'edge.toml:8: hosts[0].client_certificate: "off" contradicts the CA that is associated with this host; remove it, or remove the host from associated_hostnames'
    ],
    MINIMAL + 'client_certificate = "off"\naliases = ["a"]\n' + CA.replace("iot.example.com", "a"): [
        'edge.toml:8: hosts[0].client_certificate: "off" contradicts the CA that is associated with this host; remove it, or remove the host from associated_hostnames'
    ],
    MINIMAL + 'client_certificate = "require"\n': [
        'edge.toml:8: hosts[0].client_certificate: "require" needs a CA, and none is associated with this host; add the host to associated_hostnames of an [[mtls_certificates]]'
    ],
    MINIMAL + 'client_certificate = "request"\n': [
        'edge.toml:8: hosts[0].client_certificate: "request" needs a CA, and none is associated with this host; add the host to associated_hostnames of an [[mtls_certificates]]'
    ],
    # addresses
    MINIMAL.replace('["0.0.0.0:8443"]', '["[::]:1", "[0::0]:1"]'): [
        'edge.toml:2: server.listen[1]: "[0::0]:1" is listed twice; keep one of them'
    ],
    MINIMAL.replace('["0.0.0.0:8443"]', '["127.0.0.1:1", ":1"]'): [
        'edge.toml:2: server.listen[1]: ":1" overlaps another address in this list; an address without a host is every address'
    ],
    MINIMAL.replace('["0.0.0.0:8443"]', '[":1", "127.0.0.1:1"]'): [
        'edge.toml:2: server.listen[1]: "127.0.0.1:1" overlaps another address in this list; an address without a host is every address'
    ],
    MINIMAL.replace("127.0.0.1:9000", "127.0.0.1:8443"): [
        f'edge.toml:7: hosts[0].origin: "http://127.0.0.1:8443" {OWN}'
    ],
    MINIMAL.replace('"http://127.0.0.1:9000"', '["demo:", "https://localhost:8443"]'): [
        f'edge.toml:7: hosts[0].origin[1]: "https://localhost:8443" {OWN}'
    ],
    # the origin's TLS
    MINIMAL + "[hosts.origin_tls]\n": [
        'edge.toml:8: hosts[0].origin_tls: no origin of this host speaks TLS; write the origin as "https://…"'
    ],
    MINIMAL.replace("http:", "https:") + '[hosts.origin_tls]\ncertificate = "c"\n': [
        "edge.toml:8: hosts[0].origin_tls: half of the client certificate for the origin is missing; write both certificate and private_key, or neither"
    ],
    MINIMAL.replace("http:", "https:") + '[hosts.origin_tls]\nca = "c"\nverify = false\n': [
        "edge.toml:10: hosts[0].origin_tls.verify: the origin's certificate is not verified, so ca has no effect; remove one of the two"
    ],
    # applications
    MINIMAL + APPLICATION.replace("iot.", "iott."): [
        'edge.toml:10: applications[0].domain: "iott.example.com/ingest" is on no host of this configuration; did you mean "iot.example.com"?'
    ],
    MINIMAL + APPLICATION.replace("\n  [[", '\ndomains = ["iot.example.com/a", "*.org/b"]\n  [['): [
        f'edge.toml:11: applications[0].domains[1]: "*.org/b" is on no host of this configuration; {ADD_HOST}'
    ],
    MINIMAL + APPLICATION.replace("\n  [[", '\nsession_duration = "0s"\nrecheck_certificate = false\n  [['): [
        'edge.toml:12: applications[0].recheck_certificate: with session_duration = "0s" no token is accepted back, so this is never used; remove it, or write a longer session_duration'
    ],
    MINIMAL + APPLICATION.replace("non_identity", "bypass") + "report_only = true\n": [
        'edge.toml:15: applications[0].policies[0].report_only: a bypass policy enforces nothing, so there is nothing to only report; remove report_only, or remove the policy'
    ],
}  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), CONTRADICTIONS.items(), ids=range(len(CONTRADICTIONS)))
def test_a_contradiction_is_refused(errors_of: Lines, text: str, lines: list[str]) -> None:
    assert errors_of(text) == lines


@pytest.mark.parametrize(
    ("listen", "origin"),
    [
        ("0.0.0.0:8443", "http://127.9.9.9:8443"),
        ("[::]:8443", "http://[::1]:8443"),
        ("[::]:8443", "http://127.0.0.1:8443"),
        (":8443", "https://localhost:8443"),
        ("localhost:8443", "http://127.0.0.1:8443"),
        ("127.0.0.1:8443", "http://0.0.0.0:8443"),
        ("10.0.0.1:443", "https://10.0.0.1"),
        ("edge.internal:80", "http://EDGE.internal"),
        ("127.0.0.1:8443", "http://[::ffff:127.0.0.1]:8443"),
        ("10.0.0.1:8443", "http://[::ffff:10.0.0.1]:8443"),
    ],
)
def test_the_edge_is_not_its_own_origin(errors_of: Lines, listen: str, origin: str) -> None:
    text = MINIMAL.replace("0.0.0.0:8443", listen).replace("http://127.0.0.1:9000", origin)
    assert errors_of(text) == [f'edge.toml:7: hosts[0].origin: "{origin}" {OWN}']


def with_admin(text: str, admin: str) -> str:
    return text.replace("[server]\n", f'[server]\nadmin_listen = "{admin}"\n', 1)


@pytest.mark.parametrize(
    ("admin", "origin"),
    [
        ("127.0.0.1:9901", "http://127.0.0.1:9901"),
        (":9901", "http://localhost:9901"),
        (":9901", "https://[::1]:9901"),
        ("0.0.0.0:9901", "http://127.9.9.9:9901"),
        ("[::1]:9901", "http://[::ffff:127.0.0.1]:9901"),
        ("10.0.0.1:9901", "http://10.0.0.1:9901"),
    ],
)
def test_the_admin_listener_is_nobodys_origin(errors_of: Lines, admin: str, origin: str) -> None:
    text = with_admin(MINIMAL.replace("http://127.0.0.1:9000", origin), admin)
    assert errors_of(text) == [
        f'edge.toml:8: hosts[0].origin: "{origin}" is the edge\'s own admin_listen; '
        "clients would see what only its operator may; name the server behind it"
    ]


@pytest.mark.parametrize(
    ("listen", "admin"),
    [
        ("0.0.0.0:8443", "127.0.0.1:8443"),
        ("0.0.0.0:8443", "10.0.0.1:8443"),
        ("10.0.0.1:8443", "0.0.0.0:8443"),
        (":8443", "[::1]:8443"),
        ("127.0.0.1:8443", ":8443"),
        ("10.0.0.1:8443", "10.0.0.1:8443"),
    ],
)
def test_the_admin_listener_has_an_address_of_its_own(errors_of: Lines, listen: str, admin: str) -> None:
    text = with_admin(MINIMAL.replace("0.0.0.0:8443", listen), admin)
    assert errors_of(text) == [
        f'edge.toml:2: server.admin_listen: "{admin}" is an address that clients are served on; choose another port'
    ]


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL + CA,
        MINIMAL + 'client_certificate = "off"\n',
        MINIMAL + 'client_certificate = "require"\n' + CA,
        MINIMAL + 'aliases = ["a"]\nclient_certificate = "request"\n' + CA.replace("iot.example.com", "a"),
        MINIMAL + second_host("*.example.com") + second_host("*.b.example.com"),
        MINIMAL + CA + CA.replace("Device", "Other"),
        MINIMAL + APPLICATION.replace("iot.example.com/ingest", "*.example.com"),
        MINIMAL + APPLICATION.replace("iot.example.com/ingest", "*ot.example.com/*/x"),
        SERVER + HOST.replace("iot.", "*.") + APPLICATION,
        MINIMAL + 'aliases = ["192.0.2.1"]\n' + APPLICATION.replace("iot.example.com", "192.0.2.1"),
        MINIMAL + APPLICATION.replace("iot.example.com/ingest", "not readable here:80?"),
        MINIMAL + APPLICATION.replace("\n  [[", "\nrecheck_certificate = false\n  [["),
        MINIMAL.replace("0.0.0.0:8443", "10.0.0.1:9000"),
        MINIMAL.replace("0.0.0.0:8443", "0.0.0.0:0"),
        MINIMAL.replace('["0.0.0.0:8443"]', '["0.0.0.0:1", "[::]:1", "0.0.0.0:2"]'),
        MINIMAL.replace('["0.0.0.0:8443"]', '[":0", "127.0.0.1:0"]'),
        MINIMAL.replace("http:", "https:") + "[hosts.origin_tls]\nverify = false\n",
    ],
)
def test_what_does_not_contradict_itself_is_accepted(folder: Path, text: str) -> None:
    (folder / "edge.toml").write_text(text)
    load(Path("edge.toml"), {})
