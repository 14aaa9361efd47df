"""A table of bad inputs: each with the one line that people get."""

from __future__ import annotations

# ruff: noqa: E501 - a line that people get stays one line here
import pytest

from tests.unit.config.conftest import Lines
from tests.unit.config.samples import APPLICATION, CA, GROUP, HOST, MINIMAL, SERVER

DURATION = 'is not a duration; write it as "30s", "1h30m" or "500ms"'
RULE = 'is not a rule; write one selector, as in "certificate" or { common_name = "alice" }'
ORIGIN = 'write it as "http://127.0.0.1:9000", "https://app.internal" or "demo:"'
HOST_NAME = 'write the name alone, as in "www.example.com", without scheme, port or path'


def with_server(line: str) -> str:
    return SERVER + line + "\n" + HOST


def with_limit(line: str) -> str:
    return with_server(f"[server.limits]\n{line}")


def with_host(line: str) -> str:
    return MINIMAL + line + "\n"


def with_policy(line: str) -> str:
    return MINIMAL + APPLICATION + line + "\n"


WRONG = {
    # keys
    "surplus = 1\n" + MINIMAL: (
        "edge.toml:1: surplus: unknown key; "
        "known here: server, access, hosts, mtls_certificates, applications, groups, tests"
    ),
    with_host('certifcate = "x"'): 'edge.toml:8: hosts[0].certifcate: unknown key; did you mean "certificate"?',
    with_host('Private-Key = "x"'): 'edge.toml:8: hosts[0].Private-Key: unknown key; did you mean "private_key"?',
    with_host("[hosts.origin_tls]\nverfy = true").replace("http:", "https:"): (
        'edge.toml:9: hosts[0].origin_tls.verfy: unknown key; did you mean "verify"?'
    ),
    with_server('body_size = "x"'): (
        "edge.toml:3: server.body_size: unknown key; it belongs in [server.limits]"
    ),
    with_host('include = ["x"]'): (
        "edge.toml:8: hosts[0].include: unknown key; it belongs in [[applications.policies]] or [[groups]]"
    ),
    with_host('"a\\nb" = 1'): (
        'edge.toml:8: hosts[0]."a\\nb": unknown key; known here: name, certificate, private_key, origin, '
        "origin_tls, client_certificate, unmatched, forward_client_certificate, aliases, default"
    ),
    # keys of later versions
    # the administration's address
    with_server('admin_listen = "127.0.0.1"'): (
        'edge.toml:3: server.admin_listen: "127.0.0.1" has no port; '
        'write it as "127.0.0.1:9901", "[::1]:9901" or ":9901"'
    ),
    # networks
    with_server('trusted_proxies = ["10.0.0.5/8"]'): (
        'edge.toml:3: server.trusted_proxies[0]: "10.0.0.5/8" is not a network of IP addresses '
        "('10.0.0.5/8' has host bits set; write \"10.0.0.0/8\" for the network or \"10.0.0.5\" for the address); "
        'write it as "10.0.0.0/8", "192.0.2.1" or "2001:db8::/32"'
    ),
    with_server('trusted_proxies = ["lb.example.com"]'): (
        'edge.toml:3: server.trusted_proxies[0]: "lb.example.com" is not a network of IP addresses '
        "('lb.example.com' is neither an IP address nor a CIDR block); "
        'write it as "10.0.0.0/8", "192.0.2.1" or "2001:db8::/32"'
    ),
    with_server('trusted_proxies = "10.0.0.0/8"'): (
        'edge.toml:3: server.trusted_proxies: "10.0.0.0/8" is not a list; write it in [ ]'
    ),
    with_server("trusted_proxies = [10]"): (
        "edge.toml:3: server.trusted_proxies[0]: 10 is not text; write it in quotes"
    ),
    # CRLs
    MINIMAL + CA + "crl = []\n": (
        'edge.toml:12: mtls_certificates[0].crl: the list is empty; write at least one, as in crl = ["certs/ca.crl"]'
    ),
    MINIMAL + CA + 'crl_stale = "deny"\n': (
        "edge.toml:12: mtls_certificates[0].crl_stale: without crl there is no CRL that could be stale; "
        "remove it, or name the CRL in crl"
    ),
    MINIMAL + CA + 'crl = ["a.crl", "./b", "a.crl"]\n': (
        'edge.toml:12: mtls_certificates[0].crl[2]: "a.crl" is listed twice; keep one of them'
    ),
    MINIMAL + CA + 'crl = "a.crl"\ncrl_stale = "maybe"\n': (
        'edge.toml:13: mtls_certificates[0].crl_stale: "maybe" is not a word for this; write one of "deny", "allow"'
    ),
    # what is missing
    HOST: 'edge.toml: server.listen: this key is missing; add listen = ["0.0.0.0:8443", "[::]:8443"]',
    "[server]\n" + HOST: (
        'edge.toml:1: server.listen: this key is missing; add listen = ["0.0.0.0:8443", "[::]:8443"]'
    ),
    SERVER: "edge.toml: hosts: this key is missing; add [[hosts]]",
    "hosts = []\n" + SERVER: "edge.toml:1: hosts: the list is empty; write at least one, as in [[hosts]]",
    MINIMAL.replace('origin = "http://127.0.0.1:9000"\n', ""): (
        'edge.toml:3: hosts[0].origin: this key is missing; add origin = "http://127.0.0.1:9000"'
    ),
    MINIMAL + GROUP.replace('id = "ops"\n', ""): 'edge.toml:8: groups[0].id: this key is missing; add id = "ops"',
    # types
    "server = 3\n" + HOST: (
        "edge.toml:1: server: 3 is not a table; write its keys under a header of its own, or in { }"
    ),
    'hosts = "x"\n' + SERVER: 'edge.toml:1: hosts: "x" is not a list of tables; begin it with [[hosts]]',
    "hosts = [1]\n" + SERVER: (
        "edge.toml:1: hosts[0]: 1 is not a table; write its keys under a header of its own, or in { }"
    ),
    with_server('workers = "4"'): (
        'edge.toml:3: server.workers: "4" is not a whole number; write digits, without quotes'
    ),
    with_server("workers = 4.0"): (
        "edge.toml:3: server.workers: 4.0 is not a whole number; write digits, without quotes"
    ),
    with_server("workers = true"): (
        "edge.toml:3: server.workers: true is not a whole number; write digits, without quotes"
    ),
    with_host('default = "true"'): (
        'edge.toml:8: hosts[0].default: "true" is neither true nor false; write true or false, without quotes'
    ),
    with_host("default = 1"): (
        "edge.toml:8: hosts[0].default: 1 is neither true nor false; write true or false, without quotes"
    ),
    with_host('aliases = "a.example.com"'): (
        'edge.toml:8: hosts[0].aliases: "a.example.com" is not a list; write it in [ ]'
    ),
    with_host("aliases = [1979-05-27]"): (
        "edge.toml:8: hosts[0].aliases[0]: a date or time is not text; write it in quotes"
    ),
    with_host("origin_tls = 1"): (
        "edge.toml:8: hosts[0].origin_tls: 1 is not a table; "
        "write its keys under a header of its own, or in { }"
    ),
    # numbers
    with_server("workers = -1"): "edge.toml:3: server.workers: -1 is too small; the smallest is 0",
    with_limit("tls_record_size = 511"): (
        "edge.toml:4: server.limits.tls_record_size: 511 is too small; the smallest is 512"
    ),
    with_limit("tls_record_size = 16385"): (
        "edge.toml:4: server.limits.tls_record_size: 16385 is too large; the largest is 16384"
    ),
    with_limit("header_count = 0"): (
        "edge.toml:4: server.limits.header_count: 0 is too small; the smallest is 1"
    ),
    with_limit("body_size = -1"): "edge.toml:4: server.limits.body_size: -1 is too small; the smallest is 0",
    with_limit(f"body_size = 0x{'f' * 5000}"): (
        "edge.toml:4: server.limits.body_size: a number of that size is too large; "
        "the largest is 9223372036854775807"
    ),
    with_limit("connections_per_worker = 0"): (
        "edge.toml:4: server.limits.connections_per_worker: 0 is too small; the smallest is 1"
    ),
    # durations
    with_limit("header_timeout = 10"): f"edge.toml:4: server.limits.header_timeout: 10 {DURATION}",
    with_limit('header_timeout = "5 minutes"'): (
        f'edge.toml:4: server.limits.header_timeout: "5 minutes" {DURATION}'
    ),
    with_limit('header_timeout = "0s"'): (
        'edge.toml:4: server.limits.header_timeout: "0s" is out of range; '
        'write a duration from "1ms" to "24h"'
    ),
    MINIMAL + APPLICATION.replace("[applications.", "[applications.", 1).replace(
        'domain = "iot.example.com/ingest"\n', 'domain = "iot.example.com"\nsession_duration = "745h"\n'
    ): (
        'edge.toml:11: applications[0].session_duration: "745h" is out of range; '
        'write a duration from "1s" to "744h"'
    ),
    # words
    with_host('unmatched = "allow"'): (
        'edge.toml:8: hosts[0].unmatched: "allow" is not a word for this; write one of "deny", "pass"'
    ),
    with_host('client_certificate = "required"'): (
        'edge.toml:8: hosts[0].client_certificate: "required" is not a word for this; did you mean "require"?'
    ),
    with_host("client_certificate = false"): (
        "edge.toml:8: hosts[0].client_certificate: false is not a word for this; "
        'write one of "request", "require", "off"'
    ),
    with_host('forward_client_certificate = ["nginx", "apache"]'): (
        'edge.toml:8: hosts[0].forward_client_certificate[1]: "apache" is not a word for this; '
        'write one of "cloudflare", "rfc9440", "xfcc", "nginx"'
    ),
    '[access]\nsigning_algorithm = "HS256"\n' + MINIMAL: (
        'edge.toml:2: access.signing_algorithm: "HS256" is not a word for this; did you mean "RS256"?'
    ),
    MINIMAL + APPLICATION.replace("non_identity", "none"): (
        'edge.toml:13: applications[0].policies[0].decision: "none" is not a word for this; '
        'write one of "non_identity", "allow", "deny", "bypass"'
    ),
    # addresses, URLs and names
    MINIMAL.replace("0.0.0.0:8443", "0.0.0.0"): (
        'edge.toml:2: server.listen[0]: "0.0.0.0" has no port; '
        'write it as "0.0.0.0:8443", "[::]:8443", "localhost:8443" or ":8443"'
    ),
    MINIMAL.replace('["0.0.0.0:8443"]', "[]"): (
        'edge.toml:2: server.listen: the list is empty; write at least one, as in listen = ["0.0.0.0:8443", "[::]:8443"]'
    ),
    MINIMAL.replace("http://127.0.0.1:9000", "127.0.0.1:9000"): (
        f'edge.toml:7: hosts[0].origin: "127.0.0.1:9000" is not an origin; {ORIGIN}'
    ),
    MINIMAL.replace("http://127.0.0.1:9000", "http://a/api"): (
        'edge.toml:7: hosts[0].origin: "http://a/api" has more than a scheme, a host and a port; '
        'write it as "http://…" with nothing after the host and the port'
    ),
    MINIMAL.replace("http://127.0.0.1:9000", "http://admin:hunter2@a"): (
        "edge.toml:7: hosts[0].origin: the URL holds a user name or a password; remove it"
    ),
    MINIMAL.replace('"http://127.0.0.1:9000"', '["demo:", "http://a b"]'): (
        f"edge.toml:7: hosts[0].origin[1]: \"http://a b\" is not an origin ('a b' is not a label of a host name); "
        f"{ORIGIN}"
    ),
    MINIMAL.replace('"http://127.0.0.1:9000"', "[]"): (
        'edge.toml:7: hosts[0].origin: the list is empty; write at least one, as in origin = "http://127.0.0.1:9000"'
    ),
    MINIMAL.replace("iot.example.com", "https://iot.example.com/"): (
        'edge.toml:4: hosts[0].name: "https://iot.example.com/" is not a host name (this is not an IPv6 address); '
        f"{HOST_NAME}"
    ),
    with_host('aliases = ["*.example.com"]'): (
        'edge.toml:8: hosts[0].aliases[0]: "*.example.com" is a wildcard; '
        "write one exact name; a wildcard can be the name of a host of its own"
    ),
    '[access]\nissuer = "edge"\n' + MINIMAL: (
        'edge.toml:2: access.issuer: "edge" is not an https URL; write it as "https://edge.example.com"'
    ),
    MINIMAL + CA.replace("Device CA", ""): 'edge.toml:9: mtls_certificates[0].name: "" is empty; write a name',
    # PEM
    MINIMAL.replace('"certs/server-key.pem"', '"""\n\n-----BEGIN PRIVATE KEY-----\nMII"""'): (
        "edge.toml:6: hosts[0].private_key: PEM text has text in front of the PEM; "
        "PEM text must begin with -----BEGIN"
    ),
    MINIMAL.replace('"certs/server.pem"', '""'): (
        'edge.toml:5: hosts[0].certificate: "" is neither a path nor PEM text; '
        "write a path, or text that begins with -----BEGIN"
    ),
    # lists and rules
    MINIMAL + CA.replace('["iot.example.com"]', "[]"): (
        "edge.toml:11: mtls_certificates[0].associated_hostnames: the list is empty; "
        'write at least one, as in associated_hostnames = ["www.example.com"]'
    ),
    MINIMAL + GROUP.replace('[{ common_name = "alice" }]', "[]"): (
        "edge.toml:10: groups[0].include: the list is empty; "
        'write at least one, as in include = [{ common_name = "alice" }]'
    ),
    with_policy('require = "certificate"'): (
        'edge.toml:15: applications[0].policies[0].require: "certificate" is not a list; write it in [ ]'
    ),
    with_policy("exclude = [{ a = 1, b = 2 }]"): (
        f"edge.toml:15: applications[0].policies[0].exclude[0]: a table {RULE}"
    ),
    with_policy("exclude = [3]"): f"edge.toml:15: applications[0].policies[0].exclude[0]: 3 {RULE}",
}  # fmt: skip


