"""What is known before the first case: who is let in where, and what that looks like.

"Let through" has no meaning without it. A 200 on a host that is open to everybody is no hole, and a 403
for a client that is refused everywhere says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.selftest.aim import Aim, Host
from edge.selftest.conversation import Answer, Attempt, Dialler
from edge.tls.raw_client import ClientIdentity, Hello

NOWHERE = "selftest-unknown.invalid"
"""A host that nobody has (RFC 6761 6.4)."""
_EMPTY_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


class NoBaseline(Exception):
    """Nothing could be learned that cases could be judged by; ``str`` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    words: str
    identity: ClientIdentity | None


NOBODY = Caller("no certificate", None)


@dataclass(frozen=True, slots=True)
class Known:
    """One host: who is let in, and who is not."""

    host: Host
    target: str
    allowed: Answer | None
    """What a client gets that is let in; None if no such client is known."""
    refused: Attempt | None
    """What a client without a certificate gets; None if it is let in."""
    turned_away: tuple[Caller, ...]
    """Those who must not get anything here."""

    def lets_through(self, answer: Answer) -> bool:
        """Tell whether an answer looks like one for a client that is let in."""
        if answer.status == 101 or 200 <= answer.status < 300:
            return True
        if self.allowed is None or answer.status != self.allowed.status:
            return False
        refusals = () if self.refused is None else self.refused.answers
        return all(answer.status != refusal.status for refusal in refusals)


@dataclass(frozen=True, slots=True)
class Scene:
    """All a case gets."""

    dialler: Dialler
    protected: Known
    other: Known | None
    owner: Caller
    """Who is let in at the protected host."""
    post: Attempt
    """What the protected host says to a well-formed POST of the owner, with an empty chunked body."""
    echo_target: str | None
    """A target at the protected host whose answer repeats the head, if there is one."""

    @property
    def aim(self) -> Aim:
        """What the owner said."""
        return self.dialler.aim

    @property
    def hosts(self) -> tuple[Known, ...]:
        """The protected host, and the other one if somebody is turned away there."""
        return tuple(known for known in (self.protected, self.other) if known and known.turned_away)


def request(authority: str, target: str, *lines: str, method: str = "GET", close: bool = False) -> bytes:
    """Return the head of a request. ``lines`` are octets written as ISO 8859-1."""
    ending = ("Connection: close",) if close else ()
    text = "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {authority}", *lines, *ending, "", ""))
    return text.encode("latin-1")


def learn(dialler: Dialler, nonce: str) -> Scene:
    """Ask what a polite client would. Raises ``NoBaseline``."""
    aim = dialler.aim
    host, target = aim.host, aim.url.target
    owner = Caller("your certificate", aim.identity)
    first = dialler.ask(Hello(host.server_name, owner.identity), request(host.authority, target), verify=True)
    if not first.answers:
        raise NoBaseline(f"{aim.endpoint} gave no answer to your certificate: {first}")
    allowed = first.answers[0]
    if not 200 <= allowed.status < 400:
        raise NoBaseline(
            f"{aim.url.text} answers {allowed.status} to your certificate; "
            "name a URL that it is let in to, else nothing can be told from outside"
        )
    callers = [NOBODY]
    if aim.other_identity is not None:
        callers.append(Caller("the other host's certificate", aim.other_identity))
    post = dialler.ask(
        Hello(host.server_name, owner.identity),
        request(host.authority, target, method="POST").removesuffix(b"\r\n") + _EMPTY_CHUNKS,
        methods=(b"POST",),
    )
    nothing = dialler.ask(Hello(host.server_name), request(host.authority, target))
    known = Known(host, target, allowed, None, ())
    open_to_all = bool(nothing.answers and known.lets_through(nothing.answers[0]))
    # Without a certificate nobody must get in here, whatever the server thinks of that.
    protected = Known(host, target, allowed, None if open_to_all else nothing, tuple(callers))
    other = None if aim.other is None else _learn_other(dialler, aim.other, owner)
    return Scene(dialler, protected, other, owner, post, _find_echo(dialler, owner, nonce))


def _learn_other(dialler: Dialler, host: Host, owner: Caller) -> Known:
    """The other host may be open: only who is refused there by name is turned away."""
    identity = dialler.aim.other_identity
    allowed = None
    if identity is not None:
        came = dialler.ask(Hello(host.server_name, identity), request(host.authority, "/"))
        allowed = came.answers[0] if came.answers and 200 <= came.answers[0].status < 400 else None
    known = Known(host, "/", allowed, None, ())
    turned_away, nothing = [], None
    for caller in (NOBODY, owner):
        came = dialler.ask(Hello(host.server_name, caller.identity), request(host.authority, "/"))
        if came.told_nothing or (came.answers and came.answers[0].status < 400):
            continue
        turned_away.append(caller)
        if caller is NOBODY:
            nothing = came
    return Known(known.host, known.target, allowed, nothing, tuple(turned_away))


def _find_echo(dialler: Dialler, owner: Caller, nonce: str) -> str | None:
    aim = dialler.aim
    for target in (aim.echo_target, aim.url.target):
        if target is None:
            continue
        octets = request(aim.host.authority, target, f"X-Selftest: {nonce}", "Accept: application/json")
        came = dialler.ask(Hello(aim.host.server_name, owner.identity), octets)
        if came.answers and nonce.encode() in came.answers[0].body:
            return target
    return None
