"""Changed files get to the workers; whatever goes wrong on the way leaves in force what was."""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from edge.config.errors import Place
from edge.config.pem import Pem
from edge.runtime.channel import WorkerEnd, channel
from edge.runtime.crl_image import take_image
from edge.runtime.crl_watch import CrlWatch
from edge.snapshot.revocation import CrlSource, read_revocation, stamps_of
from edge.telemetry import logging
from edge.trust.certificate import ca_identity
from edge.trust.revocation import Revocation
from tests.certificates import Authority
from tests.crls import crl_of, moment, pem, write_crl

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
"""The edge forks before it has a thread; the process of the tests may have one."""

CA = Authority("Devices")
OTHER = Authority("Others")
RETRY_SECONDS = 60


class Scene:
    """A watch over ``a.crl`` and the directory ``more``, one worker, and a clock that is moved by hand."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self._log = folder, log
        self.file = folder / "a.crl"
        self.now = moment().timestamp()
        self.parent, self.worker = channel()
        self.receiver = WorkerEnd(self.worker)
        self.channels: list[socket.socket] = [self.parent]
        more = folder / "more"
        more.mkdir()
        write_crl(self.file, crl_of(CA, [1], number=1))
        write_crl(more / "b.crl", crl_of(OTHER, [1], number=1))
        named = tuple(Pem(Place("", ""), path=path, shown=f'"{path.name}"') for path in (self.file, more))
        sources = (CrlSource("CA", (CA.certificate, OTHER.certificate), named, stale_allowed=False),)
        stamps = stamps_of(sources)
        revocation, problems = read_revocation(sources, datetime.fromtimestamp(self.now, UTC))
        assert problems == []
        self.watch = CrlWatch(sources, stamps, revocation, self.channels, self.let_go, self.clock, self.clock)

    def clock(self) -> float:
        return self.now

    def let_go(self) -> None:
        for sock in self.channels:
            sock.close()

    def close(self) -> None:
        reading = self.watch._reading
        self.watch.stop()
        if reading is not None:
            os.waitpid(reading.pid, 0)
        self.receiver.close()
        for sock in (self.parent, self.worker):
            sock.close()

    def write(self, *serials: int, number: int, file: str = "a.crl", ca: Authority = CA) -> None:
        """Put another list in the place of the one that is there."""
        write_crl(self.folder / file, crl_of(ca, serials, number=number))

    def reap(self, code: int | None = None) -> bool:
        """Wait for the child, if there is one, and tell the watch how it ended."""
        if self.watch._reading is None:
            return False
        # Its own child and no other: the process of the tests may have children that are nobody's here.
        pid, status = os.waitpid(self.watch._reading.pid, 0)
        return self.watch.reap(pid, os.waitstatus_to_exitcode(status) if code is None else code)

    def look(self, times: int = 2) -> bool:
        """Poll so many times; tell whether a child has read something since."""
        for _ in range(times):
            self.watch.poll()
        return self.reap()

    def received(self) -> Revocation | None:
        """What the worker has been given since the last time."""
        newest = None
        while (received := self.receiver.receive()) is not None:
            newest = take_image(self.receiver, received[1]) or newest
        return newest

    def events(self, name: str) -> list[dict[str, object]]:
        """The lines of one event in the log, and no more than these: they are read once."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def forget_log(self) -> None:
        self._log.write_text("")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    log = tmp_path / "log"
    folder = tmp_path / "certs"
    folder.mkdir()
    with log.open("a") as stream:
        logging.configure(stream)
    scene = Scene(folder, log)
    yield scene
    scene.close()
    structlog.reset_defaults()


def descriptors() -> int:
    gc.collect()  # what earlier tests left behind
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def revoked(revocation: Revocation | None, ca: Authority = CA) -> set[int]:
    """Which of the first few serials are revoked."""
    assert revocation is not None
    serials = revocation["CA"].crls[ca_identity(ca.certificate)].serials
    return {serial for serial in range(20) if serials.find(serial) is not None}


# --- what changes ------------------------------------------------------------------------------


def test_as_long_as_nothing_changes_nothing_is_read(scene: Scene) -> None:
    assert not scene.look(5)
    assert scene.received() is None


def test_what_is_in_force_at_the_start_is_told(scene: Scene) -> None:
    told = scene.events("crl_in_force")
    assert [(line["ca"], line["issuer"], line["number"], line["revoked"]) for line in told] == [
        ("CA", "CN=Devices,O=Test", 1, 1),
        ("CA", "CN=Others,O=Test", 1, 1),
    ]


