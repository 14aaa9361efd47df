"""Every case has a name of its own and a place in the documentation, and no address is tried by mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.selftest.aim import AimError, find_endpoint
from edge.selftest.case import Family
from edge.selftest.catalogue import CASES, UnknownCase, select
from edge.selftest.slow_cases import LONG
from tests.e2e.command_line import run
from tests.unit.selftest.hostile import OK, Server, answers, root

PAGE = (Path(__file__).parents[3] / "docs" / "selftest.md").read_text(encoding="utf-8")


def test_every_case_has_its_heading_and_every_heading_its_case() -> None:
    cases = PAGE[PAGE.index("\n## Class ") :]
    assert re.findall(r"^### (.*)$", cases, re.MULTILINE) == [case.id for case in CASES]
    assert re.findall(r"^## Class (.*)$", cases, re.MULTILINE) == [family.value for family in Family]


def test_every_description_begins_with_what_the_case_sends() -> None:
    for case in CASES:
        section = re.split(
            r"^#+ ", PAGE.partition(f"\n### {case.id}\n\n")[2], maxsplit=1, flags=re.MULTILINE
        )[0]
        assert section.startswith(f"{case.sends} A hole ({case.severity.value}) means: {case.must_not}.\n")


def test_every_option_is_documented() -> None:
    rows = "".join(re.findall(r"^\| (`--.*?) \|", PAGE, re.MULTILINE))
    said = run("selftest", "--help").out
    options = set(re.findall(r"^\s+(?:-h, )?(--[a-z-]+)", said, re.MULTILINE)) - {"--help"}
    assert options == set(re.findall(r"`(--[a-z-]+)`", rows))


def test_names_are_kebab_case_and_unique() -> None:
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    assert set(names) >= LONG
    assert not {family.value for family in Family} & set(names)


def test_cases_are_chosen_by_name_and_by_class() -> None:
    assert select((), ()) == CASES
    assert [case.id for case in select(["host-spellings"], [])] == ["host-spellings"]
    assert {case.family for case in select(["host", "slow"], ["slow"])} == {Family.HOST}
    with pytest.raises(UnknownCase, match="nothing"):
        select([], ["nothing"])


@pytest.mark.parametrize("address", ["192.0.2.1", "0.0.0.0", "::", "2001:db8::1", "10.0.0.1"])
def test_what_is_not_this_machine_needs_to_be_owned(address: str) -> None:
    with pytest.raises(AimError, match="nothing was sent"):
        find_endpoint(address, 443, own=False)
    assert find_endpoint(address, 443, own=True).address == address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_may_be_tried(address: str) -> None:
    assert find_endpoint(address, 1, own=False).address == address


def test_a_name_with_one_address_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", ("127.0.0.1", 1)), (2, 1, 6, "", ("192.0.2.1", 1))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(AimError, match=r"192\.0\.2\.1, which is not this machine"):
        find_endpoint("mixed.test", 1, own=False)


def test_nothing_is_sent_to_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = root().issue("James").write(tmp_path, "client")
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("a packet was sent"))
    output = run("selftest", "https://192.0.2.1/", "--insecure-server", "--cert", files.combined)
    assert output.status == 2
    assert "--i-own-this-host" in output.err


def test_usage_errors_are_status_2(tmp_path: Path) -> None:
    files = root().issue("James").write(tmp_path, "client")
    other = root().issue("Jane").write(tmp_path, "other")
    for arguments, words in (
        ((), "give a URL and --cert"),
        (("http://localhost/", "--cert", files.combined, "--insecure-server"), "https:// URL"),
        (("https://localhost:1/", "--cert", files.combined), "either --ca or --insecure-server"),
        (
            ("https://localhost:1/", "--cert", files.certificate, "--insecure-server"),
            "no unencrypted private key",
        ),
        (
            ("https://localhost:1/", "--cert", files.combined, "--key", other.key, "--insecure-server"),
            "not that of",
        ),
        (("https://localhost:1/", "--cert", tmp_path / "none", "--insecure-server"), "none"),
        (("--only", "nothing"), "no case and no class 'nothing'"),
    ):
        output = run("selftest", *arguments)
        assert output.status == 2, output
        assert words in output.err, output


def test_a_server_that_cannot_be_reached_is_status_2(tmp_path: Path) -> None:
    files = root().issue("James").write(tmp_path, "client")
    with Server(answers(OK)) as server:
        port = server.port
    output = run("selftest", f"https://127.0.0.1:{port}/", "--cert", files.combined, "--insecure-server")
    assert output.status == 2
    assert output.err.startswith(f"error: 127.0.0.1:{port} gave no answer to your certificate: no connection")


def test_the_list_needs_no_server() -> None:
    assert [line.split()[1] for line in run("selftest", "--list").out.splitlines()] == [c.id for c in CASES]
    assert [row["id"] for row in run("selftest", "--list", "--json").json] == [c.id for c in CASES]
