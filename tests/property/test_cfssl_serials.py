"""Serial numbers as people write them: never another number than the one meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.model.client_auth import serial_hex
from edge.pki.cfssl.gencrl import read_serials
from edge.pki.cfssl.messages import CfsslError
from edge.pki.serial import SerialError, read_serial

serials = st.integers(min_value=1, max_value=2**159 - 1)


class Silent:
    def info(self, text: str) -> None:
        pass

    def warning(self, text: str) -> None:
        pass


@given(serials, st.sampled_from(["", " ", "\t", "\r"]))
def test_every_way_to_write_a_serial_is_read_as_that_serial(serial: int, blank: str) -> None:
    digits = f"{serial:x}"
    octets = serial_hex(serial)
    pairs = ":".join(octets[at : at + 2] for at in range(0, len(octets), 2))
    assert read_serial(f"{blank}{serial}{blank}").value == serial
    assert read_serial(f"0x{digits}{blank}").value == serial
    assert read_serial(f"0X{digits.upper()}").value == serial
    if ":" in pairs:
        assert read_serial(pairs).value == serial
    if not digits.isdecimal():
        assert read_serial(digits).value == serial


@given(serials)
def test_digits_that_mean_two_numbers_are_marked(serial: int) -> None:
    text = str(serial)
    assert read_serial(text).ambiguous == (len(text) <= 40 and int(text, 16) != serial)
    assert not read_serial(f"0x{serial:x}").ambiguous


@given(st.text() | st.text(alphabet="0123456789abcdefxX: \t_-+.", max_size=45))
def test_any_text_is_the_serial_it_says_or_an_error(text: str) -> None:
    try:
        serial = read_serial(text).value
    except SerialError:
        return
    assert 0 < serial < 2**160
    digits = text.strip(" \t\r\n").lower()
    octets = digits.split(":")
    meant = {int("".join(octet.zfill(2) for octet in octets), 16)} if ":" in digits else {int(digits, 16)}
    assert serial in (meant | {int(digits)} if digits.isdecimal() else meant)


@given(st.lists(serials, max_size=5), st.text(max_size=5))
def test_a_list_is_read_whole_or_refused_with_the_line(numbers: list[int], junk: str) -> None:
    lines = "\n".join(f"{number:#x}" for number in numbers)
    assert read_serials(lines, Silent()) == tuple(dict.fromkeys(numbers))
    try:
        read = read_serials(f"{lines}\n{junk}\n", Silent())
    except CfsslError as error:
        reason = str(error)
    else:
        reason = "line "
        assert set(numbers) <= set(read)
    assert reason.startswith("line ")
