"""Every selector through a running edge: whom it lets in, and above all whom it does not."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

import pytest
from cryptography import x509

from tests.certificates import (
    SERVER,
    Authority,
    Credential,
    Options,
    StringType,
    name,
    self_signed,
)
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import (
    application_with,
    ca_table,
    group_table,
    host_table,
    policy_table,
    server_table,
)
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused

JOSE = "Jos\u00e9"

DEVICE: Options = {
    "subject": name(
        ("C", "US"), ("O", "Widget Corp"), ("OU", "Access Admins"), ("OU", "Field"), ("CN", "device-1")
    ),
    "sans": [
        x509.DNSName("device-1.iot.test"),
        x509.RFC822Name("ops@widget.test"),
        x509.UniformResourceIdentifier("spiffe://widget.test/ns/prod/sa/web"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    ],
    "serial": 0x0ABC01,
}

RULES = {
    "everyone": '"everyone"',
    "certificate": "{ certificate = {} }",
    "common-name": '{ common_name = { common_name = "James Royal" } }',
    "common-name-short": '{ common_name = "James Royal" }',
    "common-name-accent": f'{{ common_name = "{JOSE}" }}',
    "san-dns": '{ certificate_san = { dns = "device-1.iot.test" } }',
    "san-dns-star": '{ certificate_san = { dns = "*.iot.test" } }',
    "san-email": '{ certificate_san = { email = "ops@widget.test" } }',
    "san-email-star": '{ certificate_san = { email = "*@widget.test" } }',
    "san-uri": '{ certificate_san = { uri = "spiffe://widget.test/ns/prod/sa/web" } }',
    "san-uri-star": '{ certificate_san = { uri = "spiffe://widget.test/ns/*/sa/web" } }',
    "san-ip": '{ certificate_san = { ip = "192.0.2.7" } }',
    "san-ip-network": '{ certificate_san = { ip = "2001:db8::/64" } }',
    "subject-o": '{ certificate_subject = { o = "Widget Corp" } }',
    "subject-ou": '{ certificate_subject = { ou = "Access Admins" } }',
    "issuer-name": '{ certificate_issuer = { name = "CA B" } }',
    "issuer-fingerprint": '{ certificate_issuer = { fingerprint = "$ca_b" } }',
    "issuer-root-fingerprint": '{ certificate_issuer = { fingerprint = "$ca_a_root" } }',
    "fingerprint": '{ certificate_fingerprint = { sha256 = "$device" } }',
    "fingerprint-of-impostor": '{ certificate_fingerprint = { sha256 = "$impostor_device" } }',
    "serial": '{ certificate_serial = { serial = "0ABC01" } }',
    "serial-colons": '{ certificate_serial = { serial = "0a:bc:01" } }',
    "method": '{ method = { method = "GET" } }',
    "ip": '{ ip = { ip = "127.0.0.0/8" } }',
    "ip-exact": '{ ip = { ip = "127.0.0.1" } }',
    "ip-elsewhere": '{ ip = { ip = "203.0.113.0/24" } }',
    "ip-version-6": '{ ip = { ip = "::1" } }',
    "group": '{ group = { id = "ops" } }',
    "group-nested": '{ group = { id = "outer" } }',
}
"""Each is the only include rule of an application of its own: ``a.test/<name>``."""

GROUPS = [
    group_table(
        "ops",
        '{ common_name = "James Royal" }, { common_name = "device-1" }',
        'require = [{ certificate_issuer = { name = "CA A" } }]',
        "exclude = [{ certificate_subject = { ou = 'Field' } }]",
    ),
    group_table("outer", '{ group = { id = "ops" } }', 'require = [{ method = "GET" }]'),
]


@pytest.fixture(scope="module")
def people(ca_a: Authority, ca_b: Authority) -> Mapping[str, Credential | None]:
    """Clients by name; the tables below name them."""
    impostor = ca_a.impostor()
    foreign = Authority("Foreign CA")
    return {
        "nobody": None,
        "james": ca_a.issue("James Royal"),
        "james of B": ca_b.issue("James Royal"),
        "jane": ca_a.issue("Jane Doe"),
        "device": ca_a.issue(**DEVICE),
        "device of B": ca_b.issue(**DEVICE),
        "impostor james": impostor.issue("James Royal"),
        "impostor device": impostor.issue(**DEVICE),
        "foreign device": foreign.issue(**DEVICE),
        "self-signed james": self_signed("James Royal"),
        "server james": ca_a.issue("James Royal", eku=[SERVER]),
        "PrintableString": ca_a.issue(subject=name(("CN", "James Royal", StringType.PrintableString))),
        "empty subject": ca_a.issue(subject=name()),
        "NUL": ca_a.issue("James Royal\0.evil"),
        "NFC": ca_a.issue(JOSE),
        "NFD": ca_a.issue(unicodedata.normalize("NFD", JOSE)),
        "near device": ca_a.issue(
            subject=name(("O", "Widget Corp2"), ("OU", "access admins"), ("CN", "Widget Corp")),
            sans=[
                x509.DNSName("a.device-1.iot.test"),
                x509.DNSName("device-1.iot.test.evil"),
                x509.DNSName("*.iot.test"),
                x509.RFC822Name("Ops@widget.test.evil"),
                x509.RFC822Name("ops@sub.widget.test"),
                x509.UniformResourceIdentifier("spiffe://widget.test/ns/prod/x/sa/web"),
                x509.UniformResourceIdentifier("spiffe://widget.test/ns/%2e%2e/sa/web"),
                x509.UniformResourceIdentifier("spiffe://widget.test/ns/prod/sa/web/"),
                x509.IPAddress(ipaddress.ip_address("192.0.2.77")),
                x509.IPAddress(ipaddress.ip_address("2001:db8:0:1::7")),
            ],
            serial=0x0ABC0100,
        ),
        "names of another kind": ca_a.issue(
            "192.0.2.7",
            sans=[
                x509.DNSName("192.0.2.7"),
                x509.DNSName("ops@widget.test"),
                x509.RFC822Name("device-1.iot.test"),
                x509.UniformResourceIdentifier("device-1.iot.test"),
            ],
        ),
    }


@pytest.fixture(scope="module")
def selector_edge(
    tmp_path_factory: pytest.TempPathFactory,
    pki: Path,
    session_origin: Origin,
    people: Mapping[str, Credential],
    ca_a: Authority,
    ca_b: Authority,
) -> Iterator[Edge]:
    values = {
        "ca_b": ca_b.credential.fingerprint,
        "ca_a_root": Credential(ca_a.root[0], ca_a.credential.key).fingerprint,
        "device": people["device"].fingerprint,
        "impostor_device": people["impostor device"].fingerprint,
    }
    parts = [
        server_table(workers=1),
        host_table(pki, "a.test", session_origin.url, 'unmatched = "deny"'),
        ca_table("CA A", pki / "ca-a.pem", "a.test"),
        ca_table("CA B", pki / "ca-b.pem", "a.test"),
        *GROUPS,
    ]
    for path, rule in RULES.items():
        rules = Template(rule).substitute(values)
        parts.append(application_with(f"a.test/{path}", policy_table("only", "non_identity", rules)))
    directory = tmp_path_factory.mktemp("selectors")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


LET_IN = [
    ("everyone", "nobody"),
    ("everyone", "impostor james"),
    ("certificate", "jane"),
    ("certificate", "james of B"),
    ("certificate", "empty subject"),
    ("certificate", "NUL"),
    ("common-name", "james"),
    ("common-name", "james of B"),
    ("common-name", "PrintableString"),
    ("common-name-short", "james"),
    ("common-name-accent", "NFC"),
    ("san-dns", "device"),
    ("san-dns-star", "device"),
    ("san-email", "device"),
    ("san-email-star", "device"),
    ("san-uri", "device"),
    ("san-uri-star", "device"),
    ("san-ip", "device"),
    ("san-ip-network", "device"),
    ("subject-o", "device"),
    ("subject-ou", "device"),
    ("issuer-name", "james of B"),
    ("issuer-fingerprint", "james of B"),
    ("issuer-root-fingerprint", "jane"),
    ("fingerprint", "device"),
    ("serial", "device"),
    ("serial", "device of B"),
    ("serial-colons", "device"),
    ("method", "nobody"),
    ("ip", "nobody"),
    ("ip-exact", "nobody"),
    ("group", "james"),
    ("group-nested", "james"),
]


@pytest.mark.parametrize(("path", "who"), LET_IN)
def test_a_selector_lets_in_whom_it_means(
    selector_edge: Edge, origin: Origin, people: Mapping[str, Credential], path: str, who: str
) -> None:
    with raw_tls(selector_edge, credential=people[who]) as client:
        assert client.ask(f"/{path}/x").status == 200
    assert len(origin.received(f"/{path}/x")) == 1


SHUT_OUT = [
    *(("common-name", who) for who in ("jane", "device")),
    ("common-name-short", "jane"),
    ("common-name-accent", "NFD"),
    *(
        (f"san-{kind}", who)
        for kind in ("dns", "dns-star", "email", "email-star", "uri", "uri-star", "ip", "ip-network")
        for who in ("james", "near device", "names of another kind")
    ),
    *((f"subject-{kind}", who) for kind in ("o", "ou") for who in ("james", "near device")),
    ("issuer-name", "james"),
    ("issuer-fingerprint", "james"),
    ("issuer-root-fingerprint", "james of B"),
    *(("fingerprint", who) for who in ("james", "device of B", "near device")),
    *((path, who) for path in ("serial", "serial-colons") for who in ("james", "near device")),
    *((path, "james") for path in ("ip-elsewhere", "ip-version-6")),
    *((path, who) for path in ("group", "group-nested") for who in ("james of B", "device", "jane")),
]


@pytest.mark.parametrize(("path", "who"), SHUT_OUT)
def test_a_valid_certificate_that_a_selector_does_not_mean_is_denied(
    selector_edge: Edge, origin: Origin, people: Mapping[str, Credential], path: str, who: str
) -> None:
    with raw_tls(selector_edge, credential=people[who]) as client:
        assert_refused(client.ask(f"/{path}/x"), "policy_denied")
    assert origin.received() == []


CERTIFICATE_RULES = [
    path
    for path in RULES
    if path not in {"everyone", "method", "ip", "ip-exact", "ip-elsewhere", "ip-version-6"}
]


@pytest.mark.parametrize(
    "who", ["impostor james", "impostor device", "foreign device", "self-signed james", "server james"]
)
def test_no_certificate_rule_believes_a_certificate_that_does_not_verify(
    selector_edge: Edge, origin: Origin, people: Mapping[str, Credential], who: str
) -> None:
    with raw_tls(selector_edge, credential=people[who]) as client:
        for path in CERTIFICATE_RULES:
            assert_refused(client.ask(f"/{path}"), "client_certificate_invalid")
    assert origin.received() == []


def test_no_certificate_rule_matches_without_a_certificate(selector_edge: Edge, origin: Origin) -> None:
    with raw_tls(selector_edge) as client:
        for path in CERTIFICATE_RULES:
            assert_refused(client.ask(f"/{path}"), "client_certificate_required")
    assert origin.received() == []


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "get", "Get", "FOO"])
def test_a_rule_about_get_means_no_other_method(selector_edge: Edge, origin: Origin, method: str) -> None:
    with raw_tls(selector_edge) as client:
        assert client.ask("/method", method=method).status == (403 if method.isupper() else 400)
    assert origin.received() == []


def test_a_header_does_not_override_the_method(selector_edge: Edge, origin: Origin) -> None:
    with raw_tls(selector_edge) as client:
        client.send(
            b"POST /method HTTP/1.1\r\nHost: a.test\r\nX-HTTP-Method-Override: GET\r\n"
            b"X-Method-Override: GET\r\nContent-Length: 0\r\n\r\n"
        )
        assert_refused(client.read_answer(), "client_certificate_required")
    assert origin.received() == []


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"])
def test_no_header_moves_a_client_to_another_address(
    selector_edge: Edge, origin: Origin, header: str
) -> None:
    with raw_tls(selector_edge) as client:
        client.send(f"GET /ip-elsewhere HTTP/1.1\r\nHost: a.test\r\n{header}: 203.0.113.9\r\n\r\n".encode())
        assert_refused(client.read_answer(), "client_certificate_required")
    assert origin.received() == []
