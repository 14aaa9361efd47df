"""Where certificates stand, and what is told about them unasked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from edge.pki.revocation import CRL_LIFETIME, REASONS, revoke, write_crls
from edge.pki.standing import Standing, attention, expires_within, in_words, standing
from tests.unit.pki.directories import DAY, NOW, issue, made, order, renew

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("later", "state", "words"),
    [
        (-2 * DAY, Standing.NOT_YET, "not valid yet"),
        (0 * DAY, Standing.VALID, "valid"),
        (335 * DAY - SECOND, Standing.VALID, "valid"),
        (335 * DAY, Standing.VALID, "expires in 30 days"),
        (364 * DAY, Standing.VALID, "expires in 1 day"),
        (365 * DAY, Standing.VALID, "expires within a day"),
        (365 * DAY + SECOND, Standing.EXPIRED, "expired"),
    ],
)
def test_a_certificate_stands_where_its_dates_say(
    tmp_path: Path, later: timedelta, state: Standing, words: str
) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        assert standing(record, NOW + later) is state
        assert in_words(record, NOW + later) == words


def test_revoked_is_said_with_time_and_reason_even_if_expired(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = revoke(directory, issue(directory), REASONS["keyCompromise"], None, NOW)
        bare = revoke(directory, issue(directory, order("other")), None, None, NOW)
        for now in (NOW, NOW + 900 * DAY):
            assert standing(record, now) is Standing.REVOKED
            assert in_words(record, now) == "revoked 2027-01-15T08:00:00Z (keyCompromise)"
            assert in_words(bare, now) == "revoked 2027-01-15T08:00:00Z"
        assert not expires_within(record, NOW, 900 * DAY)


def test_nothing_is_told_of_a_pki_in_order(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        issue(directory)
        assert list(attention(directory, NOW)) == []


def test_what_ends_soon_is_told_unless_it_was_renewed(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = issue(directory, order(days=20))
        (told,) = attention(directory, NOW)
        assert f"'James Royal' (0x{old.serial}) expires in 20 days" in told
        renew(directory, old, days=300)
        assert list(attention(directory, NOW)) == []
        assert in_words(directory.inventory.by_id(old.id), NOW) == "expires in 20 days, renewed"


def test_a_revocation_that_no_edge_knows_is_told(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        revoke(directory, issue(directory), None, None, NOW)
        assert list(attention(directory, NOW)) == [
            "1 revocation is in no CRL of the intermediate yet; run `edge pki crl`"
        ]
        write_crls(directory, CRL_LIFETIME, None, NOW)
        assert list(attention(directory, NOW)) == []


def test_a_list_that_ends_or_ended_is_told(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        assert list(attention(directory, NOW + CRL_LIFETIME * 0.75 - SECOND)) == []
        assert ["ends at" in told for told in attention(directory, NOW + CRL_LIFETIME * 0.75)] == [True, True]
        assert ["ended at" in told for told in attention(directory, NOW + CRL_LIFETIME)] == [True, True]
