"""``edge demo``: a throw-away PKI, an origin and the edge before it, and the curl lines to see it with."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path

import click

from edge.cli.configuration import configuration
from edge.cli.options import current_time, fail, warn
from edge.config.errors import ConfigErrors
from edge.pki.demo import CLIENT_COMMON_NAME, DemoPki, DemoPkiError, make_demo_pki
from edge.runtime.demo_process import demo_origin
from edge.runtime.prepare import prepare
from edge.runtime.sockets import ListenError
from edge.runtime.supervisor import serve
from edge.state.files import write_public
from edge.state.signing_keys import KeyStoreError
from edge.telemetry.logging import configure

_CONFIGURATION = """\
# Written by `edge demo` at every start. See docs/configuration.md for every key.
[server]
listen = [{listen}]
workers = 2

[server.limits]
handshakes_per_address = 0          # so that it can be measured from one machine

[access]
issuer = "https://localhost:{port}"

[[hosts]]
name = "localhost"
aliases = ["127.0.0.1", "::1"]
default = true
certificate = "server.pem"
private_key = "server-key.pem"
origin = "demo:"
forward_client_certificate = ["cloudflare"]

[[mtls_certificates]]
name = "Access Testing CA"
certificate = "ca.pem"
associated_hostnames = ["localhost"]
crl = ["crl.pem"]

[[applications]]
name = "Demonstration"
domain = "localhost"
session_duration = "0s"           # no duration, expires immediately

  [[applications.policies]]
  name = "James only"
  decision = "non_identity"       # Service Auth
  include = [{{ common_name = "{common_name}" }}]

[[applications]]
name = "Anybody with a certificate"
domain = "localhost/any"
session_duration = "24h"

  [[applications.policies]]
  name = "any valid certificate"
  decision = "non_identity"
  include = ["certificate"]
"""

_LINES = (
    ("without a certificate: 403", "", "/"),
    ("with the right one: 200, the origin's answer and a CF_Authorization cookie", "client", "/"),
    ("with another name of the same CA: 403, and 200 where any certificate will do", "stranger", "/"),
    ("", "stranger", "/any"),
    ("with one of the right name that was revoked: 403", "revoked", "/"),
    ("with an expired one, and with one of another CA: 403", "expired", "/"),
    ("", "foreign", "/"),
)


@click.command()
@click.option(
    "--port",
    default=8443,
    show_default=True,
    envvar="EDGE_PORT",
    type=click.IntRange(0, 65535),
    help="EDGE_PORT.",
)
@click.option(
    "--dir",
    "directory",
    default="certs/demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the throw-away PKI lives.",
)
def demo(port: int, directory: Path) -> None:
    """Show the edge at work on this machine."""
    now = current_time()
    try:
        pki = make_demo_pki(directory, now)
        path = directory / "edge.toml"
        write_public(path, _configuration(port).encode())
    except DemoPkiError as error:
        fail([error])
    except OSError as error:
        fail([f"{error.filename}: {error.strerror}; choose another directory with --dir"])
    config = configuration(path)
    with demo_origin() as origin:
        try:
            built = prepare(config, now, origin)
            warn(built.warnings)
            configure()
            status = serve(config, built, lambda addresses: _explain(pki, addresses))
        except ConfigErrors as errors:
            fail(errors.errors)
        except (KeyStoreError, ListenError) as error:
            fail([error])
    sys.exit(status)


def _configuration(port: int) -> str:
    addresses = [f"127.0.0.1:{port}", *([f"[::1]:{port}"] if _has_ipv6() else [])]
    listen = ", ".join(f'"{address}"' for address in addresses)
    return _CONFIGURATION.format(listen=listen, port=port, common_name=CLIENT_COMMON_NAME)


def _has_ipv6() -> bool:
    """Tell whether there is an IPv6 loopback address; in many containers there is none."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _pasted(path: Path) -> str:
    """Return a path as any shell in any directory takes it: the other terminal starts elsewhere."""
    return shlex.quote(str(path.absolute()))


def _explain(pki: DemoPki, addresses: list[str]) -> None:
    port = addresses[0].rpartition(":")[2]
    url = f"https://localhost:{port}"
    print(f"\nThe edge serves {url} before the demonstration origin. Try, in another terminal:\n")
    for title, name, path in _LINES:
        if title:
            print(f"# {title}")
        pair = f" --cert {_pasted(pki.certificate(name))} --key {_pasted(pki.key(name))}" if name else ""
        print(f"curl -i --cacert {_pasted(pki.server_ca)}{pair} {url}{path}")
    print(f"\nIts configuration is {pki.directory / 'edge.toml'}. Ctrl-C stops everything.\n", flush=True)
