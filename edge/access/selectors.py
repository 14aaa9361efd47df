"""How each selector is written, and the rule that comes of it.

A rule arrives as the configuration or the API has it: ``{"common_name": {"common_name": "x"}}``, or in
a short form: ``"certificate"``, ``{"common_name": "x"}``. Every value is checked here, once, and turned
into the form it is compared in. Nothing is guessed: an empty value, two selectors in one rule, or a
selector of Cloudflare's that this edge cannot answer is an error. In an ``exclude`` list a rule that
silently never matches would let people in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from edge.access.certificate_rules import (
    Certificate,
    CertificateFingerprint,
    CertificateIssuer,
    CertificateSan,
    CertificateSerial,
    CertificateSubject,
    CommonName,
)
from edge.access.rules import Everyone, Ip, Method, Rule
from edge.access.san_pattern import parse_san_pattern
from edge.model.network import parse_network

SUBJECT_ATTRIBUTES = frozenset(
    {
        "c",
        "dc",
        "emailaddress",
        "l",
        "o",
        "organizationidentifier",
        "ou",
        "postalcode",
        "serialnumber",
        "st",
        "street",
        "title",
        "uid",
    }
)
"""The short lower-case names that ``CertificateFacts.subject_attributes`` uses."""

_FOREIGN_SELECTORS = {
    **dict.fromkeys(
        (
            "auth_context",
            "auth_method",
            "azureAD",
            "cloudflare_account_member",
            "email",
            "email_domain",
            "email_list",
            "external_evaluation",
            "github-organization",
            "gsuite",
            "login_method",
            "oidc",
            "okta",
            "saml",
            "user_risk_score",
        ),
        "a login provider",
    ),
    "any_valid_service_token": "service tokens",
    "device_posture": "a device posture provider",
    "geo": "a country database",
    "ip_list": "account-wide IP lists",
    "linked_app_token": "linked applications",
    "service_token": "service tokens",
}
"""Cloudflare's selectors that cannot be answered here, and what each of them needs."""

_METHOD = re.compile(r"[A-Z][A-Z_-]*", re.ASCII)
"""What a request line is accepted with."""
_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_USUAL_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_MAX_SERIAL_DIGITS = 64
"""RFC 5280 4.1.2.2 allows 20 octets; certificates with more exist, but not with this many."""


class RuleError(ValueError):
    """A rule that cannot be compiled: what is wrong, and in ``hint`` what to do about it."""

    def __init__(self, message: str, hint: str = "", place: tuple[str | int, ...] = ()) -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint
        self.place = place
        """Where in the policy or group: a list's name and an index, e.g. ``("include", 0)``."""


def split_rule(raw: object) -> tuple[str, object]:
    """Return the one selector of a rule and its value."""
    if isinstance(raw, str):
        if raw in ("certificate", "everyone"):
            return raw, {}
        if raw in SELECTORS or raw == "group":
            raise RuleError(
                f'the selector "{raw}" needs a value', f'write {{ {raw} = "..." }} or its long form'
            )
        raise unknown_selector(raw)
    if not isinstance(raw, Mapping):
        raise RuleError("a rule is a table with one selector", 'as in { common_name = "device-1" }')
    if len(raw) != 1:
        raise RuleError(
            f"a rule has exactly one selector, this one has {len(raw)}",
            "write one rule for each: include joins them with or, require with and",
        )
    [(selector, value)] = raw.items()
    if not isinstance(selector, str):
        raise RuleError("the selector of a rule is a text", 'as in { common_name = "device-1" }')
    return selector, value


