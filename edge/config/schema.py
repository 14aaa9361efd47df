"""The shape of the configuration: one model for each table, with every key and its default.

The words are those of the Cloudflare Access API. Values arrive in canonical form: durations are
seconds, host names are as ``edge.model.hostname`` writes them, paths are absolute.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    StrictBool,
    StrictInt,
)

from edge.config.endpoints import (
    ListenAddress,
    OriginUrl,
    bracketed,
    read_admin_address,
    read_issuer,
    read_listen_address,
    read_origin,
)
from edge.config.errors import ConfigError, ConfigWarning, KeyPath, Place
from edge.config.pem import Pem, read_pem
from edge.config.places import NOWHERE, Places
from edge.config.request_url import (
    LOOPBACK,
    Address,
    RequestUrl,
    read_address,
    read_expectation,
    read_method,
    read_request_url,
    read_time,
)
from edge.config.values import (
    DAY_SECONDS,
    read_directory,
    read_drain_timeout,
    read_host,
    read_host_pattern,
    read_name,
    read_network,
    read_rule,
    read_session_duration,
    read_text,
    read_timeout,
)
from edge.model.network import Network

MEBIBYTE = 2**20


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, PlainValidator(read_name)]
HostName = Annotated[str, PlainValidator(read_host)]
HostPattern = Annotated[str, PlainValidator(read_host_pattern)]
Domain = Annotated[str, PlainValidator(read_text)]
PemValue = Annotated[Pem, PlainValidator(read_pem)]
Timeout = Annotated[float, PlainValidator(read_timeout)]
Count = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Rules = tuple[Annotated[object, PlainValidator(read_rule)], ...]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Limits(_Table):
    """``[server.limits]``: times in seconds, sizes in octets."""

    handshake_timeout: Timeout = 10.0
    header_timeout: Timeout = 10.0
    """For the whole head, from its first octet; not for the time between two octets."""
    header_size: Annotated[StrictInt, Field(ge=1024, le=MEBIBYTE)] = 32768
    header_count: Annotated[StrictInt, Field(ge=1, le=10_000)] = 100
    target_size: Annotated[StrictInt, Field(ge=64, le=MEBIBYTE)] = 8192
    keep_alive_timeout: Timeout = 75.0
    body_idle_timeout: Timeout = 60.0
    body_size: Annotated[StrictInt, Field(ge=0, le=2**63 - 1)] = 0
    """0 is unlimited."""
    body_minimum_rate: Annotated[StrictInt, Field(ge=0, le=2**30)] = 128
    """Octets per second, after the first ten seconds; 0 is no minimum."""
    origin_connect_timeout: Timeout = 5.0
    origin_first_byte_timeout: Timeout = 60.0
    origin_idle_timeout: Timeout = 60.0
    connections_per_worker: Count = 20000
    connections_per_address: Count = 1000
    handshakes_per_address: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 200
    """Full ones, a second; 0 is no limit. So many that whoever may have ``connections_per_address``
    connections gets them within half of ``handshake_timeout``, also after all of them were lost at once,
    and so few that one address cannot have a worker for itself, which does some 600 a second.
    """
    drain_timeout: Annotated[float, PlainValidator(read_drain_timeout)] = 30.0
    tls_record_size: Annotated[StrictInt, Field(ge=512, le=16384)] = 16384
    """RFC 8446 5.1 has the upper bound; 512 is the smallest fragment a client can ask for (RFC 6066 4)."""


class Server(_Table):
    """``[server]``."""

    listen: tuple[Annotated[ListenAddress, PlainValidator(read_listen_address)], ...] = Field(
        min_length=1, examples=['["0.0.0.0:8443", "[::]:8443"]']
    )
    workers: Annotated[StrictInt, Field(ge=0, le=1024)] = 0
    """0 is one for each CPU core."""
    trusted_proxies: tuple[Annotated[Network, PlainValidator(read_network)], ...] = ()
    """Who connects from there says with a PROXY protocol header who the client is, and must."""
    state_dir: Annotated[Path, PlainValidator(read_directory)] = Path("state")
    admin_listen: Annotated[ListenAddress | None, PlainValidator(read_admin_address)] = None
    """Where numbers and state are shown to those who look after the edge. None: nowhere."""
    limits: Limits = Limits()


class Access(_Table):
    """``[access]``."""

    issuer: Annotated[str | None, PlainValidator(read_issuer)] = None
    signing_algorithm: Literal["RS256", "ES256"] = "RS256"


class OriginTls(_Table):
    """``[hosts.origin_tls]``: how the edge speaks TLS to an ``https://`` origin."""

    ca: PemValue | None = None
    """None: the trust store of the system."""
    server_name: HostName | None = None
    """For SNI and for the name in the origin's certificate. None: the host of the origin's URL."""
    certificate: PemValue | None = None
    """The client certificate that the edge shows to the origin."""
    private_key: PemValue | None = None
    verify: StrictBool = True


