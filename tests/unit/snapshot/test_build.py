"""A whole generation or every error: nothing is guessed, and nothing is left on disk by a faulty one."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from edge.access.token import KeyRing
from edge.config.errors import ConfigErrors
from edge.config.load import load
from edge.origin.endpoint import Endpoint
from edge.snapshot.build import build, find_further_errors
from edge.tls.context import ClientCertificateMode
from tests.certificates import Authority, certificates_pem, name, new_key, self_signed
from tests.crls import crl_of, pem
from tests.unit.access.builders import key_ring
from tests.unit.snapshot.world import (
    A_YEAR,
    CLIENTS,
    GOOD,
    NOW,
    SERVER,
    SERVERS,
    World,
    application,
    ca,
    host,
)
from tests.unit.tls.odd_certificates import signed_again, with_version

# --- files -------------------------------------------------------------------------------------

CUT_OFF = certificates_pem(SERVERS.certificate)[:200]


@pytest.mark.parametrize("name", ["server.pem", "server-key.pem", "ca.pem"])
def test_a_missing_file_is_an_error_at_the_key_that_names_it(world: World, name: str) -> None:
    (world.folder / name).unlink()
    (error,) = world.errors(GOOD)
    assert name in error
    assert "there is no such file" in error
    assert error.startswith("edge.toml:")


@pytest.mark.parametrize("name", ["server.pem", "server-key.pem", "ca.pem"])
@pytest.mark.parametrize("octets", [b"", b"  \n", b"hello", b"\x30\x82\x01\x00", CUT_OFF])
def test_a_file_that_is_empty_or_junk_is_an_error(world: World, name: str, octets: bytes) -> None:
    world.write(name, octets)
    (error,) = world.errors(GOOD)
    assert name in error


def test_every_error_is_found_at_once(world: World) -> None:
    world.write("server-key.pem", b"junk")
    world.write("ca.pem", b"junk")
    text = GOOD + host("b.test", 'certificate = "no.pem"') + application("a.test/x", '{ common_nam = "x" }')
    errors = world.errors(text)
    assert len(errors) >= 4
    assert sum("server-key.pem" in error for error in errors) == 2


def test_a_key_of_another_certificate_is_an_error(world: World) -> None:
    world.write("server-key.pem", self_signed().key_pem())
    (error,) = world.errors(GOOD)
    assert "does not belong to the certificate" in error


def test_an_encrypted_key_is_an_error_that_says_so(world: World) -> None:
    key = new_key("p256")
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    world.write("server-key.pem", encrypted)
    (error,) = world.errors(GOOD)
    assert "encrypted" in error


UNKNOWN_CURVE = b"""-----BEGIN EC PRIVATE KEY-----
MD4CAQEEDiG6tqtZiZz5NNYdKrXtoAcGBSuBBAAGoSADHgAEFBPbdmk8ZBbtBDT4
IIDEVuaIjmBL+b1Q3Wdj9w==
-----END EC PRIVATE KEY-----
"""
"""On secp112r1, which nobody should use and the library does not know."""


def test_a_key_of_an_unknown_kind_is_an_error_and_not_a_crash(world: World) -> None:
    world.write("server-key.pem", UNKNOWN_CURVE)
    (error,) = world.errors(GOOD)
    assert "server-key.pem" in error


def test_a_server_certificate_of_no_version_is_an_error_and_not_a_crash(world: World) -> None:
    odd = signed_again(SERVERS.issue_server("a.test").certificate, SERVERS, with_version(1))
    first, *_, last = SERVERS.bundle.splitlines(keepends=True)
    world.write("server.pem", first + base64.encodebytes(odd) + last)
    (error,) = world.errors(GOOD)
    assert "server.pem" in error


def test_a_certificate_where_a_key_should_be_is_an_error(world: World) -> None:
    world.write("server-key.pem", SERVERS.bundle)
    (error,) = world.errors(GOOD)
    assert "no private key in it" in error


def test_a_weak_server_key_is_an_error(world: World) -> None:
    SERVERS.issue_server("a.test", key="rsa1024").write(world.folder, "server")
    (error,) = world.errors(GOOD)
    assert "too small" in error


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (SERVERS.issue().pem(), "no CA certificate"),
        (certificates_pem(CLIENTS.intermediate("x").certificate), "no self-signed root"),
        (CLIENTS.bundle + self_signed().key_pem(), "private key"),
    ],
)
def test_a_ca_file_that_is_none_is_an_error(world: World, pem: bytes, why: str) -> None:
    world.write("ca.pem", pem)
    (error,) = world.errors(GOOD)
    assert why in error
    assert "mtls_certificates[0].certificate" in error


def test_one_ca_under_two_names_on_one_host_is_an_error(world: World) -> None:
    (error,) = world.errors(GOOD + ca(title="Twin"))
    assert "is in both" in error


def test_one_ca_on_two_hosts_is_fine(world: World) -> None:
    assert world.errors(GOOD + host("b.test") + ca("b.test", title="Twin") + application("b.test")) == []


def test_a_private_key_is_never_in_an_error(world: World) -> None:
    key = self_signed().key_pem()
    world.write("ca.pem", key)
    world.write("server.pem", key)
    told = "\n".join(world.errors(GOOD))
    assert not any(line in told for line in key.decode().splitlines()[1:-1])


# --- origins -----------------------------------------------------------------------------------


def test_a_missing_ca_for_the_origin_is_an_error(world: World) -> None:
    text = SERVER + host("a.test", 'origin = "https://o.test"', 'origin_tls = { ca = "no.pem" }')
    (error,) = world.errors(text)
    assert "no.pem" in error


def test_a_key_that_does_not_fit_the_certificate_for_the_origin_is_an_error(world: World) -> None:
    world.write("o-key.pem", self_signed().key_pem())
    tls = 'origin_tls = { certificate = "server.pem", private_key = "o-key.pem" }'
    (error,) = world.errors(SERVER + host("a.test", 'origin = "https://o.test"', tls))
    assert "does not belong" in error


def test_origins_are_what_the_configuration_says(world: World) -> None:
    tls = 'origin_tls = { ca = "ca.pem", server_name = "real.test" }'
    text = SERVER + host("a.test", 'origin = ["https://o.test", "http://[::1]:9000"]', tls)
    first, second = world.snapshot(text).exact["a.test"].origins
    assert str(first) == "https://o.test:443"
    assert first.tls is not None
    assert (first.tls.server_name, first.tls.verify) == ("real.test", True)
    assert second == Endpoint("::1", 9000)


def test_an_origins_name_is_that_of_its_url_unless_stated(world: World) -> None:
    text = SERVER + host("a.test", 'origin = "https://o.test:8443"')
    (origin,) = world.snapshot(text).exact["a.test"].origins
    assert origin.tls is not None
    assert origin.tls.server_name == "o.test"


def test_the_demo_origin_is_where_it_was_started(world: World) -> None:
    path = world.write("edge.toml", (SERVER + host("a.test", 'origin = "demo:"')).encode())
    demo = Endpoint("127.0.0.1", 12345)
    built = build(load(path, {}), lambda: key_ring("ES256"), NOW, demo_origin=demo)
    assert built.snapshot.exact["a.test"].origins == (demo,)


# --- hosts -------------------------------------------------------------------------------------


def test_a_host_with_a_ca_asks_for_a_certificate(world: World) -> None:
    found = world.snapshot(GOOD).exact["a.test"]
    assert found.mode is ClientCertificateMode.REQUEST
    assert found.asks_for_certificate
    assert not found.unmatched_pass
    assert found.verifier is not None
    assert set(found.verifier.bundle.names.values()) == {"CA"}


def test_a_host_without_a_ca_asks_for_none(world: World) -> None:
    found = world.snapshot(SERVER + host()).exact["a.test"]
    assert found.mode is ClientCertificateMode.OFF
    assert not found.asks_for_certificate
    assert found.verifier is None


def test_a_host_may_require_a_certificate(world: World) -> None:
    text = SERVER + host("a.test", 'client_certificate = "require"') + ca() + application()
    assert world.snapshot(text).exact["a.test"].mode is ClientCertificateMode.REQUIRE


def test_a_ca_associated_with_an_alias_is_the_hosts(world: World) -> None:
    text = SERVER + host("a.test", 'aliases = ["b.test"]') + ca("b.test") + application()
    assert world.snapshot(text).exact["a.test"].asks_for_certificate


def test_several_cas_of_one_host_make_one_bundle(world: World) -> None:
    Authority("Other").write(world.folder / "other.pem")
    text = GOOD + ca(title="Other", certificate="other.pem")
    verifier = world.snapshot(text).exact["a.test"].verifier
    assert verifier is not None
    assert set(verifier.bundle.names.values()) == {"CA", "Other"}


def test_a_host_passes_what_no_application_covers_only_if_it_says_so(world: World) -> None:
    text = SERVER + host("a.test", 'unmatched = "pass"') + host("b.test")
    snapshot = world.snapshot(text)
    assert snapshot.exact["a.test"].unmatched_pass
    assert not snapshot.exact["b.test"].unmatched_pass


def test_forms_of_headers_are_kept_once_and_in_order(world: World) -> None:
    text = SERVER + host("a.test", 'forward_client_certificate = ["xfcc", "cloudflare", "xfcc"]')
    assert world.snapshot(text).exact["a.test"].forward_client_certificate == ("xfcc", "cloudflare")


def test_limits_reach_the_readers_of_heads(world: World) -> None:
    limits = "[server.limits]\nheader_size = 4096\nheader_count = 7\ntarget_size = 100\n"
    found = world.snapshot(SERVER + limits + host()).head_limits
    assert (found.header_size, found.header_count, found.target_size) == (4096, 7, 100)


# --- the key ring, and the shape that is not right ---------------------------------------------


def test_the_key_ring_is_asked_for_only_if_everything_else_is_right(world: World) -> None:
    path = world.write("edge.toml", GOOD.encode())
    asked: list[int] = []

    def ring() -> KeyRing:
        asked.append(1)
        return key_ring("ES256")

    world.write("ca.pem", b"junk")
    with pytest.raises(ConfigErrors):
        build(load(path, {}), ring, NOW)
    assert asked == []
    CLIENTS.write(world.folder / "ca.pem")
    build(load(path, {}), ring, NOW, generation=7)
    assert asked == [1]


def test_a_generation_has_its_number_and_its_issuer(world: World) -> None:
    path = world.write("edge.toml", GOOD.encode())
    snapshot = build(load(path, {}), lambda: key_ring("ES256"), NOW, generation=7).snapshot
    assert snapshot.generation == 7
    assert snapshot.issuer == "https://a.test"


def test_what_is_missing_in_a_sound_remainder_is_not_complained_of(world: World) -> None:
    path = world.write("edge.toml", (SERVER + host() + ca()).encode())
    assert find_further_errors(load(path, {}), NOW) == ()
    world.write("server-key.pem", b"junk")
    (error,) = find_further_errors(load(path, {}), NOW)
    assert "server-key.pem" in str(error)


# --- warnings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (timedelta(days=366), "expired"),
        (timedelta(days=340), "expires on"),
        (timedelta(days=1), ""),
        (timedelta(days=-1), "not valid before"),
    ],
)
def test_a_server_certificate_that_does_not_serve_is_warned_of(
    world: World, after: timedelta, what: str
) -> None:
    warnings = [each for each in world.warnings(GOOD, NOW + after) if "hosts[0].certificate" in each]
    assert [what in warning for warning in warnings] == ([True] if what else [])


def test_a_ca_that_ends_soon_is_warned_of(world: World) -> None:
    told = world.warnings(GOOD, NOW + timedelta(days=880))
    assert any("mtls_certificates[0].certificate" in warning and "CN=Clients" in warning for warning in told)


def test_a_good_configuration_has_no_warnings(world: World) -> None:
    assert world.warnings(GOOD) == []


def test_a_bypass_policy_is_warned_of(world: World) -> None:
    told = world.warnings(SERVER + host() + ca() + application("a.test", '"everyone"', decision="bypass"))
    assert any("bypass" in warning for warning in told)


def test_a_long_name_in_a_certificate_is_no_python_warning(world: World) -> None:
    long = Authority("a" * 100, not_after=timedelta(days=900))
    long.write(world.folder / "ca.pem")
    long.issue_server("a.test", not_after=A_YEAR).write(world.folder, "server")
    assert world.warnings(GOOD) == []


def test_building_leaves_nothing_on_disk(world: World) -> None:
    world.write("edge.toml", b"")
    before = sorted(Path(world.folder).iterdir())
    world.build(GOOD)
    assert sorted(Path(world.folder).iterdir()) == before


# --- CRLs --------------------------------------------------------------------------------------

ASKING = SERVER + host() + ca() + 'crl = ["a.crl"]\n' + application()


def crl(authority: Authority, *serials: int) -> bytes:
    """Return a list that was good long before the moment of these tests, and long after it."""
    a_day, months = timedelta(days=-1), timedelta(days=60)
    return pem(crl_of(authority, serials, this_update=a_day, next_update=months))


def test_the_lists_of_a_configuration_are_in_the_snapshot(world: World) -> None:
    world.write("a.crl", crl(CLIENTS, 5))
    built = world.build(ASKING)
    (in_force,) = built.snapshot.revocation["CA"].crls.values()
    assert in_force.serials.find(5) is not None
    assert in_force.source == "a.crl"
    assert not built.snapshot.revocation["CA"].stale_allowed
    assert list(built.crl_stamps) == [world.folder / "a.crl"]
    assert [source.entry for source in built.crl_sources] == ["CA"]
    assert built.warnings == ()


def test_without_crl_nothing_is_watched_or_asked(world: World) -> None:
    built = world.build(GOOD)
    assert built.crl_sources == ()
    assert built.crl_stamps == {}
    assert built.snapshot.revocation == {}


def test_a_stale_list_counts_where_the_configuration_says_so(world: World) -> None:
    stale = crl_of(CLIENTS, [5], this_update=timedelta(days=-9), next_update=timedelta(days=-8))
    world.write("a.crl", stale)
    assert "refused" in " ".join(world.warnings(ASKING))
    text = ASKING.replace('"a.crl"]\n', '"a.crl"]\ncrl_stale = "allow"\n')
    assert "still counts" in " ".join(world.warnings(text))
    assert world.snapshot(text).revocation["CA"].stale_allowed


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (None, '"a.crl": there is no such file; check the path'),
        (b"", '"a.crl": the file is empty; write the CRL into it'),
        (b"junk", "there is no CRL in it that can be read"),
        (crl_of(CLIENTS)[:-1], "there is no CRL in it that can be read"),
        (pem(crl_of(CLIENTS))[:-9], "it is cut off: a BEGIN line has no END line; copy the file again"),
        (crl_of(SERVERS), "is no CA of this entry"),
        (crl_of(CLIENTS.impostor()), "signed with another key than that of 'CN=Clients,O=Test'"),
        (crl_of(CLIENTS, this_update=timedelta(hours=9)), "its thisUpdate is in the future"),
        (certificates_pem(CLIENTS.certificate), "it holds a 'CERTIFICATE', which is no CRL"),
    ],
)
def test_a_list_that_cannot_be_taken_up_at_the_start_is_an_error(
    world: World, octets: bytes | None, why: str
) -> None:
    if octets is not None:
        world.write("a.crl", octets)
    (error,) = world.errors(ASKING)
    assert why in error
    assert error.startswith("edge.toml:")
    assert "mtls_certificates[0].crl" in error
    assert "\n" not in error


def test_an_error_in_a_directory_names_the_file(world: World) -> None:
    (world.folder / "crls").mkdir()
    world.write("crls/a", crl(CLIENTS))
    world.write("crls/b", b"junk")
    (error,) = world.errors(ASKING.replace("a.crl", "crls"))
    assert '"crls": crls/b: there is no CRL in it' in error


def test_a_ca_without_a_list_is_a_warning(world: World) -> None:
    below = CLIENTS.intermediate("Below", not_after=timedelta(days=800))
    world.write("ca.pem", below.bundle)
    world.write("a.crl", crl(CLIENTS))
    (warning,) = world.warnings(ASKING)
    assert "there is no CRL of 'CN=Below,O=Test': all its certificates are refused" in warning


def test_two_entries_keep_their_lists_apart(world: World) -> None:
    other = Authority("Other")
    other.write(world.folder / "other.pem")
    world.write("a.crl", crl(CLIENTS, 1))
    world.write("b.crl", crl(other, 2))
    more = ca(title="Other", certificate="other.pem") + 'crl = ["b.crl"]\ncrl_stale = "allow"\n'
    revocation = world.snapshot(ASKING + more).revocation
    assert set(revocation) == {"CA", "Other"}
    assert revocation["CA"].crls.keys().isdisjoint(revocation["Other"].crls)
    assert (revocation["CA"].stale_allowed, revocation["Other"].stale_allowed) == (False, True)


def test_errors_of_lists_are_found_beside_others(world: World) -> None:
    world.write("a.crl", b"junk")
    world.write("server-key.pem", b"junk")
    assert len(world.errors(ASKING)) == 2


def test_bad_lists_of_a_broken_configuration_are_found_as_well(world: World) -> None:
    world.write("a.crl", b"junk")
    path = world.folder / "edge.toml"
    path.write_text(ASKING.replace("[server]", "[server]\nunknown = 1"))
    with pytest.raises(ConfigErrors) as caught:
        load(path, {})
    assert caught.value.sound is not None
    (error,) = find_further_errors(caught.value.sound, NOW)
    assert "there is no CRL in it" in str(error)


def test_an_odd_name_of_a_ca_without_a_list_is_no_python_warning(world: World) -> None:
    odd = Authority("Odd", subject=name(("C", "Germany"), ("CN", "x" * 70)))
    world.write("ca.pem", odd.bundle)
    world.write("a.crl", crl(odd))
    world.build(ASKING)
    below = odd.intermediate("Below")
    world.write("ca.pem", below.bundle)
    world.write("a.crl", crl(below))
    assert any("there is no CRL of" in warning for warning in world.warnings(ASKING))
