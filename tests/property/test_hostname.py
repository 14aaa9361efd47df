"""The canonical form of a name is the end: canonical once, canonical for ever."""

from __future__ import annotations

import ipaddress
import string

from hypothesis import given
from hypothesis import strategies as st

from edge.model.hostname import (
    HostnameError,
    canonical_host,
    canonical_pattern,
    is_ip_literal,
    split_authority,
)
from tests.property.http1_streams import unhurried

LABELS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)
ADDRESSES = st.ip_addresses().map(str)
NEARLY = st.text(st.sampled_from("aA1.-_*:[]%@/ \t\0\xfc\u212a\u3002\uff0e\u200d\u0660x0"), max_size=20)
ANYTHING = st.one_of(NAMES, ADDRESSES, NEARLY, st.text(max_size=30))


@unhurried
@given(ANYTHING)
def test_canonical_twice_is_canonical_once(text: str) -> None:
    try:
        canonical = canonical_host(text)
    except HostnameError:
        return
    assert canonical_host(canonical) == canonical
    assert canonical.isascii()
    assert canonical == canonical.lower()
    assert not canonical.endswith(".")


@unhurried
@given(ANYTHING)
def test_case_and_one_trailing_dot_make_no_difference(text: str) -> None:
    try:
        canonical = canonical_host(text)
    except HostnameError:
        return
    if text.isascii():
        assert canonical_host(text.upper()) == canonical
    if ":" not in text and not text.endswith("."):
        assert canonical_host(text + ".") == canonical


@unhurried
@given(ANYTHING)
def test_a_name_that_ends_in_a_number_is_an_address_or_nothing(text: str) -> None:
    try:
        canonical = canonical_host(text)
    except HostnameError:
        return
    if is_ip_literal(canonical):
        ipaddress.ip_address(canonical)
    else:
        assert not canonical.rpartition(".")[2].isdigit()


@unhurried
@given(st.ip_addresses())
def test_every_address_has_one_form(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert canonical_host(address.exploded) == canonical_host(str(address)) == str(address)


@unhurried
@given(ANYTHING)
def test_a_pattern_is_a_host_or_a_host_below_a_star(text: str) -> None:
    try:
        pattern = canonical_pattern("*." + text)
    except HostnameError:
        return
    assert pattern == "*." + canonical_host(text)
    assert canonical_pattern(pattern) == pattern


@unhurried
@given(st.one_of(ANYTHING.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=30)))
def test_an_authority_is_one_canonical_host_or_refused(authority: bytes) -> None:
    try:
        host, port = split_authority(authority)
    except HostnameError:
        return
    written = f"[{host}]" if ":" in host else host
    assert split_authority((written if port is None else f"{written}:{port}").encode()) == (host, port)