class Host(_Table):
    """``[[hosts]]``: one virtual host."""

    name: HostPattern = Field(examples=['"www.example.com"'])
    certificate: PemValue = Field(examples=['"certs/server.pem"'])
    private_key: PemValue = Field(examples=['"certs/server-key.pem"'])
    origin: Annotated[
        tuple[Annotated[OriginUrl, PlainValidator(read_origin)], ...], BeforeValidator(_as_list)
    ] = Field(min_length=1, examples=['"http://127.0.0.1:9000"'])
    origin_tls: OriginTls | None = None
    client_certificate: Literal["request", "require", "off"] | None = None
    """None: "request" where a CA is associated with the host, else "off"."""
    unmatched: Literal["deny", "pass"] | None = None
    """None: not stated; see ``docs/configuration.md``."""
    forward_client_certificate: tuple[Literal["cloudflare", "rfc9440", "xfcc", "nginx"], ...] = ()
    aliases: tuple[HostName, ...] = ()
    default: StrictBool = False


class MtlsCertificate(_Table):
    """``[[mtls_certificates]]``: a client CA and the hosts it is associated with."""

    name: Name = Field(examples=['"Access Testing CA"'])
    certificate: PemValue = Field(examples=['"certs/ca.pem"'])
    associated_hostnames: tuple[HostPattern, ...] = Field(min_length=1, examples=['["www.example.com"]'])
    crl: Annotated[tuple[PemValue, ...], BeforeValidator(_as_list), Field(min_length=1)] | None = Field(
        default=None, examples=['["certs/ca.crl"]']
    )
    """Files or directories of them. None: nobody's certificate counts as revoked."""
    crl_stale: Literal["deny", "allow"] = "deny"
    """What a CRL past its nextUpdate means for the certificates of its CA."""
    strict: StrictBool = False
    """Chains on the associated hosts are held to RFC 5280 to the letter; see ``docs/x509.md``."""


class Policy(_Table):
    """``[[applications.policies]]``. Rules stay raw here: text, or a table of one selector."""

    name: Name = Field(examples=['"devices"'])
    decision: Literal["non_identity", "allow", "deny", "bypass"] = Field(examples=['"non_identity"'])
    include: Rules = Field(min_length=1, examples=['["certificate"]'])
    require: Rules = ()
    exclude: Rules = ()
    report_only: StrictBool = False
    """It decides nothing; the log tells what it would have decided."""


class Application(_Table):
    """``[[applications]]``. Destinations stay raw here; the access room reads their wildcards."""

    name: Name = Field(examples=['"Telemetry"'])
    domain: Domain = Field(examples=['"www.example.com/ingest"'])
    domains: tuple[Domain, ...] = ()
    session_duration: Annotated[float, PlainValidator(read_session_duration)] = DAY_SECONDS
    """Seconds; 0 expires immediately."""
    recheck_certificate: StrictBool = True
    same_site_cookie_attribute: Literal["none", "lax", "strict"] = "none"
    http_only_cookie_attribute: StrictBool = True
    path_cookie_attribute: StrictBool = False
    report_only: StrictBool = False
    """What its policies refuse passes, and the log tells."""
    policies: tuple[Policy, ...] = ()

    @property
    def destinations(self) -> tuple[str, ...]:
        """``domain`` and then ``domains``, as they were written."""
        return (self.domain, *self.domains)


