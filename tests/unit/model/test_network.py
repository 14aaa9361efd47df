"""Networks have one meaning, and a client cannot have more addresses than its network."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from edge.model.network import one_of, parse_network, subscriber


@pytest.mark.parametrize(
    "text",
    ["", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10.0.0.0/+8", "010.0.0.1", "10.0.0.5/8",
     "fe80::1%eth0", "::1/129", "10.0.0.0/٨", "example.com"],
)  # fmt: skip
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_network(text)


def test_host_bits_are_refused_with_both_readings() -> None:
    with pytest.raises(ValueError, match=r'"10\.0\.0\.0/8" for the network or "10\.0\.0\.5"'):
        parse_network("10.0.0.5/8")


def test_networks_of_mapped_addresses_are_the_ipv4_networks_they_are() -> None:
    assert str(parse_network("::ffff:192.0.2.0/120")) == "192.0.2.0/24"


@pytest.mark.parametrize(
    ("address", "expected"),
    [("192.0.2.7", True), ("192.0.3.7", False), ("2001:db8::1", True), ("2001:db9::1", False), ("::", False)],
)
def test_an_address_is_in_one_of_the_networks_or_not(address: str, expected: bool) -> None:
    networks = (parse_network("192.0.2.0/24"), parse_network("2001:db8::/32"))
    assert one_of(networks, ip_address(address)) is expected
    assert not one_of((), ip_address(address))


def test_ipv4_addresses_are_counted_one_by_one_and_ipv6_addresses_by_their_network() -> None:
    assert subscriber(ip_address("192.0.2.1")) != subscriber(ip_address("192.0.2.2"))
    assert subscriber(ip_address("2001:db8::1")) == subscriber(ip_address("2001:db8::ffff:0:0:1"))
    assert subscriber(ip_address("2001:db8::1")) != subscriber(ip_address("2001:db8:0:1::1"))
