"""The published cases of gunicorn, h11, llhttp and the smuggling lists, judged by our reader.

What the source of a case says of it is what we say, but for the table below. There are no other
differences, and each has its reason.
"""

from __future__ import annotations

import re

import pytest

from tests.unit.http1.corpus import Case, cases, read_all

CASES = {case.name: case for case in cases()}
HOST = b"Host: open.test\r\n"

STRICTER = {
    # Two readers, two hosts: "=" is in no host name.
    "gunicorn/valid/002": "bad_request",
    "gunicorn/valid/003": "bad_request",
    # A fragment belongs to the browser (RFC 9112 3.2), and some readers cut it off.
    "gunicorn/valid/005": "bad_request",
    "llhttp/uri/fragment": "bad_request",
    # Characters that RFC 3986 has in no target.
    "gunicorn/valid/014": "bad_request",
    "llhttp/uri/quotes": "bad_request",
    # "Bad white space" in chunk extensions and behind sizes (RFC 9112 7.1.1).
    "gunicorn/valid/013": "bad_request",
    "h11/chunked/extension": "bad_request",
    "h11/chunked/white-space-behind-size": "bad_request",
    # A transfer coding other than chunked, and more than one field.
    "gunicorn/valid/025": "bad_request",
    "gunicorn/valid/025_line": "not_implemented",
    "gunicorn/valid/029": "bad_request",
    "gunicorn/valid/030": "bad_request",
    "gunicorn/valid/rfc9112_smuggle_gzip_chunked_01": "not_implemented",
    "gunicorn/valid/rfc9112_smuggle_te_identity_chunked_01": "not_implemented",
    "llhttp/transfer-encoding/another-coding-before-chunked": "not_implemented",
    "llhttp/transfer-encoding/another-coding-before-chunked-in-two-lines": "bad_request",
    # A user name in a target (RFC 9110 4.2.4), "*", and tunnels.
    "gunicorn/valid/rfc9112_target_absolute_userinfo_01": "bad_request",
    "llhttp/uri/basic-auth": "bad_request",
    "gunicorn/valid/rfc9112_target_asterisk_options_01": "bad_request",
    "gunicorn/valid/rfc9112_target_authority_connect_01": "method_not_allowed",
    "gunicorn/valid/rfc9112_target_authority_ipv6_01": "method_not_allowed",
    "llhttp/method/connect": "method_not_allowed",
    # A repeated If-Match, and a tab beside a length: other readers refuse it, or read something else.
    "gunicorn/valid/017": "bad_request",
    "llhttp/content-length/tab-before": "bad_request",
    # A method begins with a letter.
    "gunicorn/valid/031": "bad_request",
    # Lines end in CRLF, and are not folded.
    "h11/io/one-line-ends-in-lf": "bad_request",
    "h11/io/all-lines-end-in-lf": "bad_request",
    "h11/io/mixed-line-ends": "bad_request",
    "h11/io/obs-fold": "bad_request",
    "h11/io/control-octet-in-value": "bad_request",
    # A length that is said twice, and a length beside a coding.
    "h11/headers/length-twice-the-same": "bad_request",
    "h11/headers/length-list-of-the-same": "bad_request",
    "h11/headers/length-and-chunked": "bad_request",
}
"""Accepted by the source, and refused by us, with this reason."""

LAXER = {
    "gunicorn/invalid/010": "its limit on a field is ten octets",
    "gunicorn/invalid/019": "fields about the scheme are removed; what they say is not believed",
    "gunicorn/invalid/040": "another spelling of a framing field frames nothing, and is removed",
    "gunicorn/invalid/chunked_07": "another spelling of a framing field frames nothing, and is removed",
    "gunicorn/invalid/rfc9110_trailer_forbidden_cl_01": "such trailers are dropped (RFC 9110 6.5.1)",
    "gunicorn/invalid/rfc9110_trailer_forbidden_host_01": "such trailers are dropped (RFC 9110 6.5.1)",
    "gunicorn/invalid/rfc9110_trailer_forbidden_te_01": "such trailers are dropped (RFC 9110 6.5.1)",
    "gunicorn/invalid/rfc9112_leading_crlf_02": "two empty lines are skipped, a third is refused",
    "llhttp/invalid/announce-method": "it has a list of methods; we have none",
    "llhttp/invalid/method": "it has a list of methods; we have none",
    "llhttp/connection/data-after-close": "what comes behind a close is never read",
}
"""Refused by the source, and accepted by us."""


