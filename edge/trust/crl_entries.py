"""Walks the entries of a CRL, fast: a list of a million must not keep its edge waiting for long.

The library has parsed the same octets before and found them well-formed; here they are only taken
apart again, without an object for each entry. What is not exactly as expected is an error, never
skipped: a skipped entry would be a certificate that is not revoked.
"""

from __future__ import annotations

from datetime import UTC, datetime

from edge.trust.serial_index import NO_REASON, key_of_octets

_SEQUENCE, _INTEGER, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x02, 0x17, 0x18
_TIMES = (_UTC_TIME, _GENERALIZED_TIME)
REMOVE_FROM_CRL = 8
"""RFC 5280 5.3.1: not revoked (any more). OpenSSL reads it so in complete lists, too."""
_REASON_CODE = bytes.fromhex("551d15")
_INVALIDITY_DATE = bytes.fromhex("551d18")
_CERTIFICATE_ISSUER = bytes.fromhex("551d1d")


class CrlEntryError(ValueError):
    """An entry is not understood; the message says what about it."""


def certificate_list(der: bytes) -> tuple[bytes, int, int]:
    """Return the signed octets of a DER CRL, and where in ``der`` its entries begin and end.

    Raises ``CrlEntryError``.
    """
    try:
        return _certificate_list(der)
    except IndexError:
        raise CrlEntryError("the list is cut off") from None


def _certificate_list(der: bytes) -> tuple[bytes, int, int]:
    _, begin, _ = _element(der, 0)
    _, inside, tbs_end = _element(der, begin)
    signed = der[begin:tbs_end]
    place = inside
    if der[place] == _INTEGER:  # the version
        place = _element(der, place)[2]
    for _ in ("signature algorithm", "issuer", "thisUpdate"):
        place = _element(der, place)[2]
    if place < tbs_end and der[place] in _TIMES:  # nextUpdate
        place = _element(der, place)[2]
    if place < tbs_end and der[place] == _SEQUENCE:
        _, first, last = _element(der, place)
        return signed, first, last
    return signed, place, place  # an empty list is left out altogether


def read_entries(der: bytes, place: int, end: int) -> list[tuple[bytes, int, int]]:
    """Return (key, revoked at, reason code) of every entry that revokes. Raises ``CrlEntryError``."""
    try:
        return _read_entries(der, place, end)
    except IndexError:
        raise CrlEntryError("the list is cut off") from None


def _read_entries(der: bytes, place: int, end: int) -> list[tuple[bytes, int, int]]:
    found = []
    days: dict[bytes, int] = {}
    reasons: dict[bytes, int] = {}
    while place < end:
        # The two headers of nearly every entry are short; the general case costs three times as much.
        length = der[place + 1]
        if der[place] != _SEQUENCE:
            raise CrlEntryError("an entry is no SEQUENCE")
        inside = place + 2
        if length >= 0x80:
            _, inside, following = _element(der, place)
        else:
            following = inside + length
        serial_end = inside + 2 + der[inside + 1]
        if der[inside] != _INTEGER or der[inside + 1] >= 0x80 or serial_end >= following:
            raise CrlEntryError("an entry has no serial number")
        date = serial_end + 2
        date_end = date + der[serial_end + 1]
        if date_end > following or following > end:
            raise CrlEntryError("an entry is cut off")
        reason = NO_REASON
        if date_end < following:
            extensions = der[date_end:following]
            known = reasons.get(extensions)
            reason = reasons.setdefault(extensions, _reason(extensions)) if known is None else known
        place = following
        if reason != REMOVE_FROM_CRL:
            key = key_of_octets(der[inside + 2 : serial_end])
            found.append((key, _time(der[serial_end], der[date:date_end], days), reason))
    return found


def _time(tag: int, text: bytes, days: dict[bytes, int]) -> int:
    """Return seconds since the epoch of ``YYMMDDHHMMSSZ``, or of the same with four digits of the year."""
    day, clock = text[:-7], text[-7:-1]
    seconds = days.get(day)
    try:
        if tag not in _TIMES:
            raise ValueError
        if seconds is None:
            year = int(day[:-4])
            if tag == _UTC_TIME:
                year += 1900 if year >= 50 else 2000  # RFC 5280 4.1.2.5.1
            midnight = datetime(year, int(day[-4:-2]), int(day[-2:]), tzinfo=UTC)
            seconds = days[day] = int(midnight.timestamp())
        return seconds + int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:])
    except ValueError:
        raise CrlEntryError("an entry has no date that can be read") from None


def _reason(extensions: bytes) -> int:
    """Return the reason code of the extensions of one entry (RFC 5280 5.3)."""
    tag, place, end = _element(extensions, 0)
    if tag != _SEQUENCE or end != len(extensions):
        raise CrlEntryError("the extensions of an entry cannot be read")
    reason: int | None = None
    while place < end:
        _, inside, place = _element(extensions, place)
        _, oid_begin, oid_end = _element(extensions, inside)
        oid = extensions[oid_begin:oid_end]
        tag, begin, after = _element(extensions, oid_end)
        critical = tag == 0x01
        if critical:
            tag, begin, after = _element(extensions, after)
        if oid == _CERTIFICATE_ISSUER:
            raise CrlEntryError("an entry is of another issuer: this is an indirect CRL")
        if oid == _REASON_CODE:
            value = extensions[begin:after]
            if len(value) != 3 or value[:2] != b"\x0a\x01":
                raise CrlEntryError("the reason of an entry cannot be read")
            if reason is not None:  # one of them may say that the certificate is not revoked
                raise CrlEntryError("an entry has a reason twice")
            reason = value[2]
        elif critical and oid != _INVALIDITY_DATE:
            raise CrlEntryError(f"an entry has the unknown critical extension {_dotted(oid)}")
    return NO_REASON if reason is None else reason


def _dotted(oid: bytes) -> str:
    """Return an object identifier as people write it (X.690 8.19)."""
    arcs: list[int] = []
    value = 0
    for octet in oid:
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(value)
            value = 0
    if not arcs:
        return "?"
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _element(der: bytes, place: int) -> tuple[int, int, int]:
    """Return the tag of the element at ``place``, and where its contents begin and end."""
    try:
        length = der[place + 1]
        begin = place + 2
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 8:
                raise CrlEntryError("a length cannot be read")
            begin += octets
            length = int.from_bytes(der[place + 2 : begin], "big")
    except IndexError:
        raise CrlEntryError("the list is cut off") from None
    if begin + length > len(der):
        raise CrlEntryError("the list is cut off")
    return der[place], begin, begin + length
