"""What a reload changes is said in a line that its operator understands."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.load import load
from edge.config.schema import Configuration
from edge.runtime.changes import changes
from edge.snapshot.build import Built, build
from tests.certificates import Authority
from tests.unit.access.builders import key_ring
from tests.unit.snapshot.world import NOW, SERVER, SERVERS, World, application, ca, host

RING = key_ring("ES256")
OTHERS = Authority("Others")
PASSES = 'unmatched = "pass"'
BASE = host() + host("b.test", PASSES) + ca() + application()


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        World(folder).prepare()
        OTHERS.write(folder / "other.pem")
        self.before = self.make(BASE)

    def make(self, text: str, previous: Built | None = None) -> tuple[Configuration, Built]:
        path = self.folder / "edge.toml"
        path.write_text(SERVER + text)
        config = load(path, {})
        return config, build(config, lambda: RING, NOW, previous=previous)

    def said(self, text: str) -> str:
        return changes(*self.make(text, self.before[1]), *self.before)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE, "nothing that is served"),
        (BASE + host("c.test", PASSES), "host c.test added"),
        (BASE + "".join(host(f"{n}.test", PASSES) for n in "cdef"), "4 hosts added"),
        (host() + ca() + application(), "host b.test removed"),
        (BASE.replace(PASSES, 'unmatched = "deny"'), "host b.test changed (unmatched)"),
        (BASE.replace("9000", "9001"), "host a.test changed (origin), host b.test changed (origin)"),
        (
            BASE + ca(title="Access Testing CA", certificate="other.pem"),
            'host a.test changed (client CAs), CA "Access Testing CA" added to a.test',
        ),
        (
            BASE.replace("ca.pem", "other.pem"),
            'host a.test changed (client CAs), certificates of CA "CA" changed',
        ),
        (BASE.replace('"certificate"', '"everyone"'), 'application "a.test" changed'),
        (BASE + application("b.test/x", '"everyone"'), 'application "b.test/x" added'),
        ('trusted_proxies = ["192.0.2.1"]\n' + BASE, "trusted_proxies changed"),
        (BASE + "[server.limits]\nheader_count = 7\n", "limits changed: header_count"),
        (BASE.replace(PASSES, PASSES + "\ndefault = true"), "default host is now b.test"),
        (
            BASE + '[access]\nissuer = "https://x.test"\n',
            'application "a.test" changed, issuer is now https://x.test',
        ),
    ],
)
def test_a_change_is_named(scene: Scene, text: str, said: str) -> None:
    assert scene.said(text) == said


def test_a_ca_that_leaves_a_host_is_named(scene: Scene) -> None:
    text = BASE + ca("a.test", "b.test", title="Second", certificate="other.pem")
    scene.before = scene.make(text)
    said = scene.said(BASE)
    assert said.endswith('CA "Second" removed from a.test, b.test')


def test_a_renewed_certificate_is_named_and_so_is_a_key(scene: Scene) -> None:
    SERVERS.issue_server("a.test").write(scene.folder, "server")
    assert "host a.test changed (certificate)" in scene.said(BASE)


def test_many_hosts_are_counted(scene: Scene) -> None:
    many = [host(f"h{n}.test", PASSES) for n in range(5)]
    scene.before = scene.make(BASE + "".join(many))
    assert scene.said(BASE + "".join(many).replace("pass", "deny")) == "5 hosts changed"
