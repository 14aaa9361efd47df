from __future__ import annotations

import json

import pytest

from edge.pki.cfssl.messages import CfsslError
from edge.pki.cfssl.output import OutputFile, output_line, read_output


def files(value: object, *, bare: bool = True) -> dict[str, tuple[bytes, int]]:
    found = read_output(json.dumps(value).encode(), bare=bare)
    return {file.suffix: (file.data, file.mode) for file in found}


def refusal(data: bytes, *, bare: bool = True) -> str:
    with pytest.raises(CfsslError) as caught:
        read_output(data, bare=bare)
    return str(caught.value)


def test_the_keys_stand_in_order_and_only_what_was_made() -> None:
    assert output_line(key=b"K", certificate=b"C\n", csr=b"R") == '{"cert":"C\\n","csr":"R","key":"K"}'
    assert output_line(certificate=b"C") == '{"cert":"C"}'


def test_names_and_modes_are_cfssljsons() -> None:
    assert files({"cert": "C", "csr": "R", "key": "K", "encrypted_key": "E", "ocspResponse": "T0NTUA=="}) == {
        ".pem": (b"C", 0o664),
        "-key.pem": (b"K", 0o600),
        "-key.enc": (b"E", 0o600),
        ".csr": (b"R", 0o644),
        "-response.der": (b"OCSP", 0o644),
    }


def test_the_names_of_the_api_are_known_too() -> None:
    value = {"certificate": "C", "private_key": "K", "certificate_request": "R"}
    wrapped = {"success": True, "result": value, "errors": [], "messages": []}
    assert set(files(value)) == set(files(wrapped, bare=False)) == {".pem", "-key.pem", ".csr"}


def test_the_short_name_wins() -> None:
    assert files({"cert": "C", "certificate": "D"}) == {".pem": (b"C", 0o664)}


def test_a_bundle_is_two_files() -> None:
    value = {"result": {"bundle": {"bundle": "B", "root": "R"}}}
    assert files(value) == {"-bundle.pem": (b"B\nR", 0o644), "-root.pem": (b"R", 0o644)}


@pytest.mark.parametrize("bundle", [{}, {"bundle": "B"}, {"bundle": "B", "root": 1}])
def test_half_a_bundle_is_refused(bundle: dict[str, object]) -> None:
    assert refusal(json.dumps({"result": {"bundle": bundle}}).encode()).startswith("Failed to parse input")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"x"', b"null", b'{"cert":1}', b'{"ocspResponse":"%"}'])
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("Failed to parse input: ")


@pytest.mark.parametrize("data", [b"{}", b'{"cert":""}', b'{"cert":null}', b'{"zzz":"x"}'])
def test_an_output_with_nothing_in_it_is_refused(data: bytes) -> None:
    assert refusal(data) == "there is no certificate, key or request in the input"


def test_an_api_that_failed_says_why() -> None:
    response = {"success": False, "errors": [{"code": 1, "message": "no"}, {"message": "really"}]}
    assert refusal(json.dumps(response).encode(), bare=False) == "Request failed: no; really"


def test_the_reason_of_an_api_cannot_steer_the_terminal() -> None:
    response = {"success": False, "errors": [{"code": 1, "message": "no\x1b]0;x\x07\nerror: done"}]}
    assert refusal(json.dumps(response).encode(), bare=False).isprintable()


def test_the_output_of_a_command_needs_bare() -> None:
    assert "-bare" in refusal(b'{"cert":"C"}', bare=False)


def test_a_key_is_not_in_a_repr() -> None:
    (file,) = read_output(b'{"key":"SECRET"}', bare=True)
    assert "SECRET" not in repr(file)
    assert file.is_key


def test_octets_are_shown_in_base64() -> None:
    assert OutputFile(".der", b"\x00", 0o644, binary=True).as_text == "AA=="
    assert OutputFile(".pem", b"x", 0o644).as_text == "x"
