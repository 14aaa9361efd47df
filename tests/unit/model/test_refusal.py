"""Every way to say no has its status and its words."""

from __future__ import annotations

import pytest

from edge.model.refusal import MessageError, Reason, Refusal

STATUS = {
    "client_certificate_required": 403,
    "client_certificate_invalid": 403,
    "client_certificate_expired": 403,
    "client_certificate_revoked": 403,
    "revocation_unknown": 403,
    "policy_denied": 403,
    "misdirected_request": 421,
    "http3_not_supported": 505,
    "bad_request": 400,
    "uri_too_long": 414,
    "header_too_large": 431,
    "body_too_large": 413,
    "request_timeout": 408,
    "method_not_allowed": 405,
    "not_implemented": 501,
    "expectation_failed": 417,
    "origin_unreachable": 502,
    "origin_bad_response": 502,
    "origin_timeout": 504,
    "overloaded": 503,
    "not_found": 404,
    "internal_error": 500,
    "http_version_not_supported": 505,
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_public_word_status_and_title(reason: Reason) -> None:
    assert reason.status == STATUS[reason.value]
    assert reason.title
    assert reason.title.isascii()
    assert not reason.title.endswith(".")


def test_no_public_word_is_missing() -> None:
    assert {reason.value for reason in Reason} == STATUS.keys()


def test_a_message_error_carries_its_refusal() -> None:
    error = MessageError(Reason.BAD_REQUEST, "a bare LF")
    assert error.refusal == Refusal(Reason.BAD_REQUEST, "a bare LF")
    assert str(error) == "bad_request: a bare LF"