@pytest.mark.parametrize(("text", "line"), WRONG.items(), ids=lambda value: value[-60:])
def test_a_wrong_configuration_gets_one_line_in_plain_words(errors_of: Lines, text: str, line: str) -> None:
    assert errors_of(text) == [line]


def test_a_long_value_is_cut(errors_of: Lines) -> None:
    (line,) = errors_of(MINIMAL.replace("http://127.0.0.1:9000", "x" * 5000))
    assert line == f'edge.toml:7: hosts[0].origin: "{"x" * 80}…" is not an origin; {ORIGIN}'


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL.replace("http://127.0.0.1:9000", "${SECRET}"),
        MINIMAL.replace("http://127.0.0.1:9000", "http://x:${SECRET}@y"),
        MINIMAL.replace("iot.example.com", "${SECRET} x"),
        MINIMAL.replace("0.0.0.0:8443", "${SECRET}"),
        MINIMAL.replace("certs/server.pem", "${SECRET}\\n"),
        with_host('unmatched = "${SECRET}"'),
        with_host('default = "${SECRET}"'),
        with_host('aliases = "${SECRET}"'),
        with_host('aliases = ["${SECRET}:x"]'),
        with_host('forward_client_certificate = ["${SECRET}"]'),
        with_server('workers = "${SECRET}"'),
        with_limit('header_timeout = "${SECRET}"'),
        '[access]\nissuer = "${SECRET}"\n' + MINIMAL,
        MINIMAL + CA.replace("iot.example.com", "${SECRET}.example"),
        MINIMAL + CA + CA.replace("iot", "${SECRET}"),
        MINIMAL + CA.replace("Device CA", "${SECRET}") + CA.replace("Device CA", "${SECRET}"),
        MINIMAL + APPLICATION.replace("iot.example.com", "${SECRET}.example"),
        with_policy('exclude = ["${SECRET}", { a = "${SECRET}", b = 1 }]'),
        MINIMAL + GROUP.replace("ops", "${SECRET}") + GROUP.replace("ops", "${SECRET}"),
        "server = '${SECRET}'\n" + HOST,
        "hosts = '${SECRET}'\n" + SERVER,
        "'${SECRET}' = '${SECRET}'\n" + MINIMAL,
    ],
)
def test_no_message_repeats_a_value_of_the_environment(errors_of: Lines, text: str) -> None:
    for secret in ("hunter2", "HUNTER2-and-a-long-tail" * 2):
        for line in errors_of(text, SECRET=secret):
            assert "hunter2" not in line.lower()


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL.replace('"certs/server-key.pem"', '" -----BEGIN PRIVATE KEY-----\\nMIIsecret"'),
        MINIMAL.replace('"http://127.0.0.1:9000"', '"-----BEGIN PRIVATE KEY-----\\nMIIsecret"'),
        with_host('unmatched = "-----BEGIN PRIVATE KEY-----\\nMIIsecret"'),
        with_host('"-----BEGIN PRIVATE KEY-----\\nMIIsecret" = 1'),
        with_server('workers = "-----BEGIN PRIVATE KEY-----\\nMIIsecret"'),
        MINIMAL.replace("iot.example.com", "-----BEGIN PRIVATE KEY-----\\nMIIsecret"),
    ],
)
def test_no_message_repeats_pem_text(errors_of: Lines, text: str) -> None:
    for line in errors_of(text):
        assert "MII" not in line
        assert "PRIVATE" not in line


def test_no_message_has_the_words_of_the_library(errors_of: Lines) -> None:
    for text in WRONG:
        for line in errors_of(text):
            for word in (
                "pydantic",
                "Input should",
                "_type",
                "type=",
                "https://errors",
                "Tuple",
                "validation",
            ):
                assert word not in line