def expected(case: Case) -> bool:
    if case.name in STRICTER:
        return False
    return case.accepted or case.name in LAXER


def test_every_difference_is_a_case_and_a_difference() -> None:
    assert all(CASES[name].accepted for name in STRICTER)
    assert not any(CASES[name].accepted for name in LAXER)


@pytest.mark.parametrize("source", ["gunicorn", "h11", "llhttp", "smuggling"])
def test_a_case_is_judged_as_its_source_says_but_for_the_table(source: str) -> None:
    mine = [case for case in CASES.values() if case.name.startswith(f"{source}/")]
    assert len(mine) > 50
    found = {case.name: str(read_all(case.octets)) for case in mine}
    wrong = {case.name: found[case.name] for case in mine if read_all(case.octets).accepted != expected(case)}
    assert wrong == {}
    reasons = {name: found[name] for name in STRICTER if name in found}
    assert reasons == {name: reason for name, reason in STRICTER.items() if name in found}


def test_it_does_not_matter_how_the_octets_are_cut() -> None:
    for case in CASES.values():
        whole = read_all(case.octets)
        for cut in {1, len(case.octets) // 2, len(case.octets) - 1}:
            assert read_all(case.octets[:cut], case.octets[cut:]) == whole, case.name


def test_no_request_is_found_inside_of_what_another_reader_may_take_for_a_body() -> None:
    """A second request is only there where the first has an end that nobody doubts."""
    for case in CASES.values():
        reading = read_all(case.octets)
        # A length in another spelling is none: there are two requests, and no reader behind sees that field.
        if case.name.startswith("smuggling/") and case.name != "smuggling/0.CL/underscore":
            assert not any(read.target == "/smuggled" for read in reading.requests), case.name


SHAPES = {
    "midspace": b"Transfer-Encoding:%cchunked",
    "postspace": b"Transfer-Encoding%c: chunked",
    "prespace": b"%cTransfer-Encoding: chunked",
    "endspace": b"Transfer-Encoding: chunked%c",
    "xprespace": b"X: X%cTransfer-Encoding: chunked",
    "endspacex": b"Transfer-Encoding: chunked%cX: X",
    "rxprespace": b"X: X\r%cTransfer-Encoding: chunked",
    "xnprespace": b"X: X%c\nTransfer-Encoding: chunked",
    "endspacerx": b"Transfer-Encoding: chunked\r%cX: X",
    "endspacexn": b"Transfer-Encoding: chunked%c\nX: X",
}
"""The mutations of defparam/smuggler (https://github.com/defparam/smuggler): an octet in each place."""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_disguised_coding_beside_a_length_is_refused_or_is_no_coding(shape: str) -> None:
    for octet in range(256):
        field = SHAPES[shape] % octet
        body = b"0\r\n\r\nX"
        octets = b"POST /x HTTP/1.1\r\n" + HOST + field + b"\r\nContent-Length: 6\r\n\r\n" + body
        reading = read_all(octets)
        if reading.accepted:
            # The octet made it a part of another field's value or name: only the length frames.
            assert b"\r\n" not in field, field
            name, _, value = field.partition(b":")
            assert name.lower() != b"transfer-encoding", field
            assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), field
            assert re.fullmatch(rb"[\t\x20-\x7e\x80-\xff]*", value), field
            (read,) = reading.requests
            assert read.body == body


@pytest.mark.parametrize("shape", SHAPES)
def test_a_disguised_coding_alone_is_refused_or_read_to_the_letter(shape: str) -> None:
    for octet in range(256):
        field = SHAPES[shape] % octet
        octets = b"POST /x HTTP/1.1\r\n" + HOST + field + b"\r\n\r\n1\r\nZ\r\n0\r\n\r\n"
        reading = read_all(octets)
        if re.fullmatch(rb"(X: X\r\n)?Transfer-Encoding: *chunked *(\r\nX: X)?", field):
            assert [read.body for read in reading.requests] == [b"Z"]
        else:
            assert all(read.body == b"" for read in reading.requests), field
