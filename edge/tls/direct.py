"""The calls that every octet goes through, made on OpenSSL itself instead of through pyOpenSSL's methods.

pyOpenSSL turns "nothing to read yet" into an exception, allocates 16 KiB for each read, and makes
objects for each call of the verifier: together more than half of what a small request costs in TLS. Here
the same functions are called on the same connection object. The binding is private to pyOpenSSL and
``cryptography``, so what is used of it must be there (``MISSING``) and must work (``choice`` tries it);
else the edge serves through the public methods, and more slowly.

Anything but "done" and "not yet" is left to pyOpenSSL: it raises what its own method would have raised.

One thread, one call at a time: what a callback needs to know stands in module variables meanwhile.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL, crypto
from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib

from edge.reactor.readiness import Readiness
from edge.reactor.stream import StreamBroken
from edge.tls.context import MAX_STEPS_A_READ, VerifyLog, note, refuse
from edge.tls.errors import reason_of
from edge.tls.stream import READ_OCTETS, Progress, TlsStream

MISSING = tuple(
    name
    for name in (
        "ERR_GET_REASON",
        "ERR_clear_error",
        "ERR_peek_error",
        "EVP_get_digestbyname",
        "SSL_ERROR_WANT_READ",
        "SSL_ERROR_WANT_WRITE",
        "SSL_ERROR_SSL",
        "SSL_ERROR_ZERO_RETURN",
        "SSL_RECEIVED_SHUTDOWN",
        "SSL_R_UNEXPECTED_EOF_WHILE_READING",
        "SSL_do_handshake",
        "SSL_get_error",
        "SSL_get_peer_certificate",
        "SSL_read",
        "SSL_set_info_callback",
        "SSL_set_shutdown",
        "SSL_set_verify",
        "SSL_shutdown",
        "SSL_write",
        "X509_STORE_CTX_get_current_cert",
        "X509_STORE_CTX_get_error",
        "X509_STORE_CTX_get_error_depth",
        "X509_STORE_CTX_set_error",
        "X509_V_OK",
        "X509_digest",
        "X509_free",
        "X509_up_ref",
    )
    if not hasattr(_lib, name)
)
"""What this release of the binding does not have; nothing in here may be used then."""

if TYPE_CHECKING or not MISSING:
    _read, _write, _error_of = _lib.SSL_read, _lib.SSL_write, _lib.SSL_get_error
    _WANT_READ, _WANT_WRITE = _lib.SSL_ERROR_WANT_READ, _lib.SSL_ERROR_WANT_WRITE
    _ZERO_RETURN, _FATAL = _lib.SSL_ERROR_ZERO_RETURN, _lib.SSL_ERROR_SSL
    _EOF = _lib.SSL_R_UNEXPECTED_EOF_WHILE_READING
    _SHA256 = _lib.EVP_get_digestbyname(b"sha256")

_octets_of = _ffi.buffer
_input = _ffi.new("char[]", READ_OCTETS)
"""Every read goes here and is copied out at once: one buffer for all connections."""
_shared_input = memoryview(_octets_of(_input))
_digest = _ffi.new("unsigned char[]", 32)
_digest_length = _ffi.new("unsigned int *")


class _Call:
    """The call in progress."""

    __slots__ = ("log", "steps")

    def __init__(self) -> None:
        self.log: VerifyLog | None = None
        """Of the connection that shakes hands."""
        self.steps = 0
        """Of the state machine, since the read began."""


_call = _Call()


class DirectTlsStream(TlsStream):
    """A ``TlsStream`` that calls OpenSSL itself where it is called often."""

    __slots__ = ("_ssl",)

    def __init__(
        self,
        sock: socket.socket,
        readiness: Readiness,
        context: SSL.Context,
        *,
        server_name: str | None = None,
        as_client: bool = False,
        record_octets: int = READ_OCTETS,
    ) -> None:
        super().__init__(
            sock,
            readiness,
            context,
            server_name=server_name,
            as_client=as_client,
            record_octets=record_octets,
        )
        self._ssl: Any = self._connection._ssl  # noqa: SLF001
        if not as_client:
            mode = self._connection.get_verify_mode()
            if mode & SSL.VERIFY_PEER:
                enforces = mode & SSL.VERIFY_FAIL_IF_NO_PEER_CERT
                _lib.SSL_set_verify(self._ssl, mode, _ENFORCE if enforces else _RECORD)

    def _shake_hands(self) -> Progress:
        _call.log = self.log
        try:
            result = _lib.SSL_do_handshake(self._ssl)
        finally:
            _call.log = None
        if result == 1:
            _lib.SSL_set_info_callback(self._ssl, _COUNT_STEP)
            return Progress.DONE
        error = _error_of(self._ssl, result)
        if error == _WANT_READ:
            return Progress.WANTS_READ
        if error == _WANT_WRITE:
            return Progress.WANTS_WRITE
        raise StreamBroken(reason_of(self._error(result)))

    def try_read(self) -> bytes | None:
        """See ``TlsStream``."""
        _call.steps = 0
        count = _read(self._ssl, _input, READ_OCTETS)
        if count > 0:
            octets: bytes = _octets_of(_input, count)[:]
            return octets
        return self._none_read(count)

    def try_read_shared(self, most: int) -> bytes | memoryview | None:
        """See ``TlsStream``."""
        _call.steps = 0
        count = _read(self._ssl, _input, min(most, READ_OCTETS))
        return _shared_input[:count] if count > 0 else self._none_read(count)

    def _none_read(self, count: int) -> bytes | None:
        """Say what it means that a read brought no octets. Raises ``StreamBroken``."""
        error = _error_of(self._ssl, count)
        if error == _WANT_READ:
            return None
        if error == _ZERO_RETURN:
            return b""
        if not self._as_client and error == _FATAL and _lib.ERR_GET_REASON(_lib.ERR_peek_error()) == _EOF:
            _lib.ERR_clear_error()
            return b""
        return self._nothing_read(self._error(count))

    def try_write(self, octets: bytes | memoryview) -> int:
        """See ``TlsStream``."""
        size = len(octets)
        record = self._record_octets
        if type(octets) is bytes and size <= record:
            count: int = _write(self._ssl, octets, size)
            if count > 0:
                return count
            return self._nothing_written(count)
        total = 0
        with _ffi.from_buffer(octets) as start:
            while total < size:
                count = _write(self._ssl, start + total, min(record, size - total))
                if count <= 0:
                    self._nothing_written(count)
                    break
                total += count
        return total

    def _nothing_written(self, result: int) -> int:
        if _error_of(self._ssl, result) not in (_WANT_WRITE, _WANT_READ):
            raise StreamBroken(reason_of(self._error(result)))
        return 0

    def _error(self, result: int) -> SSL.Error:
        """Return what pyOpenSSL raises for this result. It also empties OpenSSL's queue of errors."""
        try:
            self._connection._raise_ssl_error(self._ssl, result)  # noqa: SLF001
        except SSL.Error as error:
            return error
        return SSL.Error([])

    def end(self) -> None:
        """See ``TlsStream``."""
        if _lib.SSL_shutdown(self._ssl) < 0:
            _lib.ERR_clear_error()  # the client is gone, or does not take it
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def peer_sha256(self) -> bytes | None:
        """See ``TlsStream``."""
        certificate = _lib.SSL_get_peer_certificate(self._ssl)
        if certificate == _ffi.NULL:
            return None
        try:
            if _lib.X509_digest(certificate, _SHA256, _digest, _digest_length) != 1:
                _lib.ERR_clear_error()
                return super().peer_sha256()
            fingerprint: bytes = _octets_of(_digest, 32)[:]
            return fingerprint
        finally:
            _lib.X509_free(certificate)