class Group(_Table):
    """``[[groups]]``: a list of rules with an id."""

    id: Name = Field(examples=['"ops"'])
    name: Name | None = None
    include: Rules = Field(min_length=1, examples=['[{ common_name = "alice" }]'])
    require: Rules = ()
    exclude: Rules = ()


class PolicyTest(_Table):
    """``[[tests]]``: a request, and what has to become of it."""

    name: Name | None = None
    url: Annotated[RequestUrl, PlainValidator(read_request_url)] = Field(
        examples=['"https://www.example.com/ingest"']
    )
    method: Annotated[str, PlainValidator(read_method)] = "GET"
    certificate: PemValue | None = None
    """The leaf, and what the client sends along. None: see ``common_name``."""
    common_name: Name | None = None
    """Of a certificate that is made up. None, and no ``certificate``: none is presented."""
    ip: Annotated[Address, PlainValidator(read_address)] = LOOPBACK
    at: Annotated[datetime | None, PlainValidator(read_time)] = None
    """None: the time at which the test is run."""
    expect: Annotated[str, PlainValidator(read_expectation)] = Field(examples=['"allow"'])
    would_be: Annotated[str | None, PlainValidator(read_expectation)] = None
    """What would become of it if nothing were ``report_only``. None: not tested."""


class Configuration(_Table):
    """Everything the operator said. It knows where each value was written, for errors found later."""

    server: Server = Field(examples=["[server]"])
    access: Access = Access()
    hosts: tuple[Host, ...] = Field(min_length=1, examples=["[[hosts]]"])
    mtls_certificates: tuple[MtlsCertificate, ...] = ()
    applications: tuple[Application, ...] = ()
    groups: tuple[Group, ...] = ()
    tests: tuple[PolicyTest, ...] = ()

    _places: Places = PrivateAttr(default=NOWHERE)
    _cas_by_name: dict[str, list[int]] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Keep the places that ``load`` hands over as the validation context, and who has which CA."""
        if isinstance(context, Places):
            self._places = context
        for index, certificate in enumerate(self.mtls_certificates):
            for name in certificate.associated_hostnames:
                self._cas_by_name.setdefault(name, []).append(index)

    def cas_of(self, host: Host) -> tuple[int, ...]:
        """Return which ``mtls_certificates`` are associated with a host, by its name or an alias."""
        found = {index for name in (host.name, *host.aliases) for index in self._cas_by_name.get(name, ())}
        return tuple(sorted(found))

    @property
    def issuer(self) -> str:
        """The ``iss`` of tokens: as configured, else https:// and the first host, without a wildcard."""
        return self.access.issuer or f"https://{bracketed(self.hosts[0].name.removeprefix('*.'))}"

    def place(self, *path: str | int) -> Place:
        """Return (file, key, line) of a value: ``place("hosts", 3, "certificate")``.

        Indices are those of this configuration. The key that comes back counts inside the file that
        holds the entry: where a directory was merged, the fourth host may be ``hosts[0]`` of ``iot.toml``.
        A value that was not written has the place of the table it belongs in.
        """
        return self._places.find(path)

    def shown(self, *path: str | int) -> str:
        """Return the value at that path as the file has it, in quotes, fit for a message."""
        return self._places.shown(path)

    def error(self, path: KeyPath, message: str, hint: str = "") -> ConfigError:
        """Return an error at that path; values from the environment are struck out of the message."""
        file, key, line = self.place(*path)
        return ConfigError(file, key, self._places.conceal(message), self._places.conceal(hint), line)

    def warning(self, path: KeyPath, message: str, hint: str = "") -> ConfigWarning:
        """Return a warning at that path; like ``error``."""
        file, key, line = self.place(*path)
        return ConfigWarning(file, key, self._places.conceal(message), self._places.conceal(hint), line)
