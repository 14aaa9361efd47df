"""PKI directories for tests: made at a fixed time, with the commands' own code."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.pki.directory import Directory, writing
from edge.pki.enrol import Order, Renewal, issue_leaf, renew_leaf
from edge.pki.initialise import Initialised, InitOrder, init
from edge.pki.issue import Profile, valid_for
from edge.pki.keys import PRIVATE_KEY_TYPES, PrivateKey, PublicKey, key_pem
from edge.pki.leaf import KeyType, describe
from edge.pki.names import file_name_of, read_alternative_name
from edge.pki.record import NewRecord, Record

NOW = datetime.fromtimestamp(1_800_000_000, UTC)
DAY = timedelta(days=1)


def make(path: Path, name: str = "Widgetcorp", **how: object) -> Initialised:
    """Make a PKI."""
    return init(path, InitOrder(name, **how), NOW, secrets.randbits)  # type: ignore[arg-type]


@contextmanager
def made(path: Path, now: datetime = NOW) -> Iterator[Directory]:
    """Make a PKI if there is none, and open it."""
    if not (path / "index.db").exists():
        make(path)
    with writing(path) as directory:
        yield directory


def order(  # one parameter for each thing a test may want otherwise
    common_name: str = "James Royal",
    *sans: str,
    profile: Profile = Profile.CLIENT,
    days: int | None = None,
    key: PrivateKey | PublicKey | None = None,
    name: str | None = None,
    force: bool = False,
    exports: tuple[str, ...] = (),
) -> Order:
    leaf = describe(common_name, profile, [read_alternative_name(san) for san in sans])
    lifetime = None if days is None else timedelta(days=days)
    return Order(
        leaf, name or file_name_of(common_name), key or KeyType.P256.make(), lifetime, force, exports
    )


def issue(directory: Directory, wanted: Order | None = None, now: datetime = NOW) -> Record:
    issuer = directory.authority(directory.intermediate, None)
    return issue_leaf(directory, wanted or order(), issuer, now, secrets.randbits)


def stopped_before_files(directory: Directory) -> Record:
    """Take the steps of issuing up to the record in the index."""
    wanted = order()
    assert isinstance(wanted.key, PRIVATE_KEY_TYPES)
    issuer = directory.authority(directory.intermediate, None)
    certificate = wanted.leaf.sign(issuer, wanted.key.public_key(), valid_for(NOW, 7 * DAY), secrets.randbits)
    directory.stage_key(certificate, key_pem(wanted.key))
    return directory.inventory.add(NewRecord(certificate, "client", directory.intermediate.id, wanted.name))


def renew(
    directory: Directory, old: Record, now: datetime = NOW, *, same_key: bool = False, days: int | None = None
) -> Record:
    how = Renewal(same_key, None if days is None else timedelta(days=days))
    issuer = directory.authority(directory.intermediate, None)
    return renew_leaf(directory, old, how, issuer, now, secrets.randbits)
