"""How selectors are written, and what is said of a slip."""

from __future__ import annotations

import pytest

from edge.access.compile import RuleError, compile_rule
from edge.access.rules import Canonical


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("everyone", ("everyone",)),
        ({"everyone": {}}, ("everyone",)),
        ("certificate", ("certificate",)),
        ({"certificate": {}}, ("certificate",)),
        ({"common_name": "James Royal"}, ("common_name", "James Royal")),
        ({"common_name": {"common_name": "James Royal"}}, ("common_name", "James Royal")),
        ({"ip": "10.0.0.0/8"}, ("ip", "10.0.0.0/8")),
        ({"ip": {"ip": "2001:DB8::/32"}}, ("ip", "2001:db8::/32")),
        ({"method": "GET"}, ("method", "GET")),
        ({"method": {"method": "PROPFIND"}}, ("method", "PROPFIND")),
        ({"certificate_san": {"dns": "A.test"}}, ("certificate_san", "dns", "a.test")),
        ({"certificate_subject": {"ou": "Ops"}}, ("certificate_subject", "ou", "Ops")),
        ({"certificate_issuer": {"name": "Corp CA"}}, ("certificate_issuer", "name", "Corp CA")),
        (
            {"certificate_issuer": {"fingerprint": "AB" * 32}},
            ("certificate_issuer", "fingerprint", "ab" * 32),
        ),
        (
            {"certificate_fingerprint": {"sha256": ":".join(["Ab"] * 32)}},
            ("certificate_fingerprint", "ab" * 32),
        ),
        ({"certificate_fingerprint": "cd" * 32}, ("certificate_fingerprint", "cd" * 32)),
        ({"certificate_serial": {"serial": "0A1B"}}, ("certificate_serial", "a1b")),
        ({"certificate_serial": "0x0a1b"}, ("certificate_serial", "a1b")),
        ({"certificate_serial": "0A:1B"}, ("certificate_serial", "a1b")),
        ({"certificate_serial": "12"}, ("certificate_serial", "12")),
    ],
)
def test_long_and_short_forms_give_the_same_rule(raw: object, canonical: Canonical) -> None:
    assert compile_rule(raw, {}).canonical == canonical


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "no selector"),
        ("common_name", '"common_name" needs a value'),
        ("group", '"group" needs a value'),
        ("certificat", 'did you mean "certificate"?'),
        ({"comon_name": "x"}, 'did you mean "common_name"?'),
        ({"zzzz": "x"}, "the selectors are certificate, "),
        ({}, "exactly one selector, this one has 0"),
        ({"everyone": {}, "certificate": {}}, "exactly one selector, this one has 2"),
        (None, "a rule is a table"),
        (["everyone"], "a rule is a table"),
        (True, "a rule is a table"),
        ({1: "x"}, "selector of a rule is a text"),
        ({"everyone": True}, "takes no value"),
        ({"certificate": {"x": 1}}, "takes no value"),
        ({"certificate": ""}, "takes no value"),
        ({"common_name": ""}, '"common_name" is empty'),
        ({"common_name": {"common_name": ""}}, '"common_name" is empty'),
        ({"common_name": " x"}, "white space around"),
        ({"common_name": "x\u202e"}, "cannot be seen"),
        ({"common_name": "x\0"}, "cannot be seen"),
        ({"common_name": 5}, "not a text"),
        ({"common_name": {}}, "none is given"),
        ({"common_name": {"name": "x"}}, '"name" is not a key|did you mean'),
        ({"common_name": {"common_name": "x", "other": "y"}}, "takes exactly the key"),
        ({"ip": "10.0.0.5/8"}, "host bits"),
        ({"ip": ""}, '"ip" is empty'),
        ({"ip": "example.com"}, "neither an IP address nor a CIDR"),
        ({"method": "get"}, 'write "GET"'),
        ({"method": "G T"}, "no method of HTTP"),
        ({"method": "foo"}, "no method of HTTP"),
        ({"method": "G3T"}, "no method of HTTP"),
        ({"method": ""}, "is empty"),
        ({"certificate_san": "a.test"}, "exactly one of the keys dns, email, ip, uri"),
        ({"certificate_san": {}}, "exactly one of the keys"),
        ({"certificate_san": {"dns": "a.test", "uri": "x:y"}}, "ambiguous"),
        ({"certificate_san": {"dsn": "a.test"}}, 'did you mean "dns"?'),
        ({"certificate_san": {"dns": ""}}, "is empty"),
        ({"certificate_san": {"dns": 7}}, "not a text"),
        ({"certificate_san": {"dns": "a*.test"}}, "one whole label"),
        ({"certificate_subject": {"cn": "x"}}, "use { common_name"),
        ({"certificate_subject": {"oo": "x"}}, "exactly one of the keys"),
        ({"certificate_subject": {"OU": "x"}}, "exactly one of the keys"),
        ({"certificate_issuer": {"name": ""}}, "is empty"),
        ({"certificate_issuer": {"fingerprint": "abcd"}}, "no SHA-256 fingerprint"),
        ({"certificate_issuer": {"name": "x", "fingerprint": "ab" * 32}}, "exactly one of the keys"),
        ({"certificate_fingerprint": {"sha256": "zz" * 32}}, "no SHA-256 fingerprint"),
        ({"certificate_fingerprint": {"sha1": "ab" * 20}}, "takes exactly the key"),
        ({"certificate_fingerprint": ":".join(["abcd"] * 16)}, "not between octets"),
        ({"certificate_serial": "12g"}, "no serial number in hex"),
        ({"certificate_serial": "0x"}, "no serial number in hex"),
        ({"certificate_serial": "-1"}, "no serial number in hex"),
        ({"certificate_serial": "1_0"}, "no serial number in hex"),
        ({"certificate_serial": "١٢"}, "no serial number in hex"),
        ({"certificate_serial": "1" * 65}, "no serial number in hex"),
        ({"certificate_serial": "a:1b"}, "not between octets"),
        ({"certificate_serial": {"serial": ""}}, "is empty"),
        ({"certificate_serial": 12}, "not a text"),
    ],
)
def test_a_slip_is_an_error_that_says_what_to_do(raw: object, message: str) -> None:
    with pytest.raises(RuleError, match=message.replace("?", r"\?").replace("{", r"\{")):
        compile_rule(raw, {})


@pytest.mark.parametrize(
    "selector", ["email", "email_domain", "github-organization", "okta", "saml", "login_method"]
)
def test_identity_selectors_need_a_login_provider(selector: str) -> None:
    with pytest.raises(RuleError, match=f'"{selector}" needs a login provider, which this edge has not'):
        compile_rule({selector: {"x": "y"}}, {})


@pytest.mark.parametrize(
    "selector", ["geo", "service_token", "device_posture", "ip_list", "any_valid_service_token"]
)
def test_other_selectors_of_cloudflare_say_what_they_need(selector: str) -> None:
    with pytest.raises(RuleError, match=f'"{selector}" needs .*, which this edge has not'):
        compile_rule({selector: {}}, {})
