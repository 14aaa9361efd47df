"""Our reading of a CRL against the library's, and octets that nobody meant: a value or our own error."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st
from OpenSSL import crypto

from edge.trust.certificate import canonical_name
from edge.trust.crl import Crl, CrlError, read_crl, split_crls
from edge.trust.crl_entries import CrlEntryError, certificate_list, read_entries
from edge.trust.revocation import EntryRevocation, Revocation
from edge.trust.revocation_image import pack, unpack
from edge.trust.serial_index import RevokedEntry, SerialIndex, build_index, key_of
from tests.certificates import Authority, StringType, new_key
from tests.crl_octets import by_hand, element, entry, extension, reason
from tests.crls import Revoked, crl_of, moment, pem
from tests.property.http1_streams import unhurried

CA = Authority("Devices")
SERIALS = st.one_of(
    st.integers(-300, 300),
    st.integers(1, 22).flatmap(lambda octets: st.integers(-(2 ** (8 * octets - 1)), 2 ** (8 * octets) - 1)),
    st.integers(1, 22).flatmap(
        lambda octets: st.sampled_from((-1, 1)).map(lambda sign: sign * 2 ** (8 * octets - 1))
    ),
)
"""Of 1 to 22 octets, negative ones too, and often at the edge of one octet more."""
SECONDS = st.integers(0, 2**32 - 1)
REASONS = {
    None: 0,
    x509.ReasonFlags.unspecified: 0,
    x509.ReasonFlags.key_compromise: 1,
    x509.ReasonFlags.ca_compromise: 2,
    x509.ReasonFlags.affiliation_changed: 3,
    x509.ReasonFlags.superseded: 4,
    x509.ReasonFlags.cessation_of_operation: 5,
    x509.ReasonFlags.certificate_hold: 6,
    x509.ReasonFlags.remove_from_crl: 8,
    x509.ReasonFlags.privilege_withdrawn: 9,
    x509.ReasonFlags.aa_compromise: 10,
}
"""RFC 5280 5.3.1."""
REMOVED = 8


@st.composite
def entries(draw: st.DrawFn) -> list[tuple[int, int, int | None]]:
    """Return some (serial, seconds, reason code or None), some of the serials twice."""
    serials = draw(st.lists(SERIALS, max_size=12))
    serials += draw(st.lists(st.sampled_from(serials), max_size=3)) if serials else []
    codes = st.sampled_from([None, *REASONS.values()])
    return [(serial, draw(SECONDS), draw(codes)) for serial in serials]


def time_of(seconds: int) -> bytes:
    """Write a moment as RFC 5280 5.1.2.6 asks for."""
    when = datetime.fromtimestamp(seconds, UTC)
    if when.year < 2050:
        return element(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
    return element(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


def octets_of(said: list[tuple[int, int, int | None]]) -> bytes:
    """Return a signed list of these entries."""
    return by_hand(
        CA,
        [
            entry(serial, *(() if code is None else (reason(code),)), since=time_of(seconds))
            for serial, seconds, code in said
        ],
    )


def read(der: bytes) -> Crl:
    return read_crl(der, [CA.certificate], moment(), "a.crl")


# --- against the library -----------------------------------------------------------------------


@unhurried
@given(entries(), SERIALS)
@example([(-(2**167), 5, None)], 1)
@example([(2**167 - 1, 5, 1), (2**168 - 1, 6, 4)], 2**168)
@example([(5, 1, REMOVED), (5, 2, None)], 5)
def test_every_serial_is_what_the_library_says_it_is(
    said: list[tuple[int, int, int | None]], another: int
) -> None:
    der = octets_of(said)
    ours = read(der)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = list(x509.load_der_x509_crl(der))
        known = [(each.serial_number, int(each.revocation_date_utc.timestamp())) for each in theirs]
        codes = [_code(each) for each in theirs]
    assert len(theirs) == len(said)
    assert len(ours.serials) == sum(code != REMOVED for code in codes)
    for serial in {another, *(serial for serial, _, _ in said)}:
        expected = [
            RevokedEntry(since, code)
            for (listed, since), code in zip(known, codes, strict=True)
            if listed == serial and code != REMOVED
        ]
        assert ours.serials.find(serial) == (expected[0] if expected else None)


def _code(revoked: x509.RevokedCertificate) -> int:
    try:
        return REASONS[revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason]
    except x509.ExtensionNotFound:
        return 0


@unhurried
@given(
    st.lists(st.integers(1, 2**159 - 1), unique=True, max_size=20),
    st.sampled_from([each for each in REASONS if each is not x509.ReasonFlags.remove_from_crl]),
    st.integers(1, 10**9),
    st.integers(1, 2**159 - 1),
)
def test_the_librarys_own_lists_say_the_same_here_and_there(
    serials: list[int], why: x509.ReasonFlags | None, ago: int, another: int
) -> None:
    since = timedelta(seconds=-ago)
    der = crl_of(CA, [Revoked(serial, since, why) for serial in serials])
    library = x509.load_der_x509_crl(der)
    ours = read(der)
    for serial in [*serials, another]:
        theirs = library.get_revoked_certificate_by_serial_number(serial)
        found = ours.serials.find(serial)
        assert (found is None) == (theirs is None)
        if found is not None and theirs is not None:
            assert found == RevokedEntry(int(theirs.revocation_date_utc.timestamp()), REASONS[why])


# --- octets that nobody meant ------------------------------------------------------------------

SAMPLES = [
    octets_of([(5, 1_700_000_000, 1), (2**150, 1_700_000_000, None), (-(2**167), 2**31, 4)]),
    octets_of([]),
    by_hand(CA, [entry(5, extension("2.5.29.24", element(0x18, b"20250101000000Z")), reason(1))] * 3),
    by_hand(CA, [entry(5)], version=b"", extensions=None),
    crl_of(CA, range(1, 40)),
]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return a list, and the same with some octets replaced, left out or put in."""
    good = draw(st.sampled_from(SAMPLES))
    octets = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(octets) - 1))
        match draw(st.integers(0, 3)):
            case 0 | 1:
                octets[place] = draw(st.integers(0, 255))
            case 2:
                del octets[place : place + draw(st.integers(1, 20))]
            case _:
                octets[place:place] = draw(st.binary(min_size=1, max_size=20))
        if not octets:
            break
    return good, bytes(octets)


