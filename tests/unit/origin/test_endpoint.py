"""An origin is told apart by everything that decides whom one speaks to, and how."""

from __future__ import annotations

import pytest

from edge.origin.endpoint import Endpoint, OriginTls
from edge.tls.origin_context import origin_context

CONTEXT = origin_context([], [], None, verify=True)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint("127.0.0.1", 9000), "http://127.0.0.1:9000"),
        (Endpoint("::1", 80), "http://[::1]:80"),
        (Endpoint("a.test", 443, OriginTls(CONTEXT, "a.test", verify=True)), "https://a.test:443"),
    ],
)
def test_an_endpoint_is_written_as_a_url(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text


def test_endpoints_that_differ_in_anything_share_no_connection() -> None:
    other = origin_context([], [], None, verify=True)
    endpoints = {
        Endpoint("a.test", 443),
        Endpoint("a.test", 444),
        Endpoint("b.test", 443),
        Endpoint("a.test", 443, OriginTls(CONTEXT, "a.test", verify=True)),
        Endpoint("a.test", 443, OriginTls(CONTEXT, "b.test", verify=True)),
        Endpoint("a.test", 443, OriginTls(CONTEXT, "a.test", verify=False)),
        Endpoint("a.test", 443, OriginTls(other, "a.test", verify=True)),
    }
    assert len(endpoints) == 7
