"""The line of JSON that commands print, and the files that ``cfssljson`` makes of such a line."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.pki.cfssl.go_json import Fields, JsonError, dumps, loads
from edge.pki.cfssl.messages import CfsslError, shown

KEY_MODE = 0o600
CERTIFICATE_MODE = 0o664
"""As cfssljson asks for; the umask of whoever runs it takes away from that."""
PUBLIC_MODE = 0o644


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file to write: what its name ends with, what is in it, who may read it."""

    suffix: str
    data: bytes = field(repr=False)
    mode: int
    binary: bool = False

    @property
    def is_key(self) -> bool:
        """Tell whether it is for its owner alone."""
        return self.mode == KEY_MODE

    @property
    def as_text(self) -> str:
        """How it is shown: text as it is, anything else in base64."""
        return base64.b64encode(self.data).decode() if self.binary else self.data.decode()


def output_line(*, certificate: bytes = b"", key: bytes = b"", csr: bytes = b"") -> str:
    """Return the JSON of what was made, as ``cfssljson`` expects it, its keys in order."""
    made = {"cert": certificate, "csr": csr, "key": key}
    return dumps({name: pem.decode() for name, pem in made.items() if pem})


def read_output(data: bytes, *, bare: bool) -> tuple[OutputFile, ...]:
    """Return the files in an output: ``bare`` of a command, else one wrapped in an API's response.

    Raises ``CfsslError`` for an output that says it failed, or with nothing in it.
    """
    try:
        value = loads(data)
        if not bare:
            value = _unwrapped(value)
        if not isinstance(value, dict):
            raise JsonError("it must be an object")
        files = tuple(_files(value))
    except JsonError as error:
        raise CfsslError(f"Failed to parse input: {error}") from None
    if not files:
        raise CfsslError("there is no certificate, key or request in the input")
    return files


def _unwrapped(value: object) -> object:
    unknown: list[str] = []  # a response may grow; only the fields of today are read
    response = Fields(value, "", ("success", "result", "errors", "messages"), unknown)
    if not response.flag("success"):
        reasons = [
            Fields(each, place, ("code", "message"), unknown).text("message")
            for each, place in response.items("errors")
        ]
        hint = "" if reasons else "it says no success; is -bare missing?"
        raise CfsslError("Request failed: " + (shown("; ".join(reasons)) or hint))
    return response.mapping("result")


def _files(value: Mapping[str, object]) -> list[OutputFile]:
    files = [
        _text_file(value, ".pem", CERTIFICATE_MODE, "cert", "certificate"),
        _text_file(value, "-key.pem", KEY_MODE, "key", "private_key"),
        _encrypted_key(value),
        _text_file(value, ".csr", PUBLIC_MODE, "csr", "certificate_request"),
        *_bundle_files(value.get("result")),
        _ocsp_file(value),
    ]
    return [file for file in files if file is not None]


def _text_file(value: Mapping[str, object], suffix: str, mode: int, *names: str) -> OutputFile | None:
    text = _text(value, *names)
    return OutputFile(suffix, text.encode(), mode) if text else None


def _encrypted_key(value: Mapping[str, object]) -> OutputFile | None:
    text = _text(value, "encrypted_key")
    return OutputFile("-key.enc", text.encode(), KEY_MODE, binary=True) if text else None


def _bundle_files(result: object) -> list[OutputFile]:
    if not isinstance(result, dict) or not isinstance(result.get("bundle"), dict):
        return []
    bundle, root = _text(result["bundle"], "bundle"), _text(result["bundle"], "root")
    if not bundle or not root:
        raise JsonError("a bundle needs both its bundle and its root")
    return [
        OutputFile("-bundle.pem", f"{bundle}\n{root}".encode(), PUBLIC_MODE),
        OutputFile("-root.pem", root.encode(), PUBLIC_MODE),
    ]


def _ocsp_file(value: Mapping[str, object]) -> OutputFile | None:
    text = _text(value, "ocspResponse")
    if not text:
        return None
    try:
        return OutputFile("-response.der", base64.b64decode(text, validate=True), PUBLIC_MODE, binary=True)
    except (binascii.Error, ValueError):
        raise JsonError("ocspResponse must be base64") from None


def _text(value: Mapping[str, object], *names: str) -> str:
    """Return the first of the names that is there; free keys, so their case counts."""
    name = next((name for name in names if name in value), None)
    found = value.get(name) if name else None
    if found is None:
        return ""
    if not isinstance(found, str):
        raise JsonError(f"{name} must be a string")
    return found
