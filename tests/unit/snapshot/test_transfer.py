"""A worker that lives learns to judge by a newer generation, and nothing that its contexts do not prove."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from edge.access.token import KeyRing
from edge.config.load import load
from edge.snapshot.build import Built, build
from edge.snapshot.snapshot import Host, Snapshot
from edge.snapshot.transfer import TransferError, pack, unpack
from edge.tls.context import ClientCertificateMode
from edge.tls.relief import RelievedVerifier
from edge.trust.revocation import EntryRevocation
from tests.certificates import Authority
from tests.unit.access.builders import key_ring
from tests.unit.snapshot.world import CLIENTS, NOW, SERVER, SERVERS, World, application, ca, host

OTHERS = Authority("Other clients")
RING = key_ring("ES256")
HTTPS = 'origin = "https://127.0.0.1:9443"'


class Scene:
    """Generations of one configuration, each built upon the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        World(folder).prepare()
        OTHERS.write(folder / "other-ca.pem")
        SERVERS.write(folder / "origin-ca.pem")

    def build(
        self, text: str, previous: Built | None = None, ring: KeyRing = RING, *, server: str = ""
    ) -> Built:
        path = self.folder / "edge.toml"
        path.write_text(SERVER + server + "\n" + text)
        generation = 1 if previous is None else previous.snapshot.generation + 1
        return build(load(path, {}), lambda: ring, NOW, generation=generation, previous=previous)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def carried(before: Built, after: Built, worker: Snapshot | None = None) -> Snapshot:
    """What a worker makes of it that has ``before``."""
    return unpack(pack(after, before), worker or before.snapshot, None)


GOOD = host() + ca() + application()


def test_what_is_as_before_is_the_same_object(scene: Scene) -> None:
    before = scene.build(GOOD + host("b.test"))
    after = scene.build(GOOD + host("b.test", 'unmatched = "pass"'), before)
    found = carried(before, after)
    assert found.generation == 2
    assert found.exact["a.test"] is before.snapshot.exact["a.test"]
    assert found.applications is before.snapshot.applications
    assert found.key_ring is before.snapshot.key_ring
    assert found.exact["b.test"].unmatched_pass
    assert found.exact["b.test"].context is before.snapshot.exact["b.test"].context


def test_nothing_secret_of_a_server_travels(scene: Scene) -> None:
    before = scene.build(GOOD)
    SERVERS.issue_server("a.test").write(scene.folder, "server")
    after = scene.build(GOOD, before)
    assert after.snapshot.exact["a.test"].context is not before.snapshot.exact["a.test"].context
    octets = pack(after, before)
    assert b"PRIVATE KEY" not in octets
    assert carried(before, after).exact["a.test"].context is before.snapshot.exact["a.test"].context


def test_policies_limits_names_and_keys_travel(scene: Scene) -> None:
    before = scene.build(GOOD)
    other = key_ring("ES256")
    text = (
        host("a.test", 'aliases = ["c.test"]', "default = true", 'forward_client_certificate = ["xfcc"]')
        + ca()
        + application("a.test", '{ common_name = "x" }')
        + "[server.limits]\ntarget_size = 100\n"
        + '[access]\nissuer = "https://other.test"\nsigning_algorithm = "ES256"\n'
    )
    after = scene.build(text, before, other, server='trusted_proxies = ["192.0.2.0/24"]')
    found = carried(before, after)
    assert found.exact["c.test"] is found.exact["a.test"] is found.default
    assert found.exact["a.test"].forward_client_certificate == ("xfcc",)
    assert (found.issuer, found.head_limits.target_size) == ("https://other.test", 100)
    assert found.trusted_proxies == after.snapshot.trusted_proxies != ()
    assert found.limits == after.snapshot.limits
    application_found = found.policies_for("a.test").find(b"/")
    assert application_found == after.snapshot.policies_for("a.test").find(b"/")
    assert found.key_ring.jwks == other.jwks
    assert found.key_ring.current.key.is_private


def test_a_host_that_is_gone_is_gone_and_a_new_one_has_no_context_to_shake_hands_with(scene: Scene) -> None:
    before = scene.build(GOOD + host("b.test"))
    after = scene.build(GOOD + host("c.test"), before)
    found = carried(before, after)
    assert found.site("b.test") is None
    contexts = {each.context for each in before.snapshot.hosts.values()}
    assert found.exact["c.test"].context not in contexts | {after.snapshot.exact["c.test"].context}


