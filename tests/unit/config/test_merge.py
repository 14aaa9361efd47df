"""Many files become one, and every value still knows its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.errors import ConfigErrors
from edge.config.load import load
from edge.config.schema import Configuration
from tests.unit.config.samples import APPLICATION, CA, GROUP, HOST, SERVER


def load_files(folder: Path, **files: str) -> Configuration:
    for name, text in files.items():
        (folder / "conf").mkdir(exist_ok=True)
        (folder / "conf" / f"{name}.toml").write_text(text)
    return load(Path("conf"), {"SECRET": "hunter2"})


def lines_of(folder: Path, **files: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load_files(folder, **files)
    return [str(error) for error in caught.value.errors]


def host(name: str) -> str:
    return HOST.replace("iot.example.com", name)


def test_arrays_of_tables_are_joined_in_name_order(folder: Path) -> None:
    config = load_files(folder, c=host("c"), a=host("a1") + host("a2") + GROUP, b=SERVER + host("b"))
    assert [entry.name for entry in config.hosts] == ["a1", "a2", "b", "c"]
    assert [group.id for group in config.groups] == ["ops"]


def test_tables_are_merged_key_by_key(folder: Path) -> None:
    config = load_files(
        folder,
        a=SERVER + "limits.header_count = 7\n" + HOST,
        b='[server]\nworkers = 3\n[access]\nissuer = "https://a"\n',
        c='[server.limits]\nheader_size = 2048\n[access]\nsigning_algorithm = "ES256"\n',
    )
    assert (config.server.workers, config.server.limits.header_count) == (3, 7)
    assert config.server.limits.header_size == 2048
    assert (config.access.issuer, config.access.signing_algorithm) == ("https://a", "ES256")


def test_the_same_key_in_two_files_is_an_error_that_names_both(folder: Path) -> None:
    assert lines_of(
        folder,
        a=SERVER + "workers = 1\n[server.limits]\nheader_count = 1\n" + HOST,
        b="[server]\nworkers = 1\n",
        c="[server.limits]\nheader_count = 2\n[access]\n",
    ) == [
        "conf/b.toml:2: server.workers: this key is also set in conf/a.toml:3; keep one of them",
        "conf/c.toml:2: server.limits.header_count: this key is also set in conf/a.toml:5; keep one of them",
    ]


def test_a_place_counts_inside_its_file(folder: Path) -> None:
    config = load_files(folder, a=SERVER + host("a1") + host("a2"), b="\n" + host("b"))
    assert config.place("hosts", 1, "name") == ("conf/a.toml", "hosts[1].name", 9)
    assert config.place("hosts", 2, "certificate") == ("conf/b.toml", "hosts[0].certificate", 4)
    assert config.hosts[2].certificate.place == config.place("hosts", 2, "certificate")
    assert config.place("server", "workers") == ("conf/a.toml", "server.workers", 1)
    assert config.place("access", "issuer") == ("conf", "access.issuer", None)


def test_errors_name_the_file_of_their_entry(folder: Path) -> None:
    assert lines_of(
        folder, a=SERVER + host("a"), b=host("b") + "surplus = 1\n", c=CA.replace("iot.example.com", "c")
    ) == [
        "conf/b.toml:6: hosts[0].surplus: unknown key; known here: name, certificate, private_key, origin, "
        "origin_tls, client_certificate, unmatched, forward_client_certificate, aliases, default",
        'conf/c.toml:4: mtls_certificates[0].associated_hostnames[0]: "c" is no host\'s name or alias; '
        "add a [[hosts]] with this name, or correct it",
    ]


def test_a_contradiction_between_files_names_both(folder: Path) -> None:
    assert lines_of(folder, a=SERVER + HOST, b=HOST) == [
        'conf/b.toml:2: hosts[0].name: "iot.example.com" is already used by hosts[0].name (conf/a.toml:4); '
        "every name and alias belongs to one host"
    ]


def test_what_is_missing_altogether_is_missing_in_the_directory(folder: Path) -> None:
    assert lines_of(folder, a=host("a"), b=GROUP) == [
        'conf: server.listen: this key is missing; add listen = ["0.0.0.0:8443", "[::]:8443"]'
    ]


def test_paths_begin_at_the_file_that_names_them(folder: Path) -> None:
    config = load_files(folder, a=SERVER + host("a"))
    assert config.hosts[0].certificate.path == folder / "conf" / "certs" / "server.pem"
    assert config.server.state_dir == folder / "conf" / "state"


def test_a_file_that_cannot_be_read_keeps_the_others_from_being_blamed(folder: Path) -> None:
    assert lines_of(
        folder, a="[server\n", b="", c=APPLICATION + "x = '${NO}'\n", d=SERVER + 'workers = "x"'
    ) == [
        "conf/a.toml:1: not valid TOML at column 8: Expected ']' at the end of a table declaration",
        "conf/b.toml: the file is empty; see docs/configuration.md",
        "conf/c.toml:8: applications[0].policies[0].x: the environment variable NO is not set; "
        "set it, or remove ${NO}",
    ]


def test_a_table_and_something_else_of_one_name_do_not_merge(folder: Path) -> None:
    lines = lines_of(folder, a="server = '${SECRET}'\nhosts = 1\n", b=SERVER + HOST)
    assert lines[0].startswith('conf/a.toml:1: server: "${SECRET}" is not a table')
    assert lines[1:] == [
        "conf/a.toml:2: hosts: 1 is not a list of tables; begin it with [[hosts]]",
        "conf/b.toml:1: server: this key is also set in conf/a.toml:1; keep one of them",
    ]


def test_an_unknown_key_in_two_files_is_reported_once_for_each(folder: Path) -> None:
    known = "known here: server, access, hosts, mtls_certificates, applications, groups, tests"
    assert lines_of(folder, a="surplus = 1\n" + SERVER + HOST, b="surplus = 2\n") == [
        f"conf/a.toml:1: surplus: unknown key; {known}",
        "conf/b.toml:1: surplus: this key is also set in conf/a.toml:1; keep one of them",
    ]
