from __future__ import annotations

from edge.pki.cfssl.messages import CfsslError, Code


def test_an_error_with_a_code_is_cfssls_json() -> None:
    error = CfsslError("Invalid policy: no key usage available", Code.NO_KEY_USAGES)
    assert str(error) == '{"code":5100,"message":"Invalid policy: no key usage available"}'


def test_an_error_without_one_is_its_message() -> None:
    assert str(CfsslError("ca section only permitted in initca")) == "ca section only permitted in initca"


def test_the_place_stands_before_the_message() -> None:
    assert str(CfsslError("x").at("a.json")) == "a.json: x"
    assert str(CfsslError("x", Code.CSR_PARSE).at("a.csr")) == '{"code":9003,"message":"a.csr: x"}'
