"""Whatever JSON, or no JSON at all: a value, or the readers' own error."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from edge.pki.cfssl.csr_json import CsrJson, read_csr_json, read_subject_json
from edge.pki.cfssl.go_json import JsonError, dumps, loads
from edge.pki.cfssl.hosts import general_names
from edge.pki.cfssl.messages import CfsslError
from edge.pki.cfssl.output import output_line, read_output
from edge.pki.cfssl.signing_config import SigningConfig, read_signing_config
from edge.pki.cfssl.subject import build_name
from edge.pki.cfssl.template import validity

NOW = datetime(2026, 11, 23, tzinfo=UTC)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
durations = st.from_regex(r"\A[0-9]{1,12}(\.[0-9]{1,3})?(ns|ms|s|m|h)\Z") | st.text(max_size=8)


def shaped(known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the known keys, in some case, each of its kind or of any other."""
    return st.fixed_dictionaries({}, optional={name: kind | values for name, kind in known.items()})


name = shaped(
    {key: st.text(max_size=70) for key in ("C", "ST", "L", "O", "OU", "E", "SerialNumber")}
    | {
        "OID": st.dictionaries(
            st.from_regex(r"\A[0-2](\.[0-9]{1,40}){0,6}\Z") | st.text(), st.text(), max_size=2
        )
    }
)
csr_json = shaped(
    {
        "CN": st.text(),
        "cn": st.text(),
        "hosts": st.lists(st.text() | st.ip_addresses().map(str) | st.emails(), max_size=4),
        "names": st.lists(name, max_size=3),
        "key": shaped({"algo": st.sampled_from(["rsa", "ecdsa", "ed25519"]), "size": st.integers()}),
        "ca": shaped(
            {
                "pathlen": st.integers(),
                "pathlenzero": st.booleans(),
                "expiry": durations,
                "backdate": durations,
            }
        ),
        "extensions": st.lists(
            shaped({"Id": st.lists(st.integers()), "Critical": st.booleans(), "Value": st.text()}), max_size=2
        ),
        "serialnumber": st.text(),
        "crl_url": st.text(),
        "delegation_enabled": st.booleans(),
    }
)
profile = shaped(
    {
        "usages": st.lists(
            st.sampled_from(["signing", "client auth", "cert sign", "encipher only"]) | st.text()
        ),
        "expiry": durations,
        "backdate": durations,
        "not_before": st.datetimes().map(lambda t: f"{t.isoformat()}Z"),
        "not_after": st.datetimes().map(lambda t: f"{t.isoformat()}+23:59"),
        "ca_constraint": shaped({"is_ca": st.booleans(), "max_path_len": st.integers()}),
        "name_whitelist": st.text(alphabet="a[](){}*+?|\\^$.:-1&~", max_size=20),
        "issuer_urls": st.lists(st.text()),
        "auth_key": st.text(),
    }
)
config_json = shaped(
    {"signing": shaped({"default": profile, "profiles": st.dictionaries(st.text(), profile, max_size=2)})}
)


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def read_csr(data: bytes) -> CsrJson | None:
    try:
        return read_csr_json(data)[0]
    except CfsslError:
        return None


def read_config(data: bytes) -> SigningConfig | None:
    try:
        return read_signing_config(data)[0]
    except CfsslError:
        return None


def refusal(call: Callable[[], object]) -> str:
    """The text of the readers' own error; empty if there was none. Any other goes through."""
    try:
        call()
    except (CfsslError, JsonError) as error:
        return str(error) or "an error without a text"
    return ""


@given(st.binary(max_size=200) | values.map(encoded))
@example(b'{"a":' * 2000)
@example(b"1" * 5000)
def test_any_octets_are_a_value_or_an_error(data: bytes) -> None:
    read_csr(data)
    read_config(data)
    refusal(lambda: read_subject_json(data))
    refusal(lambda: read_output(data, bare=True))
    refusal(lambda: read_output(data, bare=False))


@given(csr_json)
def test_what_is_read_of_a_csr_json_can_be_built_or_is_refused(value: dict[str, Any]) -> None:
    request = read_csr(encoded(value))
    if request is not None:
        subject, hosts = request.subject, request.hosts
        assert refusal(lambda: build_name(subject).public_bytes()).isprintable()
        assert refusal(lambda: general_names(hosts)).isprintable()


@given(config_json)
def test_what_is_read_of_a_configuration_makes_a_validity_or_is_refused(value: dict[str, Any]) -> None:
    config = read_config(encoded(value))
    if config is None:
        return
    for chosen in ("", *config.profiles, "no such profile"):
        with suppress(CfsslError):
            found = config.choose(chosen)
            found.usages()
            span = validity(found, NOW)
            assert span.not_before < span.not_after


@given(values)
def test_json_comes_back_as_it_was(value: object) -> None:
    written = dumps(value)
    assert json.loads(written) == value
    assert not set(written) & set("<>&\u2028\u2029")
    assert loads(written.encode()) == value


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_cfssljson_writes_what_was_printed(certificate: str, key: str, csr: str) -> None:
    line = output_line(certificate=certificate.encode(), key=key.encode(), csr=csr.encode())
    found = {file.suffix: file.data.decode() for file in read_output(line.encode(), bare=True)}
    assert found == {".pem": certificate, "-key.pem": key, ".csr": csr}
    assert "\n" not in line
