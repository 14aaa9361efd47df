"""What many hosts share is read and parsed once; every host that shares a fault is told of all the same."""

from __future__ import annotations

import pytest
from cryptography import x509

from edge.config.errors import ConfigErrors, Place
from edge.config.load import load
from edge.config.pem import Pem
from edge.snapshot.build import find_further_errors
from edge.snapshot.findings import Findings
from edge.snapshot.material import belong_together, forget_material, parse_chain, parse_key
from tests.certificates import certificates_pem
from tests.unit.snapshot.world import GOOD, NOW, SERVERS, World, application, ca, host

THREE = GOOD + "".join(host(name) + ca(name, title=name) + application(name) for name in ("b.test", "c.test"))
"""Three hosts with one certificate, one key and one CA; the hosts begin in different lines."""
WEAK = SERVERS.issue_server("a.test", key="rsa1024")
OTHER = SERVERS.issue_server("a.test")


@pytest.mark.parametrize(
    ("name", "octets", "why"),
    [
        ("server.pem", b"junk", "there is no certificate in it"),
        ("server.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ("server.pem", certificates_pem(OTHER.certificate), "the key does not belong"),
        ("server-key.pem", b"junk", "there is no private key"),
        ("server-key.pem", b"", "the file is empty"),
        ("ca.pem", b"junk", "there is no certificate in it"),
    ],
)
def test_a_fault_of_a_shared_file_is_told_at_every_host(
    world: World, name: str, octets: bytes, why: str
) -> None:
    world.write(name, octets)
    errors = world.errors(THREE)
    assert len(errors) == 3
    assert all(why in error for error in errors)
    assert len({error.split(": ")[0] for error in errors}) == 3


def test_a_shared_file_that_is_missing_is_told_at_every_host(world: World) -> None:
    (world.folder / "server.pem").unlink()
    errors = world.errors(THREE)
    assert len({error.split(": ")[0] for error in errors if "there is no such file" in error}) == 3


def test_a_shared_certificate_that_openssl_refuses_is_told_at_every_host(world: World) -> None:
    WEAK.write(world.folder, "server")
    errors = world.errors(THREE)
    assert len(errors) == 3
    assert all("ee key too small" in error for error in errors)


def test_hosts_that_share_everything_have_contexts_of_their_own(world: World) -> None:
    hosts = world.snapshot(THREE).exact
    assert len({id(each.context) for each in hosts.values()}) == 3
    assert len({id(each.verifier) for each in hosts.values()}) == 3


def test_nothing_is_kept_after_a_generation_is_built(world: World) -> None:
    world.build(THREE)
    assert kept() == 0


def test_nothing_is_kept_of_a_generation_that_failed(world: World) -> None:
    world.write("ca.pem", b"junk")
    assert world.errors(THREE)
    assert kept() == 0
    path = world.folder / "edge.toml"
    path.write_text(THREE.replace("listen", "lisen"), encoding="utf-8")
    with pytest.raises(ConfigErrors) as caught:
        load(path, {})
    assert caught.value.sound is not None
    find_further_errors(caught.value.sound, NOW)
    assert kept() == 0


def kept() -> int:
    return sum(cached.cache_info().currsize for cached in (parse_chain, parse_key, belong_together))


def test_the_same_octets_are_parsed_once() -> None:
    octets = certificates_pem(OTHER.certificate)
    assert parse_chain(octets) is parse_chain(bytes(bytearray(octets)))
    assert parse_chain(octets) == (OTHER.certificate,)
    forget_material()


def test_what_cannot_be_parsed_is_said_each_time() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="Unable to load PEM file"):
            parse_chain(b"junk")


def test_a_certificate_and_a_key_belong_together_or_not() -> None:
    assert belong_together(OTHER.certificate, OTHER.key)
    assert not belong_together(WEAK.certificate, OTHER.key)
    forget_material()


def test_a_file_that_changes_while_it_is_read_is_the_same_for_all_hosts(world: World) -> None:
    findings = Findings()
    path = world.folder / "server.pem"
    first, second = (Pem(Place("edge.toml", key), path=path, shown=key) for key in ("hosts[0]", "hosts[1]"))
    before = findings.read(first)
    world.write("server.pem", b"something else")
    assert findings.read(second) == before
    assert x509.load_pem_x509_certificates(before or b"")
    assert Findings().read(second) == b"something else"


def test_a_file_that_cannot_be_read_is_noted_at_each_key(world: World) -> None:
    findings = Findings()
    for key in ("hosts[0].certificate", "hosts[1].certificate"):
        assert findings.read(Pem(Place("edge.toml", key), path=world.folder / "no.pem", shown=key)) is None
    assert [error.key for error in findings.errors] == ["hosts[0].certificate", "hosts[1].certificate"]
