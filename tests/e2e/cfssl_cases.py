"""What both toolkits are asked to make, what must be alike in it, and what the real one made of it.

``python -m tests.e2e.cfssl_cases`` asks the cfssl that is installed again, and writes
``cfssl_recorded.json``. No private key is kept in it.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from tests.e2e.cfssl_toolkit import Pair, Tool, make, real, succeed, write_json

RECORDED = Path(__file__).with_name("cfssl_recorded.json")

AUTHORITY = {"CN": "Interop CA", "names": [{"C": "US", "O": "Access"}]}

GUIDE_CONFIG = {
    "signing": {
        "default": {"expiry": "8760h"},
        "profiles": {
            "server": {"usages": ["signing", "key encipherment", "server auth"], "expiry": "8760h"},
            "client": {"usages": ["signing", "key encipherment", "client auth"], "expiry": "8760h"},
        },
    }
}
ROYAL = {
    "CN": "James Royal",
    "hosts": [""],
    "key": {"algo": "ecdsa", "size": 256},
    "names": [{"C": "US", "L": "Austin", "O": "Access", "OU": "Access Admins", "ST": "Texas"}],
}


def one_profile(**fields: Any) -> dict[str, Any]:
    return {"signing": {"default": {"expiry": "168h"}, "profiles": {"x": {"expiry": "100h"} | fields}}}


@dataclass(frozen=True)
class Case:
    """One certificate to make. Without ``ca`` it is a root itself."""

    csr: dict[str, Any]
    ca: dict[str, Any] | None = field(default_factory=lambda: AUTHORITY)
    config: dict[str, Any] | None = None
    flags: tuple[str, ...] = ()


CASES = {
    "the client of the guide": Case(ROYAL, config=GUIDE_CONFIG, flags=("-profile", "client")),
    "the server of the guide": Case(
        {"CN": "iot.example", "hosts": ["iot.example", "*.iot.example"]},
        config=GUIDE_CONFIG,
        flags=("-profile=server",),
    ),
    "no configuration and no hosts": Case({"CN": "plain"}),
    "hosts of all kinds but URIs": Case({"CN": "x", "hosts": ["::1", "a@b.example", "10.0.0.1", "z", "a"]}),
    "hosts on the command line": Case({"CN": "x", "hosts": ["a"]}, flags=("-hostname", "b.example,10.0.0.2")),
    "several names": Case(
        {"CN": "x", "serialnumber": "77", "names": [{"O": "B", "OU": "Z", "C": "US"}, {"O": "A", "C": "DE"}]}
    ),
    "letters beyond PrintableString": Case(
        {"CN": "Jürgen & *", "names": [{"O": "日本", "L": "a_b", "ST": "a@b"}]}
    ),
    "no subject": Case({"hosts": ["a.example"]}),
    "larger keys": Case(
        {"CN": "x", "key": {"algo": "ecdsa", "size": 521}},
        ca=AUTHORITY | {"key": {"algo": "ecdsa", "size": 384}},
    ),
    "an RSA key": Case({"CN": "x", "key": {"algo": "rsa", "size": 2048}}),
    "places to ask": Case(
        {"CN": "x"},
        config=one_profile(
            usages=["digital signature", "key agreement", "s/mime", "any", "ocsp signing"],
            issuer_urls=["http://i.example/1", "http://i.example/2"],
            ocsp_url="http://o.example",
            crl_url="http://c.example/crl",
            ocsp_no_check=True,
        ),
        flags=("-profile", "x"),
    ),
    "fixed times": Case(
        {"CN": "x"},
        config=one_profile(
            usages=["signing"], not_before="2026-01-02T03:04:05Z", not_after="2056-01-02T03:04:05+02:00"
        ),
        flags=("-profile", "x"),
    ),
    "a backdate": Case(
        {"CN": "x"}, config=one_profile(usages=["server auth"], backdate="90m"), flags=("-profile", "x")
    ),
    "an intermediate": Case(
        {"CN": "Sub", "hosts": ["a", "10.0.0.1"]},
        config=one_profile(
            usages=["cert sign", "crl sign"],
            ca_constraint={"is_ca": True, "max_path_len": 0, "max_path_len_zero": True},
        ),
        flags=("-profile", "x"),
    ),
    "a root": Case(ROYAL, ca=None),
    "a root with a path length": Case(
        {"CN": "R", "ca": {"pathlen": 2, "expiry": "1000h"}, "hosts": ["a", "::1"]}, ca=None
    ),
    "a root for leaves only": Case({"CN": "R", "ca": {"pathlen": 0, "pathlenzero": True}}, ca=None),
}

_KEY_IDS = (ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER)


def make_case(tool: Tool, directory: Path, case: Case) -> tuple[Pair, Pair]:
    """Let a toolkit make the authority and the certificate; a root is its own authority."""
    csr = write_json(directory / "csr.json", case.csr)
    if case.ca is None:
        root = make(tool, directory, "made", "gencert", "-initca", csr)
        return root, root
    ca = make(tool, directory, "ca", "gencert", "-initca", write_json(directory / "ca.json", case.ca))
    config: tuple[str, ...] = ()
    if case.config is not None:
        config = ("-config", str(write_json(directory / "config.json", case.config)))
    return ca, make(tool, directory, "made", "gencert", *ca.signs, *config, *case.flags, csr)


def facts(pem: str) -> dict[str, object]:
    """Everything in a certificate that does not change from one making to the next."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return {
        "subject": certificate.subject.public_bytes().hex(),
        "issuer": certificate.issuer.public_bytes().hex(),
        "version": certificate.version,
        "key": _key(certificate.public_key()),
        "signature": certificate.signature_algorithm_oid.dotted_string,
        "span": certificate.not_valid_after_utc - certificate.not_valid_before_utc,
        "whole minute or fixed": certificate.not_valid_before_utc.second in (0, 5),
        "serial": 100 < certificate.serial_number.bit_length() <= 159,
        "extensions": [
            (
                each.oid.dotted_string,
                each.critical,
                "" if each.oid in _KEY_IDS else each.value.public_bytes().hex(),
            )
            for each in certificate.extensions
        ],
    }


