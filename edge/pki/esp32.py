"""Write a leaf, its key and the root as a C header, for firmware (ESP-IDF, Arduino, mbed TLS)."""

from __future__ import annotations

import re

_TEXT = """\
/* Client certificate and private key {name}. Keep this file secret, and out of version control. */
#pragma once

/* The leaf with its intermediate: clientcert_pem, setCertificate(). sizeof counts the NUL at the end. */
static const char {prefix}_cert[] =
{cert};

/* The private key: clientkey_pem, setPrivateKey(). */
static const char {prefix}_key[] =
{key};

/* The root of this PKI: cacert_pem, setCACert(), if the server's certificate comes from it as well. */
static const char {prefix}_ca[] =
{ca};
"""


def header(name: str, chain_pem: bytes, key_pem: bytes, root_pem: bytes) -> bytes:
    """Return the header. ``name`` is that of the files, so that nothing in it ends a comment."""
    return _TEXT.format(
        name=name,
        prefix=identifier(name),
        cert=_literal(chain_pem),
        key=_literal(key_pem),
        ca=_literal(root_pem),
    ).encode("ascii")


def identifier(name: str) -> str:
    """Return the beginning of the three C names made of the name of the files."""
    made = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "client"
    return f"client_{made}" if made[0].isdecimal() else made


def _literal(pem: bytes) -> str:
    return "\n".join(f'    "{line}\\n"' for line in pem.decode("ascii").splitlines())
