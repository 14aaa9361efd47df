from edge.http1.field_names import LOWER_NAMES, NEVER_IN_TRAILERS
from edge.http1.headers import is_token, squash


def test_the_table_gives_what_lower_casing_would_give() -> None:
    for name, lower in LOWER_NAMES.items():
        assert name.lower() == lower
        assert is_token(name)


def test_the_table_knows_the_names_that_frame_and_route_in_their_common_spellings() -> None:
    for name in (b"Host", b"host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"TE", b"DNT"):
        assert name in LOWER_NAMES


def test_the_names_barred_from_trailers_are_in_the_form_they_are_compared_in() -> None:
    assert all(squash(name) == name for name in NEVER_IN_TRAILERS)
