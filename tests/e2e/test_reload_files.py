"""Changed files are taken up without a signal: TOML, certificates, keys, CAs, and links that are swapped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import file_stem
from tests.e2e.origin import Origin
from tests.e2e.test_reload import DENIED, INVALID, OK, Site


@pytest.fixture
def site(tmp_path: Path, server_root: Authority, origin: Origin) -> Iterator[Site]:
    site = Site(tmp_path, server_root, origin.url)
    with site.edge:
        yield site


def test_a_changed_toml_file_is_taken_up(site: Site) -> None:
    site.write(site.text(rule='{ common_name = "somebody else" }'))
    event = site.edge.wait_for_event("reload_done")
    assert site.edge.wait_for_event("reload_started")["cause"] == "files changed"
    assert event["generation"] == 2
    assert site.verdicts(credential=site.client) == {DENIED}


def test_a_renewed_certificate_and_its_key_are_taken_up_together(site: Site) -> None:
    site.certify("two.test")
    event = site.edge.wait_for_event("reload_done")
    assert "host two.test changed" in event["changed"]
    assert site.edge.log_events("reload_failed") == []


def test_another_ca_in_the_same_file_is_taken_up(site: Site) -> None:
    with raw_tls(site.edge, "one.test", site.client) as client:
        site.other_ca.write(site.directory / "ca.pem")
        event = site.edge.wait_for_event("reload_done")
        assert 'certificates of CA "Access Testing CA" changed' in event["changed"]
        assert client.ask(host="one.test").status == INVALID[0]
    assert site.verdicts(credential=site.other_client) == {OK}


def test_a_touched_file_is_looked_at_and_changes_nothing(site: Site) -> None:
    (site.directory / "ca.pem").touch()
    site.edge.wait_for_event("reload_unchanged")


def test_what_was_wrong_is_taken_up_once_it_is_right(site: Site) -> None:
    """The file that was missing is watched, though the configuration in force does not name it."""
    site.write(site.text(ca="later.pem"))
    event = site.edge.wait_for_event("reload_failed")
    assert any("there is no such file" in error for error in event["errors"])
    site.other_ca.write(site.directory / "later.pem")
    site.edge.wait_for_event("reload_done")
    assert site.verdicts(credential=site.other_client) == {OK}
    assert len(site.edge.log_events("reload_failed")) == 1


def test_a_directory_that_is_swapped_behind_a_link_is_taken_up(
    tmp_path: Path, server_root: Authority, origin: Origin
) -> None:
    """As Kubernetes does it: file -> ..data/file, ..data -> a directory with the time in its name."""

    def publish(version: str) -> None:
        volume = tmp_path / "volume" / version
        volume.mkdir(parents=True)
        server_root.issue_server("one.test").write(volume, file_stem("one.test"))
        fresh = tmp_path / "volume" / "..data_tmp"
        fresh.symlink_to(version)
        fresh.replace(tmp_path / "volume" / "..data")

    publish("..2026_01")
    site = Site(tmp_path, server_root, origin.url)
    for name in ("one.test.pem", "one.test-key.pem"):
        (tmp_path / "volume" / name).symlink_to(Path("..data") / name)
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(Path("volume") / name)
    with site.edge:
        publish("..2026_02")
        event = site.edge.wait_for_event("reload_done")
        assert event["changed"] == "host one.test changed (certificate)"


def test_a_file_that_is_added_to_a_directory_of_toml_files_is_taken_up(
    tmp_path: Path, server_root: Authority, origin: Origin
) -> None:
    site = Site(tmp_path, server_root, origin.url)
    text = site.text()
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "10.toml").write_text(text)
    site.edge.config_path = folder
    with site.edge:
        (folder / "20.toml").write_text('[[groups]]\nid = "ops"\ninclude = ["certificate"]\n')
        site.edge.wait_for_event("reload_unchanged")
        (folder / "30.toml").write_text("junk")
        site.edge.wait_for_event("reload_failed")
        (folder / "30.toml").unlink()
        site.edge.wait_for_event("reload_unchanged", count=2)