@unhurried
@given(damaged())
def test_a_list_with_one_octet_changed_is_never_believed(sample: tuple[bytes, bytes]) -> None:
    good, octets = sample
    with warnings.catch_warnings(), suppress(CrlError):
        warnings.simplefilter("error")
        crl = read(octets)
        # What is not signed may be written in another way: the octets of the signature.
        assert crl.says_the_same_as(read(good))
        assert certificate_list(octets) == certificate_list(good)


@unhurried
@given(damaged(), st.data())
def test_whatever_is_taken_for_entries_is_entries_or_an_error(
    sample: tuple[bytes, bytes], data: st.DataObject
) -> None:
    _, octets = sample
    with suppress(CrlEntryError):
        signed, begin, end = certificate_list(octets)
        assert 0 < begin <= end <= len(octets)
        assert signed in octets
        read_entries(octets, begin, end)
    place = data.draw(st.integers(0, len(octets)))
    with suppress(CrlEntryError):
        found = read_entries(octets, place, data.draw(st.integers(place, len(octets))))
        build_index(found)


@unhurried
@given(st.binary(max_size=120))
def test_any_octets_are_entries_or_an_error(octets: bytes) -> None:
    with suppress(CrlEntryError):
        read_entries(octets, 0, len(octets))
    with suppress(CrlEntryError):
        certificate_list(octets)


@unhurried
@given(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=3), st.data())
def test_any_file_is_lists_or_an_error(lists: list[bytes], data: st.DataObject) -> None:
    octets = pem(*lists)
    assert split_crls(octets) == lists
    place = data.draw(st.integers(0, len(octets) - 1))
    spoilt = octets[:place] + data.draw(st.binary(max_size=3)) + octets[place + 1 :]
    with suppress(CrlError), warnings.catch_warnings():
        warnings.simplefilter("error")
        for der in split_crls(spoilt):
            read(der)


@unhurried
@given(st.binary(max_size=200))
def test_any_octets_are_an_index_or_an_error(octets: bytes) -> None:
    with suppress(ValueError):
        SerialIndex(memoryview(octets))


# --- images ------------------------------------------------------------------------------------


@st.composite
def revocations(draw: st.DrawFn) -> Revocation:
    """Return what may be in force."""
    names = draw(st.lists(st.text(max_size=6), unique=True, max_size=3))
    return {name: EntryRevocation(draw(_lists()), draw(st.booleans())) for name in names}