def _record(ok: int, path: Any) -> int:
    """See ``context``: write down what the verifier says, and let the handshake go on."""
    log = _call.log
    if log is None:
        return 0
    note(log, _lib.X509_STORE_CTX_get_error(path), _lib.X509_STORE_CTX_get_error_depth(path), ok)
    _lib.X509_STORE_CTX_set_error(path, _lib.X509_V_OK)
    return 1


def _record_and_enforce(ok: int, path: Any) -> int:
    """See ``context``: write down what the verifier says, and end the handshake if it says no."""
    log = _call.log
    if log is None:
        return 0
    code = _lib.X509_STORE_CTX_get_error(path)
    note(log, code, _lib.X509_STORE_CTX_get_error_depth(path), ok)
    if not ok:
        certificate = _lib.X509_STORE_CTX_get_current_cert(path)
        _lib.X509_up_ref(certificate)
        refuse(log, code, crypto.X509._from_raw_x509_ptr(certificate))  # noqa: SLF001
        return 0
    return 1


def _count_step(ssl: Any, _where: int, _code: int) -> None:
    """See ``context.limit_steps``."""
    _call.steps += 1
    if _call.steps > MAX_STEPS_A_READ:
        _lib.SSL_set_shutdown(ssl, _lib.SSL_RECEIVED_SHUTDOWN)  # the read in progress returns: the end


# An exception inside of a verifier's callback refuses the certificate: that is what ``error`` returns.
_RECORD = _ffi.callback("int(int, X509_STORE_CTX *)", _record, error=0)
_ENFORCE = _ffi.callback("int(int, X509_STORE_CTX *)", _record_and_enforce, error=0)
_COUNT_STEP = _ffi.callback("void(SSL *, int, int)", _count_step)
