"""Where the operator wrote what an explanation is about: hosts, CAs, applications, policies."""

from __future__ import annotations

from edge.access.application import Application, Policy
from edge.config.errors import KeyPath, Place
from edge.config.schema import Configuration
from edge.snapshot.applications import compile_applications


class Written:
    """The way back from one generation to its configuration."""

    def __init__(self, config: Configuration) -> None:
        """``config`` is what the generation was built from."""
        self._config = config
        self._hosts = {host.name: index for index, host in enumerate(config.hosts)}
        self._entries = {entry.name: index for index, entry in enumerate(config.mtls_certificates)}
        # Compiling again gives the applications in the order of the file; no two have one audience.
        compiled = compile_applications(config, [])
        self._applications = {application.aud: index for index, application in enumerate(compiled)}

    def host(self, name: str) -> Place:
        """Return the place of a host."""
        return self._config.place("hosts", self._hosts[name])

    def ca(self, entry: str) -> Place:
        """Return the place of an entry of ``mtls_certificates``."""
        return self._config.place("mtls_certificates", self._entries[entry])

    def application(self, application: Application) -> Place:
        """Return the place of an application."""
        return self._config.place(*self._path(application))

    def policies(self, application: Application) -> tuple[Place, ...]:
        """Return the place of each policy, in the order in which they are executed."""
        path = self._path(application)
        listed = list(enumerate(self._config.applications[self._applications[application.aud]].policies))
        places = []
        for policy in application.policies:
            at = next(at for at, (_, said) in enumerate(listed) if _is(policy, said.name, said.decision))
            places.append(self._config.place(*path, "policies", listed.pop(at)[0]))
        return tuple(places)

    def _path(self, application: Application) -> KeyPath:
        return ("applications", self._applications[application.aud])


def _is(policy: Policy, name: str, decision: str) -> bool:
    return policy.name == name and policy.decision.value == decision
