"""``edge check``: whether this configuration would start, and what it would do."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click
import orjson

from edge.access.application import Policy
from edge.cli.configuration import config_option
from edge.cli.options import current_time, fail, json_option, warn
from edge.config.errors import ConfigErrors, Finding
from edge.config.schema import Configuration
from edge.explain.policy_tests import run_tests
from edge.runtime.prepare import examine, read_configuration
from edge.snapshot.snapshot import Host, Snapshot
from edge.state.signing_keys import KeyStoreError
from edge.trust.crl import Crl


@click.command()
@config_option
@json_option
def check(config_path: Path, *, as_json: bool) -> None:
    """Load everything, build everything, serve nothing; print a summary, or all the errors."""
    try:
        config = read_configuration(config_path, os.environ, current_time())
        now = current_time()
        built = examine(config, now)
        failing = run_tests(config, built.snapshot, now)
    except ConfigErrors as errors:
        _refuse(errors.errors, as_json=as_json)
    except KeyStoreError as error:
        _refuse([Finding(str(config_path), "server.state_dir", str(error))], as_json=as_json)
    else:
        if failing:
            _refuse(failing, as_json=as_json)
        summary = _summary(config, built.snapshot)
        if as_json:
            warnings = [_finding(warning) for warning in built.warnings]
            _print_json({"ok": True, "errors": [], "warnings": warnings, **summary})
            return
        warn(built.warnings)
        _print_summary(config, built.snapshot)


def _refuse(errors: object, *, as_json: bool) -> NoReturn:
    found = (
        [error for error in errors if isinstance(error, Finding)] if isinstance(errors, (list, tuple)) else []
    )
    if as_json:
        _print_json({"ok": False, "errors": [_finding(error) for error in found], "warnings": []})
        sys.exit(1)
    fail(found)


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "file": finding.file,
        "line": finding.line,
        "key": finding.key,
        "message": finding.message,
        "hint": finding.hint,
    }


def _print_json(value: object) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _summary(config: Configuration, snapshot: Snapshot) -> dict[str, object]:
    origins = _origins(config)
    return {
        "listen": [str(address) for address in config.server.listen],
        "issuer": snapshot.issuer,
        "policy_tests": len(config.tests),
        "hosts": [_host(host, snapshot, origins[host.name]) for host in _hosts(snapshot)],
    }


def _hosts(snapshot: Snapshot) -> list[Host]:
    hosts = {host.name: host for host in (*snapshot.exact.values(), *snapshot.wildcard.values())}
    return sorted(hosts.values(), key=lambda host: host.name)


def _origins(config: Configuration) -> dict[str, list[str]]:
    """The origins as the operator wrote them: where ``demo:`` leads is settled when the edge runs."""
    return {said.name: [str(origin) for origin in said.origin] for said in config.hosts}


def _host(host: Host, snapshot: Snapshot, origins: list[str]) -> dict[str, object]:
    verifier = host.verifier
    return {
        "name": host.name,
        "aliases": sorted(host.aliases),
        "default": host is snapshot.default,
        "client_certificate": host.mode.value,
        "client_cas": sorted(set(verifier.bundle.names.values())) if verifier else [],
        "crls": [crl.facts() for crl in _crls(host, snapshot)],
        "origins": origins,
        "unmatched": "pass" if host.unmatched_pass else "deny",
        "applications": [
            {
                "name": application.name,
                "domains": [destination.text for destination in application.domains],
                "aud": application.aud,
                "report_only": application.report_only,
                "policies": [_policy(policy) for policy in application.policies],
            }
            for application in snapshot.policies_for(host.name).applications
        ],
    }


_REPORTS = " (report only)"


def _policy(policy: Policy) -> str:
    return f"{policy.decision.value}: {policy.name}{_REPORTS * policy.report_only}"


def _crls(host: Host, snapshot: Snapshot) -> list[Crl]:
    """Return the CRLs that the clients of a host are judged by."""
    cas = sorted(set(host.verifier.bundle.names.values())) if host.verifier else []
    entries = [snapshot.revocation[ca] for ca in cas if ca in snapshot.revocation]
    return [crl for entry in entries for crl in entry.crls.values()]


def _print_summary(config: Configuration, snapshot: Snapshot) -> None:
    origins = _origins(config)
    print(f"ok: listens on {', '.join(str(address) for address in config.server.listen)}")
    for host in _hosts(snapshot):
        names = ", ".join((host.name, *sorted(host.aliases)))
        print(f"\nhost {names}{' (default)' if host is snapshot.default else ''}")
        cas = sorted(set(host.verifier.bundle.names.values())) if host.verifier else []
        print(f"  client certificate  {host.mode.value}{' of ' + ', '.join(cas) if cas else ''}")
        for crl in _crls(host, snapshot):
            issuer, revoked, until = (crl.facts()[key] for key in ("issuer", "revoked", "next_update"))
            print(f"  crl                 {issuer}: {revoked} revoked, until {until}")
        print(f"  origin              {', '.join(origins[host.name])}")
        table = snapshot.policies_for(host.name)
        for application in table.applications:
            domains = ", ".join(destination.text for destination in application.domains)
            print(f"  application         {application.name}: {domains}{_REPORTS * application.report_only}")
            for policy in application.policies:
                print(f"    policy            {_policy(policy)}")
        if not table.covers_every_path:
            print(f"  other paths         {'pass' if host.unmatched_pass else 'deny'}")
    if config.tests:
        print(f"\npolicy tests: {len(config.tests)} passed")