def test_a_new_host_under_a_wildcard_shakes_hands_as_that(scene: Scene) -> None:
    before = scene.build(host("*.test", 'unmatched = "deny"') + ca("*.test"))
    after = scene.build(
        host("*.test", 'unmatched = "deny"') + ca("*.test") + GOOD.replace('"CA"', '"CA 2"'), before
    )
    found = carried(before, after).exact["a.test"]
    assert found.context is before.snapshot.wildcard["test"].context
    assert isinstance(found.verifier, RelievedVerifier)
    assert found.verifier.of_context is before.snapshot.wildcard["test"].verifier


# --- CAs ---------------------------------------------------------------------------------------


def verifier_of(found: Host) -> RelievedVerifier:
    assert isinstance(found.verifier, RelievedVerifier)
    return found.verifier


def test_other_cas_judge_but_are_not_what_the_context_has_verified_against(scene: Scene) -> None:
    before = scene.build(GOOD)
    after = scene.build(host() + ca(certificate="other-ca.pem") + application(), before)
    found = carried(before, after)
    verifier = verifier_of(found.exact["a.test"])
    own = before.snapshot.exact["a.test"].verifier
    new = after.snapshot.exact["a.test"].verifier
    assert new is not None
    assert verifier.bundle == new.bundle
    assert verifier.of_context is own
    leaf = OTHERS.issue("client").certificate
    assert verifier.verify_again(leaf, []).errors == ()
    assert verifier.verify_again(CLIENTS.issue("client").certificate, []).errors != ()


def test_after_two_changes_the_context_still_has_its_own_verifier(scene: Scene) -> None:
    first = scene.build(GOOD)
    second = scene.build(host() + ca(certificate="other-ca.pem") + application(), first)
    worker = carried(first, second)
    both = host() + ca() + ca(certificate="other-ca.pem", title="Other") + application()
    third = scene.build(both, second)
    worker = carried(second, third, worker)
    own = first.snapshot.exact["a.test"].verifier
    assert verifier_of(worker.exact["a.test"]).of_context is own
    fourth = scene.build(GOOD, third)
    worker = carried(third, fourth, worker)
    assert worker.exact["a.test"].verifier is own, "and is itself again when its CAs are back"


def test_a_context_that_asks_for_no_certificate_proves_nothing(scene: Scene) -> None:
    before = scene.build(host("a.test", 'unmatched = "deny"'))
    after = scene.build(GOOD, before)
    found = carried(before, after).exact["a.test"]
    assert found.mode is ClientCertificateMode.REQUEST
    assert verifier_of(found).of_context is None


# --- origins, CRLs -----------------------------------------------------------------------------


def test_an_origin_with_tls_is_taken_over_or_made_anew(scene: Scene) -> None:
    before = scene.build(host("a.test", HTTPS) + ca() + application())
    with_pass = scene.build(host("a.test", HTTPS, 'unmatched = "pass"') + ca() + application(), before)
    kept = carried(before, with_pass).exact["a.test"].origins[0]
    assert kept == before.snapshot.exact["a.test"].origins[0]
    text = host("a.test", HTTPS) + '[hosts.origin_tls]\nca = "origin-ca.pem"\nserver_name = "x.test"\n'
    other = scene.build(text + ca() + application(), with_pass)
    found = carried(with_pass, other).exact["a.test"].origins[0]
    assert found.tls is not None
    assert kept.tls is not None
    assert found.tls.context is not kept.tls.context
    assert (found.tls.server_name, found.tls.verify) == ("x.test", True)


def test_the_crls_are_those_it_has_or_those_it_is_given(scene: Scene) -> None:
    before = scene.build(GOOD)
    after = scene.build(GOOD.replace('"certificate"', '"everyone"'), before)
    in_force = {"CA": EntryRevocation({}, stale_allowed=False)}
    worker = before.snapshot.with_revocation(in_force)
    assert unpack(pack(after, before), worker, None).revocation is in_force
    given = {"CA": EntryRevocation({}, stale_allowed=True)}
    assert unpack(pack(after, before), worker, given).revocation is given


def test_a_worker_that_lacks_a_host_says_so(scene: Scene) -> None:
    before = scene.build(GOOD + host("b.test"))
    after = scene.build(GOOD + host("b.test"), before)
    stranger = replace(before.snapshot, exact={"a.test": before.snapshot.exact["a.test"]})
    with pytest.raises(TransferError, match=r"b\.test"):
        unpack(pack(after, before), stranger, None)


def test_what_travels_is_small_where_little_has_changed(scene: Scene) -> None:
    hosts = [host(f"h{number}.test", 'unmatched = "pass"') for number in range(50)]
    before = scene.build(GOOD + "".join(hosts))
    hosts[7] = host("h7.test", 'unmatched = "deny"')
    octets = pack(scene.build(GOOD + "".join(hosts), before), before)
    assert len(pickle.loads(octets).hosts) == 1
