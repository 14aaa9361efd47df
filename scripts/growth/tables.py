"""What grows: a table for each quantity, a step for each size of it, everything else as small as can be."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Size:
    """One server's configuration and load. The defaults are the smallest."""

    hosts: int = 1
    """Each with a CA of its own. Requests go to the one in the middle."""
    rules: int = 1
    """Of the application that answers; only the last one matches."""
    others: int = 0
    """Applications on other paths of the same host, each with a rule."""
    cas: int = 1
    """Associated with the host."""
    revoked: int | None = None
    """Entries of the CRL; None: there is no CRL."""
    idle: int = 0
    """Connections that are open and do nothing."""
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """One quantity and the sizes of it that are compared."""

    key: str
    title: str
    quantity: str
    """The heading of the steps."""
    steps: tuple[tuple[int, Size], ...]

    def up_to(self, largest: int) -> Table:
        """Return the table without the steps beyond a size."""
        return replace(self, steps=tuple(step for step in self.steps if step[0] <= largest))


TABLES = (
    Table(
        "hosts",
        "Hosts, each with a CA of its own",
        "hosts",
        tuple((count, Size(hosts=count)) for count in (1, 100, 10_000)),
    ),
    Table(
        "rules",
        "Rules of the application that answers, of which the last one matches",
        "rules",
        tuple((count, Size(rules=count)) for count in (1, 100, 10_000)),
    ),
    Table(
        "others",
        "Rules of other applications on the same host",
        "rules",
        tuple((count, Size(others=count)) for count in (1, 100, 10_000)),
    ),
    Table("cas", "CAs of the host", "CAs", tuple((count, Size(cas=count)) for count in (1, 10, 100))),
    Table(
        "idle",
        "Idle connections beside the measured ones",
        "connections",
        tuple((count, Size(idle=count)) for count in (0, 1_000, 10_000)),
    ),
    Table(
        "crl",
        "Certificates in the CRL",
        "entries",
        tuple((count, Size(revoked=count)) for count in (0, 1_000, 1_000_000)),
    ),
    Table("workers", "Workers", "workers", tuple((count, Size(workers=count)) for count in (1, 2))),
)
