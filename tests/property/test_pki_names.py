"""Whatever a common name is, its files stay where they belong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.pki.errors import PkiError
from edge.pki.names import file_name_of, read_alternative_name, text_of


@given(st.text(min_size=1))
def test_no_common_name_leaves_the_directory_or_meets_a_file_of_the_pki(text: str) -> None:
    try:
        name = file_name_of(text)
    except PkiError:
        return
    for suffix in (".pem", "-key.pem", "-chain.pem", ".h", ".p12", ".mobileconfig"):
        file = name + suffix
        assert "/" not in file
        assert "\x00" not in file
        assert file[0] not in ".-"
        assert file not in {"root.pem", "root-key.pem", "intermediate.pem", "intermediate-key.pem"}
        assert file not in {"ca.pem", "crl.pem", "index.db"}


@given(st.text() | st.from_regex(r"(dns|ip|email|uri):[a-z0-9@:/.*-]+"))
def test_an_alternative_name_is_refused_or_reads_back_as_itself(text: str) -> None:
    try:
        name = read_alternative_name(text)
    except PkiError:
        return
    assert read_alternative_name(text_of(name)) == name
