"""Messages arrive as they were said, in order, and nobody waits for a side that does not listen."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.runtime.channel import MESSAGE_OCTETS, Message, ParentIsGone, WorkerEnd, channel, messages, send
from edge.runtime.memory import fill, mapped, new_memory

Ends = tuple[socket.socket, WorkerEnd]


@pytest.fixture
def ends() -> Iterator[Ends]:
    parent, worker = channel()
    end = WorkerEnd(worker)
    with parent, worker:
        yield parent, end
    end.close()


@given(st.from_regex(r"[a-z]{1,10}", fullmatch=True), st.integers(0, 2**40), st.text(max_size=200))
def test_what_was_encoded_is_decoded(word: str, number: int, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        text = ascii(text)
    message = Message(word, number, text)
    assert Message.decode(message.encode()) == message


def test_a_text_that_is_too_long_is_cut() -> None:
    octets = Message("failed", 7, "é" * 10_000).encode()
    assert len(octets) == MESSAGE_OCTETS
    assert Message.decode(octets).number == 7


def test_messages_arrive_in_order_with_their_memory(ends: Ends) -> None:
    parent, end = ends
    memory = new_memory()
    fill(memory, [b"one", memoryview(b"two")])
    assert send(parent, Message("crl"), memory)
    assert send(parent, Message("prepare", 3, "2"), memory, memory)
    assert send(parent, Message("commit", 3))
    os.close(memory)
    for wanted, count in ((Message("crl"), 1), (Message("prepare", 3, "2"), 2), (Message("commit", 3), 0)):
        received = end.receive()
        assert received is not None
        message, descriptors = received
        assert (message, len(descriptors)) == (wanted, count)
        for descriptor in descriptors:
            assert bytes(mapped(descriptor)) == b"onetwo"
            os.close(descriptor)
    assert end.receive() is None


def test_answers_arrive(ends: Ends) -> None:
    parent, end = ends
    end.answer(Message("ready"))
    end.answer(Message("failed", 2, "why not"))
    assert list(messages(parent)) == [Message("ready"), Message("failed", 2, "why not")]
    assert list(messages(parent)) == []


def test_a_parent_that_is_gone_is_noticed(ends: Ends) -> None:
    parent, end = ends
    parent.close()
    end.answer(Message("pong"))
    with pytest.raises(ParentIsGone):
        end.receive()


def test_a_worker_that_is_gone_has_nothing_to_say_and_needs_nothing(ends: Ends) -> None:
    parent, worker = channel()
    worker.close()
    assert list(messages(parent)) == []
    assert send(parent, Message("commit"))
    parent.close()


def test_a_worker_that_does_not_listen_is_not_waited_for(ends: Ends) -> None:
    parent, end = ends
    while send(parent, Message("ping")):
        pass
    assert end.receive() == (Message("ping"), [])
