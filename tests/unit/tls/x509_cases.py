"""Chains of clients that RFC 5280 says something about, one maker for each.

The names, and what the RFC says of each, are those of x509-limbo (https://x509-limbo.com), where it has
the case; its own certificates are for servers, so the chains are made here for clients. ``made`` returns
what the operator trusts, as PEM, and what the client shows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import ExtensionOID as Oid

from tests.certificates import SERVER, Authority, Credential, certificates_pem, name
from tests.unit.tls.odd_certificates import (
    signed_with_sha1,
    with_duplicate_extension,
    with_issuer,
    with_serial,
)
from tests.unit.tls.x509_edits import (
    edited,
    edited_intermediate,
    edited_root,
    instead,
    with_other_signature_algorithm,
    without,
)

Made = tuple[bytes, Credential]
Make = Callable[[], Made]

_EMPTY = x509.Name([])
_CERT_SIGN, _CRL_SIGN_ONLY, _SIGNATURE = b"\x03\x02\x02\x04", b"\x03\x02\x01\x02", b"\x03\x02\x07\x80"
"""KeyUsage as a BIT STRING."""
_CA, _NO_CA, _CA_LENGTH_0 = (bytes.fromhex(each) for each in ("30030101ff", "3000", "30060101ff020100"))
_NO_CA_LENGTH_0, _CA_LENGTH_NEGATIVE = bytes.fromhex("3003020100"), bytes.fromhex("30060101ff0201ff")
"""BasicConstraints."""
_UNKNOWN = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
_NOTHING = b"\x05\x00"
_ANY_PURPOSE = x509.ObjectIdentifier("2.5.29.37.0")


def _root() -> Authority:
    return Authority("Root", path_length=None)


def _made(root: Authority, leaf: Credential) -> Made:
    return root.bundle, leaf


def _leaf(*edits: object, **options: object) -> Make:
    """A leaf below a root, edited."""

    def make() -> Made:
        root = _root()
        return _made(root, edited(root.issue(**options), root, *edits))  # type: ignore[arg-type]  # as said

    return make


def _below(*edits: object, leaf: dict[str, object] | None = None, **options: object) -> Make:
    """A leaf below an intermediate that is edited."""

    def make() -> Made:
        root = _root()
        middle = edited_intermediate(root.intermediate("Middle", **options), root, *edits)  # type: ignore[arg-type]
        return _made(root, middle.issue(**(leaf or {})))  # type: ignore[arg-type]

    return make


def _under_root(*edits: object, **options: object) -> Make:
    """A leaf below a root that is edited."""

    def make() -> Made:
        root = edited_root(Authority("Root", **options), *edits)  # type: ignore[arg-type]
        return _made(root, root.issue())

    return make


def _constrained(
    permitted: Sequence[x509.GeneralName] | None,
    excluded: Sequence[x509.GeneralName] | None = None,
    *,
    critical: bool = True,
    **leaf: object,
) -> Make:
    """A leaf below a root, below an intermediate with name constraints."""
    constraints = x509.NameConstraints(permitted, excluded)
    return _below(extensions=[(constraints, critical)], leaf=leaf)


def _pathlen(*lengths: int | None) -> Make:
    """A leaf below intermediates with these path lengths, the uppermost first."""

    def make() -> Made:
        root = authority = _root()
        for number, length in enumerate(lengths):
            authority = authority.intermediate(f"Middle {number}", path_length=length)
        return _made(root, authority.issue())

    return make


def _self_issued_below_path_length() -> Made:
    """RFC 5280 6.1.4 (l): a CA that issues to its own name does not count."""
    root = _root()
    upper = root.intermediate("Middle", path_length=0)
    again = Authority("again", above=upper, subject=upper.signer.subject)
    return _made(root, again.issue())


def _path_length_without_cert_sign() -> Made:
    root = _root()
    edits = (instead(Oid.BASIC_CONSTRAINTS, _CA_LENGTH_0, critical=True), without(Oid.KEY_USAGE))
    middle = edited_intermediate(root.intermediate("Middle"), root, *edits)
    return _made(root, middle.issue())


def _empty_ca_subject() -> Made:
    root = _root()
    return _made(root, Authority("none", above=root, subject=_EMPTY).issue())


def _other_inside() -> Made:
    root = _root()
    return _made(root, with_other_signature_algorithm(root.issue()))


def _sha1_leaf() -> Made:
    root = _root()
    return _made(root, signed_with_sha1(root.issue(), root))


def _leaf_as_ca() -> Made:
    root = _root()
    leaf = root.issue("leaf")
    false_ca = Authority("leaf", above=root, subject=leaf.certificate.subject, ca=False)
    return _made(root, false_ca.issue())


def _anchor_presented() -> Made:
    root = _root()
    return root.bundle, root.credential


def _other_root_of_the_name() -> Made:
    root = _root()
    return _made(root, root.impostor().issue())


def _two_cas_that_sign_each_other() -> Made:
    """CVE-2024-0567: no way leads out of the circle to the root."""
    one, two = Authority("One"), Authority("Two")
    leaf = one.issue()
    circle = (one.cross_signed_by(two), two.cross_signed_by(one))
    return _root().bundle, Credential(leaf.certificate, leaf.key, circle)


def _way_out_of_a_circle() -> Made:
    """The same circle, and a way to the root beside it."""
    root, one, two = _root(), Authority("One"), Authority("Two")
    leaf = one.issue()
    chain = (one.cross_signed_by(two), two.cross_signed_by(one), one.cross_signed_by(root))
    return root.bundle, Credential(leaf.certificate, leaf.key, chain)


def _expired_cross_certificate_first() -> Made:
    """Two ways to the same root, the first of them expired."""
    root, one = _root(), Authority("One")
    leaf = one.issue()
    expired = Authority("One", above=root, subject=one.signer.subject, not_after=timedelta(minutes=-1))
    chain = (expired.certificate, one.cross_signed_by(root))
    return root.bundle, Credential(leaf.certificate, leaf.key, chain)


def _intermediate_alone() -> Made:
    """The bundle has root and intermediate, and the client sends its leaf alone."""
    root = _root()
    middle = root.intermediate("Middle")
    leaf = middle.issue()
    return certificates_pem(root.certificate, middle.certificate), Credential(leaf.certificate, leaf.key)


def _expired_root() -> Made:
    root = Authority("Root", not_before=timedelta(days=-9), not_after=timedelta(minutes=-1))
    return _made(root, root.issue())


def _dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(each) for each in names]


def _ip(*networks: str) -> list[x509.GeneralName]:
    return [x509.IPAddress(ipaddress.ip_network(each)) for each in networks]


def _address(text: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(text))


def _mail(*names: str) -> list[x509.GeneralName]:
    return [x509.RFC822Name(each) for each in names]


def _uri(*names: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(each) for each in names]


def _dn(*parts: tuple[str, str]) -> list[x509.GeneralName]:
    return [x509.DirectoryName(name(*parts))]


def _many_names_many_constraints(count: int) -> Make:
    """Pathological: every name of the leaf is compared with every constraint."""
    permitted = _dns(*(f"c{number}.test" for number in range(count)))
    names = _dns(*(f"x.c{number}.test" for number in range(count)))
    return _constrained(permitted, sans=names)


MAKERS: dict[str, Make] = {
    "good": _leaf(),
    "bundled intermediate": _intermediate_alone,
    "rfc5280::aki::critical-aki": _leaf(instead(Oid.AUTHORITY_KEY_IDENTIFIER, None, critical=True)),
    "rfc5280::aki::leaf-missing-aki": _leaf(without(Oid.AUTHORITY_KEY_IDENTIFIER)),
    "rfc5280::aki::intermediate-missing-aki": _below(without(Oid.AUTHORITY_KEY_IDENTIFIER)),
    "rfc5280::aki::root-missing-aki": _under_root(without(Oid.AUTHORITY_KEY_IDENTIFIER)),
    "rfc5280::ski::critical-ski": _below(instead(Oid.SUBJECT_KEY_IDENTIFIER, None, critical=True)),
    "rfc5280::ski::leaf-missing-ski": _leaf(without(Oid.SUBJECT_KEY_IDENTIFIER)),
    "rfc5280::ski::intermediate-missing-ski": _below(without(Oid.SUBJECT_KEY_IDENTIFIER)),
    "rfc5280::ski::root-missing-ski": _under_root(without(Oid.SUBJECT_KEY_IDENTIFIER)),
    "rfc5280::eku::ee-without-eku": _leaf(eku=[]),
    "rfc5280::eku::ee-critical-eku": _leaf(instead(Oid.EXTENDED_KEY_USAGE, None, critical=True)),
    "rfc5280::eku::ee-eku-empty": _leaf(instead(Oid.EXTENDED_KEY_USAGE, b"\x30\x00")),
    "rfc5280::eku::ee-wrong-eku": _leaf(eku=[SERVER]),
    "webpki::eku::ee-anyeku": _leaf(eku=[_ANY_PURPOSE]),
    "eku::intermediate-anyeku": _below(eku=[_ANY_PURPOSE]),
    "eku::intermediate-server-only": _below(eku=[SERVER]),
    "eku::root-server-only": _under_root(eku=[SERVER]),
    "rfc5280::san::noncritical-with-empty-subject": _leaf(subject=_EMPTY, sans=_dns("a.test")),
    "san::critical-with-empty-subject": _leaf(
        instead(Oid.SUBJECT_ALTERNATIVE_NAME, None, critical=True), subject=_EMPTY, sans=_dns("a.test")
    ),
    "san::none-with-empty-subject": _leaf(subject=_EMPTY),
    "san::empty-sequence": _leaf(instead(Oid.SUBJECT_ALTERNATIVE_NAME, b"\x30\x00")),
    "rfc5280::serial::too-long": _leaf(with_serial(b"\x01" * 21)),
    "rfc5280::serial::zero": _leaf(with_serial(b"\x00")),
    "serial::negative": _leaf(with_serial(b"\xff")),
    "rfc5280::validity::expired-root": _expired_root,
    "rfc5280::validity::expired-intermediate": _below(not_after=timedelta(minutes=-1)),
    "rfc5280::validity::expired-leaf": _leaf(not_after=timedelta(minutes=-1)),
    "rfc5280::nc::permitted-dns-match": _constrained(_dns("in.test"), sans=_dns("x.in.test")),
    "rfc5280::nc::permitted-dns-mismatch": _constrained(_dns("in.test"), sans=_dns("x.out.test")),
    "nc::permitted-dns-not-a-suffix-of-labels": _constrained(_dns("in.test"), sans=_dns("xin.test")),
    "rfc5280::nc::excluded-dns-match": _constrained(None, _dns("in.test"), sans=_dns("x.in.test")),
    "rfc5280::nc::excluded-dns-in-capitals": _constrained(None, _dns("in.test"), sans=_dns("X.IN.TEST")),
    "rfc5280::nc::permitted-different-constraint-type": _constrained(_mail("in.test"), sans=_dns("x.test")),
    "nc::cn-that-looks-like-a-name": _constrained(_dns("in.test"), subject=name(("CN", "x.out.test"))),
    "nc::cn-that-looks-like-a-name-beside-a-san": _constrained(
        _dns("in.test"), subject=name(("CN", "x.out.test")), sans=_dns("x.in.test")
    ),
    "rfc5280::nc::permitted-ip-match": _constrained(_ip("10.0.0.0/8"), sans=[_address("10.1.2.3")]),
    "rfc5280::nc::permitted-ip-mismatch": _constrained(_ip("10.0.0.0/8"), sans=[_address("11.1.2.3")]),
    "nc::permitted-ip-of-the-other-family": _constrained(
        _ip("10.0.0.0/8"), sans=[_address("::ffff:10.1.2.3")]
    ),
    "rfc5280::nc::excluded-ip-match": _constrained(None, _ip("10.0.0.0/8"), sans=[_address("10.1.2.3")]),
    "rfc5280::nc::permitted-dn-match": _constrained(
        _dn(("O", "Inside")), subject=name(("O", "Inside"), ("CN", "x"))
    ),
    "rfc5280::nc::permitted-dn-mismatch": _constrained(
        _dn(("O", "Inside")), subject=name(("O", "Outside"), ("CN", "x"))
    ),
    "rfc5280::nc::excluded-dn-match": _constrained(
        None, _dn(("O", "Outside")), subject=name(("O", "Outside"), ("CN", "x"))
    ),
    "nc::permitted-mail-match": _constrained(_mail("in.test"), sans=_mail("a@in.test")),
    "nc::permitted-mail-mismatch": _constrained(_mail("in.test"), sans=_mail("a@out.test")),
    "nc::permitted-mail-of-a-subdomain": _constrained(_mail("in.test"), sans=_mail("a@x.in.test")),
    "nc::permitted-mail-in-the-subject": _constrained(
        _mail("in.test"), subject=name(("E", "a@out.test"), ("CN", "x"))
    ),
    "nc::permitted-uri-match": _constrained(_uri(".in.test"), sans=_uri("spiffe://x.in.test/a")),
    "nc::permitted-uri-mismatch": _constrained(_uri(".in.test"), sans=_uri("spiffe://x.out.test/a")),
    "nc::permitted-uri-with-a-user": _constrained(_uri(".in.test"), sans=_uri("https://x.in.test@out.test/")),
    "nc::permitted-uri-without-an-authority": _constrained(_uri(".in.test"), sans=_uri("urn:x:y")),
    "nc::excluded-uri-without-an-authority": _constrained(None, _uri(".in.test"), sans=_uri("urn:x:y")),
    "rfc5280::nc::not-critical": _constrained(_dns("in.test"), critical=False, sans=_dns("x.in.test")),
    "nc::not-critical-and-violated": _constrained(_dns("in.test"), critical=False, sans=_dns("x.out.test")),
    "rfc5280::nc::not-allowed-in-ee-critical": _leaf(
        extensions=[(x509.NameConstraints(_dns("in.test"), None), True)], sans=_dns("x.in.test")
    ),
    "rfc5280::nc::not-allowed-in-ee-noncritical": _leaf(
        extensions=[(x509.NameConstraints(_dns("in.test"), None), False)], sans=_dns("x.in.test")
    ),
    "rfc5280::nc::in-the-root": _under_root(extensions=[(x509.NameConstraints(_dns("in.test"), None), True)]),
    "nc::empty": _below(instead(Oid.NAME_CONSTRAINTS, b"\x30\x00", critical=True)),
    "nc::malformed": _below(instead(Oid.NAME_CONSTRAINTS, b"\x30\x01", critical=True)),
    "nc::ip-with-a-broken-mask": _below(
        instead(Oid.NAME_CONSTRAINTS, bytes.fromhex("300ea00c300a87080a000000ff00ff00"), critical=True),
        leaf={"sans": [_address("10.1.0.3")]},
    ),
    "nc::unsupported-type": _below(
        instead(Oid.NAME_CONSTRAINTS, bytes.fromhex("3008a006300488022901"), critical=True)
    ),
    "pc::ica-noncritical-pc": _below(extensions=[(x509.PolicyConstraints(0, None), False)]),
    "pc::explicit-policy-and-none": _below(extensions=[(x509.PolicyConstraints(0, None), True)]),
    "rfc5280::ca-empty-subject": _empty_ca_subject,
    "rfc5280::ee-empty-issuer": _leaf(with_issuer(b"\x30\x00")),
    "rfc5280::unknown-critical-extension-ee": _leaf(instead(_UNKNOWN, _NOTHING, critical=True)),
    "rfc5280::unknown-critical-extension-intermediate": _below(instead(_UNKNOWN, _NOTHING, critical=True)),
    "rfc5280::unknown-critical-extension-root": _under_root(instead(_UNKNOWN, _NOTHING, critical=True)),
    "unknown-extension": _leaf(instead(_UNKNOWN, _NOTHING)),
    "rfc5280::leaf-ku-keycertsign": _leaf(instead(Oid.KEY_USAGE, _CERT_SIGN, critical=True)),
    "ku::leaf-without-ku": _leaf(without(Oid.KEY_USAGE)),
    "ku::leaf-crl-sign-only": _leaf(instead(Oid.KEY_USAGE, _CRL_SIGN_ONLY, critical=True)),
    "ku::leaf-no-bits": _leaf(instead(Oid.KEY_USAGE, b"\x03\x01\x00", critical=True)),
    "ku::intermediate-without-cert-sign": _below(instead(Oid.KEY_USAGE, _SIGNATURE, critical=True)),
    "ku::intermediate-without-ku": _below(without(Oid.KEY_USAGE)),
    "ku::root-without-cert-sign": _under_root(instead(Oid.KEY_USAGE, _SIGNATURE, critical=True)),
    "ku::root-without-ku": _under_root(without(Oid.KEY_USAGE)),
    "rfc5280::root-missing-basic-constraints": _under_root(without(Oid.BASIC_CONSTRAINTS)),
    "rfc5280::root-non-critical-basic-constraints": _under_root(instead(Oid.BASIC_CONSTRAINTS, None)),
    "rfc5280::root-inconsistent-ca-extensions": _under_root(
        instead(Oid.BASIC_CONSTRAINTS, _NO_CA, critical=True)
    ),
    "rfc5280::intermediate-ca-without-ca-bit": _below(instead(Oid.BASIC_CONSTRAINTS, _NO_CA, critical=True)),
    "rfc5280::intermediate-ca-missing-basic-constraints": _below(without(Oid.BASIC_CONSTRAINTS)),
    "rfc5280::intermediate-ca-non-critical-basic-constraints": _below(instead(Oid.BASIC_CONSTRAINTS, _CA)),
    "rfc5280::duplicate-extensions": _leaf(with_duplicate_extension),
    "intermediate-duplicate-extensions": _below(with_duplicate_extension),
    "version::leaf-v1": _leaf(version1=True),
    "version::intermediate-v1": _below(version1=True),
    "rfc5280::ca-as-leaf": _leaf(ca=True),
    "leaf-as-ca": _leaf_as_ca,
    "rfc5280::root-and-leaf-are-one": _anchor_presented,
    "chain-untrusted-root": _other_root_of_the_name,
    "rfc5280::mismatching-signature-algorithm": _other_inside,
    "pathlen::ee-with-intermediate-pathlen-0": _pathlen(0),
    "pathlen::ee-with-intermediate-pathlen-1": _pathlen(1),
    "pathlen::intermediate-violates-pathlen-0": _pathlen(0, 0),
    "pathlen::intermediate-pathlen-may-increase": _pathlen(1, 2),
    "pathlen::intermediate-pathlen-too-long": _pathlen(1, None, None),
    "pathlen::self-issued-certs-pathlen": _self_issued_below_path_length,
    "pathlen::negative": _below(instead(Oid.BASIC_CONSTRAINTS, _CA_LENGTH_NEGATIVE, critical=True)),
    "pathlen::without-key-usage": _path_length_without_cert_sign,
    "pathlen::in-a-leaf": _leaf(instead(Oid.BASIC_CONSTRAINTS, _NO_CA_LENGTH_0, critical=True)),
    "pathlen::four-intermediates": _pathlen(None, None, None, None),
    "pathlen::five-intermediates": _pathlen(None, None, None, None, None),
    "pathological::intermediate-cycle-distinct-cas": _two_cas_that_sign_each_other,
    "pathological::way-out-of-a-cycle": _way_out_of_a_circle,
    "pathological::expired-cross-certificate-first": _expired_cross_certificate_first,
    "pathological::nc-many": _many_names_many_constraints(100),
    "webpki::forbidden-rsa-1024": _leaf(key="rsa1024"),
    "webpki::forbidden-weak-rsa-in-intermediate": _below(key="rsa1024"),
    "webpki::forbidden-sha1": _sha1_leaf,
}
