from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.signing_config import CA_PROFILE, DEFAULT_PROFILE, SigningConfig, read_signing_config
from tests.unit.pki.cfssl.workshop import profile

GUIDE: dict[str, Any] = {
    "default": {"expiry": "8760h"},
    "profiles": {
        "server": {"usages": ["signing", "key encipherment", "server auth"], "expiry": "8760h"},
        "client": {"usages": ["signing", "key encipherment", "client auth"], "expiry": "8760h"},
    },
}


def read(**signing: Any) -> SigningConfig:
    config, warnings = read_signing_config(json.dumps({"signing": signing}).encode())
    assert warnings == ()
    return config


def refused(value: object) -> CfsslError:
    with pytest.raises(CfsslError) as caught:
        read_signing_config(json.dumps(value).encode())
    assert caught.value.code == Code.INVALID_POLICY
    return caught.value


def profile_refused(**fields: Any) -> str:
    fields = {"usages": ["signing"], "expiry": "1h"} | fields
    return refused({"signing": {"profiles": {"x": fields}}}).message


def choice_refused(config: SigningConfig, name: str) -> CfsslError:
    with pytest.raises(CfsslError) as caught:
        config.choose(name).usages()
    return caught.value


def test_a_profile_of_the_guide_is_chosen_by_its_name() -> None:
    chosen = read(**GUIDE).choose("client")
    assert chosen.words == ("signing", "key encipherment", "client auth")
    assert chosen.expiry == timedelta(hours=8760)
    assert chosen.backdate == timedelta(minutes=5)


def test_an_unknown_profile_is_refused_and_never_replaced_by_the_default() -> None:
    config = read(default={"expiry": "1h", "usages": ["server auth"]}, profiles=GUIDE["profiles"])
    error = choice_refused(config, "cilent")
    assert error.code == Code.UNKNOWN_PROFILE
    assert error.message == "there is no profile 'cilent'; the configuration has: client, server"
    assert choice_refused(SigningConfig(), "client").code == Code.UNKNOWN_PROFILE


def test_the_names_of_profiles_are_exact() -> None:
    assert choice_refused(read(**GUIDE), "Client").code == Code.UNKNOWN_PROFILE


def test_a_default_without_usages_is_refused_with_the_profiles_there_are() -> None:
    error = choice_refused(read(**GUIDE), "")
    assert error.code == Code.NO_KEY_USAGES
    assert error.message.startswith("Invalid policy: no key usage available")
    assert "-profile (client, server)" in error.message


def test_without_a_default_there_is_cfssls_own() -> None:
    assert read(profiles={}).choose("") == DEFAULT_PROFILE
    assert SigningConfig().choose("").expiry == timedelta(days=365)
    assert CA_PROFILE.expiry == timedelta(hours=43800)


def test_what_a_profile_leaves_out_comes_from_the_default() -> None:
    config = read(
        default={
            "expiry": "9h",
            "issuer_urls": ["http://i/"],
            "ocsp_url": "http://o/",
            "crl_url": "http://c/",
        },
        profiles={
            "bare": {"usages": ["signing"], "expiry": "0s"},
            "full": {
                "usages": ["signing"],
                "expiry": "1h",
                "issuer_urls": [],
                "ocsp_url": "x:",
                "crl_url": "y:",
            },
        },
    )
    bare, full = config.choose("bare"), config.choose("full")
    assert (bare.expiry, bare.issuer_urls) == (timedelta(hours=9), ("http://i/",))
    assert (bare.ocsp_url, bare.crl_url) == ("http://o/", "http://c/")
    assert (full.expiry, full.issuer_urls) == (timedelta(hours=1), ())
    assert (full.ocsp_url, full.crl_url) == ("x:", "y:")


def test_everything_is_read() -> None:
    read_profile = profile(
        backdate="1h",
        not_before="2026-01-01T00:00:00Z",
        not_after="2027-01-01T02:00:00.5+02:00",
        ca_constraint={"is_ca": True, "max_path_len_zero": True},
        ocsp_no_check=True,
        copy_extensions=True,
        name_whitelist="^a$",
    )
    assert read_profile.backdate == timedelta(hours=1)
    assert read_profile.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_profile.not_after == datetime(2027, 1, 1, tzinfo=UTC)
    assert (read_profile.is_ca, read_profile.path_length) == (True, 0)
    assert read_profile.ocsp_no_check
    assert read_profile.copy_extensions
    assert read_profile.name_whitelist is not None


@pytest.mark.parametrize("value", [[], 1, "x", None, {}, {"signing": None}, {"Signing": 1}, {"signing": []}])
def test_what_is_no_configuration_is_refused(value: object) -> None:
    refused(value)