def test_a_new_list_is_in_force_for_the_workers_and_for_the_parent(scene: Scene) -> None:
    scene.forget_log()
    scene.write(1, 2, number=2)
    assert scene.look()
    found = scene.received()
    assert revoked(found) == {1, 2}
    assert revoked(found, OTHER) == {1}
    assert revoked(scene.watch.revocation) == {1, 2}
    (told,) = scene.events("crl_in_force")
    assert (told["number"], told["revoked"], told["file"]) == (2, 2, "a.crl")
    assert not scene.look(5)


def test_a_file_is_read_once_it_does_not_change_any_more(scene: Scene) -> None:
    octets = pem(crl_of(CA, [1, 2], number=2))
    for end in range(10, 100, 10):
        scene.file.write_bytes(octets[:end])
        assert not scene.look(1)
    scene.file.write_bytes(octets)
    assert not scene.look(1)
    assert scene.look(1)
    assert revoked(scene.received()) == {1, 2}
    assert scene.events("crl_refused") == []


def test_a_new_file_in_a_directory_is_taken_up(scene: Scene) -> None:
    scene.write(7, number=2, file="more/c.crl", ca=OTHER)
    assert scene.look()
    assert revoked(scene.received(), OTHER) == {7}


def test_an_unfinished_file_in_a_directory_is_not_looked_at(scene: Scene) -> None:
    (scene.folder / "more" / ".c.crl.new").write_bytes(b"-----BEGIN X509")
    assert not scene.look(5)


def test_a_file_that_never_rests_does_not_keep_out_the_others(scene: Scene) -> None:
    restless = scene.folder / "more" / "growing"
    scene.write(1, 2, number=2)
    for size in range(1, 4):
        restless.write_bytes(b"x" * size)
        scene.watch.poll()
    assert scene.reap()
    assert revoked(scene.received()) == {1, 2}
    assert scene.events("crl_refused") == []


def test_the_same_list_in_another_file_is_no_news(scene: Scene) -> None:
    scene.forget_log()
    octets = scene.file.read_bytes()
    scene.file.unlink()
    scene.file.write_bytes(octets)
    os.utime(scene.file, (1, 1))
    assert scene.look()
    assert scene.received() is None
    assert scene.events("crl_in_force") == []


def test_a_change_during_the_reading_is_read_afterwards(scene: Scene) -> None:
    scene.write(1, 2, number=2)
    scene.watch.poll()
    scene.watch.poll()
    scene.write(1, 2, 3, number=3)
    scene.watch.poll()  # the child is still there, for all that the watch knows
    scene.reap()
    assert scene.look()
    assert revoked(scene.received()) == {1, 2, 3}


def test_a_list_that_is_put_back_is_refused_and_not_asked_again(scene: Scene) -> None:
    scene.write(1, 2, number=2)
    scene.look()
    assert revoked(scene.received()) == {1, 2}
    scene.write(1, number=1)
    assert scene.look()
    assert scene.received() is None
    assert revoked(scene.watch.revocation) == {1, 2}
    (told,) = scene.events("crl_refused")
    assert "is older than the CRL number 2 of 'CN=Devices,O=Test', which is in force" in str(told["detail"])
    scene.now += RETRY_SECONDS + 1
    assert not scene.look(5)


