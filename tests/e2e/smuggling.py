"""One message, a request hidden behind it, and the judgement: what came back, and what the origin saw."""

from __future__ import annotations

from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: open.test\r\n\r\n"


def assert_refused_and_closed(
    edge: Edge, origin: Origin, octets: bytes, *, statuses: tuple[int, ...] = (400,)
) -> None:
    """Send ``octets`` and a request behind them: one refusal comes, the end, and the origin saw neither."""
    with raw_tls(edge, "open.test") as client:
        client.send(octets + SMUGGLED)
        answer = client.read_until_close()
    head = answer.partition(b"\r\n\r\n")[0]
    assert answer.startswith(b"HTTP/1.1 "), answer
    assert int(answer[9:12]) in statuses, answer
    assert b"\r\nConnection: close" in head
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert origin.received("/smuggled") == []
    assert b"smuggled" not in origin.octets
    assert not [request for request in origin.received() if request.complete]
    assert origin.unreadable == []
