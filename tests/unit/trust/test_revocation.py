"""Every certificate of a chain needs a list that says nothing against it; whatever is missing is a no."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from edge.model.client_auth import ChainLink
from edge.model.refusal import Reason
from edge.trust.ca_bundle import CaBundle
from edge.trust.crl import Crl
from edge.trust.revocation import (
    MISSING_TEXT,
    NO_REVOCATION,
    REVOKED_TEXT,
    STALE_TEXT,
    EntryRevocation,
    Revocation,
    RevocationFinding,
    judge_revocation,
)
from edge.trust.serial_index import SerialIndex, build_index, key_of

NOW = 1_800_000_000.0
NEVER = float("inf")
ROOT, MIDDLE, OTHER, STRANGER = b"R" * 32, b"M" * 32, b"O" * 32, b"S" * 32
"""Identities of CAs."""
LEAF_SERIAL, MIDDLE_SERIAL, ROOT_SERIAL = 0xA1, 0xB2, 0xC3
CHAIN = (
    ChainLink(MIDDLE, LEAF_SERIAL),
    ChainLink(ROOT, MIDDLE_SERIAL),
    ChainLink(ROOT, ROOT_SERIAL),
)
REVOKED, UNKNOWN = Reason.CLIENT_CERTIFICATE_REVOKED, Reason.REVOCATION_UNKNOWN


def bundle(**entries: Sequence[bytes]) -> CaBundle:
    """Return a bundle of entries with these CAs."""
    holders: dict[bytes, tuple[str, ...]] = {}
    for name, identities in entries.items():
        for identity in identities:
            holders[identity] = (*holders.get(identity, ()), name)
    return CaBundle((), b"bundle", MappingProxyType({}), MappingProxyType({}), MappingProxyType(holders))


def crl(issuer: bytes, *serials: int, until: float = NOW + 100, reason: int = 0) -> Crl:
    entries = [(key_of(serial), 1_700_000_000, reason) for serial in serials]
    return Crl(issuer, "CN=CA", 1, NOW - 100, until, SerialIndex(memoryview(build_index(entries))), "a.crl")


def lists(*crls: Crl, stale_allowed: bool = False) -> EntryRevocation:
    return EntryRevocation(MappingProxyType({each.issuer: each for each in crls}), stale_allowed)


BUNDLE = bundle(CA=(ROOT, MIDDLE))
CLEAN = lists(crl(ROOT), crl(MIDDLE))


def finding(
    *, now: float = NOW, of: CaBundle = BUNDLE, links: Sequence[ChainLink] = CHAIN, **entries: EntryRevocation
) -> RevocationFinding | None:
    return judge_revocation(links, of, entries, now).finding


def reason(
    *, now: float = NOW, of: CaBundle = BUNDLE, links: Sequence[ChainLink] = CHAIN, **entries: EntryRevocation
) -> Reason | None:
    found = finding(now=now, of=of, links=links, **entries)
    return None if found is None else found.reason


# --- revoked -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_force", "who"),
    [
        (lists(crl(MIDDLE, LEAF_SERIAL), crl(ROOT)), "the certificate with the serial number A1"),
        (lists(crl(MIDDLE), crl(ROOT, MIDDLE_SERIAL)), "the CA certificate with the serial number B2"),
        (lists(crl(MIDDLE), crl(ROOT, ROOT_SERIAL)), "the CA certificate with the serial number C3"),
    ],
)
def test_one_revoked_certificate_of_the_chain_is_enough(in_force: EntryRevocation, who: str) -> None:
    found = finding(CA=in_force)
    assert found == RevocationFinding(REVOKED, REVOKED_TEXT, f"{who} was revoked on 2023-11-14T22:13:20Z")


@pytest.mark.parametrize(
    ("code", "text"),
    [(1, " (keyCompromise)"), (6, " (certificateHold)"), (0, ""), (7, ""), (99, "")],
)
def test_the_reason_is_told_where_it_is_known(code: int, text: str) -> None:
    found = finding(CA=lists(crl(MIDDLE, LEAF_SERIAL, reason=code), crl(ROOT)))
    assert found is not None
    assert found.detail.endswith(f"20Z{text}")


def test_a_stale_list_still_revokes() -> None:
    stale = crl(MIDDLE, LEAF_SERIAL, until=NOW - 1)
    assert reason(CA=lists(stale, crl(ROOT))) is REVOKED
    assert reason(CA=lists(stale, crl(ROOT), stale_allowed=True)) is REVOKED


def test_revoked_outweighs_whatever_is_not_known() -> None:
    assert reason(CA=lists(crl(MIDDLE, LEAF_SERIAL))) is REVOKED
    assert reason(CA=lists(crl(ROOT, MIDDLE_SERIAL))) is REVOKED
    assert reason(CA=lists(crl(ROOT, ROOT_SERIAL), crl(MIDDLE, until=NOW - 1))) is REVOKED


def test_a_revocation_does_not_end() -> None:
    in_force = {"CA": lists(crl(MIDDLE, LEAF_SERIAL, until=NOW + 5), crl(ROOT))}
    assert judge_revocation(CHAIN, BUNDLE, in_force, NOW).good_until == NEVER


def test_a_serial_is_revoked_only_by_the_list_of_its_own_issuer() -> None:
    assert reason(CA=lists(crl(MIDDLE, MIDDLE_SERIAL, ROOT_SERIAL), crl(ROOT, LEAF_SERIAL))) is None


def test_in_two_entries_one_list_is_enough_to_revoke() -> None:
    both = bundle(CA=(ROOT, MIDDLE), Old=(MIDDLE,))
    assert reason(of=both, CA=CLEAN, Old=lists(crl(MIDDLE, LEAF_SERIAL))) is REVOKED
    assert reason(of=both, CA=lists(crl(MIDDLE, LEAF_SERIAL), crl(ROOT)), Old=CLEAN) is REVOKED


# --- not known ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_force", "who"),
    [
        (lists(crl(ROOT)), "the certificate with the serial number A1"),
        (lists(crl(MIDDLE)), "the CA certificate with the serial number B2"),
        (lists(), "the certificate with the serial number A1"),
    ],
)
def test_a_ca_without_a_list_is_a_no(in_force: EntryRevocation, who: str) -> None:
    detail = f"there is no CRL of the CA that issued {who}"
    assert finding(CA=in_force) == RevocationFinding(UNKNOWN, MISSING_TEXT, detail)


def test_stale_allowed_does_not_allow_a_list_that_is_not_there() -> None:
    assert reason(CA=lists(crl(ROOT), stale_allowed=True)) is UNKNOWN


@pytest.mark.parametrize("which", [ROOT, MIDDLE])
def test_a_stale_list_of_any_ca_is_a_no(which: bytes) -> None:
    in_force = lists(*(crl(ca, until=NOW - 1 if ca == which else NOW + 9) for ca in (ROOT, MIDDLE)))
    when = datetime.fromtimestamp(NOW - 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = f"the CRL of the issuer has not been renewed since {when}"
    assert finding(CA=in_force) == RevocationFinding(UNKNOWN, STALE_TEXT, detail)


def test_a_list_is_good_up_to_its_next_update_and_no_longer() -> None:
    in_force = lists(crl(ROOT, until=NOW + 50), crl(MIDDLE, until=NOW + 10))
    assert reason(CA=in_force, now=NOW + 10) is None
    assert reason(CA=in_force, now=NOW + 10.001) is UNKNOWN


def test_what_is_not_known_is_asked_again_by_newer_lists_only() -> None:
    in_force = {"CA": lists(crl(ROOT, until=NOW - 1), crl(MIDDLE))}
    assert judge_revocation(CHAIN, BUNDLE, in_force, NOW).good_until == NEVER


def test_an_intermediate_that_only_the_client_had_needs_a_list_too() -> None:
    # It is in no entry, so it is under the root's; nobody can vouch for a list of it.
    links = (ChainLink(STRANGER, LEAF_SERIAL), ChainLink(ROOT, 5), ChainLink(ROOT, ROOT_SERIAL))
    found = finding(links=links, CA=lists(crl(ROOT), crl(MIDDLE)))
    assert found is not None
    assert (found.reason, found.text) == (UNKNOWN, MISSING_TEXT)


def test_a_revoked_intermediate_that_only_the_client_had_is_revoked() -> None:
    links = (ChainLink(STRANGER, LEAF_SERIAL), ChainLink(ROOT, 5), ChainLink(ROOT, ROOT_SERIAL))
    assert reason(links=links, CA=lists(crl(ROOT, 5))) is REVOKED


def test_a_chain_without_names_is_a_no_where_lists_are_asked_for() -> None:
    found = finding(links=(), CA=CLEAN)
    assert found is not None
    assert found.reason is UNKNOWN
    assert reason(links=(), of=bundle(Other=(OTHER,)), CA=CLEAN) is None


# --- nothing speaks against it -----------------------------------------------------------------


@pytest.mark.parametrize(("root", "middle"), [(NOW + 50, NOW + 70), (NOW + 70, NOW + 50)])
def test_a_clean_chain_is_good_until_the_first_of_its_lists_is_stale(root: float, middle: float) -> None:
    in_force = {"CA": lists(crl(ROOT, until=root), crl(MIDDLE, until=middle), crl(OTHER, until=NOW))}
    judged = judge_revocation(CHAIN, BUNDLE, in_force, NOW)
    assert (judged.finding, judged.good_until) == (None, NOW + 50)


def test_where_no_lists_are_named_nothing_is_asked() -> None:
    for in_force in (NO_REVOCATION, {"Elsewhere": lists(crl(OTHER, LEAF_SERIAL))}):
        judged = judge_revocation(CHAIN, BUNDLE, in_force, NOW)
        assert (judged.finding, judged.good_until) == (None, NEVER)


def test_the_entry_of_another_host_says_nothing_about_this_one() -> None:
    # The very same CA, with lists there, and without here.
    there: Revocation = {"There": lists(crl(MIDDLE, LEAF_SERIAL), crl(ROOT))}
    assert judge_revocation(CHAIN, bundle(Here=(ROOT, MIDDLE)), there, NOW).finding is None


def test_a_ca_of_an_entry_without_lists_is_not_asked_for_one() -> None:
    split = bundle(CA=(ROOT,), Issuing=(MIDDLE,))
    assert reason(of=split, CA=lists(crl(ROOT))) is None
    assert reason(of=split, CA=lists(crl(ROOT, MIDDLE_SERIAL))) is REVOKED
    assert reason(of=split, Issuing=lists(crl(MIDDLE))) is None
    assert reason(of=split, Issuing=lists(crl(MIDDLE, LEAF_SERIAL))) is REVOKED
    assert reason(of=split, Issuing=lists()) is UNKNOWN


def test_stale_lists_go_on_counting_where_that_is_allowed() -> None:
    stale = [crl(ROOT, until=NOW - 9), crl(MIDDLE, until=NOW - 9)]
    in_force = {"CA": lists(*stale, stale_allowed=True)}
    judged = judge_revocation(CHAIN, BUNDLE, in_force, NOW)
    assert (judged.finding, judged.good_until) == (None, NEVER)


def test_in_two_entries_one_fresh_list_is_enough() -> None:
    both = bundle(CA=(ROOT, MIDDLE), Old=(MIDDLE,))
    stale = lists(crl(MIDDLE, until=NOW - 1))
    judged = judge_revocation(CHAIN, both, {"CA": CLEAN, "Old": stale}, NOW)
    assert (judged.finding, judged.good_until) == (None, NOW + 100)
    assert reason(of=both, CA=lists(crl(ROOT), crl(MIDDLE, until=NOW - 1)), Old=stale) is UNKNOWN


def test_in_two_entries_the_stricter_word_on_stale_lists_counts() -> None:
    both = bundle(one=(ROOT, MIDDLE), two=(ROOT, MIDDLE))
    past = (crl(ROOT, until=NOW - 1), crl(MIDDLE, until=NOW - 1))
    lax = lists(*past, stale_allowed=True)
    assert reason(of=both, one=lax, two=lax) is None
    assert reason(of=both, one=lax, two=lists(*past)) is UNKNOWN
    assert reason(of=both, one=lists(), two=lax) is UNKNOWN


def test_a_root_that_is_a_clients_own_certificate_is_judged_once() -> None:
    alone = (ChainLink(ROOT, ROOT_SERIAL),)
    assert reason(links=alone, CA=CLEAN) is None
    assert reason(links=alone, CA=lists(crl(ROOT, ROOT_SERIAL))) is REVOKED
