"""What an origin is told about a verified client, to the octet; about any other, nothing."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse

import pytest
from cryptography.x509.oid import NameOID

from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from edge.proxy.identity_headers import dn_octets, identity_headers
from edge.trust.certificate import read_certificate
from tests.certificates import Authority, name
from tests.unit.access.builders import ca, failed, leaf, verified

FORMS = ("cloudflare", "rfc9440", "xfcc", "nginx")
DER = bytes(range(200))
LEAF = leaf(
    "James Royal",
    der=DER,
    sha256=hashlib.sha256(DER).digest(),
    serial=0xA1B,
    subject="CN=James Royal,O=Access",
    issuer="CN=Issuing CA",
    san_dns=("a.test", 'b".test'),
    san_uri=("spiffe://a/b",),
)
MIDDLE = ca(b"\1" * 32, der=b"middle")
ROOT = ca(b"\2" * 32, der=b"root")
AUTH = verified(LEAF, MIDDLE, ROOT)


def headers(auth: ClientAuth, *forms: str) -> dict[bytes, bytes]:
    found = dict(identity_headers(auth, forms))
    assert len(found) == len(identity_headers(auth, forms))
    return found


@pytest.mark.parametrize("auth", [NO_CERTIFICATE, failed(LEAF)])
def test_without_a_verified_certificate_only_the_no_is_said(auth: ClientAuth) -> None:
    assert identity_headers(auth, FORMS) == ((b"Mtls-Authenticated", b"false"),)


def test_without_a_form_only_the_yes_is_said() -> None:
    assert identity_headers(AUTH, ()) == ((b"Mtls-Authenticated", b"true"),)


def test_cloudflares_form() -> None:
    assert headers(AUTH, "cloudflare") == {
        b"Mtls-Authenticated": b"true",
        b"Cf-Client-Cert-Der-Base64": base64.b64encode(DER),
        b"Cf-Client-Cert-Sha256": hashlib.sha256(DER).hexdigest().encode(),
    }


def test_the_form_of_rfc_9440_has_the_chain_without_leaf_and_root() -> None:
    assert headers(AUTH, "rfc9440") == {
        b"Mtls-Authenticated": b"true",
        b"Client-Cert": b":" + base64.b64encode(DER) + b":",
        b"Client-Cert-Chain": b":" + base64.b64encode(b"middle") + b":",
    }
    two = headers(verified(LEAF, MIDDLE, MIDDLE, ROOT), "rfc9440")
    assert two[b"Client-Cert-Chain"].split(b", ") == [b":" + base64.b64encode(b"middle") + b":"] * 2


def test_without_an_intermediate_there_is_no_chain() -> None:
    assert b"Client-Cert-Chain" not in headers(verified(LEAF, ROOT), "rfc9440")


def test_envoys_form() -> None:
    value = headers(AUTH, "xfcc")[b"X-Forwarded-Client-Cert"].decode()
    parts = value.split(";")
    assert parts[0] == "Hash=" + hashlib.sha256(DER).hexdigest()
    pem = urllib.parse.unquote(parts[1].removeprefix('Cert="').removesuffix('"'))
    assert pem.splitlines()[0] == "-----BEGIN CERTIFICATE-----"
    assert base64.b64decode("".join(pem.splitlines()[1:-1])) == DER
    assert parts[2:] == [
        'Subject="CN=James Royal,O=Access"',
        'URI="spiffe://a/b"',
        'DNS="a.test"',
        'DNS="b\\".test"',
    ]


def test_nginxs_form() -> None:
    assert headers(AUTH, "nginx") == {
        b"Mtls-Authenticated": b"true",
        b"X-SSL-Client-Verify": b"SUCCESS",
        b"X-SSL-Client-S-DN": b"CN=James Royal,O=Access",
        b"X-SSL-Client-I-DN": b"CN=Issuing CA",
        b"X-SSL-Client-Serial": b"0A1B",
        b"X-SSL-Client-Fingerprint": hashlib.sha1(DER).hexdigest().encode(),
    }


def test_all_forms_together_are_in_the_order_they_were_asked_for() -> None:
    names = [header for header, _ in identity_headers(AUTH, FORMS)]
    assert names[0] == b"Mtls-Authenticated"
    assert len(names) == len(set(names)) == 1 + 2 + 2 + 1 + 5


def test_a_value_no_origin_would_take_is_left_out() -> None:
    big = headers(verified(leaf(der=bytes(13000)), ROOT), *FORMS)
    assert big[b"Mtls-Authenticated"] == b"true"
    assert b"Cf-Client-Cert-Der-Base64" not in big
    assert b"Cf-Client-Cert-Sha256" in big
    assert b"X-SSL-Client-Verify" in big


@pytest.mark.parametrize(
    "subject",
    [
        "CN=a\r\nX-Admin: 1",
        "CN=a\nb",
        "CN=a\0b",
        "CN=\x7f",
        "CN=\x85",
        "CN=\u2028",
        "CN=J\u00fcrgen",
        "CN=\ud800",
    ],
)
@pytest.mark.parametrize("form", ["xfcc", "nginx"])
def test_no_name_can_end_a_header(subject: str, form: str) -> None:
    odd = leaf(subject=subject, issuer=subject, san_dns=(subject,), san_uri=(subject,))
    for _, value in identity_headers(verified(odd, ROOT), (form,)):
        assert all(0x20 <= octet < 0x7F for octet in value)


def test_a_name_in_quotes_cannot_leave_them() -> None:
    odd = leaf(subject='CN=a";Hash=x;Subject="', san_dns=(), san_uri=())
    value = dict(identity_headers(verified(odd, ROOT), ("xfcc",)))[b"X-Forwarded-Client-Cert"]
    assert value.endswith(b';Subject="CN=a\\";Hash=x;Subject=\\""')


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("CN=a,O=b", b"CN=a,O=b"),
        ("CN=\u00fc", b"CN=\\C3\\BC"),
        ("CN=a\nb", b"CN=a\\0Ab"),
        ("CN=\x7f", b"CN=\\7F"),
        ("CN=a\\,b", b"CN=a\\,b"),
        ("", b""),
    ],
)
def test_a_distinguished_name_is_printable_ascii(text: str, octets: bytes) -> None:
    assert dn_octets(text) == octets


def test_a_real_certificate_reads_as_openssl_prints_it() -> None:
    credential = Authority("Root").issue(subject=name(("C", "DE"), ("O", "Bund, AG"), ("CN", "J\u00fcrgen")))
    facts = read_certificate(credential.certificate)
    value = dict(identity_headers(verified(facts, ROOT), ("nginx",)))[b"X-SSL-Client-S-DN"]
    assert value == b"CN=J\\C3\\BCrgen,O=Bund\\, AG,C=DE"
    assert credential.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
