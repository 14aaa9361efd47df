import pytest

from edge.http1.http3_hints import ALT_SVC_CLEAR, ALT_SVC_LOWER, refuse_upgrade_hint
from edge.model.refusal import Reason
from tests.unit.http1.expect import get


@pytest.mark.parametrize(
    "fields",
    [
        [b"Upgrade: h3"],
        [b"Upgrade: H3"],
        [b"Upgrade: h3-29"],
        [b"Upgrade: h3-Q050"],
        [b"Upgrade: HTTP/3"],
        [b"Upgrade: http/3.0"],
        [b"Upgrade: HTTP/3.1"],
        [b"Upgrade: quic"],
        [b"Upgrade: QUIC/46"],
        [b"Upgrade: h3/1"],
        [b"Upgrade: websocket, h3"],
        [b"Upgrade: ,, h2c,\tHTTP/3 ,"],
        [b"Upgrade: websocket", b"UPGRADE: h3"],
        [b"Upgrade: h3", b"Connection: upgrade"],
        [b"Upgrade: h3", b"Alt-Used: a.test"],
    ],
)
def test_an_upgrade_that_names_http_3_anywhere_is_refused(fields: list[bytes]) -> None:
    refusal = refuse_upgrade_hint(get(*fields))
    assert refusal is not None
    assert refusal.reason is Reason.HTTP3_NOT_SUPPORTED


@pytest.mark.parametrize("field", [b"Alt-Used: a.test", b"alt-used: other.test:443", b"Alt-Used:"])
def test_a_request_that_came_because_of_an_alternative_is_misdirected(field: bytes) -> None:
    refusal = refuse_upgrade_hint(get(field))
    assert refusal is not None
    assert refusal.reason is Reason.MISDIRECTED_REQUEST


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"Upgrade: websocket"],
        [b"Upgrade: h2c"],
        [b"Upgrade: HTTP/2.0"],
        [b"Upgrade: HTTP/30"],
        [b"Upgrade: TLS/1.3"],
        [b"Upgrade: xh3"],
        [b"Upgrade: h32"],
        [b"Connection: h3"],
        [b"X-Upgrade: h3"],
    ],
)
def test_other_requests_hint_at_nothing(fields: list[bytes]) -> None:
    assert refuse_upgrade_hint(get(*fields)) is None


def test_the_field_that_makes_a_client_forget_alternatives() -> None:
    assert ALT_SVC_CLEAR == (b"Alt-Svc", b"clear")
    assert ALT_SVC_CLEAR[0].lower() == ALT_SVC_LOWER