# --- what cannot be taken up -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda file: file.write_bytes(b"junk"), "there is no CRL in it that can be read"),
        (lambda file: file.write_bytes(b""), "the file is empty"),
        (lambda file: file.write_bytes(pem(crl_of(CA))[:-20]), "it is cut off"),
        (lambda file: file.unlink(), "there is no such file"),
        (lambda file: file.write_bytes(crl_of(CA.impostor(), number=9)), "signed with another key"),
    ],
)
def test_a_file_that_went_bad_changes_nothing_and_is_told_every_minute(
    scene: Scene, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(scene.file)
    assert scene.look()
    assert scene.received() is None
    assert revoked(scene.watch.revocation) == {1}
    (told,) = scene.events("crl_refused")
    assert why in str(told["detail"])
    assert str(told["detail"]).endswith("; what was in force stays")
    assert told["file"] == "a.crl"
    assert told["hint"]
    scene.now += RETRY_SECONDS - 1
    assert not scene.look(5)
    for count in (2, 3):
        scene.now += RETRY_SECONDS
        assert scene.look(1)
        assert len(scene.events("crl_refused")) == count


def test_a_directory_that_was_emptied_is_told_every_minute(scene: Scene) -> None:
    (scene.folder / "more" / "b.crl").unlink()
    assert scene.look()
    for count in (1, 2):
        assert len(scene.events("crl_refused")) == count
        assert not scene.look(5)
        scene.now += RETRY_SECONDS
        assert scene.look(1)
    assert "there is no CRL in this directory" in str(scene.events("crl_refused")[0]["detail"])
    scene.write(7, number=2, file="more/c.crl", ca=OTHER)
    assert scene.look()
    assert revoked(scene.received(), OTHER) == {7}


def test_a_file_that_is_gone_from_a_directory_leaves_its_list_in_force(scene: Scene) -> None:
    scene.write(5, number=5, file="more/c.crl")
    scene.look()
    assert revoked(scene.received()) == {5}
    (scene.folder / "more" / "c.crl").unlink()
    assert scene.look()
    assert scene.received() is None
    assert revoked(scene.watch.revocation) == {5}
    assert not scene.look(5)


def test_a_file_that_came_right_is_taken_up_at_once(scene: Scene) -> None:
    scene.file.write_bytes(b"junk")
    scene.look()
    scene.write(1, 2, number=2)
    assert scene.look()
    assert revoked(scene.received()) == {1, 2}


def test_a_clock_that_came_right_lets_a_list_be_taken_up(scene: Scene) -> None:
    ahead = crl_of(CA, [1, 2], number=2, this_update=timedelta(minutes=5, seconds=30))
    write_crl(scene.file, ahead)
    assert scene.look()
    assert "in the future" in str(scene.events("crl_refused")[0]["detail"])
    scene.now += RETRY_SECONDS
    assert scene.look(1)
    assert revoked(scene.received()) == {1, 2}


def test_one_bad_file_does_not_keep_out_a_good_one(scene: Scene) -> None:
    scene.file.write_bytes(b"junk")
    scene.write(7, number=2, file="more/b.crl", ca=OTHER)
    assert scene.look()
    assert revoked(scene.received(), OTHER) == {7}
    assert len(scene.events("crl_refused")) == 1


def test_a_file_that_changes_as_a_bad_one_is_tried_again_is_not_forgotten(scene: Scene) -> None:
    scene.file.write_bytes(b"junk")
    scene.look()
    scene.write(7, number=2, file="more/b.crl", ca=OTHER)
    scene.now += RETRY_SECONDS
    scene.look(1)
    scene.look()
    assert revoked(scene.received(), OTHER) == {7}


def test_a_file_that_goes_bad_again_and_again_does_not_put_the_others_off(scene: Scene) -> None:
    scene.file.write_bytes(b"junk")
    scene.look()
    write_crl(scene.file, crl_of(CA, [1, 2], number=2, this_update=timedelta(minutes=5, seconds=10)))
    scene.look()
    for size in range(1, 4):
        scene.now += RETRY_SECONDS / 3
        (scene.folder / "more" / "b.crl").write_bytes(b"x" * size)
        scene.look(3)
    assert revoked(scene.watch.revocation) == {1, 2}


def test_a_half_written_file_is_not_read_because_a_bad_one_is_tried_again(scene: Scene) -> None:
    (scene.folder / "more" / "b.crl").write_bytes(b"junk")
    scene.look()
    octets = pem(crl_of(CA, [1, 2], number=2))
    scene.file.write_bytes(octets[:100])
    scene.now += RETRY_SECONDS
    scene.look(1)
    scene.file.write_bytes(octets)
    scene.look()
    assert revoked(scene.received()) == {1, 2}
    assert {told["file"] for told in scene.events("crl_refused")} == {"more/b.crl"}


# --- what goes wrong with the child ------------------------------------------------------------


def test_a_child_that_was_killed_is_told_and_the_files_are_read_later(scene: Scene) -> None:
    scene.write(1, 2, number=2)
    scene.watch.poll()
    scene.watch.poll()
    assert scene.reap(code=-9)
    assert scene.received() is None
    assert revoked(scene.watch.revocation) == {1}
    (told,) = scene.events("crl_reading_failed")
    assert told["status"] == -9
    scene.now += RETRY_SECONDS
    assert scene.look(1)
    assert revoked(scene.received()) == {1, 2}


def test_a_child_that_cannot_write_the_image_has_not_taken_the_files_up(scene: Scene) -> None:
    scene.write(*range(2, 20), number=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        scene.watch.poll()
        scene.watch.poll()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert scene.reap()
    assert scene.received() is None
    scene.now += RETRY_SECONDS
    assert scene.look(1)
    assert revoked(scene.received()) == set(range(2, 20))


@pytest.mark.parametrize("call", ["fork", "memfd_create"])
def test_an_edge_that_cannot_make_a_child_lives_on_and_tries_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    before = descriptors()
    scene.write(1, 2, number=2)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        assert not scene.look(3)
    assert descriptors() == before
    assert len(scene.events("crl_reading_failed")) == 1
    scene.now += RETRY_SECONDS
    assert scene.look(1)
    assert revoked(scene.received()) == {1, 2}


def test_the_end_of_another_process_is_not_taken_for_the_childs(scene: Scene) -> None:
    assert not scene.watch.reap(os.getpid(), 9)
    scene.write(1, 2, number=2)
    scene.watch.poll()
    scene.watch.poll()
    assert not scene.watch.reap(os.getpid(), 9)
    assert scene.reap()
    assert revoked(scene.received()) == {1, 2}


def test_a_child_that_still_reads_ends_with_the_edge(scene: Scene) -> None:
    scene.watch.stop()
    scene.write(1, 2, number=2)
    scene.watch.poll()
    scene.watch.poll()
    scene.watch.stop()
    assert not scene.reap()
    assert scene.events("crl_reading_failed") == []
    scene.watch.stop()


def test_reading_leaves_no_descriptor_open(scene: Scene) -> None:
    scene.write(1, 2, number=2)
    scene.look()
    scene.received()
    before = descriptors()
    for number in range(3, 7):
        scene.write(number, number=number)
        assert scene.look()
        assert revoked(scene.received()) == {number}
    scene.file.write_bytes(b"junk")
    scene.look()
    assert descriptors() == before


# --- delivery ----------------------------------------------------------------------------------


def test_a_worker_that_was_busy_gets_the_newest_list_later(scene: Scene) -> None:
    scene.write(1, 2, number=2)
    scene.look()
    with suppress(BlockingIOError):
        while True:
            scene.parent.send(b"x")
    scene.write(1, 2, 3, number=3)
    assert scene.look()
    scene.watch.poll()
    while scene.worker.recv(10) == b"x":
        pass
    scene.watch.poll()
    assert revoked(scene.received()) == {1, 2, 3}


def test_a_worker_that_asks_again_is_given_again(scene: Scene) -> None:
    scene.write(1, 2, number=2)
    scene.look()
    assert revoked(scene.received()) == {1, 2}
    scene.watch.poll()
    assert scene.received() is None
    scene.watch.deliver()
    assert revoked(scene.received()) == {1, 2}


def test_a_worker_that_asks_before_there_is_anything_is_not_minded(scene: Scene) -> None:
    scene.watch.deliver()
    assert scene.received() is None


def test_the_others_get_their_list_when_a_worker_is_gone(scene: Scene) -> None:
    parent, worker = channel()
    scene.channels.insert(0, parent)
    worker.close()
    scene.write(1, 2, number=2)
    assert scene.look()
    assert revoked(scene.received()) == {1, 2}
    scene.watch.poll()
    assert scene.received() is None
    scene.channels.remove(parent)
    parent.close()
    scene.write(1, 2, 3, number=3)
    assert scene.look()
    assert revoked(scene.received()) == {1, 2, 3}


# --- staleness ---------------------------------------------------------------------------------


def test_a_list_that_becomes_stale_is_told_once(scene: Scene) -> None:
    assert scene.events("crl_stale") == []
    scene.now += timedelta(days=1, minutes=1).total_seconds()
    scene.look(5)
    told = scene.events("crl_stale")
    assert {line["issuer"] for line in told} == {"CN=Devices,O=Test", "CN=Others,O=Test"}
    assert len(told) == 2
    scene.forget_log()
    write_crl(scene.file, crl_of(CA, [1, 2], number=2, next_update=timedelta(days=2)))
    scene.look()
    assert revoked(scene.received()) == {1, 2}
    assert scene.events("crl_stale") == []
    scene.now += timedelta(days=2).total_seconds()
    scene.look()
    assert len(scene.events("crl_stale")) == 1


def test_a_child_that_hangs_is_ended_and_told_of(scene: Scene) -> None:
    scene.write(2, number=2, file="more/b.crl", ca=OTHER)
    scene.watch.poll()
    scene.watch.poll()
    child = scene.watch._reading
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)
    scene.now += 301
    scene.watch.poll()
    assert scene.reap()
    (told,) = scene.events("crl_reading_failed")
    assert told["status"] == -signal.SIGKILL
    scene.now += RETRY_SECONDS
    assert scene.look()
    assert revoked(scene.received(), OTHER) == {2}
