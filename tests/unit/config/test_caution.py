from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.caution import find_warnings
from edge.config.load import load
from tests.unit.config.samples import APPLICATION, FULL, MINIMAL

# ruff: noqa: E501 - a line that people get stays one line here


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            MINIMAL + APPLICATION.replace("non_identity", "bypass"),
            "edge.toml:13: applications[0].policies[0].decision: who matches a bypass policy passes without a certificate, a later policy or a token; make sure that this is meant",
        ),
        (
            MINIMAL + APPLICATION.replace("non_identity", "allow"),
            'edge.toml:13: applications[0].policies[0].decision: an allow policy needs an identity, and there is no login provider: it never matches; for certificates write "non_identity"',
        ),
        (
            MINIMAL + APPLICATION.partition("  [[")[0],
            "edge.toml:8: applications[0]: without policies every request is refused; add [[applications.policies]]",
        ),
        (
            MINIMAL + APPLICATION.replace("\n  [[", "\nreport_only = true\n  [["),
            "edge.toml:11: applications[0].report_only: it lets everybody pass: what its policies refuse is only told in the log; remove report_only to enforce them",
        ),
        (
            MINIMAL + APPLICATION.replace("non_identity", "deny") + "report_only = true\n",
            "edge.toml:15: applications[0].policies[0].report_only: this policy denies nothing: what it would deny is only told in the log; remove report_only to enforce it",
        ),
        (
            MINIMAL.replace("http:", "https:") + "[hosts.origin_tls]\nverify = false\n",
            "edge.toml:9: hosts[0].origin_tls.verify: the origin's certificate is not verified: whoever is between can read and change requests; write ca instead",
        ),
        (
            MINIMAL + 'aliases = ["192.0.2.1"]\n',
            'edge.toml:8: hosts[0].aliases[0]: "192.0.2.1" is reached by no client: none sends an address as server name; write default = true on this host',
        ),
        (
            MINIMAL.replace("[[hosts]]", 'trusted_proxies = ["192.0.2.1", "::/0"]\n[[hosts]]'),
            'edge.toml:3: server.trusted_proxies[1]: "::/0" is everybody: every client can claim any address; name the addresses of the proxies alone',
        ),
        (
            MINIMAL.replace("[server]\n", '[server]\nadmin_listen = "0.0.0.0:9901"\n'),
            'edge.toml:2: server.admin_listen: "0.0.0.0:9901" is not loopback: hosts, certificates, refused clients and numbers are shown to everybody who reaches it, unencrypted; keep others out, or write 127.0.0.1',
        ),
        (
            MINIMAL.replace("[server]\n", '[server]\nadmin_listen = "admin.internal:9901"\n'),
            'edge.toml:2: server.admin_listen: "admin.internal:9901" is not loopback: hosts, certificates, refused clients and numbers are shown to everybody who reaches it, unencrypted; keep others out, or write 127.0.0.1',
        ),
        (
            MINIMAL.replace("iot.example.com", "::1"),
            'edge.toml:4: hosts[0].name: "::1" is reached by no client: none sends an address as server name; write default = true on this host',
        ),
    ],
)
def test_what_is_probably_not_meant_is_warned_of(folder: Path, text: str, line: str) -> None:
    (folder / "edge.toml").write_text(text)
    assert [str(warning) for warning in find_warnings(load(Path("edge.toml"), {}))] == [line]


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL,
        FULL,
        FULL.replace('"]\n[[groups', '"]\nreport_only = true\n[[groups'),
        MINIMAL.replace("iot.example.com", "::1") + "default = true\n",
        MINIMAL.replace("[server]\n", '[server]\nadmin_listen = ":9901"\n'),
        MINIMAL.replace("[server]\n", '[server]\nadmin_listen = "[::1]:9901"\n'),
        MINIMAL.replace("[server]\n", '[server]\nadmin_listen = "localhost:9901"\n'),
    ],
)
def test_what_is_as_it_should_be_is_not_warned_of(folder: Path, text: str) -> None:
    (folder / "edge.toml").write_text(text)
    assert list(find_warnings(load(Path("edge.toml"), {}))) == []
