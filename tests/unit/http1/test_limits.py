from edge.http1.limits import Side
from edge.model.refusal import Reason


def test_a_client_is_told_the_reason_itself() -> None:
    assert Side.CLIENT.error(Reason.HEADER_TOO_LARGE, "why").refusal.reason is Reason.HEADER_TOO_LARGE


def test_whatever_an_origin_does_wrong_is_a_bad_response() -> None:
    error = Side.ORIGIN.error(Reason.HEADER_TOO_LARGE, "why")
    assert error.refusal.reason is Reason.ORIGIN_BAD_RESPONSE
    assert error.refusal.detail == "why"