def unknown_selector(selector: str) -> RuleError:
    """Return the error for a selector that is not in ``SELECTORS``."""
    needs = _FOREIGN_SELECTORS.get(selector)
    if needs is not None:
        return RuleError(
            f'the selector "{selector}" needs {needs}, which this edge has not', "use another selector"
        )
    known = sorted((*SELECTORS, "group"))
    return RuleError(
        f'there is no selector "{selector[:80]}"',
        suggestion(selector, known) or f"the selectors are {', '.join(known)}",
    )


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known word that is closest, or nothing."""
    close = difflib.get_close_matches(word[:80], list(known), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def single_text(selector: str, value: object, key: str) -> str:
    """Return the text of a selector with a single value, in its long or short form."""
    if isinstance(value, Mapping):
        if set(value) != {key}:
            raise RuleError(
                f'the selector "{selector}" takes exactly the key "{key}"', _wrong_keys(value, (key,))
            )
        value = value[key]
    if not isinstance(value, str):
        raise RuleError(
            f'the value of "{selector}" is not a text', f'write {{ {selector} = {{ {key} = "..." }} }}'
        )
    return _not_empty(selector, value)


def _choice(selector: str, value: object, keys: Iterable[str]) -> tuple[str, str]:
    """Return key and text of a selector that takes exactly one of several keys."""
    known = sorted(keys)
    if not isinstance(value, Mapping) or len(value) != 1 or not set(value) <= set(known):
        example = f'write {{ {selector} = {{ {known[0]} = "..." }} }}'
        hint = _wrong_keys(value, known) if isinstance(value, Mapping) else example
        raise RuleError(f'the selector "{selector}" takes exactly one of the keys {", ".join(known)}', hint)
    [(key, text)] = value.items()
    if not isinstance(text, str):
        raise RuleError(
            f'the value of "{selector}" is not a text', f'write {{ {selector} = {{ {key} = "..." }} }}'
        )
    return str(key), _not_empty(selector, text)


def _wrong_keys(value: Mapping[object, object], known: Sequence[str]) -> str:
    for key in value:
        if key not in known:
            return suggestion(str(key), known) or f'"{str(key)[:80]}" is not a key of it'
    return "more than one value would be ambiguous: write one rule for each" if value else "none is given"


def _not_empty(selector: str, text: str) -> str:
    if not text:
        raise RuleError(
            f'the value of "{selector}" is empty', "an empty value would match nothing; remove the rule"
        )
    if text != text.strip() or not text.isprintable():
        raise RuleError(
            f'the value of "{selector}" has white space around it or a character that cannot be seen',
            "values are compared exactly; write what the certificate has",
        )
    return text


def _nothing(selector: str, value: object) -> None:
    if not isinstance(value, Mapping) or value:
        raise RuleError(
            f'the selector "{selector}" takes no value', f'write "{selector}" or {{ {selector} = {{}} }}'
        )


def _everyone(value: object) -> Rule:
    _nothing("everyone", value)
    return Everyone()


def _certificate(value: object) -> Rule:
    _nothing("certificate", value)
    return Certificate()


def _common_name(value: object) -> Rule:
    return CommonName(single_text("common_name", value, "common_name"))


def _certificate_san(value: object) -> Rule:
    kind, text = _choice("certificate_san", value, ("dns", "email", "uri", "ip"))
    try:
        return CertificateSan(kind, parse_san_pattern(kind, text))
    except ValueError as error:
        raise RuleError(f"certificate_san: {error}") from None


def _certificate_subject(value: object) -> Rule:
    if isinstance(value, Mapping) and set(value) == {"cn"}:
        raise RuleError("certificate_subject does not compare the common name", 'use { common_name = "..." }')
    return CertificateSubject(*_choice("certificate_subject", value, SUBJECT_ATTRIBUTES))


def _certificate_issuer(value: object) -> Rule:
    key, text = _choice("certificate_issuer", value, ("fingerprint", "name"))
    if key == "name":
        return CertificateIssuer(name=text)
    return CertificateIssuer(fingerprint=_sha256("certificate_issuer", text))


def _certificate_fingerprint(value: object) -> Rule:
    return CertificateFingerprint(
        _sha256("certificate_fingerprint", single_text("certificate_fingerprint", value, "sha256"))
    )


def _certificate_serial(value: object) -> Rule:
    text = single_text("certificate_serial", value, "serial")
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if ":" in digits:
        digits = _without_colons("certificate_serial", digits)
    if not _HEX.fullmatch(digits) or len(digits) > _MAX_SERIAL_DIGITS:
        raise RuleError(
            f"certificate_serial: {text[:80]!r} is no serial number in hex",
            "write it as openssl x509 -serial prints it",
        )
    return CertificateSerial(int(digits, 16))


def _ip(value: object) -> Rule:
    try:
        return Ip(parse_network(single_text("ip", value, "ip")))
    except RuleError:
        raise
    except ValueError as error:
        raise RuleError(f"ip: {error}") from None


def _method(value: object) -> Rule:
    text = single_text("method", value, "method")
    if text != text.upper() and text.upper() in _USUAL_METHODS:
        raise RuleError(
            f"method: {text!r} is another method than {text.upper()!r}, and nobody sends it",
            f'write "{text.upper()}"',
        )
    if not _METHOD.fullmatch(text):
        raise RuleError(f"method: {text[:80]!r} is no method of HTTP", 'write it as it is sent, e.g. "GET"')
    return Method(text.encode("ascii"))


SELECTORS: Mapping[str, Callable[[object], Rule]] = {
    "certificate": _certificate,
    "certificate_fingerprint": _certificate_fingerprint,
    "certificate_issuer": _certificate_issuer,
    "certificate_san": _certificate_san,
    "certificate_serial": _certificate_serial,
    "certificate_subject": _certificate_subject,
    "common_name": _common_name,
    "everyone": _everyone,
    "ip": _ip,
    "method": _method,
}


def _sha256(selector: str, text: str) -> bytes:
    digits = _without_colons(selector, text) if ":" in text else text
    if not _HEX.fullmatch(digits) or len(digits) != 64:
        raise RuleError(
            f"{selector}: {text[:100]!r} is no SHA-256 fingerprint",
            "write its 64 hex digits, with colons or without",
        )
    return bytes.fromhex(digits)


def _without_colons(selector: str, text: str) -> str:
    """Join octets written as ``AB:CD``; anything but two digits between colons is a slip of the pen."""
    octets = text.split(":")
    if any(len(octet) != 2 for octet in octets):
        raise RuleError(
            f"{selector}: {text[:100]!r} has colons that are not between octets", "write AB:CD:EF"
        )
    return "".join(octets)
