"""The commands of ``edge cfssl`` that make keys and certificates: gencert, genkey, sign, selfsign."""

from __future__ import annotations

import secrets
from dataclasses import replace

from cryptography import x509

from edge.cli.cfssl_terminal import Terminal, words
from edge.cli.go_flags import Flags
from edge.cli.options import current_time
from edge.pki.cfssl.csr_json import CsrJson, read_csr_json, read_subject_json
from edge.pki.cfssl.initca import SELF_SIGNED_EXPIRY, Mint
from edge.pki.cfssl.messages import CfsslError
from edge.pki.cfssl.output import output_line
from edge.pki.cfssl.request import csr_output, key_output, make_request, read_csr
from edge.pki.cfssl.sign import Overrides, Signer
from edge.pki.cfssl.signing_config import DEFAULT_PROFILE, Profile, SigningConfig, read_signing_config
from edge.pki.issue import certificate_pem
from edge.pki.keys import PrivateKey

_NO_HOSTS = (
    'This certificate lacks a "hosts" field: it does for clients, but no website can use it. '
    'Give "hosts" in the CSR, or -hostname.'
)
_SELF_SIGNED = """\
*** WARNING ***

Self-signed certificates are dangerous. Use this self-signed
certificate at your own risk.

It is strongly recommended that these certificates NOT be used
in production.

*** WARNING ***
"""


def gencert(flags: Flags, terminal: Terminal) -> None:
    """Make a key and a certificate; or an authority, new or again."""
    if flags.is_on("renewca"):
        words(flags)
        _renew(flags, terminal)
        return
    (name,) = words(flags, "CSRJSON")
    request = _request(name, flags, terminal)
    if flags.is_on("initca"):
        _new_authority(request, flags, terminal)
        return
    _refuse_ca_section(request, name)
    signer = _signer(flags, terminal)
    profile = _profile(flags, terminal)
    requested = make_request(request, terminal)
    overrides = Overrides(_hosts(flags), crl_url=request.crl_url)
    certificate = signer.sign(requested.csr, profile, overrides)
    if not request.hosts:
        terminal.warning(_NO_HOSTS)
    _print(terminal, certificate, requested.csr, requested.key)


def genkey(flags: Flags, terminal: Terminal) -> None:
    """Make a key and a request; with ``-initca`` a root as well."""
    (name,) = words(flags, "CSRJSON")
    request = _request(name, flags, terminal)
    if flags.is_on("initca"):
        _new_authority(request, flags, terminal)
        return
    _refuse_ca_section(request, name)
    _tell_unused(flags, terminal, "config")
    requested = make_request(request, terminal)
    _print(terminal, None, requested.csr, requested.key)


def sign(flags: Flags, terminal: Terminal) -> None:
    """Sign a request that somebody else made."""
    if flags.text("csr"):
        given = (flags.text("csr"), *words(flags, "SUBJECT", optional=1))
    else:
        given = words(flags, "CSR", "SUBJECT", optional=1)
    signer = _signer(flags, terminal)
    profile = _profile(flags, terminal)
    subject = terminal.load_with_warnings(given[1], read_subject_json) if len(given) > 1 else None
    csr = terminal.load(given[0], read_csr)
    certificate = signer.sign(csr, profile, Overrides(_hosts(flags), subject))
    _print(terminal, certificate, csr, None)


def selfsign(flags: Flags, terminal: Terminal) -> None:
    """Make a key and a certificate that vouches for itself, for tests."""
    if flags.text("hostname"):
        hosts, (name,) = _hosts(flags), words(flags, "CSRJSON")
    else:
        hostname, name = words(flags, "HOSTNAME", "CSRJSON")
        hosts = tuple(hostname.split(","))
    request = terminal.load_with_warnings(name, read_csr_json)
    # The host on the command line is what the certificate is for; cfssl drops it.
    request = replace(request, hosts=tuple(dict.fromkeys((*hosts, *request.hosts))))
    _refuse_ca_section(request, name)
    profile = _profile(flags, terminal) if flags.text("profile") else None
    made = _mint(terminal).self_signed_leaf(
        request, profile or replace(DEFAULT_PROFILE, expiry=SELF_SIGNED_EXPIRY)
    )
    terminal.plain(_SELF_SIGNED)
    _print(terminal, made.certificate, made.csr, made.key)


def _new_authority(request: CsrJson, flags: Flags, terminal: Terminal) -> None:
    _tell_unused(flags, terminal, "ca", "config", "profile", "hostname")
    if flags.text("ca-key"):
        terminal.info("re-generate a CA certificate from CSR and CA key")
        key = terminal.authority_key(flags.text("ca-key"))
        made = _mint(terminal).root_with_key(request, key)
        _print(terminal, made.certificate, made.csr, None)
    else:
        terminal.info("generating a new CA key and certificate from CSR")
        made = _mint(terminal).new_root(request)
        _print(terminal, made.certificate, made.csr, made.key)


def _renew(flags: Flags, terminal: Terminal) -> None:
    terminal.info("re-generate a CA certificate from CA cert and key")
    certificate = _mint(terminal).renewed_root(terminal.authority_of(flags))
    _print(terminal, certificate, None, None)


def _request(name: str, flags: Flags, terminal: Terminal) -> CsrJson:
    request = terminal.load_with_warnings(name, read_csr_json)
    if flags.text("cn"):
        request = replace(request, subject=replace(request.subject, common_name=flags.text("cn")))
    if flags.text("hostname") and not flags.is_on("initca"):
        request = replace(request, hosts=_hosts(flags))
    return request


def _refuse_ca_section(request: CsrJson, name: str) -> None:
    if request.ca is not None:
        raise CfsslError(f"{name}: ca section only permitted in initca")


def _hosts(flags: Flags) -> tuple[str, ...]:
    return tuple(flags.text("hostname").split(",")) if flags.text("hostname") else ()


def _profile(flags: Flags, terminal: Terminal) -> Profile:
    name = flags.text("config")
    config = terminal.load_with_warnings(name, read_signing_config) if name else SigningConfig()
    try:
        return config.choose(flags.text("profile"))
    except CfsslError as error:
        raise error.at(name or "without -config") from None


def _signer(flags: Flags, terminal: Terminal) -> Signer:
    return Signer(terminal.authority_of(flags), current_time(), secrets.randbits, terminal)


def _mint(terminal: Terminal) -> Mint:
    return Mint(current_time(), secrets.randbits, terminal)


def _tell_unused(flags: Flags, terminal: Terminal, *names: str) -> None:
    for name in names:
        if flags.text(name):
            terminal.warning(f"-{name} has no effect here")


def _print(
    terminal: Terminal,
    certificate: x509.Certificate | None,
    csr: x509.CertificateSigningRequest | None,
    key: PrivateKey | None,
) -> None:
    terminal.print(
        output_line(
            certificate=certificate_pem(certificate) if certificate else b"",
            csr=csr_output(csr) if csr else b"",
            key=key_output(key) if key else b"",
        )
    )
