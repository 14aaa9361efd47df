"""Compiles the applications of a configuration, and finds what in them cannot be meant.

The rule that matters most: a host that asks for client certificates never has a path nobody thought
of. Either an application covers every path, or the operator said what happens where none does.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.access.application import Application, Decision, Policy, application_aud
from edge.access.compile import (
    ConditionError,
    GroupDefinition,
    RuleError,
    check_group,
    compile_condition,
)
from edge.access.hidden import hidden
from edge.access.path_table import (
    ApplicationTable,
    Destination,
    DestinationError,
    duplicates,
    parse_destination,
)
from edge.access.rules import every_rule
from edge.config.domains import HostNames
from edge.config.errors import ConfigError, ConfigWarning, KeyPath
from edge.config.schema import Configuration
from edge.config.schema import Policy as SaidPolicy
from edge.http1.target import normalise_path

Applications = tuple[Application, ...]


def build_applications(
    config: Configuration,
    errors: list[ConfigError],
    warnings: list[ConfigWarning],
) -> Applications | None:
    """Compile every application and hold them against the hosts.

    None if anything is wrong, which is then in ``errors``.
    """
    before = len(errors)
    applications = compile_applications(config, errors)
    for duplicate in duplicates(applications):
        names = ", ".join(f'"{name}"' for name in duplicate.applications)
        errors.append(
            config.error(
                ("applications",),
                f'"{duplicate.destination.text}" is a domain of more than one application: {names}',
                "a destination belongs to one application; put the policies together",
            )
        )
    if len(errors) != before:
        return None
    table = ApplicationTable(applications)
    _check_coverage(config, table, errors)
    _check_certificate_rules(config, applications, errors)
    index_of = {id(application): index for index, application in enumerate(applications)}
    for lost in hidden(table, applications, [host.name for host in config.hosts]):
        index = index_of[id(lost.application)]
        by = ", ".join(f'"{other.name}"' for other in lost.by)
        warnings.append(
            config.warning(
                ("applications", index),
                f"no request ever reaches this application: {by} hides it entirely",
                "remove it, or make its destination more specific",
            )
        )
    return applications if len(errors) == before else None


def compile_applications(config: Configuration, errors: list[ConfigError]) -> Applications:
    """Compile every application by itself; what cannot be compiled is in ``errors``."""
    groups = _groups(config, errors)
    own_names = {alias: host.name for host in config.hosts for alias in host.aliases}
    compiled = [
        _application(config, index, groups, own_names, errors) for index in range(len(config.applications))
    ]
    return tuple(each for each in compiled if each is not None)


def _groups(config: Configuration, errors: list[ConfigError]) -> dict[str, GroupDefinition]:
    groups = {
        said.id: GroupDefinition(said.id, said.include, said.require, said.exclude) for said in config.groups
    }
    for index, said in enumerate(config.groups):
        errors += (
            _rule_error(config, ("groups", index), error) for error in check_group(groups[said.id], groups)
        )
    return groups


def _application(
    config: Configuration,
    index: int,
    groups: dict[str, GroupDefinition],
    own_names: Mapping[str, str],
    errors: list[ConfigError],
) -> Application | None:
    before, said = len(errors), config.applications[index]
    domains: list[Destination] = []
    keys: list[KeyPath] = [("domain",), *(("domains", number) for number in range(len(said.domains)))]
    for text, key in zip(said.destinations, keys, strict=True):
        try:
            domains.append(parse_destination(text, normalise_path))
        except DestinationError as error:
            errors.append(config.error(("applications", index, *key), str(error)))
    policies = [
        policy
        for number, each in enumerate(said.policies)
        if (policy := _policy(config, ("applications", index, "policies", number), each, groups, errors))
    ]
    if len(errors) != before:
        return None
    # An alias in a domain means its host: requests are looked up by the host's own name.
    domains = [each.with_host(own_names.get(each.host, each.host)) for each in domains]
    return Application(
        name=said.name,
        aud=application_aud(config.issuer, domains[0]),
        domains=tuple(domains),
        policies=tuple(policies),
        session_seconds=said.session_duration,
        recheck_certificate=said.recheck_certificate,
        same_site=said.same_site_cookie_attribute,
        http_only=said.http_only_cookie_attribute,
        path_cookie=said.path_cookie_attribute,
        report_only=said.report_only,
    )


def _policy(
    config: Configuration,
    path: KeyPath,
    said: SaidPolicy,
    groups: dict[str, GroupDefinition],
    errors: list[ConfigError],
) -> Policy | None:
    try:
        condition = compile_condition(said.include, said.require, said.exclude, groups)
    except ConditionError as problem:
        errors += (_rule_error(config, path, error) for error in problem.errors)
        return None
    return Policy(said.name, Decision(said.decision), condition, said.report_only)


def _rule_error(config: Configuration, path: KeyPath, error: RuleError) -> ConfigError:
    return config.error((*path, *error.place), error.message, error.hint)


def _check_coverage(
    config: Configuration,
    table: ApplicationTable,
    errors: list[ConfigError],
) -> None:
    for index, host in enumerate(config.hosts):
        # A CA that cannot be read is an error of its own; it is associated all the same.
        if not config.cas_of(host) or host.unmatched is not None or table.covers_everything(host.name):
            continue
        errors.append(
            config.error(
                ("hosts", index),
                f'"{host.name}" asks for client certificates, but no application covers every path of it',
                'say what happens to the other paths: unmatched = "deny" or unmatched = "pass"',
            )
        )


def _check_certificate_rules(
    config: Configuration,
    applications: Applications,
    errors: list[ConfigError],
) -> None:
    """A certificate rule on a host that asks for no certificate can never match: somebody is locked out."""
    has_ca = {host.name: bool(config.cas_of(host)) for host in config.hosts}
    names = HostNames(has_ca)
    for index, application in enumerate(applications):
        if not any(_is_about_certificates(policy) for policy in application.policies):
            continue
        for destination in application.domains:
            covered = names.meant_by(destination.host)
            if covered and not any(has_ca[name] for name in covered):
                errors.append(
                    config.error(
                        ("applications", index),
                        f'its policies are about client certificates, but "{covered[0]}" has no client CA',
                        "associate a CA with the host in [[mtls_certificates]]",
                    )
                )


def _is_about_certificates(policy: Policy) -> bool:
    return any(rule.about_certificate for rule in every_rule(policy.condition))
