"""``strict = true`` on its way from the configuration to whoever judges a chain."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.x509.oid import ExtensionOID

from edge.access.token import KeyRing
from edge.config.load import load
from edge.snapshot.build import Built, build
from edge.snapshot.snapshot import Host
from edge.snapshot.transfer import pack, unpack
from edge.tls.relief import RelievedVerifier
from tests.certificates import Authority
from tests.unit.access.builders import key_ring
from tests.unit.snapshot.world import CLIENTS, NOW, SERVER, World, application, ca, host
from tests.unit.tls.x509_edits import edited, without

RING: KeyRing = key_ring("ES256")
STRICT = "strict = true\n"
OTHERS = Authority("Other clients")
SLOPPY = edited(CLIENTS.issue(), CLIENTS, without(ExtensionOID.AUTHORITY_KEY_IDENTIFIER))
"""OpenSSL takes it, and RFC 5280 4.2.1.1 does not."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    World(tmp_path).prepare()
    OTHERS.write(tmp_path / "other-ca.pem")
    return tmp_path


def built(folder: Path, text: str, previous: Built | None = None) -> Built:
    path = folder / "edge.toml"
    path.write_text(SERVER + text)
    return build(load(path, {}), lambda: RING, NOW, generation=1, previous=previous)


def of(built: Built, name: str = "a.test") -> Host:
    return built.snapshot.exact[name]


def strict(host: Host) -> bool:
    assert host.verifier is not None
    return host.verifier.bundle.strict


def test_nobody_is_strict_who_does_not_ask_for_it(folder: Path) -> None:
    assert not strict(of(built(folder, host() + ca() + application())))
    assert not strict(of(built(folder, host() + ca() + "strict = false\n" + application())))


def test_one_strict_entry_makes_its_hosts_strict_and_no_other(folder: Path) -> None:
    two = ca("a.test", "b.test") + ca("a.test", title="Others", certificate="other-ca.pem") + STRICT
    found = built(folder, host() + host("b.test") + two + application() + application("b.test"))
    assert strict(of(found))
    assert not strict(of(found, "b.test"))


def test_to_become_strict_is_another_host_with_another_context(folder: Path) -> None:
    """Or a ticket of the time before would carry a chain past the rule."""
    before = built(folder, host() + ca() + application())
    same = built(folder, host() + ca() + application(), before)
    assert of(same) is of(before)
    after = built(folder, host() + ca() + STRICT + application(), before)
    assert of(after).context is not of(before).context
    old, new = of(before).verifier, of(after).verifier
    assert old is not None
    assert new is not None
    assert old.bundle.digest != new.bundle.digest
    assert of(built(folder, host() + ca() + STRICT + application(), after)) is of(after)


def test_a_worker_that_lives_learns_it_and_judges_by_it(folder: Path) -> None:
    before = built(folder, host() + ca() + application())
    after = built(folder, host() + ca() + STRICT + application(), before)
    learnt = unpack(pack(after, before), before.snapshot, None).exact["a.test"]
    assert strict(learnt)
    assert isinstance(learnt.verifier, RelievedVerifier)
    expected = of(after).verifier
    assert expected is not None
    assert learnt.verifier.bundle.digest == expected.bundle.digest


def test_the_judgement_of_a_strict_host_is_strict(folder: Path) -> None:
    loose = of(built(folder, host() + ca() + application())).verifier
    tight = of(built(folder, host() + ca() + STRICT + application())).verifier
    assert loose is not None
    assert tight is not None
    assert not loose.verify_again(SLOPPY.certificate, ()).errors
    (error,) = tight.verify_again(SLOPPY.certificate, ()).errors
    assert error.text == "Missing Authority Key Identifier"
    assert not tight.verify_again(CLIENTS.issue().certificate, ()).errors
