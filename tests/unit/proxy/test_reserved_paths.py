"""What the edge answers itself, and that it tells nobody what is not theirs to know."""

from __future__ import annotations

import json

import pytest

from edge.access.path_table import ApplicationTable, HostTable
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from edge.model.http import RequestHead
from edge.model.refusal import Reason, Refusal
from edge.proxy.reserved_paths import ReservedAnswer, answer, is_reserved
from tests.unit.access.builders import NOW, application, ca, failed, key_ring, leaf, verified
from tests.unit.http1.expect import request

RING = key_ring("ES256")
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def table() -> HostTable:
    applications = [
        application("a.test"),
        application("a.test/x", path_cookie=True),
        application("b.test", name="other"),
    ]
    return ApplicationTable(applications).for_host("a.test")


def ask(path: bytes, auth: ClientAuth = NO_CERTIFICATE, method: bytes = b"GET") -> ReservedAnswer | Refusal:
    head: RequestHead = request(method + b" " + path + b" HTTP/1.1", b"Host: a.test")
    return answer(head, table(), auth, key_ring=RING, client="192.0.2.1", now=NOW)


def answered(path: bytes, auth: ClientAuth = NO_CERTIFICATE, method: bytes = b"GET") -> ReservedAnswer:
    found = ask(path, auth, method)
    assert isinstance(found, ReservedAnswer)
    return found


@pytest.mark.parametrize(
    ("path", "reserved"),
    [
        (b"/cdn-cgi/access", True),
        (b"/cdn-cgi/access/", True),
        (b"/cdn-cgi/access/certs", True),
        (b"/cdn-cgi/access/anything/else", True),
        (b"/cdn-cgi/accessories", False),
        (b"/cdn-cgi/trace", False),
        (b"/cdn-cgi", False),
        (b"/", False),
        (b"/x/cdn-cgi/access/certs", False),
    ],
)
def test_only_what_lies_under_the_prefix_is_reserved(path: bytes, *, reserved: bool) -> None:
    assert is_reserved(path) is reserved


@pytest.mark.parametrize(
    "path",
    [
        b"/cdn-cgi/access",
        b"/cdn-cgi/access/",
        b"/cdn-cgi/access/certs/",
        b"/cdn-cgi/access/Certs",
        b"/cdn-cgi/access/certs/x",
        b"/cdn-cgi/access/login",
        b"/cdn-cgi/access/callback",
        b"/cdn-cgi/access/..;/certs",
    ],
)
def test_any_other_reserved_path_is_not_found(path: bytes) -> None:
    assert ask(path) == Refusal(Reason.NOT_FOUND)


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS"])
@pytest.mark.parametrize("path", [b"/cdn-cgi/access/certs", b"/cdn-cgi/access/get-identity"])
def test_what_is_for_reading_is_not_written(path: bytes, method: bytes) -> None:
    refusal = ask(path, verified(), method)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.METHOD_NOT_ALLOWED


def test_the_keys_are_public_and_only_their_public_halves() -> None:
    found = answered(b"/cdn-cgi/access/certs")
    keys = json.loads(found.body)
    assert found.status == 200
    assert (b"Content-Type", b"application/json") in found.fields
    assert [key["kid"] for key in keys["keys"]] == [RING.current.kid]
    assert not any(PRIVATE_MEMBERS & key.keys() for key in keys["keys"])
    assert b"PRIVATE" not in found.body


def test_the_query_does_not_matter() -> None:
    assert answered(b"/cdn-cgi/access/certs?x=1").status == 200


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        (NO_CERTIFICATE, Reason.CLIENT_CERTIFICATE_REQUIRED),
        (failed(), Reason.CLIENT_CERTIFICATE_INVALID),
        (failed(reason=Reason.CLIENT_CERTIFICATE_EXPIRED), Reason.CLIENT_CERTIFICATE_EXPIRED),
    ],
)
def test_who_proved_nothing_has_no_identity(auth: ClientAuth, reason: Reason) -> None:
    refusal = ask(b"/cdn-cgi/access/get-identity", auth)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert "FAILED:" not in refusal.detail


def test_a_caller_is_told_who_it_is_taken_for() -> None:
    issuer = ca(subject_key_id=b"\xab\xcd")
    found = answered(b"/cdn-cgi/access/get-identity", verified(leaf("James Royal"), issuer))
    assert json.loads(found.body) == {
        "common_name": "James Royal",
        "auth_status": "SUCCESS",
        "ip": "192.0.2.1",
        "iat": int(NOW),
        "mtls_auth": {
            "auth_status": "SUCCESS",
            "cert_issuer_dn": "CN=Issuing CA",
            "cert_issuer_ski": "ABCD",
            "cert_presented": True,
            "cert_serial": "0A1B",
        },
    }
    assert (b"Cache-Control", b"no-store") in found.fields


def test_a_root_presented_as_a_leaf_is_its_own_issuer() -> None:
    alone = leaf(subject_key_id=b"\1")
    auth = ClientAuth(True, True, "SUCCESS", None, alone, (alone,), "CA")
    assert (
        json.loads(answered(b"/cdn-cgi/access/get-identity", auth).body)["mtls_auth"]["cert_issuer_ski"]
        == "01"
    )


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_logging_out_clears_the_cookie_on_every_path_it_was_set(method: bytes) -> None:
    found = answered(b"/cdn-cgi/access/logout", method=method)
    cookies = [value for name, value in found.fields if name == b"Set-Cookie"]
    assert len(cookies) == len(set(cookies)) == 2
    assert all(cookie.startswith(b"CF_Authorization=; Max-Age=0; ") for cookie in cookies)
    assert {b"Path=/;" in cookie for cookie in cookies} == {True, False}


def test_an_answer_to_head_has_no_body() -> None:
    head = request(b"HEAD /cdn-cgi/access/certs HTTP/1.1", b"Host: a.test")
    octets = answered(b"/cdn-cgi/access/certs").render(
        head, request_id=b"r1", date=b"now", close=True, extra=((b"Alt-Svc", b"clear"),)
    )
    assert octets.endswith(b"\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in octets
    assert b"\r\nAlt-Svc: clear\r\n" in octets
