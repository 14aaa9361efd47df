"""HTTPS to the origin: it must prove who it is, and the edge can prove to it who is asking."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from tests.certificates import Authority, CredentialFiles
from tests.e2e.behaviours import OK, answer, scripted_origin
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Hangup, Origin, Received, Wire


@dataclass(frozen=True)
class Setting:
    """The edge with one host for each way to speak TLS to an origin."""

    edge: Edge
    origins: dict[str, Origin]

    def ask(self, host: str, path: str = "/echo") -> tuple[int, str]:
        """Ask ``host`` and return the status and the reason of a refusal."""
        with raw_tls(self.edge, host) as client:
            got = client.ask(path, host=host)
            return got.status, json.loads(got.body).get("reason", "")


def whoami(received: Received, wire: Wire) -> None:
    """Answer the common name of the certificate that the edge showed."""
    assert isinstance(wire.sock, ssl.SSLSocket)
    shown = wire.sock.getpeercert(binary_form=True)
    assert shown is not None
    subject = x509.load_der_x509_certificate(shown).subject.rfc4514_string()
    answer(wire, json.dumps({"reason": subject}).encode())


def goodbye(received: Received, wire: Wire) -> None:
    """Send a body that ends with the connection, and end it as TLS does it."""
    assert isinstance(wire.sock, ssl.SSLSocket)
    wire.send(OK + b"\r\nuntil the end")
    with suppress(OSError):
        wire.sock.unwrap()
    raise Hangup


def server_context(files: CredentialFiles, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory, server_root: Authority, pki: Path) -> Iterator[Setting]:
    directory = tmp_path_factory.mktemp("origin-tls")
    root, stranger = Authority("Origin Root"), Authority("Another Root")
    issuing = root.intermediate("Origin Issuing")
    ca, wrong_ca = root.write(directory / "ca.pem"), stranger.write(directory / "wrong.pem")
    clients = Authority("Edges")
    clients_ca = clients.write(directory / "clients.pem")
    shown = clients.issue("the edge").write(directory, "edge")
    foreign = stranger.issue("the edge").write(directory, "foreign")
    contexts: dict[str, ssl.SSLContext | None] = {
        "good": server_context(root.issue_server("app.internal").write(directory, "good")),
        "chain": server_context(
            issuing.issue_server("app.internal").write(directory, "chain", with_chain=True)
        ),
        "leaf_alone": server_context(issuing.issue_server("app.internal").write(directory, "leaf")),
        "expired": server_context(
            root.issue_server(
                "app.internal", not_before=timedelta(days=-2), not_after=timedelta(hours=-1)
            ).write(directory, "expired")
        ),
        "client_only": server_context(
            root.issue("app.internal", sans=[x509.DNSName("app.internal")]).write(directory, "client-only")
        ),
        "name_in_cn": server_context(root.issue("app.internal", eku=()).write(directory, "cn")),
        "address": server_context(
            root.issue_server("other", sans=[x509.IPAddress(ip_address("127.0.0.1"))]).write(directory, "ip")
        ),
        "asks": server_context(root.issue_server("app.internal").write(directory, "asks"), clients_ca),
        "plain": None,
    }
    origins = {name: scripted_origin(tls=context) for name, context in contexts.items()}
    trusted, named = f'ca = "{ca}"', 'server_name = "app.internal"'

    def shows(files: CredentialFiles) -> str:
        return f'certificate = "{files.certificate}"\nprivate_key = "{files.key}"'

    hosts: dict[str, tuple[str, tuple[str, ...]]] = {
        "good": ("good", (trusted, named)),
        "chain": ("chain", (trusted, named)),
        "leaf-alone": ("leaf_alone", (trusted, named)),
        "expired": ("expired", (trusted, named)),
        "client-only": ("client_only", (trusted, named)),
        "name-in-cn": ("name_in_cn", (trusted, named)),
        "wrong-name": ("good", (trusted, 'server_name = "other.internal"')),
        "no-name": ("good", (trusted,)),
        "address": ("address", (trusted,)),
        "untrusted": ("good", (f'ca = "{wrong_ca}"', named)),
        "system-roots": ("good", (named,)),
        "unverified": ("good", ("verify = false",)),
        "unverified-expired": ("expired", ("verify = false",)),
        "shows": ("asks", (trusted, named, shows(shown))),
        "shows-nothing": ("asks", (trusted, named)),
        "shows-foreign": ("asks", (trusted, named, shows(foreign))),
        "speaks-plain": ("plain", (trusted, named)),
    }
    config = server_table(workers=1, limits='origin_connect_timeout = "2s"')
    for host, (name, options) in hosts.items():
        server_root.issue_server(f"{host}.test").write(directory, f"{host}.test")
        url = f"https://127.0.0.1:{origins[name].port}"
        config += host_table(
            directory, f"{host}.test", url, 'unmatched = "pass"', "[hosts.origin_tls]", *options
        )
    for origin in origins.values():
        origin.on("/whoami", whoami)
        origin.on("/goodbye", goodbye)
        origin.__enter__()
    try:
        with Edge(config, directory, server_ca=pki / "server-ca.pem") as edge:
            yield Setting(edge, origins)
    finally:
        for origin in origins.values():
            origin.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def _clean_records(setting: Setting) -> None:
    for origin in setting.origins.values():
        origin.forget()


@pytest.mark.parametrize("host", ["good", "chain", "address"])
def test_an_origin_that_proves_its_name_is_believed(setting: Setting, host: str) -> None:
    for _ in range(2):
        assert setting.ask(f"{host}.test") == (200, "")


@pytest.mark.parametrize(
    ("host", "origin", "detail"),
    [
        ("leaf-alone", "leaf_alone", "certificate verify failed"),
        ("expired", "expired", "certificate verify failed"),
        ("client-only", "client_only", "certificate verify failed"),
        ("name-in-cn", "name_in_cn", "not for 'app.internal'"),
        ("wrong-name", "good", "not for 'other.internal'"),
        ("no-name", "good", "not for '127.0.0.1'"),
        ("untrusted", "good", "certificate verify failed"),
        ("system-roots", "good", "certificate verify failed"),
    ],
)
def test_an_origin_that_does_not_prove_its_name_is_a_502_and_is_told_nothing(
    setting: Setting, host: str, origin: str, detail: str
) -> None:
    assert setting.ask(f"{host}.test") == (502, "origin_unreachable")
    event = setting.edge.wait_for_event("request", host=f"{host}.test", status=502)
    assert detail in event["detail"]
    assert setting.origins[origin].octets.strip() == b""
    assert setting.origins[origin].received() == []


@pytest.mark.parametrize("host", ["unverified", "unverified-expired"])
def test_verify_false_believes_anybody(setting: Setting, host: str) -> None:
    assert setting.ask(f"{host}.test") == (200, "")


def test_an_origin_that_speaks_no_tls_is_a_502_and_is_told_nothing(setting: Setting) -> None:
    status, reason = setting.ask("speaks-plain.test")
    assert (status, reason) in {(502, "origin_unreachable"), (504, "origin_timeout")}
    assert b"GET" not in setting.origins["plain"].octets


def test_the_origin_is_shown_the_certificate_of_the_edge(setting: Setting) -> None:
    assert setting.ask("shows.test", "/whoami") == (200, "CN=the edge")


@pytest.mark.parametrize("host", ["shows-nothing", "shows-foreign"])
def test_an_origin_that_refuses_the_edge_is_a_502(setting: Setting, host: str) -> None:
    for _ in range(2):
        status, reason = setting.ask(f"{host}.test")
        assert (status, reason) in {(502, "origin_bad_response"), (502, "origin_unreachable")}
    assert setting.origins["asks"].received() == []


def test_hosts_that_show_different_certificates_share_no_connection(setting: Setting) -> None:
    """The connection that proved to be ours for one host must not serve the other."""
    assert setting.ask("shows.test")[0] == 200
    assert setting.ask("shows-nothing.test")[0] == 502
    assert setting.ask("shows.test")[0] == 200
    hosts = {received.value("host") for received in setting.origins["asks"].received()}
    assert hosts == {"shows.test"}


def test_a_host_that_verifies_uses_no_connection_of_one_that_does_not(setting: Setting) -> None:
    assert setting.ask("unverified.test")[0] == 200
    assert setting.ask("wrong-name.test") == (502, "origin_unreachable")


@pytest.mark.parametrize(
    ("path", "check"),
    [
        ("/download?size=3000000", lambda body: len(body) == 3_000_000),
        ("/download?size=3000000&framing=chunked", lambda body: len(body) == 3_000_000),
        ("/goodbye", lambda body: body == b"until the end"),
        ("/interim", lambda body: body == b"final"),
    ],
)
def test_bodies_come_whole_through_both_layers_of_tls(
    setting: Setting, path: str, check: Callable[[bytes], bool]
) -> None:
    with raw_tls(setting.edge, "good.test") as client:
        for _ in range(2):
            got = client.ask(path, host="good.test")
            assert got.status == 200
            assert check(got.body)


def test_an_end_without_a_goodbye_of_tls_is_no_end_of_a_body(setting: Setting) -> None:
    """Anybody on the way can close a connection; only the origin can say goodbye."""
    with raw_tls(setting.edge, "good.test") as client:
        client.send(b"GET /until-close HTTP/1.1\r\nHost: good.test\r\n\r\n")
        octets = client.read_until_close()
        assert not octets.endswith(b"0\r\n\r\n"), "it looks complete"
        assert not client.closed_cleanly or octets.startswith(b"HTTP/1.1 502 ")


def test_an_upload_goes_whole_through_both_layers_of_tls(setting: Setting) -> None:
    body = bytes(range(256)) * 8000
    with raw_tls(setting.edge, "good.test") as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: good.test\r\nContent-Length: %d\r\n\r\n" % len(body))
        client.send(body)
        assert client.read_answer("POST").body.startswith(b"%d " % len(body))


def test_connections_to_the_origin_are_reused(setting: Setting) -> None:
    before = setting.origins["good"].connections
    for _ in range(5):
        assert setting.ask("good.test") == (200, "")
    assert setting.origins["good"].connections <= before + 1
