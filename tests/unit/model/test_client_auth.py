"""The flag says yes only when everything about it does."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from edge.model.client_auth import NO_CERTIFICATE
from edge.model.refusal import Reason
from tests.unit.access.builders import failed, leaf, verified


def test_a_certificate_that_failed_is_not_the_verified_one() -> None:
    assert failed(leaf()).verified is None
    assert failed(leaf()).certificate is not None


def test_no_certificate_is_no_authentication() -> None:
    assert NO_CERTIFICATE.verified is None
    assert not NO_CERTIFICATE.presented
    assert NO_CERTIFICATE.failure is Reason.CLIENT_CERTIFICATE_REQUIRED
    assert NO_CERTIFICATE.verify == "NONE"


def test_a_verified_certificate_is_the_leaf() -> None:
    certificate = leaf()
    assert verified(certificate).verified is certificate


def test_the_flag_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        NO_CERTIFICATE.mtls_authenticated = True  # type: ignore[misc]


@pytest.mark.parametrize("names", [(), ("a", "b"), ("a", "a"), ("", "a")])
def test_there_is_no_common_name_unless_there_is_exactly_one(names: tuple[str, ...]) -> None:
    assert leaf(common_names=names).common_name == ""


def test_one_common_name_is_the_common_name() -> None:
    assert leaf("James Royal").common_name == "James Royal"


@pytest.mark.parametrize(("serial", "text"), [(0, "00"), (1, "01"), (0xA1B, "0A1B"), (0xFF00, "FF00")])
def test_a_serial_is_whole_octets_of_upper_case_hex(serial: int, text: str) -> None:
    assert leaf(serial=serial).serial_hex == text


def test_octets_of_a_certificate_are_not_in_its_repr() -> None:
    assert "der=" not in repr(leaf(der=b"octets"))
