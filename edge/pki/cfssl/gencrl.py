"""Make a CRL of a list of serial numbers, as ``cfssl gencrl`` does, and refuse the list it misreads.

cfssl reads every line as decimal up to the first letter, says nothing, and so revokes another
serial than the hexadecimal one that its own guide has one write down. Here a line is read as
``edge.pki.serial`` reads it, and one that is no serial stops everything.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from edge.pki.cfssl.messages import CfsslError, Log
from edge.pki.crl import Revoked, make_crl
from edge.pki.issue import Authority, IssueError
from edge.pki.serial import SerialError, read_serial

DEFAULT_LIFETIME = timedelta(days=7)

_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)
_MAX_SECONDS = 2**31 - 1
"""As in cfssl; 68 years."""


def read_serials(text: str, log: Log) -> tuple[int, ...]:
    """Return the serials, one a line, each once; empty lines do not count.

    A line of digits alone is decimal, and said to be. Raises ``CfsslError`` with the line's number.
    """
    found: dict[int, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip(" \t\r"):
            continue
        try:
            serial = read_serial(line)
        except SerialError as error:
            raise CfsslError(f"line {number}: {error}") from None
        if serial.ambiguous:
            log.warning(f"line {number}: {line.strip()} is read as decimal; write 0x before it if it is hex")
        found[serial.value] = None
    return tuple(found)


def read_lifetime(text: str) -> timedelta:
    """Return how long a CRL is good, from seconds; 0 is the default of a week. Raises ``CfsslError``."""
    text = text.strip()
    if not _SECONDS.fullmatch(text) or int(text) > _MAX_SECONDS:
        raise CfsslError(f"TIME is a number of seconds, at most {_MAX_SECONDS}; {text[:64]!a} is none")
    return timedelta(seconds=int(text)) or DEFAULT_LIFETIME


def gencrl(authority: Authority, serials: tuple[int, ...], now: datetime, lifetime: timedelta) -> bytes:
    """Return the CRL as DER. Raises ``CfsslError``.

    Its number is the second it was made in: RFC 5280 5.2.3 wants numbers that grow, and nothing is
    kept between two calls that could count.
    """
    revoked = [Revoked(serial, now) for serial in serials]
    try:
        return make_crl(authority, revoked, int(now.timestamp()), now, now + lifetime)
    except IssueError as error:
        raise CfsslError(str(error)) from None