def request_facts(pem: str) -> dict[str, object]:
    """The same of a request."""
    csr = x509.load_pem_x509_csr(pem.encode())
    return {
        "subject": csr.subject.public_bytes().hex(),
        "key": _key(csr.public_key()),
        "signature": csr.signature_algorithm_oid.dotted_string,
        "attributes": [attribute.oid.dotted_string for attribute in csr.attributes],
        "extensions": [
            (e.oid.dotted_string, e.critical, e.value.public_bytes().hex()) for e in csr.extensions
        ],
    }


def _key(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size} {key.public_numbers().e}"
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.curve.name


@cache
def recorded() -> dict[str, Any]:
    """What the real cfssl made when it was asked last."""
    loaded: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return loaded


def _record(case: Case) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        _, made = make_case(real, Path(name), case)
        info = json.loads(succeed(real, "certinfo", "-cert", made.certificate).out)
        del info["pem"]
        return {"cert": made.certificate.read_text(), "csr": made.csr.read_text(), "certinfo": info}


def _record_crl() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ca = make(real, directory, "ca", "gencert", "-initca", write_json(directory / "ca.json", AUTHORITY))
        (directory / "serials.txt").write_text("17\n699495378645\n")
        crl = succeed(real, "gencrl", directory / "serials.txt", ca.certificate, ca.key)
        return {"ca": ca.certificate.read_text(), "crl": crl.out}


if __name__ == "__main__":
    everything = {
        "version": succeed(real, "version").out,
        "cases": {name: _record(case) for name, case in CASES.items()},
        "crl": _record_crl(),
    }
    RECORDED.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
