"""Names that people give: the common name, alternative names, and the file name made of the first.

What is refused here would be a trap later: a common name with a space at its end looks like another
in every list, and a file name that climbs out of its directory replaces somebody else's key.
"""

from __future__ import annotations

import ipaddress
import re

from cryptography import x509
from cryptography.x509.oid import NameOID

from edge.model.hostname import HostnameError, canonical_pattern, is_ip_literal
from edge.pki.errors import PkiError

MAX_COMMON_NAME = 64
"""RFC 5280 appendix A.1, ub-common-name."""
MAX_FILE_NAME = 64

_FILE_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.@+-]{{0,{MAX_FILE_NAME - 1}}}", re.ASCII)
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9_.@+-]+", re.ASCII)
_FILES_OF_ANOTHER = ("-key", "-chain")
"""``x-key`` would have its certificate in ``x-key.pem``, which is the key of ``x``."""
RESERVED_FILE_NAMES = frozenset(("root", "intermediate", "ca", "crl", "index", "edge"))

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", re.ASCII)
"""An absolute URI, roughly (RFC 3986 4.3): a scheme and something visible behind it."""
_MAILBOX = re.compile(r"[!-?A-~]+@([!-?A-~]+)", re.ASCII)
"""Local-part and domain (RFC 5280 4.2.1.6); quoted local parts are not for certificates."""


def read_common_name(text: str) -> str:
    """Return the text if it can be a common name. Raises ``PkiError``."""
    if not text or text != text.strip() or not text.isprintable():
        raise PkiError(
            f"the common name {text[:80]!a} is empty, has a space at an end, or has control characters"
        )
    if len(text) > MAX_COMMON_NAME:
        raise PkiError(f"the common name has {len(text)} characters; certificates allow {MAX_COMMON_NAME}")
    return text


def read_subject(common_name: str, rest: str = "") -> x509.Name:
    """Return a subject: the attributes of ``rest`` (``OU=Sensors,O=Widgetcorp``) with the common name.

    ``rest`` is RFC 4514, the most specific attribute first. Raises ``PkiError``.
    """
    last = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, read_common_name(common_name))]
    )
    try:
        before = x509.Name.from_rfc4514_string(rest).rdns if rest else []
    except ValueError as error:
        raise PkiError(f"the subject {rest[:80]!a} cannot be read ({error}); write OU=…,O=…") from None
    for attribute in (attribute for rdn in before for attribute in rdn):
        if attribute.oid == NameOID.COMMON_NAME:
            raise PkiError("the subject has a common name of its own; only the first argument gives it")
        if not attribute.value or not str(attribute.value).isprintable():
            raise PkiError(f"the subject {rest[:80]!a} has an empty value or control characters")
    return x509.Name([*before, last])


def read_alternative_name(text: str) -> x509.GeneralName:
    """Sort ``text`` into address, e-mail, URI or host name; ``ip:``, ``email:``, ``uri:``, ``dns:`` decide.

    Raises ``PkiError``.
    """
    kind, colon, rest = text.partition(":")
    match kind.lower() if colon else "":
        case "dns":
            return _dns(rest)
        case "ip":
            return _address(rest)
        case "email":
            return _email(rest)
        case "uri":
            return _uri(rest)
    try:
        return _address(text)
    except PkiError:
        pass
    if _SCHEME.fullmatch(text) and "://" in text:
        return _uri(text)
    return _email(text) if "@" in text else _dns(text)


def host_name(common_name: str) -> x509.GeneralName | None:
    """Return the common name as an alternative name, if it is a host name or an address."""
    try:
        return _address(common_name)
    except PkiError:
        pass
    try:
        return _dns(common_name)
    except PkiError:
        return None


def text_of(name: x509.GeneralName) -> str:
    """Return an alternative name as ``read_alternative_name`` takes it, with its kind."""
    match name:
        case x509.DNSName():
            return f"dns:{name.value}"
        case x509.IPAddress():
            return f"ip:{name.value}"
        case x509.RFC822Name():
            return f"email:{name.value}"
        case x509.UniformResourceIdentifier():
            return f"uri:{name.value}"
    return f"other:{type(name).__name__}"


def read_file_name(text: str) -> str:
    """Return the name of a certificate's files, without ``.pem``. Raises ``PkiError``."""
    if not _FILE_NAME.fullmatch(text):
        raise PkiError(
            f"{text[:80]!a} is no name for files; use letters, digits, '.', '_', '-', '@' and '+', "
            f"at most {MAX_FILE_NAME}, and no path"
        )
    if text in RESERVED_FILE_NAMES or text.endswith(_FILES_OF_ANOTHER):
        raise PkiError(f"{text!r} would be confused with other files of the PKI; choose another with --out")
    return text


def file_name_of(common_name: str) -> str:
    """Make the name of a certificate's files out of its common name. Raises ``PkiError``."""
    made = _NOT_IN_FILE_NAMES.sub("-", common_name).strip("-.@+")[:MAX_FILE_NAME]
    if not made:
        raise PkiError(f"no file name can be made of {common_name!a}; choose one with --out")
    return read_file_name(made)


def _address(text: str) -> x509.IPAddress:
    literal = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return x509.IPAddress(ipaddress.ip_address(literal))
    except ValueError:
        raise PkiError(f"{text[:80]!a} is no IP address") from None


def _dns(text: str) -> x509.DNSName:
    try:
        name = canonical_pattern(text)
    except HostnameError as error:
        raise PkiError(f"{text[:80]!a} is no host name ({error})") from None
    if is_ip_literal(name):
        raise PkiError(f"{text[:80]!a} is an IP address; write ip:{name}")
    return x509.DNSName(name)


def _email(text: str) -> x509.RFC822Name:
    mailbox = _MAILBOX.fullmatch(text)
    if mailbox is None:
        raise PkiError(f"{text[:80]!a} is no e-mail address")
    _dns(mailbox[1])
    return x509.RFC822Name(text)


def _uri(text: str) -> x509.UniformResourceIdentifier:
    if not _SCHEME.fullmatch(text):
        raise PkiError(f"{text[:80]!a} is no URI; write it with its scheme, in ASCII")
    return x509.UniformResourceIdentifier(text)
