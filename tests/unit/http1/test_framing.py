import pytest

from edge.http1.framing import request_body, response_body
from edge.model.http import NO_BODY, Body, Framing
from edge.model.refusal import Reason
from tests.unit.http1.expect import refused

V10, V11 = (1, 0), (1, 1)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"+5",
        b"-1",
        b"-0",
        b"5 ",
        b" 5",
        b"5, 5",
        b"5,5",
        b"5,",
        b"0x5",
        b"5_0",
        b"5.0",
        b"1e3",
        b"abc",
        b"\xd9\xa3",  # an Arabic-Indic digit
        b"\xef\xbc\x95",  # a full-width digit
        b"\xb2",  # superscript two in Latin-1
        b"5\x00",
        b"5\n",
        b"9" * 19,
        b"18446744073709551621",
        b"0" * 18 + b"5",
    ],
)
def test_a_content_length_that_is_not_1_to_18_digits_is_refused(value: bytes) -> None:
    with refused():
        request_body(V11, [value], [])
    with refused():
        response_body(V11, [value], [], status=200, request_method=b"GET")


@pytest.mark.parametrize("values", [[b"5", b"5"], [b"5", b"6"], [b"0", b"0"], [b"5", b""]])
def test_a_repeated_content_length_is_refused_also_where_the_values_agree(values: list[bytes]) -> None:
    with refused():
        request_body(V11, values, [])


@pytest.mark.parametrize("coding", [b"chunked", b"gzip", b"identity", b"xchunked", b""])
@pytest.mark.parametrize("version", [V10, V11])
def test_both_fields_together_are_refused_whatever_they_say(coding: bytes, version: tuple[int, int]) -> None:
    with refused():
        request_body(version, [b"6"], [coding])


def test_a_transfer_encoding_in_http_1_0_is_refused() -> None:
    with refused():
        request_body(V10, [], [b"chunked"])
    with refused():
        response_body(V10, [], [b"chunked"], status=200, request_method=b"GET")


@pytest.mark.parametrize(
    "values", [[b"chunked", b"chunked"], [b"gzip", b"chunked"], [b"chunked", b"identity"], [b"", b"chunked"]]
)
def test_a_repeated_transfer_encoding_is_refused(values: list[bytes]) -> None:
    with refused():
        request_body(V11, [], values)


@pytest.mark.parametrize(
    "value",
    [
        b"gzip",
        b"identity",
        b"xchunked",
        b"chunkedx",
        b"gzip, chunked",
        b"chunked, gzip",
        b"chunked, chunked",
        b"chunked, identity",
        b"chunked;a=b",
        b'gzip;q="1"',
    ],
)
def test_a_well_formed_coding_other_than_chunked_is_not_implemented(value: bytes) -> None:
    with refused(Reason.NOT_IMPLEMENTED):
        request_body(V11, [], [value])


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b",",
        b"chunked,",
        b",chunked",
        b"chunked,,gzip",
        b"\x0bchunked",
        b"chunked\x0b",
        b"\x85chunked",
        b"\xa0chunked",
        b"chun ked",
        b'"chunked"',
        b"chunked;",
        b"chunked;a",
        b"chunked\xe2\x84\xaa",
        b"\xe2\x84\xaa",
    ],
)
def test_a_transfer_encoding_that_is_no_list_of_codings_is_malformed(value: bytes) -> None:
    with refused(Reason.BAD_REQUEST):
        request_body(V11, [], [value])


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
def test_chunked_is_chunked_in_any_case(value: bytes) -> None:
    assert request_body(V11, [], [value]) == Body(Framing.CHUNKED)


@pytest.mark.parametrize(("value", "length"), [(b"0", 0), (b"5", 5), (b"007", 7), (b"9" * 18, 10**18 - 1)])
def test_a_content_length_is_read(value: bytes, length: int) -> None:
    assert request_body(V11, [value], []) == Body(Framing.LENGTH, length)
    assert request_body(V10, [value], []) == Body(Framing.LENGTH, length)


def test_a_request_that_declares_nothing_has_no_body() -> None:
    assert request_body(V11, [], []) == NO_BODY


def test_an_answer_that_declares_nothing_ends_where_the_origin_closes() -> None:
    assert response_body(V11, [], [], status=200, request_method=b"GET") == Body(Framing.UNTIL_CLOSE)


@pytest.mark.parametrize(("status", "method"), [(204, b"GET"), (304, b"GET"), (200, b"HEAD"), (404, b"HEAD")])
@pytest.mark.parametrize(("lengths", "codings"), [([], []), ([b"5"], []), ([], [b"chunked"])])
def test_an_answer_without_content_has_no_body_whatever_it_declares(
    status: int, method: bytes, lengths: list[bytes], codings: list[bytes]
) -> None:
    assert response_body(V11, lengths, codings, status=status, request_method=method) == NO_BODY


@pytest.mark.parametrize(("status", "method"), [(204, b"GET"), (304, b"GET"), (200, b"HEAD"), (100, b"GET")])
def test_an_answer_without_content_may_still_not_contradict_itself(status: int, method: bytes) -> None:
    with refused():
        response_body(V11, [b"5"], [b"chunked"], status=status, request_method=method)
    with refused():
        response_body(V11, [b"5", b"5"], [], status=status, request_method=method)


@pytest.mark.parametrize("status", [100, 101, 103, 199])
def test_an_interim_answer_has_no_body_and_may_not_declare_one(status: int) -> None:
    assert response_body(V11, [], [], status=status, request_method=b"GET") == NO_BODY
    with refused():
        response_body(V11, [b"5"], [], status=status, request_method=b"GET")
    with refused():
        response_body(V11, [], [b"chunked"], status=status, request_method=b"GET")


def test_a_get_in_lower_case_is_not_head() -> None:
    assert response_body(V11, [b"5"], [], status=200, request_method=b"head") == Body(Framing.LENGTH, 5)
