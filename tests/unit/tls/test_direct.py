"""OpenSSL called directly comes to the same as pyOpenSSL's own methods, and is used only if it does."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from OpenSSL import SSL

from edge.reactor.readiness import Readiness
from edge.reactor.stream import StreamBroken
from edge.tls import choice, direct
from edge.tls.context import ClientCertificateMode, VerifyLog
from edge.tls.direct import DirectTlsStream
from edge.tls.rehearsal import rehearse
from edge.tls.stream import Progress, TlsStream
from tests.certificates import Credential
from tests.unit.tls.pairs import client_context, host_context
from tests.unit.tls.test_verification import BUNDLE, SERVER_CREDENTIAL, TABLE

REQUEST, REQUIRE = ClientCertificateMode.REQUEST, ClientCertificateMode.REQUIRE


class Outcome:
    """What a server took down in one handshake."""

    def __init__(self, kind: type[TlsStream], context: SSL.Context, credential: Credential | None) -> None:
        ours, theirs = socket.socketpair()
        nobody = object.__new__(Readiness)  # nothing waits here
        with closing(ours), closing(theirs):
            for sock in (ours, theirs):
                sock.setblocking(False)
            server = kind(ours, nobody, context)
            client = TlsStream(theirs, nobody, client_context(credential), as_client=True)
            self.broken = ""
            try:
                done = set[TlsStream]()
                for end in (client, server) * 8:
                    if end not in done and end._shake_hands() is Progress.DONE:
                        done.add(end)
            except StreamBroken as error:
                self.broken = str(error)
            self.log: VerifyLog = server.log
            self.sha256 = server.peer_sha256()
            self.der = server.peer_der()


@pytest.mark.parametrize("mode", [REQUEST, REQUIRE])
@pytest.mark.parametrize("case", [None, *TABLE])
def test_the_verifier_is_taken_down_alike(case: str | None, mode: ClientCertificateMode) -> None:
    credential = None if case is None else TABLE[case][0]()
    context = host_context(SERVER_CREDENTIAL, BUNDLE, mode)
    public, own = (Outcome(kind, context, credential) for kind in (TlsStream, DirectTlsStream))
    assert own.log == public.log
    assert own.broken == public.broken
    assert own.sha256 == public.sha256
    assert own.der == public.der


def test_both_kinds_of_stream_pass_the_rehearsal() -> None:
    assert rehearse(TlsStream)
    assert rehearse(DirectTlsStream)


class Credulous(DirectTlsStream):
    """Takes everybody for verified."""

    __slots__ = ()

    def _shake_hands(self) -> Progress:
        progress = super()._shake_hands()
        self.log.errors.clear()
        self.log.leaf_ok = True
        return progress


class Confused(DirectTlsStream):
    """Takes everybody for the same."""

    __slots__ = ()

    def peer_sha256(self) -> bytes | None:
        return bytes(32)


class Lossy(DirectTlsStream):
    """Loses octets."""

    __slots__ = ()

    def try_read(self) -> bytes | None:
        octets = super().try_read()
        return octets and octets[:-1]


class Forgetful(DirectTlsStream):
    """Has lost what it lent before anybody looked."""

    __slots__ = ()

    def try_read_shared(self, most: int) -> bytes | memoryview | None:
        octets = super().try_read_shared(most)
        return octets and bytes(len(octets))


class Failing(DirectTlsStream):
    """Meets another library than it was written for."""

    __slots__ = ()

    def try_write(self, octets: bytes | memoryview) -> int:
        raise TypeError("initializer for ctype 'void *' must be a cdata pointer")


@pytest.mark.parametrize("kind", [Credulous, Confused, Lossy, Forgetful, Failing])
def test_a_stream_that_does_something_else_does_not_pass(kind: type[TlsStream]) -> None:
    assert not rehearse(kind)


@pytest.fixture
def _chosen_anew() -> object:
    choice.stream_class.cache_clear()
    yield
    choice.stream_class.cache_clear()


@pytest.mark.usefixtures("_chosen_anew")
def test_openssl_is_called_directly_where_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    assert choice.stream_class() is DirectTlsStream
    assert choice.calls_in_use() == "direct"


@pytest.mark.usefixtures("_chosen_anew")
def test_the_operator_can_keep_to_the_public_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.VARIABLE, "public")
    assert choice.stream_class() is TlsStream
    assert choice.calls_in_use() == "public"


@pytest.mark.usefixtures("_chosen_anew")
def test_a_name_that_is_gone_means_the_public_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.setattr(direct, "MISSING", ("SSL_read",))
    assert choice.stream_class() is TlsStream


@pytest.mark.usefixtures("_chosen_anew")
def test_a_failed_rehearsal_means_the_public_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.setattr(choice, "rehearse", lambda _: False)
    assert choice.stream_class() is TlsStream