def test_a_profile_that_is_null_is_refused() -> None:
    assert refused({"signing": {"profiles": {"x": None}}}).message == "signing.profiles.x must be an object"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"expiry": None}, "signing.profiles.x.expiry is missing"),
        ({"expiry": ""}, "signing.profiles.x.expiry is missing"),
        ({"expiry": "1y"}, "signing.profiles.x.expiry: '1y' is not a duration"),
        ({"expiry": "-1h"}, "signing.profiles.x.expiry: '-1h' is not a duration"),
        ({"expiry": 3600}, "signing.profiles.x.expiry must be a string"),
        ({"usages": []}, "signing.profiles.x.usages must name at least one usage that is known"),
        ({"usages": ["signin"]}, "signing.profiles.x.usages must name at least one usage that is known"),
        ({"usages": "signing"}, "signing.profiles.x.usages must be a list"),
        ({"is_ca": True, "ca_constraint": True}, "signing.profiles.x.ca_constraint must be an object"),
        ({"ca_constraint": {"max_path_len": -5}}, "signing.profiles.x.ca_constraint.max_path_len must be"),
        ({"not_before": "yesterday"}, "signing.profiles.x.not_before must be a time like"),
        ({"not_before": "2026-01-01"}, "signing.profiles.x.not_before must be a time like"),
        ({"not_before": "2026-01-01T00:00:00"}, "signing.profiles.x.not_before must be a time like"),
        ({"not_before": "2026-13-01T00:00:00Z"}, "signing.profiles.x.not_before: month must be"),
        ({"not_after": "9999-12-31T23:59:59-10:00"}, "signing.profiles.x.not_after: date value out"),
        (
            {"not_before": "2027-01-01T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"},
            "signing.profiles.x.not_after must be after not_before",
        ),
        ({"name_whitelist": "("}, "signing.profiles.x.name_whitelist is no regular expression"),
        ({"name_whitelist": "[[:alpha:]]"}, "signing.profiles.x.name_whitelist is no regular expression"),
        ({"name_whitelist": r"\pL"}, "signing.profiles.x.name_whitelist is no regular expression"),
        ({"name_whitelist": "(?u)a"}, "signing.profiles.x.name_whitelist is no regular expression"),
        ({"copy_extensions": "yes"}, "signing.profiles.x.copy_extensions must be true or false"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, object], message: str) -> None:
    assert profile_refused(**fields).startswith(message)


def test_a_default_that_never_lasts_is_refused() -> None:
    error = refused({"signing": {"default": {"expiry": "0s"}}})
    assert error.message == "signing.default.expiry must not be zero"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth_key", "k"),
        ("remote", "r"),
        ("auth_remote", {"remote": "r", "auth_key": "k"}),
        ("ct_log_servers", ["https://log/"]),
        ("cert_store", "db"),
        ("lint_error_level", 3),
        ("Policies", [{"ID": "1.2.3"}]),
        ("CSRWhitelist", {"Subject": True}),
        ("ClientProvidesSerialNumbers", True),
    ],
)
def test_what_is_not_supported_is_refused_when_it_is_asked_for(name: str, value: object) -> None:
    config = read(profiles={"x": {"usages": ["signing"], "expiry": "1h", name: value}, **GUIDE["profiles"]})
    error = choice_refused(config, "x")
    assert error.code == Code.INVALID_POLICY
    assert error.message.startswith(f"the profile 'x' asks for {name}, which is not supported")
    assert config.choose("client").words  # others are not in its way


def test_a_profile_for_a_remote_signer_needs_no_expiry_to_be_read() -> None:
    assert choice_refused(read(profiles={"x": {"remote": "r"}}), "x").code == Code.INVALID_POLICY


def test_what_is_not_supported_but_switched_off_is_no_hindrance() -> None:
    assert profile(auth_key="", lint_error_level=0, ct_log_servers=[], CSRWhitelist=None).unsupported == ()


def test_a_usage_that_is_unknown_is_refused_with_what_it_may_have_meant() -> None:
    config = read(profiles={"x": {"usages": ["signing", "clientauth"], "expiry": "1h"}})
    error = choice_refused(config, "x")
    assert error.message == "'clientauth' is no usage; did you mean 'client auth'?"
    config = read(profiles={"x": {"usages": ["signing", "zzzz"], "expiry": "1h"}})
    assert "known are: signing," in choice_refused(config, "x").message


def test_usages_that_do_not_go_together_are_refused() -> None:
    config = read(profiles={"x": {"usages": ["encipher only"], "expiry": "1h"}})
    assert "key agreement" in choice_refused(config, "x").message


def test_gos_zero_time_is_no_time() -> None:
    assert profile(not_before="0001-01-01T00:00:00Z").not_before is None


def test_unknown_keys_are_told() -> None:
    value = {
        "signing": {"profiles": {"x": {"usages": ["signing"], "expiry": "1h", "usage": [], "is_ca": True}}},
        "auth_keys": {},
        "remotes": {},
        "zzz": 1,
    }
    assert read_signing_config(json.dumps(value).encode())[1] == (
        "'zzz' is not known and has no effect",
        "signing.profiles.x.'usage' is not known and has no effect; did you mean 'usages'?",
        "signing.profiles.x.'is_ca' is not known and has no effect",
    )


def test_allowed_extensions_are_told_to_have_no_effect() -> None:
    value = {"signing": {"default": {"expiry": "1h", "allowed_extensions": ["1.2.3"]}}}
    (warning,) = read_signing_config(json.dumps(value).encode())[1]
    assert warning.startswith("signing.default.allowed_extensions has no effect")
