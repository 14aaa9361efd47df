"""cfssl's words for what a key may be used for, and the two extensions they become."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "content committment": "content_commitment",  # how cfssl spelt it until 1.3
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}

_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}

WORDS = (*_KEY_USAGES, *_EXTENDED)
"""Every word that is known."""


_EXTENDED_WORDS = {oid: word for word, oid in reversed(_EXTENDED.items())}


class UsageError(ValueError):
    """The usages do not go together; the message says why."""


@dataclass(frozen=True, slots=True)
class Usages:
    """What a certificate says that its key may be used for; None for an extension it has not."""

    key_usage: x509.KeyUsage | None
    extended: x509.ExtendedKeyUsage | None

    def __bool__(self) -> bool:
        return self.key_usage is not None or self.extended is not None


def usages(words: Iterable[str]) -> Usages:
    """Return what the words mean; every one of them must be known. Raises ``UsageError``."""
    words = tuple(words)
    bits = {_KEY_USAGES[word] for word in words if word in _KEY_USAGES}
    oids = dict.fromkeys(_EXTENDED[word] for word in words if word in _EXTENDED)
    try:
        key_usage = x509.KeyUsage(**{bit: bit in bits for bit in _KEY_USAGES.values()}) if bits else None
    except ValueError:
        # RFC 5280 4.2.1.3: without key agreement their meaning is undefined.
        raise UsageError('"encipher only" and "decipher only" need "key agreement" beside them') from None
    return Usages(key_usage, x509.ExtendedKeyUsage(oids) if oids else None)


def extended_word(oid: x509.ObjectIdentifier) -> str:
    """Return the word for an extended usage; its number if there is none."""
    return _EXTENDED_WORDS.get(oid, oid.dotted_string)
