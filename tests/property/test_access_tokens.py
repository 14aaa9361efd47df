"""Tokens made of anything are claims or a refusal, and a changed token is never believed."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.access.claims import ClaimsError, TokenClaims, read_claims
from edge.access.token import TokenRefused, mint, read
from tests.unit.access.builders import (
    BUNDLE,
    ISSUER,
    NOW,
    application,
    facts,
    key_ring,
    policy,
    signing_key,
    verified,
)

APP = application("a.test", policies=[policy("p", include=["certificate"])], recheck_certificate=False)
TOKEN = mint(signing_key("ES256"), ISSUER, APP, APP.policies[0], facts(verified()), BUNDLE, NOW)


def reading(token: bytes | str) -> TokenClaims | TokenRefused:
    return read(token, key_ring("ES256"), ISSUER, APP.aud, NOW)


@given(st.binary(max_size=200) | st.text(max_size=100))
def test_junk_is_refused(token: bytes | str) -> None:
    assert isinstance(reading(token), TokenRefused)


@settings(max_examples=60)
@given(st.integers(0, len(TOKEN) - 1), st.integers(0, 255))
def test_no_octet_of_a_token_can_be_changed(place: int, octet: int) -> None:
    changed = bytearray(TOKEN.encode())
    if changed[place] == octet:
        assert isinstance(reading(bytes(changed)), TokenClaims)
        return
    changed[place] = octet
    assert isinstance(reading(bytes(changed)), TokenRefused)


@settings(max_examples=60)
@given(st.integers(0, len(TOKEN)), st.integers(0, len(TOKEN)))
def test_no_part_of_a_token_can_be_left_out(start: int, end: int) -> None:
    cut = TOKEN[:start] + TOKEN[max(start, end) :]
    assert isinstance(reading(cut), TokenClaims) is (cut == TOKEN)


@given(st.binary(max_size=100))
def test_any_payload_is_claims_or_an_error_of_ours(payload: bytes) -> None:
    with contextlib.suppress(ClaimsError):
        assert read_claims(payload).audience
