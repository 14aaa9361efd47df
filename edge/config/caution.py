"""Find what is allowed and probably not meant, or meant and dangerous: warnings, never errors."""

from __future__ import annotations

from collections.abc import Iterator

from edge.config.errors import ConfigWarning
from edge.config.own_addresses import is_loopback
from edge.config.schema import Application, Configuration, Host
from edge.model.hostname import is_ip_literal


def find_warnings(config: Configuration) -> Iterator[ConfigWarning]:
    """Yield everything an operator should look at twice."""
    for index, network in enumerate(config.server.trusted_proxies):
        if network.prefixlen == 0:
            path = ("server", "trusted_proxies", index)
            message = f"{config.shown(*path)} is everybody: every client can claim any address"
            yield config.warning(path, message, "name the addresses of the proxies alone")
    admin = config.server.admin_listen
    if admin is not None and not is_loopback(admin.host):
        message = (
            f"{config.shown('server', 'admin_listen')} is not loopback: hosts, certificates, refused clients "
            "and numbers are shown to everybody who reaches it, unencrypted"
        )
        yield config.warning(("server", "admin_listen"), message, "keep others out, or write 127.0.0.1")
    for index, host in enumerate(config.hosts):
        yield from _addresses(config, index, host)
        if host.origin_tls is not None and not host.origin_tls.verify:
            message = (
                "the origin's certificate is not verified: whoever is between can read and change requests"
            )
            yield config.warning(("hosts", index, "origin_tls", "verify"), message, "write ca instead")
    for index, application in enumerate(config.applications):
        yield from _policies(config, index, application)


def _addresses(config: Configuration, index: int, host: Host) -> Iterator[ConfigWarning]:
    """RFC 6066 3: a literal address is not permitted in the server name extension."""
    if host.default:
        return
    aliases = [(alias, ("hosts", index, "aliases", number)) for number, alias in enumerate(host.aliases)]
    for name, path in [(host.name, ("hosts", index, "name")), *aliases]:
        if is_ip_literal(name):
            message = f"{config.shown(*path)} is reached by no client: none sends an address as server name"
            yield config.warning(path, message, "write default = true on this host")


def _policies(config: Configuration, index: int, application: Application) -> Iterator[ConfigWarning]:
    path = ("applications", index)
    if application.report_only:
        message = "it lets everybody pass: what its policies refuse is only told in the log"
        yield config.warning((*path, "report_only"), message, "remove report_only to enforce them")
    if not application.policies:
        yield config.warning(
            path, "without policies every request is refused", "add [[applications.policies]]"
        )
    for number, policy in enumerate(application.policies):
        decision = (*path, "policies", number, "decision")
        if policy.decision == "bypass":
            message = "who matches a bypass policy passes without a certificate, a later policy or a token"
            yield config.warning(decision, message, "make sure that this is meant")
        elif policy.decision == "allow":
            message = "an allow policy needs an identity, and there is no login provider: it never matches"
            yield config.warning(decision, message, 'for certificates write "non_identity"')
        if policy.report_only and policy.decision == "deny":
            message = "this policy denies nothing: what it would deny is only told in the log"
            place = (*path, "policies", number, "report_only")
            yield config.warning(place, message, "remove report_only to enforce it")
