"""What the edge takes for TLS towards an origin, and refuses before it is used."""

from __future__ import annotations

import pytest

from edge.tls.context import TlsMaterialError
from edge.tls.origin_context import origin_context
from tests.certificates import Authority, new_key
from tests.unit.tls.pairs import host_context, shake_hands

CA = Authority("Origins")
SERVER = host_context(CA.issue_server("a.test"), None)


def test_a_key_of_another_certificate_is_refused() -> None:
    client = CA.issue()
    with pytest.raises(TlsMaterialError, match="mismatch"):
        origin_context(None, [client.certificate], new_key("p256"), verify=True)


def test_a_weak_client_key_is_refused() -> None:
    client = CA.issue(key="rsa1024")
    with pytest.raises(TlsMaterialError, match="too small"):
        origin_context(None, [client.certificate], client.key, verify=True)


def test_no_ca_at_all_believes_nobody() -> None:
    context = origin_context([], [], None, verify=True)
    with pytest.raises(Exception, match="certificate verify failed"):
        shake_hands(SERVER, context)


def test_the_systems_roots_do_not_vouch_for_a_ca_of_ones_own() -> None:
    context = origin_context(None, [], None, verify=True)
    with pytest.raises(Exception, match="certificate verify failed"):
        shake_hands(SERVER, context)


def test_the_ca_that_was_named_vouches() -> None:
    pair = shake_hands(SERVER, origin_context([CA.certificate], [], None, verify=True))
    assert pair.client.get_peer_certificate() is not None
