"""Read the serial numbers that people write: decimal, hex, hex with colons. Junk is an error.

A reader that guesses revokes somebody else's certificate: the hex serial ``12ab`` read as decimal up
to its first letter is another certificate's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DECIMAL = re.compile(r"[0-9]{1,49}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{1,40}", re.ASCII)
_COLONS = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2})+", re.ASCII)
_MAX_BITS = 159
"""RFC 5280 4.1.2.2: at most 20 octets, of which the first bit is the sign."""


class SerialError(ValueError):
    """The text is no serial number; the message says why."""


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial number. ``ambiguous`` if its digits are another number in hex."""

    value: int
    ambiguous: bool = False


def read_serial(text: str) -> Serial:
    """Read one serial: ``0x…``, with colons, or containing a letter is hex, digits alone are decimal.

    White space around it does not count. Raises ``SerialError``.
    """
    text = text.strip(" \t\r\n")
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if _COLONS.fullmatch(text):
        value = int("".join(octet.zfill(2) for octet in text.split(":")), 16)
        return _bounded(Serial(value), text)
    if digits is text and _DECIMAL.fullmatch(text):
        value = int(text)
        # Up to nine, hex and decimal are the same number.
        return _bounded(Serial(value, ambiguous=value > 9 and _HEX.fullmatch(text) is not None), text)
    if _HEX.fullmatch(digits):
        return _bounded(Serial(int(digits, 16)), text)
    raise SerialError(f"{_shown(text)} is no serial number; write it in decimal, or in hex with 0x")


def _bounded(serial: Serial, text: str) -> Serial:
    if serial.value == 0:
        raise SerialError(f"{_shown(text)} is zero, and no certificate has that serial number")
    if serial.value.bit_length() > _MAX_BITS:
        raise SerialError(f"{_shown(text)} is longer than the 20 octets of a serial number")
    return serial


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 64 else text[:64] + "…")
