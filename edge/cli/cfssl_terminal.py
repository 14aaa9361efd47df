"""What the commands of ``edge cfssl`` share: files and standard input, the log, authorities, output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import click
from cryptography.exceptions import UnsupportedAlgorithm

from edge.cli.go_flags import Flags
from edge.cli.options import current_time
from edge.pki.cfssl.certinfo import read_certificate
from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.request import read_authority_key
from edge.pki.issue import Authority, IssueError
from edge.pki.keys import PrivateKey

PASSWORD_VARIABLE = "CFSSL_CA_PK_PASSWORD"  # noqa: S105 - the name of a variable
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL")

_Value = TypeVar("_Value")


class UsageError(Exception):
    """The command was called wrongly; the message says how."""


@dataclass(slots=True)
class Terminal:
    """Where one command reads and writes. It is a ``Log`` too."""

    level: int = 1
    _read_input: bool = False

    def info(self, text: str) -> None:
        """Tell what is going on."""
        self._tell(1, text)

    def warning(self, text: str) -> None:
        """Tell what somebody should look at."""
        self._tell(2, text)

    def print(self, text: str) -> None:
        """Print what the command is for, in UTF-8 whatever the locale says. Raises ``CfsslError``."""
        try:
            click.echo(text.encode())
        except BrokenPipeError:
            raise  # whoever read has enough; click ends in silence
        except OSError as error:
            _forget_output()
            raise CfsslError(f"standard output: {error.strerror}") from None

    def plain(self, text: str) -> None:
        """Tell something that is more than a line of a log."""
        print(text, file=sys.stderr)

    def read(self, name: str) -> bytes:
        """Return what is in a file, or on standard input for ``-``. Raises ``CfsslError``."""
        if name == "-":
            if self._read_input:
                raise CfsslError("standard input can be read for one of the arguments only")
            self._read_input = True
            return _standard_input()
        try:
            return Path(name).read_bytes()
        except OSError as error:
            raise CfsslError(f"{name}: {error.strerror}") from None
        except ValueError:
            raise CfsslError(f"{name!a} is no file name") from None

    def load(self, name: str, reader: Callable[[bytes], _Value]) -> _Value:
        """Return what ``reader`` makes of a file; its errors are told with the file's name."""
        data = self.read(name)
        try:
            return reader(data)
        except CfsslError as error:
            raise error.at("standard input" if name == "-" else name) from None

    def load_with_warnings(
        self, name: str, reader: Callable[[bytes], tuple[_Value, tuple[str, ...]]]
    ) -> _Value:
        """Do the same, and tell the warnings."""
        value, warnings = self.load(name, reader)
        for warning in warnings:
            self.warning(f"{'standard input' if name == '-' else name}: {warning}")
        return value

    def authority(self, certificate_name: str, key_name: str) -> Authority:
        """Return the authority of two files. Raises ``CfsslError`` if it is none."""
        certificate = self._load_any(certificate_name, read_certificate)
        key = self.authority_key(key_name)
        try:
            return Authority(certificate, key)
        except IssueError as error:
            code = Code.KEY_MISMATCH if "key" in str(error) else None
            raise CfsslError(f"{certificate_name}: {error}", code) from None
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CfsslError(f"{certificate_name}: {error}", Code.CERTIFICATE_PARSE) from None

    def authority_key(self, name: str) -> PrivateKey:
        """Return the key in a file; the password of an encrypted one is in the environment."""
        password = os.environ.get(PASSWORD_VARIABLE, "").encode() or None
        return self._load_any(name, lambda pem: read_authority_key(pem, password))

    def authority_of(self, flags: Flags) -> Authority:
        """Return the authority that ``-ca`` and ``-ca-key`` name."""
        # cfssl says this too, and then ends with 0 and without a certificate.
        if not flags.text("ca"):
            raise CfsslError("need a CA certificate (provide one with -ca)")
        if not flags.text("ca-key"):
            raise CfsslError("need a CA key (provide one with -ca-key)")
        return self.authority(flags.text("ca"), flags.text("ca-key"))

    def _load_any(self, name: str, reader: Callable[[bytes], _Value]) -> _Value:
        """Do as ``load``, for names that may begin with cfssl's ``file:`` or ``env:``."""
        kind, colon, rest = name.partition(":")
        if colon and kind == "file":
            return self.load(rest, reader)
        if not colon or kind != "env":
            return self.load(name, reader)
        try:
            return reader(os.environ.get(rest, "").encode())
        except CfsslError as error:
            raise error.at(name) from None

    def _tell(self, level: int, text: str) -> None:
        if level >= self.level:
            moment = current_time().astimezone()
            print(f"{moment:%Y/%m/%d %H:%M:%S} [{_LEVELS[level]}] {text}", file=sys.stderr)


def _forget_output() -> None:
    """Let what could not be written go: Python would try again at its end, and complain a second time."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _standard_input() -> bytes:
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)  # None where somebody closed it
    if stream is None:
        raise CfsslError("standard input is closed")
    return stream.read()


def log_level(text: str) -> int:
    """Return the number of ``-loglevel``. Raises ``UsageError``."""
    if text not in {str(level) for level in range(len(_LEVELS))}:
        raise UsageError(f'invalid value "{text}" for -loglevel: write 0 (DEBUG) to 5 (FATAL)')
    return int(text)


def words(flags: Flags, *names: str, optional: int = 0) -> tuple[str, ...]:
    """Return the words after the flags: one for each name, of which the last may be missing.

    Raises ``UsageError``.
    """
    given = flags.words
    if len(given) < len(names) - optional:
        raise UsageError(f"not enough arguments are supplied: {names[len(given)]} is missing")
    if len(given) > len(names):
        wrong = given[len(names)]
        hint = "; flags go before the arguments" if wrong.startswith("-") else ""
        raise UsageError(f"too many arguments are supplied: {wrong}{hint}")
    return given
