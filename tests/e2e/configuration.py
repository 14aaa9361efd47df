"""Texts of ``edge.toml``: one function for each table, and the standard configuration made of them.

==============  =====================  ====================================================
host            client CA              policy
==============  =====================  ====================================================
a.test          CA A                   any valid certificate; ``/james`` one common name;
                                       ``/public`` everyone; ``/closed`` nobody
b.test          CA B                   any valid certificate
open.test       none                   none: what no application covers passes
require.test    CA A, in the handshake any valid certificate
*.wild.test     CA A                   any valid certificate
==============  =====================  ====================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

HOSTS: dict[str, tuple[str, ...]] = {
    "a.test": ("alias-of-a.test",),
    "b.test": (),
    "open.test": (),
    "require.test": (),
    "*.wild.test": (),
}
"""The hosts of the standard edge, with their aliases."""


def file_stem(host: str) -> str:
    """The stem of a host's files: ``*.wild.test`` is ``wild.test``."""
    return host.removeprefix("*.")


def server_table(*, workers: int = 2, limits: str = "") -> str:
    """The ``[server]`` table; ``limits`` are lines of ``[server.limits]``."""
    return f"""
[server]
listen = ["127.0.0.1:0"]
workers = {workers}
state_dir = "state"

[server.limits]
{limits}

[access]
issuer = "https://edge.test"
"""


def host_table(pki: Path, host: str, origin_url: str, *lines: str) -> str:
    """A ``[[hosts]]`` entry with the certificate made for that host; ``lines`` are added to it."""
    stem = pki / file_stem(host)
    return f"""
[[hosts]]
name = "{host}"
certificate = "{stem}.pem"
private_key = "{stem}-key.pem"
origin = "{origin_url}"
{_lines(lines)}
"""


def ca_table(name: str, bundle: Path, *hostnames: str) -> str:
    """An ``[[mtls_certificates]]`` entry."""
    quoted = ", ".join(f'"{hostname}"' for hostname in hostnames)
    return f"""
[[mtls_certificates]]
name = "{name}"
certificate = "{bundle}"
associated_hostnames = [{quoted}]
"""


def application_table(
    domain: str, include: str = '"certificate"', *lines: str, decision: str = "non_identity"
) -> str:
    """An ``[[applications]]`` entry with one policy; ``lines`` are added to the application."""
    return f"""
[[applications]]
name = "{domain}"
domain = "{domain}"
{_lines(lines)}

  [[applications.policies]]
  name = "{domain} policy"
  decision = "{decision}"
  include = [{include}]
"""


def policy_table(name: str, decision: str, include: str, *lines: str) -> str:
    """A policy, for ``application_with``; ``lines`` are its ``require`` and ``exclude``."""
    return f"""
  [[applications.policies]]
  name = "{name}"
  decision = "{decision}"
  include = [{include}]
  {_lines(lines)}
"""


def application_with(domain: str, *policies: str, lines: Iterable[str] = ()) -> str:
    """An ``[[applications]]`` entry with any number of policies; ``lines`` are added to the application."""
    return f"""
[[applications]]
name = "{domain}"
domain = "{domain}"
{_lines(lines)}
{"".join(policies)}
"""


def group_table(identifier: str, include: str, *lines: str) -> str:
    """A ``[[groups]]`` entry; ``lines`` are its ``require`` and ``exclude``."""
    return f"""
[[groups]]
id = "{identifier}"
include = [{include}]
{_lines(lines)}
"""


def standard_config(pki: Path, origin_url: str) -> str:
    """The configuration of the standard edge."""
    return "".join(
        [
            server_table(),
            host_table(pki, "a.test", origin_url, 'aliases = ["alias-of-a.test"]'),
            host_table(pki, "b.test", origin_url),
            host_table(pki, "open.test", origin_url, 'unmatched = "pass"'),
            host_table(pki, "require.test", origin_url, 'client_certificate = "require"'),
            host_table(pki, "*.wild.test", origin_url),
            ca_table("CA A", pki / "ca-a.pem", "a.test", "require.test", "*.wild.test"),
            ca_table("CA B", pki / "ca-b.pem", "b.test"),
            application_table("a.test"),
            application_table("a.test/james", '{ common_name = "James Royal" }'),
            application_table("a.test/public", '"everyone"', decision="bypass"),
            application_table("a.test/closed", '"everyone"', decision="deny"),
            application_table("b.test"),
            application_table("require.test"),
            application_table("*.wild.test"),
        ]
    )


def open_config(pki: Path, *origin_urls: str, workers: int = 1, limits: str = "", lines: str = "") -> str:
    """A small edge without client certificates: everything on ``open.test`` passes to the origins, in turn.

    One worker, so that all its connections share one pool. ``lines`` are added to the host.
    """
    urls = '", "'.join(origin_urls)
    host = host_table(pki, "open.test", urls, 'unmatched = "pass"', lines)
    return server_table(workers=workers, limits=limits) + host.replace(f'"{urls}"', f'["{urls}"]')


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
