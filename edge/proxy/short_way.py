"""The way most requests take: what is known to be simple is done at once, without anything made for it.

    refused as planned:  one write
    passed on:           one write, one wait, one read, one write

A request takes it if it has no body and its connection stays, and if its answer is a refusal that was
planned, or comes from an origin that is connected already, in one piece, with a length, for everybody.
As soon as anything is not as simple as that, ``Begun`` says how far it came, and ``exchange`` goes on
from there by the long way. Both ways come to the same octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.origin.connection import OriginConnection
from edge.proxy.access_log import origin_member, passed_account, refused_account
from edge.proxy.cuts import ORIGIN_FIRST_BYTE
from edge.proxy.origin_request import origin_request
from edge.proxy.plan import Passage, Plan
from edge.reactor.stream import StreamBroken

if TYPE_CHECKING:
    from edge.proxy.connection import ClientConnection


@dataclass(slots=True)
class Begun:
    """How far a request came before it turned out to need the long way."""

    request_id: bytes
    started: float
    """The loop's seconds."""
    origin: OriginConnection | None = None
    """The connection that has the request; None if no origin has it."""
    fresh: bool = False
    """A connection of the pool was dead: only a new one will do."""
    received: bytes = b""
    """What the origin sent of its answer."""
    status: int = 0
    """Of the answer, once it is known."""
    written: int = 0
    """How many octets of the answer the client has."""
    unsent: bytes = b""
    """The rest of a refusal, if the client took but a part of it."""
    error: Exception | None = None
    """What ended it."""


def begin(connection: ClientConnection) -> Begun:
    """Return what a request is that did not take the short way at all."""
    services = connection.services
    return Begun(services.request_ids.next(), services.reactor.now())


def refuse_at_once(connection: ClientConnection, plan: Plan, now: float) -> Begun | None:
    """Answer with the refusal that was prepared; None if that was all. ``now`` is seconds since the epoch."""
    services, prepared = connection.services, plan.prepared
    request_id, started = services.request_ids.next(), services.reactor.now()
    if prepared is None:
        return Begun(request_id, started)
    octets = prepared.render(request_id, services.date.at(now))
    try:
        written = connection.stream.try_write(octets)
    except StreamBroken as error:
        return Begun(request_id, started, status=prepared.status, error=error)
    if written < len(octets):
        return Begun(request_id, started, status=prepared.status, written=written, unsent=octets[written:])
    seconds = services.reactor.now() - started
    services.events.write(plan.refused_event, refused_account(request_id, seconds))
    plan.refused.value += 1
    services.counts.sent.value += written
    services.counts.request_duration.observe(seconds)
    if started >= services.refusals.due:
        services.refusals.note(started, now, plan.refused_event)
    return None


async def pass_simply(connection: ClientConnection, plan: Plan, passage: Passage) -> Begun | None:
    """Take a request to an origin and its answer back; None if that was all. Raises nothing."""
    services, client, strand = connection.services, connection.stream, connection.strand
    request_id, started = services.request_ids.next(), services.reactor.now()
    if client.readiness.unwanted:
        return Begun(request_id, started)  # the client has done something already
    origin = passage.take_rested(strand, started)
    if origin is None:
        return Begun(request_id, started)
    stream, status = origin.stream, 0
    try:
        outgoing = origin_request(passage.request_front, request_id)
        received: bytes | None = b""
        try:
            if stream.try_write(outgoing) == len(outgoing):
                if connection.inbox.empty:
                    client.readiness.watch()
                await strand.parked(started + passage.patience, ORIGIN_FIRST_BYTE)
                received = stream.try_read()
        except StreamBroken:
            pass  # it died in the pool
        if not received:
            if received is None:  # the client did something, or another generation wants to be asked
                return Begun(request_id, started, origin)
            origin.close()
            return Begun(request_id, started, fresh=True)
        end = received.find(b"\r\n\r\n") + 4
        simple = services.origin_answers.read(received[:end], passage.head, plan.snapshot.head_limits)
        if simple is None or simple.length != len(received) - end or connection.services.draining:
            return Begun(request_id, started, origin, received=received)
        status = simple.status
        octets = b"%b%bX-Request-Id: %b\r\n\r\n%b" % (
            simple.front,
            passage.own_lines,
            request_id,
            received[end:],
        )
        written = client.try_write(octets)
        if written < len(octets):
            return Begun(request_id, started, origin, received=received, status=status, written=written)
    except Exception as error:  # noqa: BLE001 - the long way says what it means
        return Begun(request_id, started, origin, status=status, error=error)
    now = services.reactor.now()
    services.pool.release(origin, now)
    member = services.origin_members.get(origin.name)
    if member is None:
        member = services.origin_members[origin.name] = origin_member(origin.name)
    seconds = now - started
    services.events.write(plan.event, passed_account(request_id, status, written, member, seconds))
    plan.counts.passed[status].value += 1
    services.counts.sent.value += written
    services.counts.request_duration.observe(seconds)
    services.counts.origin_duration.observe(seconds)
    return None