@st.composite
def _lists(draw: st.DrawFn) -> MappingProxyType[bytes, Crl]:
    crls = {}
    for issuer in draw(st.lists(st.binary(min_size=32, max_size=32), unique=True, max_size=3)):
        said = draw(entries())
        index = build_index([(key_of(serial), since, code or 0) for serial, since, code in said])
        crls[issuer] = Crl(
            issuer=issuer,
            issuer_name=draw(st.text(max_size=10)),
            number=draw(st.none() | st.integers(0, 2**160)),
            this_update=float(draw(SECONDS)),
            next_update=float(draw(SECONDS)),
            serials=SerialIndex(memoryview(index)),
            source=draw(st.text(max_size=10)),
        )
    return MappingProxyType(crls)


@unhurried
@given(revocations())
def test_an_image_is_read_as_it_was_packed(revocation: Revocation) -> None:
    image = b"".join(pack(revocation))
    found = unpack(memoryview(image))
    assert found.keys() == revocation.keys()
    for name, said in revocation.items():
        assert found[name].stale_allowed is said.stale_allowed
        assert found[name].crls.keys() == said.crls.keys()
        for issuer, crl in said.crls.items():
            other = found[name].crls[issuer]
            assert other.says_the_same_as(crl)
            assert (other.issuer_name, other.source) == (crl.issuer_name, crl.source)
    assert b"".join(pack(found)) == image


# --- names -------------------------------------------------------------------------------------

WORD = st.text("abYZ09 ,=+\t\\'\u00e9\u00c9\u0130\u00a0\u2003", min_size=1, max_size=6)
"""Letters, white space and signs of ASCII, and some of Unicode that look as if they were."""
KINDS = st.sampled_from([NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME])
Attribute = tuple[x509.ObjectIdentifier, str]
ANY_TYPE = (StringType.UTF8String, StringType.BMPString)
ASCII_TYPES = (*ANY_TYPE, StringType.IA5String)
PRINTABLE_TYPES = (*ASCII_TYPES, StringType.PrintableString)
KEY = new_key("p256")
PARTS = st.lists(
    st.lists(st.tuples(KINDS, WORD), min_size=1, max_size=2, unique_by=lambda each: each[0]), max_size=3
)


@st.composite
def two_names(draw: st.DrawFn) -> tuple[x509.Name, x509.Name]:
    """Return two names that are often one, written in two ways."""
    parts = draw(PARTS)
    spelt = [[(oid, _spelt(draw, text)) for oid, text in part] for part in parts]
    other = draw(st.sampled_from([parts, spelt, spelt[::-1], draw(PARTS)]))
    return _name(draw, parts), _name(draw, other)


def _spelt(draw: st.DrawFn, text: str) -> str:
    match draw(st.integers(0, 4)):
        case 0:
            return text.swapcase()
        case 1:
            return f"  {text.replace(' ', '   ')} "
        case 2:
            return text.replace("\t", " ")
        case 3:
            return text.replace("\u00a0", " ")
        case _:
            return text


def _name(draw: st.DrawFn, parts: list[list[Attribute]]) -> x509.Name:
    return x509.Name(
        [x509.RelativeDistinguishedName([_attribute(draw, *each) for each in part]) for part in parts]
    )


def _attribute(draw: st.DrawFn, oid: x509.ObjectIdentifier, text: str) -> x509.NameAttribute[str]:
    types: Sequence[StringType] = ASCII_TYPES if text.isascii() else ANY_TYPE
    if text.isascii() and not set(text) & set("\t\\"):
        types = PRINTABLE_TYPES
    return x509.NameAttribute(oid, text, _type=draw(st.sampled_from(types)), _validate=False)


def openssl_hash(subject: x509.Name) -> int:
    """Return OpenSSL's digest of a name in its own canonical form."""
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(KEY, hashes.SHA256())
    )
    return crypto.X509.from_cryptography(certificate).subject_name_hash()


@unhurried
@given(two_names())
def test_names_are_equal_if_openssl_takes_them_for_equal(names: tuple[x509.Name, x509.Name]) -> None:
    one, other = names
    same = openssl_hash(one) == openssl_hash(other)
    assert (canonical_name(one) == canonical_name(other)) == same
