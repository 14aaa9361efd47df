"""An image of CRLs reaches every worker whole, and nobody can change it afterwards."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from edge.runtime.channel import Message, ParentIsGone, WorkerEnd, channel, messages
from edge.runtime.crl_image import map_image, send_image, take_image, write_image
from edge.runtime.memory import new_memory
from edge.trust.crl import Crl
from edge.trust.revocation import EntryRevocation, Revocation
from edge.trust.serial_index import SerialIndex, build_index, key_of

ISSUER = b"I" * 32


def revocation(*serials: int) -> Revocation:
    index = SerialIndex(memoryview(build_index([(key_of(serial), 1, 1) for serial in serials])))
    crl = Crl(ISSUER, "CN=CA", 1, 1.0, 2.0, index, "a.crl")
    return {"CA": EntryRevocation(MappingProxyType({ISSUER: crl}), stale_allowed=False)}


def revokes(found: Revocation | None, serial: int) -> bool:
    assert found is not None
    return found["CA"].crls[ISSUER].serials.find(serial) is not None


@contextmanager
def image(*serials: int) -> Iterator[int]:
    descriptor = new_memory()
    try:
        write_image(descriptor, revocation(*serials))
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Ends:
    """A parent's end of a channel, and a worker's."""

    parent: socket.socket
    worker: socket.socket
    receiver: WorkerEnd

    def receive(self) -> Revocation | None:
        """Take every message as a worker does; return the newest image."""
        newest = None
        while (received := self.receiver.receive()) is not None:
            newest = take_image(self.receiver, received[1]) or newest
        return newest


@pytest.fixture
def ends() -> Iterator[Ends]:
    parent, worker = channel()
    receiver = WorkerEnd(worker)
    with parent, worker:
        yield Ends(parent, worker, receiver)
    receiver.close()


def wants_again(parent: socket.socket) -> bool:
    return Message("crl") in messages(parent)


def descriptors() -> int:
    gc.collect()  # what earlier tests left behind
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# --- the memory --------------------------------------------------------------------------------


def test_what_was_written_is_what_is_mapped() -> None:
    with image(1, 2, 3) as descriptor:
        found = map_image(descriptor)
    assert revokes(found, 2)
    assert not revokes(found, 4)


def test_nobody_can_change_an_image_or_its_length() -> None:
    with image(1) as descriptor:
        size = os.fstat(descriptor).st_size
        for change in (
            lambda: os.pwrite(descriptor, b"x", 0),
            lambda: os.ftruncate(descriptor, 0),
            lambda: os.ftruncate(descriptor, size + 1),
            lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
        ):
            with pytest.raises(PermissionError):
                change()


def test_an_image_is_not_inherited_by_other_programs() -> None:
    with image(1) as descriptor:
        assert not os.get_inheritable(descriptor)


def test_writing_leaves_no_descriptor_open() -> None:
    before = descriptors()
    with image(1):
        assert descriptors() == before + 1
    assert descriptors() == before


def test_an_image_is_what_another_process_wrote() -> None:
    descriptor = new_memory()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            write_image(descriptor, revocation(*range(1000)))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    found = map_image(descriptor)
    os.close(descriptor)
    assert all(revokes(found, serial) for serial in range(1000))
    assert not revokes(found, 1000)


# --- the channel -------------------------------------------------------------------------------


def test_nothing_has_arrived_yet(ends: Ends) -> None:
    assert ends.receive() is None


def test_an_image_arrives_and_outlives_its_descriptors(ends: Ends) -> None:
    before = descriptors()
    with image(5) as descriptor:
        assert send_image(ends.parent, descriptor)
    found = ends.receive()
    assert revokes(found, 5)
    assert ends.receive() is None
    assert descriptors() == before + 1, "one for the mapping"
    del found
    assert descriptors() == before


def test_of_several_images_the_newest_counts(ends: Ends) -> None:
    before = descriptors()
    for serial in (1, 2, 3):
        with image(serial) as descriptor:
            send_image(ends.parent, descriptor)
    found = ends.receive()
    assert [revokes(found, serial) for serial in (1, 2, 3)] == [False, False, True]
    assert descriptors() == before + 1, "one for the mapping"


def test_a_worker_learns_that_its_parent_is_gone(ends: Ends) -> None:
    ends.parent.close()
    with pytest.raises(ParentIsGone):
        ends.receive()


def test_a_worker_that_is_gone_needs_nothing(ends: Ends) -> None:
    ends.worker.close()
    with image(1) as descriptor:
        assert send_image(ends.parent, descriptor)


def test_a_worker_that_does_not_listen_is_not_waited_for(ends: Ends) -> None:
    with image(5) as descriptor:
        sent = 0
        while send_image(ends.parent, descriptor):
            sent += 1
            assert sent < 100_000
        assert revokes(ends.receive(), 5)
        assert send_image(ends.parent, descriptor)


@pytest.mark.parametrize("trouble", [errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS])
def test_a_worker_is_not_given_up_because_the_system_is_short_of_something(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    def fail(*_: object) -> int:
        raise OSError(trouble, os.strerror(trouble))

    with image(5) as descriptor:
        monkeypatch.setattr(socket, "send_fds", fail)
        assert not send_image(ends.parent, descriptor)


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """As under a flood of connections: not one more can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    try:
        # Every number below the limit is taken, as they are where connections take them.
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 20, hard))
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


def test_a_worker_without_a_free_descriptor_still_gets_the_image(ends: Ends) -> None:
    # Whoever can open connections could otherwise keep a revocation from being taken up.
    with image(5) as descriptor:
        send_image(ends.parent, descriptor)
        send_image(ends.parent, descriptor)
    with no_descriptors_left():
        first = ends.receive()
    with image(6) as descriptor:
        send_image(ends.parent, descriptor)
    with no_descriptors_left():
        second = ends.receive()
    assert revokes(first, 5)
    assert revokes(second, 6)
    assert not wants_again(ends.parent)


def test_a_worker_that_could_not_take_an_image_asks_for_it_again(ends: Ends) -> None:
    ends.receiver.close()
    with image(5) as descriptor:
        with no_descriptors_left():
            send_image(ends.parent, descriptor)
            assert ends.receive() is None
        assert wants_again(ends.parent)
        assert not wants_again(ends.parent)
        send_image(ends.parent, descriptor)
        assert revokes(ends.receive(), 5)
    assert not wants_again(ends.parent)


def test_a_worker_that_is_gone_asks_for_nothing(ends: Ends) -> None:
    ends.receiver.close()
    ends.worker.close()
    assert not wants_again(ends.parent)


def test_the_reserve_is_given_back() -> None:
    before = descriptors()
    parent, worker = channel()
    with parent, worker:
        receiver = WorkerEnd(worker)
        assert descriptors() > before + 2
        receiver.close()
    assert descriptors() == before
