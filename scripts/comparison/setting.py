"""What every server is given: the same certificates, the same origin, the same rule, a port of its own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from edge.pki import issue
from edge.pki.issue import Authority, Profile, Validity
from edge.pki.keys import key_pem, new_key
from edge.pki.leaf import describe
from edge.pki.names import read_alternative_name, read_subject
from edge.state import files

HOST = "localhost"
COMMON_NAME = "James Royal"
"""The client's. It may have everything but ``REFUSED_PATH``, which is nobody's."""
NOBODY = "Nobody"
REFUSED_PATH = "/no"
BULK_PATH = "/bulk"
BULK_SIZE = 10 * 1024 * 1024
HELLO = "hello world, hello world\n"
REFUSAL = (
    '{"type":"urn:mtls-edge:refusal:policy_denied","title":"No policy lets this request pass","status":403,'
    '"detail":"the certificate is valid, but no policy lets it pass"}'
)
"""What a server without refusals of its own answers: as long as the edge's."""
LIFETIME = timedelta(days=1)

CLIENT_OPENSSL = """\
openssl_conf = all
[all]
ssl_conf = modules
[modules]
system_default = handshakes
[handshakes]
Groups = X25519
Ciphersuites = TLS_AES_128_GCM_SHA256
"""
"""The clients offer nothing else: one kind of handshake, whatever a server's library prefers."""
TLS_VERSION, CIPHER, GROUP = "TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519"


@dataclass(frozen=True, slots=True)
class Pki:
    """A directory with two P-256 roots and the leaf that each of them signed, all PEM."""

    directory: Path

    @property
    def server_ca(self) -> Path:
        """What the clients trust."""
        return self.directory / "server-ca.pem"

    @property
    def client_ca(self) -> Path:
        """What the servers trust."""
        return self.directory / "client-ca.pem"

    @property
    def server(self) -> Path:
        """The servers' certificate."""
        return self.directory / "server.pem"

    @property
    def server_key(self) -> Path:
        """Its key."""
        return self.directory / "server-key.pem"

    @property
    def server_both(self) -> Path:
        """Key and certificate in one file, for servers that want them so."""
        return self.directory / "server-both.pem"

    @property
    def client(self) -> Path:
        """The clients' certificate: ``COMMON_NAME``."""
        return self.directory / "client.pem"

    @property
    def client_key(self) -> Path:
        """Its key."""
        return self.directory / "client-key.pem"

    @property
    def openssl_conf(self) -> Path:
        """For the clients' ``OPENSSL_CONF``."""
        return self.directory / "openssl.cnf"


@dataclass(frozen=True, slots=True)
class Setting:
    """One server's part. ``directory`` is its own: configuration, logs, and where it runs."""

    directory: Path
    pki: Pki
    port: int
    origin_port: int
    root: bool = False
    """Started by root: nginx would become another user, who cannot read what root's clients made."""


def make_pki(directory: Path, now: datetime) -> Pki:
    """Make all the files anew. No intermediates: a stack that stops at one would have less to verify."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    pki = Pki(directory)
    validity = issue.valid_for(now, LIFETIME)
    server_root = _root("Servers", validity)
    client_root = _root("Clients", validity)
    names = [read_alternative_name(text) for text in ("127.0.0.1", "::1")]
    files.write_public(pki.server_ca, issue.certificate_pem(server_root.certificate))
    files.write_public(pki.client_ca, issue.certificate_pem(client_root.certificate))
    key = new_key()
    certificate = describe(HOST, Profile.SERVER, names).sign(
        server_root, key.public_key(), validity, secrets.randbits
    )
    files.write_public(pki.server, issue.certificate_pem(certificate))
    files.write_key(pki.server_key, key_pem(key))
    files.write_key(pki.server_both, key_pem(key) + issue.certificate_pem(certificate))
    key = new_key()
    certificate = describe(COMMON_NAME, Profile.CLIENT).sign(
        client_root, key.public_key(), validity, secrets.randbits
    )
    files.write_public(pki.client, issue.certificate_pem(certificate))
    files.write_key(pki.client_key, key_pem(key))
    files.write_public(pki.openssl_conf, CLIENT_OPENSSL.encode("ascii"))
    return pki


def _root(common_name: str, validity: Validity) -> Authority:
    subject = read_subject(f"Comparison {common_name}")
    return issue.make_root(subject, new_key(), validity, secrets.randbits)
