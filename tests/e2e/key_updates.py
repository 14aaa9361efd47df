"""A TLS 1.3 client that changes its keys as often as it likes: its records are made by hand.

RFC 8446: records 5.2, KeyUpdate 4.6.3, keys 7.1 to 7.3.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

from tests.e2e.tls_client import HasPort, TlsClient, raw_tls

_CIPHER = "TLS_AES_256_GCM_SHA384"
_HANDSHAKE, _APPLICATION_DATA = 22, 23


class KeyUpdater:
    """Sends with the keys of a connection that the library made; the library goes on reading.

    From the first record made here on, nothing may be sent with the library.
    """

    def __init__(self, server: HasPort, sni: str) -> None:
        secrets: list[bytes] = []
        self.client: TlsClient = raw_tls(server, sni, version=SSL.TLS1_3_VERSION, key_log=secrets)
        assert self.client.tls.get_cipher_name() == _CIPHER
        (line,) = (line for line in secrets if line.startswith(b"CLIENT_TRAFFIC_SECRET_0 "))
        self._use(bytes.fromhex(line.split()[2].decode()))

    def data(self, octets: bytes) -> bytes:
        """Make a record of application data."""
        return self._record(_APPLICATION_DATA, octets)

    def key_update(self, *, answer: bool = False) -> bytes:
        """Make a KeyUpdate, and use the next keys from now on; ``answer`` asks the peer for one too."""
        record = self._record(_HANDSHAKE, bytes([24, 0, 0, 1, answer]))
        self._use(self._derive(b"traffic upd", 48))
        return record

    def _use(self, secret: bytes) -> None:
        self._secret = secret
        self._cipher = AESGCM(self._derive(b"key", 32))
        self._iv = int.from_bytes(self._derive(b"iv", 12))
        self._sequence = 0

    def _derive(self, label: bytes, length: int) -> bytes:
        """HKDF-Expand-Label without a context (RFC 8446 7.1)."""
        name = b"tls13 " + label
        info = length.to_bytes(2) + bytes([len(name)]) + name + b"\0"
        return HKDFExpand(SHA384(), length, info).derive(self._secret)

    def _record(self, kind: int, content: bytes) -> bytes:
        header = bytes([_APPLICATION_DATA, 3, 3]) + (len(content) + 1 + 16).to_bytes(2)
        nonce = (self._iv ^ self._sequence).to_bytes(12)
        self._sequence += 1
        return header + self._cipher.encrypt(nonce, content + bytes([kind]), header)
