"""What the toolkit tells people: errors in cfssl's shape, and where its log lines go."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from edge.pki.cfssl.go_json import dumps


class Code(IntEnum):
    """cfssl's error codes: the thousands say what is at fault, the rest says how."""

    CERTIFICATE_UNKNOWN = 1000
    CERTIFICATE_DECODE = 1002
    CERTIFICATE_PARSE = 1003
    KEY_DECODE = 2002
    KEY_ENCRYPTED = 2100
    KEY_MISMATCH = 2300
    KEY_GENERATION = 2400
    NO_KEY_USAGES = 5100
    INVALID_POLICY = 5200
    INVALID_REQUEST = 5300
    UNKNOWN_PROFILE = 5400
    UNMATCHED_WHITELIST = 5500
    CSR_DECODE = 9002
    CSR_PARSE = 9003
    CSR_BAD_REQUEST = 9300
    CSR_GENERATION = 9400


class CfsslError(Exception):
    """It cannot be done; the message says why. With a code its text is JSON, as cfssl prints it."""

    def __init__(self, message: str, code: Code | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        if self.code is None:
            return self.message
        return dumps({"code": int(self.code), "message": self.message})

    def at(self, place: str) -> CfsslError:
        """Return the same error with the file it was found in."""
        return CfsslError(f"{place}: {self.message}", self.code)


def shown(text: str) -> str:
    """Return a stranger's text so that it cannot steer the terminal it is printed on."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


class Log(Protocol):
    """Takes what a command tells while it works."""

    def info(self, text: str) -> None:
        """Take what is going on."""

    def warning(self, text: str) -> None:
        """Take what somebody should look at."""
