"""What an operator is told of the configuration in force: hosts, client CAs, CRLs, and when they end.

Times are seconds since the epoch.
"""

from __future__ import annotations

from typing import Any

from edge.config.schema import Configuration
from edge.snapshot.build import Built
from edge.telemetry import families
from edge.telemetry.metrics import Metrics
from edge.trust.revocation import Revocation

MOST_HOSTS = 500
"""In the list that people look at. The metrics have all of them."""


def hosts(config: Configuration, built: Built) -> list[dict[str, Any]]:
    """Return the hosts, that whose certificate ends first in front."""
    modes = {name: host.mode.value for name, host in built.snapshot.hosts.items()}
    every = [
        {
            "name": said.name,
            "certificate_expiry": built.servers[said.name].leaf.not_valid_after_utc.timestamp(),
            "client_certificate": modes[said.name],
            "cas": [config.mtls_certificates[index].name for index in config.cas_of(said)],
        }
        for said in config.hosts
    ]
    every.sort(key=lambda host: (host["certificate_expiry"], host["name"]))
    return every


def cas(config: Configuration, built: Built) -> list[dict[str, Any]]:
    """Return the client CAs in the order of the configuration, without their CRLs."""
    expiry: dict[str, float] = {}
    numbers: dict[str, int] = {}
    verifiers = {id(host.verifier): host.verifier for host in built.snapshot.hosts.values() if host.verifier}
    for verifier in verifiers.values():
        bundle = verifier.bundle
        for certificate, name in zip(bundle.certificates, bundle.names.values(), strict=True):
            ends = certificate.not_valid_after_utc.timestamp()
            expiry[name] = min(ends, expiry.get(name, ends))
    for said in config.hosts:
        for index in config.cas_of(said):
            name = config.mtls_certificates[index].name
            numbers[name] = numbers.get(name, 0) + 1
    return [
        {"name": said.name, "certificate_expiry": expiry[said.name], "hosts": numbers.get(said.name, 0)}
        for said in config.mtls_certificates
        if said.name in expiry
    ]


def crls(revocation: Revocation, now: float) -> dict[str, list[dict[str, Any]]]:
    """Return the CRLs in force by the name of their CA."""
    return {
        name: [
            {
                "issuer": crl.issuer_name,
                "number": None if crl.number is None else str(crl.number),
                "revoked": len(crl.serials),
                "this_update": crl.this_update,
                "next_update": crl.next_update,
                "age": round(now - crl.this_update),
                "stale": crl.is_stale(now),
            }
            for crl in sorted(entry.crls.values(), key=lambda crl: crl.issuer_name)
        ]
        for name, entry in revocation.items()
    }


def count_expiries(metrics: Metrics, hosts: list[dict[str, Any]], cas: list[dict[str, Any]]) -> None:
    """Set when certificates end. ``hosts`` and ``cas`` are what the functions of these names return."""
    for host in hosts:
        metrics.cell(families.SERVER_CERTIFICATE_EXPIRY, host["name"]).value = host["certificate_expiry"]
    for ca in cas:
        metrics.cell(families.CA_CERTIFICATE_EXPIRY, ca["name"]).value = ca["certificate_expiry"]


def count_crls(metrics: Metrics, revocation: Revocation) -> None:
    """Set when CRLs are stale."""
    for name, entry in revocation.items():
        if entry.crls:
            soonest = min(crl.next_update for crl in entry.crls.values())
            metrics.cell(families.CRL_NEXT_UPDATE, name).value = soonest
