"""The four forms in which an origin is told of a certificate, held against what openssl prints."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import Authority, Credential, StringType, multi_valued_name, name
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin, Received

FORMS = ("cloudflare", "rfc9440", "xfcc", "nginx")
WRITTEN = {
    "cloudflare": {"cf-client-cert-der-base64", "cf-client-cert-sha256"},
    "rfc9440": {"client-cert", "client-cert-chain"},
    "xfcc": {"x-forwarded-client-cert"},
    "nginx": {
        "x-ssl-client-verify",
        "x-ssl-client-s-dn",
        "x-ssl-client-i-dn",
        "x-ssl-client-serial",
        "x-ssl-client-fingerprint",
    },
}
ALL_WRITTEN = set().union(*WRITTEN.values())

SUBJECTS = {
    "common name": name(("CN", "James Royal")),
    "the usual ones": name(
        ("C", "US"), ("ST", "Texas"), ("L", "Austin"), ("O", "Widget Corp"), ("OU", "IoT"), ("CN", "device-1")
    ),
    "all that OpenSSL has short names for": name(
        ("DC", "test"),
        ("DC", "widget"),
        ("UID", "u1"),
        ("SERIALNUMBER", "SN-1"),
        ("E", "ops@widget.test"),
        ("CN", "device-1"),
    ),
    "specials": name(("O", 'a,b+c"d\\e<f>g;h=i/j'), ("CN", "x")),
    "a hash and spaces": name(("O", "#hash"), ("OU", " spaces "), ("CN", "x")),
    "UTF-8": name(("O", "Caf\u00e9 \u65e5\u672c"), ("CN", "Jos\u00e9")),
    "control characters": name(("O", "line\r\nInjected: yes"), ("CN", "x\ty\x7f")),
    "BMPString": name(("O", "Caf\u00e9", StringType.BMPString), ("CN", "x")),
    "two common names": name(("CN", "one"), ("CN", "two")),
    "several values in one": multi_valued_name(("CN", "one"), ("OU", "two")),
    "nothing": name(),
}


@pytest.fixture(scope="module")
def forms_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, server_root: Authority, session_origin: Origin
) -> Iterator[Edge]:
    """``a.test`` writes all forms, ``<form>.test`` that one."""
    parts = [server_table(workers=1)]
    every = ", ".join(f'"{form}"' for form in FORMS)
    parts.append(host_table(pki, "a.test", session_origin.url, f"forward_client_certificate = [{every}]"))
    parts.append(application_table("a.test"))
    parts.append(application_table("a.test/public", '"everyone"', decision="bypass"))
    hosts = [f"{form}.test" for form in FORMS]
    for form, host in zip(FORMS, hosts, strict=True):
        server_root.issue_server(host).write(pki, host)
        line = f'forward_client_certificate = ["{form}"]'
        parts += [host_table(pki, host, session_origin.url, line), application_table(host)]
    parts.append(ca_table("CA A", pki / "ca-a.pem", "a.test", *hosts))
    parts.append(ca_table("CA B", pki / "ca-b.pem", "a.test"))
    directory = tmp_path_factory.mktemp("forms")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


def openssl(credential: Credential, *arguments: str) -> str:
    """What ``openssl x509`` prints behind the first ``=``."""
    done = subprocess.run(
        ["openssl", "x509", "-noout", *arguments], input=credential.pem(), capture_output=True, check=True
    )
    return done.stdout.decode().rstrip("\n").partition("=")[2]


def told(edge: Edge, origin: Origin, credential: Credential | None, path: str = "/x") -> Received:
    with raw_tls(edge, credential=credential) as client:
        assert client.ask(path).status == 200
    (received,) = origin.received()
    return received


def base64_der(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_nginx_form_says_what_openssl_says(
    forms_edge: Edge, origin: Origin, ca_a: Authority, subject: str
) -> None:
    credential = ca_a.issue(subject=SUBJECTS[subject])
    received = told(forms_edge, origin, credential)
    assert received.value("x-ssl-client-verify") == "SUCCESS"
    assert received.value("x-ssl-client-s-dn") == openssl(credential, "-subject", "-nameopt", "RFC2253")
    assert received.value("x-ssl-client-i-dn") == openssl(credential, "-issuer", "-nameopt", "RFC2253")
    assert received.value("x-ssl-client-serial") == openssl(credential, "-serial")
    fingerprint = openssl(credential, "-fingerprint", "-sha1").replace(":", "").lower()
    assert received.value("x-ssl-client-fingerprint") == fingerprint
    assert received.values("injected") == []
    assert origin.unreadable == []


@pytest.mark.parametrize("serial", [1, 0x0A, 0x80, 0xFFFF, 0x0123456789ABCDEF, 2**159 - 1])
def test_a_serial_number_is_written_as_openssl_writes_it(
    forms_edge: Edge, origin: Origin, ca_a: Authority, serial: int
) -> None:
    credential = ca_a.issue("James Royal", serial=serial)
    received = told(forms_edge, origin, credential)
    assert received.value("x-ssl-client-serial") == openssl(credential, "-serial")


def test_the_cloudflare_form_is_the_certificate_and_its_fingerprint(
    forms_edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    credential = ca_a.issue("James Royal")
    received = told(forms_edge, origin, credential)
    assert received.value("cf-client-cert-der-base64") == base64_der(credential.certificate)
    fingerprint = openssl(credential, "-fingerprint", "-sha256").replace(":", "").lower()
    assert received.value("cf-client-cert-sha256") == fingerprint


def test_the_rfc_9440_form_is_the_leaf_and_the_chain_without_the_anchor(
    forms_edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    credential = ca_a.issue("James Royal")
    received = told(forms_edge, origin, credential)
    assert received.value("client-cert") == f":{base64_der(credential.certificate)}:"
    assert received.value("client-cert-chain") == f":{base64_der(ca_a.certificate)}:"


def test_a_chain_of_two_intermediates_stands_in_order(
    forms_edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    below = ca_a.intermediate("CA A below")
    credential = below.issue("James Royal")
    with raw_tls(forms_edge, credential=credential, with_chain=True) as client:
        assert client.ask("/x").status == 200
    (received,) = origin.received()
    chain = [f":{base64_der(authority.certificate)}:" for authority in (below, ca_a)]
    assert received.value("client-cert-chain") == ", ".join(chain)


def test_a_certificate_that_a_root_signed_has_no_chain(
    forms_edge: Edge, origin: Origin, ca_b: Authority
) -> None:
    received = told(forms_edge, origin, ca_b.issue("James Royal"))
    assert len(received.values("client-cert")) == 1
    assert received.values("client-cert-chain") == []


def test_the_xfcc_form_has_envoys_parts(forms_edge: Edge, origin: Origin, ca_a: Authority) -> None:
    sans = [
        x509.UniformResourceIdentifier("spiffe://widget.test/ns/prod"),
        x509.DNSName("device-1.test"),
        x509.DNSName("device-2.test"),
    ]
    credential = ca_a.issue(subject=name(("O", 'a"b;c,d'), ("CN", "x")), sans=sans)
    value = told(forms_edge, origin, credential).value("x-forwarded-client-cert")
    assert value is not None
    hashed, certificate, rest = value.split(";", 2)
    assert hashed == f"Hash={credential.fingerprint}"
    assert unquote(certificate.removeprefix('Cert="').removesuffix('"')).encode() == credential.pem()
    subject = openssl(credential, "-subject", "-nameopt", "RFC2253")
    quoted = subject.replace("\\", "\\\\").replace('"', '\\"')
    assert rest == (
        f'Subject="{quoted}";URI="spiffe://widget.test/ns/prod";DNS="device-1.test";DNS="device-2.test"'
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_host_writes_only_the_forms_it_was_told_to(
    forms_edge: Edge, origin: Origin, ca_a: Authority, form: str
) -> None:
    host = f"{form}.test"
    with raw_tls(forms_edge, host, ca_a.issue("James Royal")) as client:
        assert client.ask("/x", host=host).status == 200
    (received,) = origin.received()
    assert {name for name, _ in received.headers} & ALL_WRITTEN == WRITTEN[form]


def test_a_certificate_that_does_not_verify_is_not_forwarded(
    forms_edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    for credential in (None, ca_a.impostor().issue("James Royal"), Authority("Foreign").issue("James Royal")):
        origin.forget()
        received = told(forms_edge, origin, credential, "/public")
        assert received.value("mtls-authenticated") == "false"
        assert not {name for name, _ in received.headers} & ALL_WRITTEN


def test_a_verified_certificate_is_forwarded_on_every_request_and_on_bypass_paths(
    forms_edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    credential = ca_a.issue("James Royal")
    with raw_tls(forms_edge, credential=credential) as client:
        for path in ("/x", "/public", "/x", "/public"):
            assert client.ask(path).status == 200
    assert len(origin.received()) == 4
    for received in origin.received():
        assert {name for name, _ in received.headers} & ALL_WRITTEN == ALL_WRITTEN
        assert received.value("cf-client-cert-sha256") == credential.fingerprint


def test_a_resumed_connection_forwards_the_same(forms_edge: Edge, origin: Origin, ca_a: Authority) -> None:
    credential = ca_a.issue("James Royal")
    with raw_tls(forms_edge, credential=credential) as client:
        client.ask("/x")
        session = client.session
    with raw_tls(forms_edge, credential=credential, session=session) as client:
        assert client.resumed
        client.ask("/x")
    first, second = (
        [(name, value) for name, value in received.headers if name in ALL_WRITTEN]
        for received in origin.received()
    )
    assert first == second
    assert len(first) == len(ALL_WRITTEN)
