"""The whole way: a path in, a configuration or every error out."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest

from edge.config.errors import ConfigErrors
from edge.config.load import load
from tests.unit.config.conftest import Lines
from tests.unit.config.samples import FULL, MINIMAL


def line_of(path: Path) -> str:
    with pytest.raises(ConfigErrors) as caught:
        load(path, {})
    (error,) = caught.value.errors
    return str(error)


def test_all_errors_come_at_once_in_the_order_of_the_lines(errors_of: Lines) -> None:
    text = (
        FULL.replace('certificate = "certs/server.pem"', 'certifcate = "${NO}"')
        .replace('["0.0.0.0:8443"]', '["0.0.0.0"]')
        .replace('["iot.example.com"]', '["iot.example.con"]\ncrl = []')
        .replace("non_identity", "service_auth")
        .replace('id = "ops"', "id = 3")
    )
    assert errors_of(text) == [
        'edge.toml:2: server.listen[0]: "0.0.0.0" has no port; '
        'write it as "0.0.0.0:8443", "[::]:8443", "localhost:8443" or ":8443"',
        'edge.toml:3: hosts[0].certificate: this key is missing; add certificate = "certs/server.pem"',
        "edge.toml:5: hosts[0].certifcate: the environment variable NO is not set; set it, or remove ${NO}",
        'edge.toml:5: hosts[0].certifcate: unknown key; did you mean "certificate"?',
        'edge.toml:11: mtls_certificates[0].associated_hostnames[0]: "iot.example.con" is no host\'s name '
        'or alias; did you mean "iot.example.com"?',
        "edge.toml:12: mtls_certificates[0].crl: the list is empty; "
        'write at least one, as in crl = ["certs/ca.crl"]',
        'edge.toml:18: applications[0].policies[0].decision: "service_auth" is not a word for this; '
        'write one of "non_identity", "allow", "deny", "bypass"',
        "edge.toml:21: groups[0].id: 3 is not text; write it in quotes",
    ]


def test_nothing_is_blamed_for_what_a_broken_entry_may_hold(errors_of: Lines) -> None:
    text = FULL.replace('name = "iot.example.com"', "name = 3")
    assert errors_of(text) == ["edge.toml:4: hosts[0].name: 3 is not text; write it in quotes"]
    text = FULL.replace('"iot.example.com"]', '"a.example"]') + MINIMAL.partition("[[")[2].join(["[[", ""])
    text = text.replace("[[hosts]]", '[[hosts]]\naliases = ["a.example", 3]', 1).replace("iot", "x", 1)
    assert errors_of(text) == ["edge.toml:4: hosts[0].aliases[1]: 3 is not text; write it in quotes"]


def test_a_broken_ca_does_not_make_its_host_wrong(errors_of: Lines) -> None:
    text = FULL.replace("[[mtls", 'client_certificate = "require"\n[[mtls').replace(
        '["iot.example.com"]', "[3]"
    )
    assert errors_of(text) == [
        "edge.toml:12: mtls_certificates[0].associated_hostnames[0]: 3 is not text; write it in quotes"
    ]


def test_an_unset_variable_is_reported_once(errors_of: Lines) -> None:
    assert errors_of(MINIMAL.replace("0.0.0.0:8443", "${NO}")) == [
        "edge.toml:2: server.listen[0]: the environment variable NO is not set; set it, or remove ${NO}"
    ]


def test_the_environment_fills_any_string(folder: Path) -> None:
    (folder / "edge.toml").write_text(
        MINIMAL.replace("0.0.0.0:8443", "${ADDRESS}:${PORT}").replace("certs/", "${CERTS}/$${x}/")
    )
    config = load(Path("edge.toml"), {"ADDRESS": "10.0.0.1", "PORT": "443", "CERTS": "/run/certs"})
    assert config.server.listen == (("10.0.0.1", 443),)
    assert config.hosts[0].certificate.path == Path("/run/certs/${x}/server.pem")


def test_the_process_environment_can_be_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_TEST_PORT", "444")
    (folder / "edge.toml").write_text(MINIMAL.replace("8443", "${EDGE_TEST_PORT}"))
    assert load(Path("edge.toml"), os.environ).server.listen[0].port == 444


def test_inline_pem_may_come_from_the_environment(folder: Path) -> None:
    (folder / "edge.toml").write_text(MINIMAL.replace("certs/server-key.pem", "${KEY}"))
    key = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"
    assert load(Path("edge.toml"), {"KEY": key}).hosts[0].private_key.read() == key.encode()


def test_a_configuration_is_read_from_elsewhere(folder: Path) -> None:
    (folder / "etc").mkdir()
    (folder / "etc" / "edge.toml").write_text(MINIMAL)
    config = load(Path("etc/edge.toml"), {})
    assert config.hosts[0].certificate.path == folder / "etc" / "certs" / "server.pem"
    assert config.server.state_dir == folder / "etc" / "state"


def test_the_state_may_be_elsewhere(folder: Path) -> None:
    (folder / "edge.toml").write_text(MINIMAL.replace("[[hosts]]", 'state_dir = "/var/lib/x"\n[[hosts]]'))
    assert load(Path("edge.toml"), {}).server.state_dir == Path("/var/lib/x")


def test_a_missing_file_is_refused(folder: Path) -> None:
    assert line_of(Path("edge.toml")) == "edge.toml: there is no such file; check the path"


def test_an_empty_directory_is_refused(folder: Path) -> None:
    (folder / "conf").mkdir()
    assert line_of(Path("conf")) == "conf: there is no *.toml in this directory; name a file"


def test_a_directory_with_the_name_of_a_file_is_refused(folder: Path) -> None:
    (folder / "conf" / "a.toml").mkdir(parents=True)
    assert line_of(Path("conf")) == "conf/a.toml: this is a directory; name a file"


def test_a_broken_link_is_refused(folder: Path) -> None:
    (folder / "edge.toml").symlink_to("nowhere")
    assert line_of(Path("edge.toml")) == "edge.toml: there is no such file; check the path"


def test_tables_nested_beyond_reason_are_refused(errors_of: Lines) -> None:
    assert errors_of("a." * 3000 + "a = 1\n" + MINIMAL)[0] == (
        "edge.toml:1: a.a: tables are nested too deeply; use at most 16 levels"
    )


def test_a_configuration_can_be_copied_and_sent_to_another_process(folder: Path) -> None:
    (folder / "edge.toml").write_text(FULL)
    config = load(Path("edge.toml"), {})
    for other in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert other == config
        assert other.place("hosts", 0, "name") == config.place("hosts", 0, "name")
