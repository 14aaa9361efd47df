"""A change is told once, when it has settled; what is being read counts as read from before the reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.load import load
from edge.config.schema import Configuration
from edge.runtime.config_watch import ConfigWatch
from tests.unit.snapshot.world import GOOD, World

STEP_SECONDS = 0.3


class Scene:
    """A watch with a clock that is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "edge.toml"
        self.path.write_text(GOOD)
        self.now = 0.0
        self.watch = ConfigWatch(self.path, lambda: self.now)
        self.take()

    def config(self) -> Configuration:
        return load(self.path, {})

    def take(self) -> None:
        self.watch.begin()
        self.watch.expect(self.config())

    def polls(self, count: int = 5) -> list[bool]:
        told = []
        for _ in range(count):
            self.now += STEP_SECONDS
            told.append(self.watch.poll())
        return told


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    World(tmp_path).prepare()
    return Scene(tmp_path)


def test_as_long_as_nothing_changes_nothing_is_told(scene: Scene) -> None:
    assert not any(scene.polls(20))


@pytest.mark.parametrize("name", ["edge.toml", "server.pem", "server-key.pem", "ca.pem"])
def test_a_change_of_any_file_is_told_when_it_has_settled(scene: Scene, name: str) -> None:
    path = scene.folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert scene.polls(3) == [False, False, True]
    scene.take()
    assert not any(scene.polls())


def test_a_file_that_goes_on_changing_is_waited_for(scene: Scene) -> None:
    path = scene.folder / "server.pem"
    for _ in range(10):
        path.write_bytes(path.read_bytes() + b"\n")
        assert scene.polls(1) == [False]
    assert scene.polls(2)[-1]


def test_a_file_that_vanishes_and_one_that_is_replaced_are_changes(scene: Scene) -> None:
    path = scene.folder / "ca.pem"
    octets = path.read_bytes()
    path.unlink()
    assert any(scene.polls())
    scene.take()
    path.write_bytes(octets)
    assert any(scene.polls())


def test_a_change_while_it_is_read_is_told_afterwards(scene: Scene) -> None:
    scene.watch.begin()
    config = scene.config()
    scene.path.write_text(GOOD + "# later\n")
    scene.watch.expect(config)
    (scene.folder / "server.pem").write_bytes(b"changed after it was named")
    assert any(scene.polls())


def test_files_of_a_configuration_that_was_not_taken_up_are_watched(scene: Scene) -> None:
    scene.path.write_text(GOOD.replace("ca.pem", "later.pem"))
    scene.watch.begin()
    scene.watch.expect(scene.config())
    assert not any(scene.polls())
    (scene.folder / "later.pem").write_bytes(b"x")
    assert any(scene.polls())


def test_links_are_followed(scene: Scene) -> None:
    for version in ("one", "two"):
        (scene.folder / version).mkdir()
        (scene.folder / version / "server.pem").write_bytes((scene.folder / "server.pem").read_bytes())
    (scene.folder / "data").symlink_to("one")
    (scene.folder / "server.pem").unlink()
    (scene.folder / "server.pem").symlink_to("data/server.pem")
    scene.take()
    assert not any(scene.polls())
    (scene.folder / "fresh").symlink_to("two")
    (scene.folder / "fresh").replace(scene.folder / "data")
    assert any(scene.polls())


def test_toml_files_that_come_and_go_in_a_directory_are_changes(tmp_path: Path) -> None:
    World(tmp_path).prepare()
    (tmp_path / "a.toml").write_text(GOOD)
    now = 0.0
    watch = ConfigWatch(tmp_path, lambda: now)

    def told() -> bool:
        nonlocal now
        found = []
        for _ in range(5):
            now += STEP_SECONDS
            found.append(watch.poll())
        return any(found)

    assert not told()
    (tmp_path / "b.toml").write_text("")
    assert told()
    watch.begin()
    (tmp_path / ".c.toml").write_text("")
    (tmp_path / "d.txt").write_text("")
    assert not told()
    (tmp_path / "b.toml").unlink()
    assert told()
