"""What one request told the origin, as a value that can be shown.

The origin believes its headers because nobody but the edge can reach it. It checks no signature: a
real application behind a shared network does (the keys are at ``/cdn-cgi/access/certs``), and what is
shown here says that this one did not.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict, dataclass

from edge.model.http import RequestHead

_FLAG_HEADER = b"mtls-authenticated"
_ASSERTION_HEADER = b"cf-access-jwt-assertion"
_CERTIFICATE_HEADERS = (
    b"cf-client-cert-",
    b"client-cert",
    b"x-forwarded-client-cert",
    b"x-ssl-client-",
)
"""How the names begin under which an edge can forward the client's certificate."""

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Assertion:
    """The JWT in ``Cf-Access-Jwt-Assertion``, decoded and not verified. Both None: it is no JWT."""

    header: dict[str, object] | None
    claims: dict[str, object] | None
    signature_checked_here: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that is shown. Header values are text, octet by octet (ISO 8859-1)."""

    method: str
    target: str
    """As it came."""
    mtls_authenticated: bool | None
    """``Mtls-Authenticated`` if it came exactly once and is true or false, else None."""
    access_jwt: Assertion | None
    client_certificate: list[tuple[str, str]]
    """The headers that forward the certificate, if there are any."""
    headers: list[tuple[str, str]]
    """All headers, in the order and the spelling in which they came."""
    body_size: int
    """Octets of content, without any framing."""
    body_sha256: str


def read_told(head: RequestHead, target: bytes, body_size: int, body_sha256: str) -> Told:
    """Gather what is shown of one request; ``target`` is as it came, before any reader changed it."""
    assertions = list(head.values(_ASSERTION_HEADER))
    return Told(
        method=head.method.decode("ascii"),
        target=_text(target),
        mtls_authenticated=_flag(list(head.values(_FLAG_HEADER))),
        access_jwt=_read_assertion(assertions) if assertions else None,
        client_certificate=[
            (_text(name), _text(value))
            for lower, name, value in head.fields
            if lower.startswith(_CERTIFICATE_HEADERS)
        ],
        headers=[(_text(name), _text(value)) for _, name, value in head.fields],
        body_size=body_size,
        body_sha256=body_sha256,
    )


def as_json(told: Told) -> bytes:
    """Return it as JSON for people: indented, each header on a line, ASCII, with a final newline."""
    members = (f"  {json.dumps(name)}: {_indented(value)}" for name, value in asdict(told).items())
    return ("{\n" + ",\n".join(members) + "\n}\n").encode("ascii")


def _indented(value: object) -> str:
    if isinstance(value, list) and value:
        return "[\n    " + ",\n    ".join(json.dumps(pair) for pair in value) + "\n  ]"
    return json.dumps(value, indent=2).replace("\n", "\n  ")


def _flag(values: list[bytes]) -> bool | None:
    return {b"true": True, b"false": False}.get(values[0]) if len(values) == 1 else None


def _read_assertion(values: list[bytes]) -> Assertion:
    """Two assertions are none: who reads the first and who reads the last would disagree."""
    parts = values[0].split(b".") if len(values) == 1 else []
    if len(parts) != 3:
        return Assertion(None, None)
    header, claims = _read_segment(parts[0]), _read_segment(parts[1])
    return Assertion(header, claims) if header is not None and claims is not None else Assertion(None, None)


def _read_segment(segment: bytes) -> dict[str, object] | None:
    if not _BASE64URL.fullmatch(segment):  # the decoder passes over what it does not know
        return None
    try:
        octets = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
        value = json.loads(octets, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")
