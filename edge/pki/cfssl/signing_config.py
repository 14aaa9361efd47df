"""Read cfssl's config JSON: the profiles that say what a certificate is good for, and how long.

A profile that is not there is an error here. cfssl takes the default one instead, and whoever
mistypes ``-profile`` gets a certificate for something else.
"""

from __future__ import annotations

import re
import warnings as python_warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from edge.pki.cfssl.csr_json import read_duration, read_path_length
from edge.pki.cfssl.go_json import Fields, JsonError, loads
from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.usages import WORDS, UsageError, Usages, usages

BACKDATE = timedelta(minutes=5)
"""How far in the past a certificate begins when nobody says otherwise, for clocks that run late."""

_PROFILE = (
    "usages",
    "issuer_urls",
    "ocsp_url",
    "crl_url",
    "ca_constraint",
    "ocsp_no_check",
    "expiry",
    "backdate",
    "copy_extensions",
    "not_before",
    "not_after",
    "name_whitelist",
    "allowed_extensions",
)
_UNSUPPORTED = (
    "auth_key",
    "prev_auth_key",
    "remote",
    "auth_remote",
    "ct_log_servers",
    "cert_store",
    "lint_error_level",
    "ignored_lints",
    "ignored_lint_sources",
    "Policies",
    "CSRWhitelist",
    "ClientProvidesSerialNumbers",
)
"""What cfssl can and this toolkit cannot. A profile that asks for it is not signed with."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6}\d*)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_GO_ZERO_TIME = "0001-01-01T00:00:00Z"
"""How Go writes a time that nobody set."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a certificate gets that is signed with this profile. None and empty: not said."""

    words: tuple[str, ...] = ()
    expiry: timedelta = timedelta()
    backdate: timedelta = BACKDATE
    not_before: datetime | None = None
    not_after: datetime | None = None
    is_ca: bool = False
    path_length: int | None = None
    issuer_urls: tuple[str, ...] | None = None
    ocsp_url: str = ""
    crl_url: str = ""
    ocsp_no_check: bool = False
    copy_extensions: bool = False
    name_whitelist: re.Pattern[str] | None = None
    unsupported: tuple[str, ...] = ()

    def usages(self) -> Usages:
        """Return what the key may be used for. Raises ``CfsslError`` if that says nothing."""
        unknown = [word for word in self.words if word not in WORDS]
        if unknown:
            # cfssl drops the word, and a certificate without its only extended usage is good for all of them.
            close = get_close_matches(unknown[0], WORDS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are: {', '.join(WORDS)}"
            raise CfsslError(f"{unknown[0][:64]!r} is no usage{hint}", Code.INVALID_POLICY)
        try:
            found = usages(self.words)
        except UsageError as error:
            raise CfsslError(str(error), Code.INVALID_POLICY) from None
        if not found:
            raise CfsslError("Invalid policy: no key usage available", Code.NO_KEY_USAGES)
        return found


DEFAULT_PROFILE = Profile(
    words=("signing", "key encipherment", "server auth", "client auth"), expiry=timedelta(hours=8760)
)
"""What is signed with when there is no configuration, or none of it is called default."""

CA_PROFILE = Profile(words=("cert sign", "crl sign"), expiry=5 * timedelta(hours=8760), is_ca=True)
"""What a new root gets."""


@dataclass(frozen=True, slots=True)
class SigningConfig:
    """The profiles of one configuration."""

    default: Profile = DEFAULT_PROFILE
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def choose(self, name: str) -> Profile:
        """Return the profile of that name; empty is the default one.

        What it leaves out is filled in from the default one, as in cfssl. Raises ``CfsslError``.
        """
        profile = self.profiles.get(name) if name else self.default
        known = ", ".join(sorted(self.profiles)) or "none"
        if profile is None:
            raise CfsslError(
                f"there is no profile {name[:64]!r}; the configuration has: {known}", Code.UNKNOWN_PROFILE
            )
        if profile.unsupported:
            raise CfsslError(
                f"the profile {name or 'default'!r} asks for {', '.join(profile.unsupported)}, "
                "which is not supported: this toolkit signs with the key of -ca-key alone",
                Code.INVALID_POLICY,
            )
        if not name and not profile.words:
            raise CfsslError(
                "Invalid policy: no key usage available: the default profile has no usages; "
                f"choose one with -profile ({known})",
                Code.NO_KEY_USAGES,
            )
        return replace(
            profile,
            expiry=profile.expiry or self.default.expiry,
            issuer_urls=self.default.issuer_urls if profile.issuer_urls is None else profile.issuer_urls,
            ocsp_url=profile.ocsp_url or self.default.ocsp_url,
            crl_url=profile.crl_url or self.default.crl_url,
        )


def read_signing_config(data: bytes) -> tuple[SigningConfig, tuple[str, ...]]:
    """Return the configuration, and what is worth a warning. Raises ``CfsslError``."""
    unknown: list[str] = []
    try:
        top = Fields(loads(data), "", ("signing", "ocsp", "auth_keys", "remotes"), unknown)
        if top.value("signing") is None:
            raise JsonError('there is no "signing" in it')
        signing = Fields(top.value("signing"), "signing", ("default", "profiles"), unknown)
        default = DEFAULT_PROFILE
        if signing.value("default") is not None:
            default = _profile(signing.value("default"), "signing.default", unknown)
            if not default.expiry and not default.unsupported:
                raise JsonError("signing.default.expiry must not be zero")
        profiles = {
            name: _named(value, f"signing.profiles.{ascii(name)[1:-1]}", unknown)
            for name, value in signing.mapping("profiles").items()
        }
    except JsonError as error:
        raise CfsslError(str(error), Code.INVALID_POLICY) from None
    return SigningConfig(default, profiles), tuple(unknown)


def _named(value: object, place: str, unknown: list[str]) -> Profile:
    profile = _profile(value, place, unknown)
    if not profile.unsupported and not any(word in WORDS for word in profile.words):
        raise JsonError(f"{place}.usages must name at least one usage that is known")
    return profile


def _profile(value: object, place: str, unknown: list[str]) -> Profile:
    fields = Fields(value, place, (*_PROFILE, *_UNSUPPORTED), unknown)
    unsupported = tuple(name for name in _UNSUPPORTED if fields.has(name))
    expiry = read_duration(fields, "expiry")
    if expiry is None and not unsupported:
        raise JsonError(f"{place}.expiry is missing")
    if fields.has("allowed_extensions"):
        unknown.append(f"{place}.allowed_extensions has no effect: no command takes extensions")
    constraint = _constraint(fields, unknown)
    not_before, not_after = _time(fields, "not_before"), _time(fields, "not_after")
    if not_before and not_after and not_after <= not_before:
        raise JsonError(f"{place}.not_after must be after not_before")
    return Profile(
        words=fields.texts("usages") or (),
        expiry=expiry or timedelta(),
        backdate=read_duration(fields, "backdate") or BACKDATE,
        not_before=not_before,
        not_after=not_after,
        is_ca=constraint.flag("is_ca"),
        path_length=read_path_length(
            constraint.whole("max_path_len"),
            zero=constraint.flag("max_path_len_zero"),
            place=constraint.place("max_path_len"),
        ),
        issuer_urls=fields.texts("issuer_urls"),
        ocsp_url=fields.text("ocsp_url"),
        crl_url=fields.text("crl_url"),
        ocsp_no_check=fields.flag("ocsp_no_check"),
        copy_extensions=fields.flag("copy_extensions"),
        name_whitelist=_whitelist(fields),
        unsupported=unsupported,
    )


def _constraint(fields: Fields, unknown: list[str]) -> Fields:
    value = fields.value("ca_constraint")
    known = ("is_ca", "max_path_len", "max_path_len_zero")
    return Fields({} if value is None else value, fields.place("ca_constraint"), known, unknown)


def _time(fields: Fields, name: str) -> datetime | None:
    text = fields.text(name)
    if text in ("", _GO_ZERO_TIME):
        return None
    if not _RFC3339.fullmatch(text):
        raise JsonError(f"{fields.place(name)} must be a time like 2026-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise JsonError(f"{fields.place(name)}: {error}") from None


def _whitelist(fields: Fields) -> re.Pattern[str] | None:
    """Compile what Go would compile. The two dialects differ in classes like ``[[:alpha:]]``: refused."""
    text = fields.text("name_whitelist")
    if not text:
        return None
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("error")
            return re.compile(text, re.ASCII)
    except (re.error, ValueError, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        raise JsonError(f"{fields.place('name_whitelist')} is no regular expression: {error}") from None
