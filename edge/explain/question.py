"""The request that is explained: what a client would send, at which moment, and from where."""

from __future__ import annotations

from dataclasses import dataclass

from edge.config.request_url import RequestUrl
from edge.explain.certificates import Certificate
from edge.model.network import Address

Field = tuple[str, str]
"""Name and value of a header field, as the client would send them."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request on a connection of its own."""

    url: RequestUrl
    client: Address
    at: float
    """Seconds since the epoch."""
    method: str = "GET"
    certificate: Certificate | None = None
    server_name: str | None = None
    """The SNI; None: the client sends none."""
    fields: tuple[Field, ...] = ()

    @property
    def head(self) -> bytes:
        """The octets of the request's head. Host is that of the URL unless a field says otherwise."""
        fields = self.fields
        if not any(name.lower() == "host" for name, _ in fields):
            fields = (("Host", self.url.authority), *fields)
        lines = [f"{self.method} {self.url.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("utf-8", "surrogateescape")
