"""Finds and loads client certificates: the files of a directory, and TLS contexts made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL

from loadgen.plan import Identity, Plan, Unusable, read_pem

MAX_IDENTITIES = 2000
_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


def find_identities(directory: Path) -> tuple[Identity, ...]:
    """Return every client certificate of a directory with its key, in the order of the names.

    Pairs are ``NAME.pem`` with ``NAME-key.pem``, ``NAME.crt`` (or ``.pem``) with ``NAME.key``, or one
    ``NAME.pem`` that holds both. CAs and certificates for servers alone are left out. Raises ``Unusable``.
    """
    if not directory.is_dir():
        raise Unusable(f"--mixed {directory} is no directory")
    found = [pair for path in sorted(directory.iterdir()) if (pair := _pair_of(path)) and _is_client(pair[0])]
    if not found:
        raise Unusable(f"--mixed {directory} has no client certificate with its key (NAME.pem, NAME-key.pem)")
    if len(found) > MAX_IDENTITIES:
        raise Unusable(
            f"--mixed {directory} has {len(found)} client certificates; {MAX_IDENTITIES} are allowed"
        )
    return tuple(Identity(str(certificate), str(key)) for certificate, key in found)


def _pair_of(path: Path) -> tuple[Path, Path] | None:
    """Return certificate and key if that path is the certificate of a pair."""
    if path.suffix not in {".pem", ".crt"} or path.name.endswith("-key.pem") or not path.is_file():
        return None
    for key in (path.with_name(f"{path.stem}-key.pem"), path.with_suffix(".key")):
        if key.is_file():
            return path, key
    return (path, path) if b"PRIVATE KEY-----" in read_pem(path) else None


def _is_client(path: Path) -> bool:
    try:
        leaf = x509.load_pem_x509_certificates(read_pem(path))[0]
        extensions = leaf.extensions
    except ValueError:
        return False
    for extension in extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            return False
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            return ExtendedKeyUsageOID.CLIENT_AUTH in extension.value
    return True


def make_contexts(plan: Plan) -> list[SSL.Context]:
    """Return one context for each identity, at least one. Raises ``Unusable`` for files that do not work."""
    return [_make_context(plan, identity) for identity in plan.identities or (None,)]


def _make_context(plan: Plan, identity: Identity | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(_VERSIONS[plan.tls])
    context.set_max_proto_version(_VERSIONS[plan.tls])
    context.set_passwd_cb(lambda *_: b"")  # else OpenSSL asks at the terminal
    _use(context.load_verify_locations, plan.cacert, "--cacert")
    context.set_verify(SSL.VERIFY_PEER)
    if identity is not None:
        _use(context.use_certificate_chain_file, identity.certificate, "the certificate")
        _use(context.use_privatekey_file, identity.key, "the key (a key with a password does not work)")
        try:
            context.check_privatekey()
        except SSL.Error:
            raise Unusable(f"{identity.key} is not the key of {identity.certificate}") from None
    return context


def _use(load: Callable[[str], object], path: str, what: str) -> None:
    read_pem(Path(path))
    try:
        load(path)
    except SSL.Error:
        raise Unusable(f"{path} cannot be used as {what}") from None
