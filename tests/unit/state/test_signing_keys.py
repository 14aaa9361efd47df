"""The keys that sign tokens: made once, rotated, never half on disk, and never anybody else's to read."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.access.signing_keys import Algorithm, KeyRing
from edge.state.signing_keys import (
    KeyStoreError,
    list_keys,
    load_or_create,
    load_or_imagine,
    rotate,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def create(state: Path, now: datetime = NOW, algorithm: Algorithm = "ES256") -> KeyRing:
    return load_or_create(state, algorithm, now)


def turn(state: Path, now: datetime = NOW) -> str:
    return rotate(state, "ES256", now).key.kid


def kids(ring: KeyRing) -> list[str]:
    return [key.kid for key in ring]


def files(state: Path) -> list[Path]:
    return sorted(path for path in state.rglob("*") if path.is_file())


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_is_no_key_is_an_error_that_names_it(state: Path, octets: bytes) -> None:
    create(state)
    path = state / "signing-keys" / ("ab" * 32 + ".pem")
    path.write_bytes(octets)
    with pytest.raises(KeyStoreError) as caught:
        create(state)
    assert str(path) in str(caught.value)


def test_a_key_without_its_certificate_is_an_error(state: Path) -> None:
    create(state)
    (path,) = files(state)
    path.write_bytes(path.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0])
    with pytest.raises(KeyStoreError):
        create(state)


def test_a_key_that_cannot_be_read_is_never_replaced_by_a_new_one(state: Path) -> None:
    """A new key would end every session without a word."""
    create(state)
    (path,) = files(state)
    path.write_bytes(b"junk")
    with pytest.raises(KeyStoreError):
        create(state)
    assert files(state) == [path]


@pytest.mark.parametrize(
    "name",
    ["README", "key.pem", "AB" * 32 + ".pem", "ab" * 32 + ".pem~", "." + "ab" * 32 + ".pem.x7", "ab" * 32],
)
def test_a_file_of_another_name_is_not_looked_at(state: Path, name: str) -> None:
    before = create(state)
    (state / "signing-keys" / name).write_bytes(b"junk")
    assert kids(create(state)) == kids(before)


def test_a_directory_that_is_a_file_is_an_error(state: Path) -> None:
    state.write_bytes(b"")
    with pytest.raises(KeyStoreError):
        create(state)
    with pytest.raises(KeyStoreError):
        load_or_imagine(state, "ES256", NOW)


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(KeyStoreError):
        create(blocked / "state")


# --- making ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_first_key_is_made_once_and_found_again(state: Path, algorithm: Algorithm) -> None:
    first = create(state, algorithm=algorithm)
    again = create(state, NOW + timedelta(days=1000), algorithm)
    assert kids(first) == kids(again)
    assert first.current.certificate == again.current.certificate
    assert first.current.verifies(again.current.sign(b"payload").encode())
    assert len(files(state)) == 1


@pytest.mark.usefixtures("umask")
def test_only_the_owner_can_read_a_key_or_look_for_one(state: Path) -> None:
    create(state)
    (path,) = files(state)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_the_two_algorithms_keep_their_keys_apart(state: Path) -> None:
    one, two = create(state, algorithm="ES256"), create(state, algorithm="RS256")
    assert kids(one) != kids(two)
    assert [stored.key.kid for stored in list_keys(state, "ES256")] == kids(one)
    assert [stored.key.kid for stored in list_keys(state, "RS256")] == kids(two)


def test_without_a_directory_there_are_no_keys(state: Path) -> None:
    assert list_keys(state, "ES256") == []
    assert not state.exists()


def test_looking_leaves_no_trace(state: Path) -> None:
    ring = load_or_imagine(state, "ES256", NOW)
    assert ring.current.sign(b"payload")
    assert not state.exists()
    created = create(state)
    assert kids(load_or_imagine(state, "ES256", NOW)) == kids(created)


def test_the_key_id_is_that_of_the_public_key(state: Path) -> None:
    ring = create(state)
    (path,) = files(state)
    assert path.name == ring.current.kid + ".pem"


# --- rotating ----------------------------------------------------------------------------------


def test_the_newest_key_signs_and_the_one_before_is_believed(state: Path) -> None:
    (first,) = kids(create(state))
    second = turn(state, NOW + timedelta(days=30))
    assert kids(create(state, NOW + timedelta(days=30))) == [second, first]


def test_a_key_is_believed_for_seven_days_after_the_next_was_made(state: Path) -> None:
    (first,) = kids(create(state))
    second = turn(state, NOW)
    made = list_keys(state, "ES256")[0].created
    assert kids(create(state, made + WEEK - SECOND)) == [second, first]
    assert kids(create(state, made + WEEK)) == [second]


def test_a_key_that_was_believed_once_is_not_believed_again_after_another_rotation(state: Path) -> None:
    (first,) = kids(create(state))
    second = turn(state, NOW + timedelta(days=10))
    third = turn(state, NOW + timedelta(days=20))
    assert kids(create(state, NOW + timedelta(days=20))) == [third, second]
    assert first not in kids(create(state, NOW + timedelta(days=20)))


def test_rotations_within_a_second_have_one_newest_key(state: Path) -> None:
    (first,) = kids(create(state))
    made = [turn(state, NOW) for _ in range(3)]
    assert kids(create(state)) == [*reversed(made), first]
    created = [stored.created for stored in list_keys(state, "ES256")]
    assert created == sorted(created, reverse=True)
    assert len(set(created)) == 4


def test_a_rotation_with_a_clock_that_went_back_still_makes_the_newest_key(state: Path) -> None:
    create(state)
    newest = turn(state, NOW - timedelta(days=400))
    assert create(state).current.kid == newest


def test_rotating_without_a_key_makes_the_first(state: Path) -> None:
    made = turn(state)
    assert kids(create(state)) == [made]


def test_a_token_of_the_key_before_still_verifies_after_a_rotation(state: Path) -> None:
    token = create(state).current.sign(b"payload").encode()
    turn(state)
    ring = create(state)
    assert not ring.current.verifies(token)
    assert ring.previous[0].verifies(token)


# --- interruptions -----------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
from edge.state.signing_keys import rotate
rotate(Path(sys.argv[1]), "ES256", datetime.now(UTC))
"""


def test_a_process_killed_while_it_writes_leaves_no_half_key(state: Path) -> None:
    before = create(state)
    done = subprocess.run([sys.executable, "-c", KILLED, str(state)], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    assert len(files(state)) == 2, "the test did not interrupt the writing"
    assert kids(create(state)) == kids(before)
    assert kids(create(state))[0] != turn(state)


def test_a_key_that_could_not_be_written_leaves_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = create(state)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyStoreError, match="No space left"):
        turn(state)
    monkeypatch.undo()
    assert len(files(state)) == 1
    assert kids(create(state)) == kids(before)
