"""What is in force is the newest good list of each CA, whatever happens to the files afterwards."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from edge.config.errors import Place
from edge.config.pem import STAND_IN_PEM, Pem
from edge.snapshot.revocation import (
    CrlProblem,
    CrlSource,
    crl_warnings,
    files_of,
    read_revocation,
    stamps_of,
)
from edge.trust.certificate import ca_identity
from edge.trust.revocation import NO_REVOCATION, Revocation
from tests.certificates import Authority, certificates_pem
from tests.crls import crl_of, moment, pem

CA = Authority("Devices")
BELOW = CA.intermediate("Devices 1")
OTHER = Authority("Others")


class Folder:
    """A directory of lists, and the entry that names some of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, *ders: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pem(*ders))
        return path

    def source(
        self,
        *named: str,
        cas: Sequence[Authority] = (CA, BELOW),
        stale_allowed: bool = False,
        entry: str = "CA",
    ) -> CrlSource:
        pems = tuple(Pem(Place("", ""), path=self.folder / name, shown=f'"{name}"') for name in named)
        return CrlSource(entry, tuple(ca.certificate for ca in cas), pems, stale_allowed)

    def read(
        self,
        *named: str,
        previous: Revocation = NO_REVOCATION,
        changed: Sequence[str] | None = None,
        later: timedelta = timedelta(),
    ) -> tuple[Revocation, list[CrlProblem]]:
        files = None if changed is None else {self.folder / name for name in changed}
        return read_revocation([self.source(*named or ("a.crl",))], moment() + later, previous, files)

    def good(self, *named: str, previous: Revocation = NO_REVOCATION) -> Revocation:
        revocation, problems = self.read(*named, previous=previous)
        assert problems == []
        return revocation

    def problem(self, *named: str, previous: Revocation = NO_REVOCATION) -> CrlProblem:
        revocation, (problem,) = self.read(*named, previous=previous)
        assert revocation.keys() == {"CA"}
        assert problem.hint
        return problem


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def revoked(revocation: Revocation, ca: Authority = CA) -> set[int]:
    """Which of the first few serials are revoked."""
    serials = revocation["CA"].crls[ca_identity(ca.certificate)].serials
    return {serial for serial in range(20) if serials.find(serial) is not None}


# --- at the start ------------------------------------------------------------------------------


def test_a_missing_file_is_a_problem_that_may_heal(folder: Folder) -> None:
    problem = folder.problem("no.crl")
    assert (problem.file, problem.message, problem.hint) == (
        "no.crl",
        "there is no such file",
        "check the path",
    )
    assert problem.heals


@pytest.mark.parametrize("octets", [b"", b" \n\t\n"])
def test_an_empty_file_is_a_problem(folder: Folder, octets: bytes) -> None:
    (folder.folder / "a.crl").write_bytes(octets)
    problem = folder.problem()
    assert (problem.message, problem.hint) == ("the file is empty", "write the CRL into it")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"junk", "there is no CRL in it that can be read"),
        (crl_of(CA)[:-3], "there is no CRL in it that can be read"),
        (pem(crl_of(CA))[:-20], "it is cut off"),
        (certificates_pem(CA.certificate), "which is no CRL"),
        (crl_of(OTHER), "is no CA of this entry"),
        (crl_of(CA.impostor()), "signed with another key"),
    ],
)
def test_a_list_that_is_not_believed_is_a_problem_and_is_not_in_force(
    folder: Folder, octets: bytes, why: str
) -> None:
    (folder.folder / "a.crl").write_bytes(octets)
    revocation, (problem,) = folder.read()
    assert why in problem.message
    assert problem.heals
    assert revocation["CA"].crls == {}


def test_an_entry_without_a_good_list_is_still_asked_for_one(folder: Folder) -> None:
    revocation, _ = folder.read("no.crl")
    assert "CA" in revocation
    assert revocation["CA"].crls == {}


def test_one_bad_list_of_a_file_leaves_the_others_good(folder: Folder) -> None:
    folder.write("a.crl", crl_of(CA, [1]), crl_of(OTHER, [2]), crl_of(BELOW, [3]))
    revocation, (problem,) = folder.read()
    assert "is no CA of this entry" in problem.message
    assert revoked(revocation) == {1}
    assert revoked(revocation, BELOW) == {3}


def test_every_problem_is_found_at_once(folder: Folder) -> None:
    folder.write("a.crl", crl_of(OTHER), crl_of(CA.impostor()))
    (folder.folder / "b.crl").write_bytes(b"junk")
    (folder.folder / "empty").mkdir()
    _, problems = folder.read("a.crl", "b.crl", "no.crl", "empty")
    assert [problem.file for problem in problems] == ["a.crl", "a.crl", "b.crl", "no.crl", "empty"]


def test_a_list_of_a_ca_in_another_entry_is_a_problem(folder: Folder) -> None:
    folder.write("a.crl", crl_of(CA, [1]))
    sources = [
        folder.source("a.crl"),
        folder.source("a.crl", cas=[OTHER], entry="Other"),
    ]
    revocation, (problem,) = read_revocation(sources, moment())
    assert "is no CA of this entry" in problem.message
    assert problem.pem is sources[1].named[0]
    assert revoked(revocation) == {1}
    assert revocation["Other"].crls == {}


def test_what_is_not_a_regular_file_is_not_waited_for(folder: Folder) -> None:
    os.mkfifo(folder.folder / "a.crl")
    assert folder.problem().message == "this is not a regular file"


def test_a_stand_in_is_passed_over(folder: Folder) -> None:
    stand_in = Pem(Place("", ""), text=STAND_IN_PEM)
    source = CrlSource("CA", (CA.certificate,), (stand_in,), stale_allowed=False)
    _, problems = read_revocation([source], moment())
    assert problems == []


# --- what is read ------------------------------------------------------------------------------


def test_a_file_may_hold_the_lists_of_several_cas(folder: Folder) -> None:
    folder.write("a.crl", crl_of(CA, [1]), crl_of(BELOW, [2]))
    revocation = folder.good()
    assert (revoked(revocation), revoked(revocation, BELOW)) == ({1}, {2})


def test_a_file_may_be_der(folder: Folder) -> None:
    (folder.folder / "a.crl").write_bytes(crl_of(CA, [1]))
    assert revoked(folder.good()) == {1}


def test_a_list_may_be_text_in_the_configuration() -> None:
    named = Pem(Place("", ""), text=pem(crl_of(CA, [1])).decode())
    source = CrlSource("CA", (CA.certificate,), (named,), stale_allowed=False)
    revocation, problems = read_revocation([source], moment())
    assert problems == []
    assert revoked(revocation) == {1}
    assert files_of(named) == []
    assert stamps_of([source]) == {}
    again, problems = read_revocation([source], moment(), revocation, set())
    assert problems == []
    assert revoked(again) == {1}


def test_bad_text_in_the_configuration_is_a_problem_without_the_text() -> None:
    text = pem(crl_of(OTHER, [1])).decode()
    named = Pem(Place("", ""), text=text)
    _, (problem,) = read_revocation([CrlSource("CA", (CA.certificate,), (named,), False)], moment())
    assert problem.file == "the PEM text"
    assert text[40:60] not in problem.message


def test_in_a_directory_every_file_counts_but_those_that_begin_with_a_dot(folder: Folder) -> None:
    folder.write("crls/a", crl_of(CA, [1]))
    folder.write("crls/b.pem", crl_of(BELOW, [2]))
    (folder.folder / "crls/.b.pem.new").write_bytes(b"junk")
    (folder.folder / "crls/sub").mkdir()
    revocation = folder.good("crls")
    assert (revoked(revocation), revoked(revocation, BELOW)) == ({1}, {2})


def test_a_bad_file_in_a_directory_is_named(folder: Folder) -> None:
    folder.write("crls/a", crl_of(CA, [1]))
    (folder.folder / "crls/b").write_bytes(b"junk")
    problem = folder.problem("crls")
    assert problem.file == "crls/b"


def test_an_empty_directory_is_a_problem(folder: Folder) -> None:
    (folder.folder / "crls").mkdir()
    problem = folder.problem("crls")
    assert (problem.file, problem.message) == ("crls", "there is no CRL in this directory")


def test_a_link_without_an_end_is_a_problem(folder: Folder) -> None:
    folder.write("crls/a", crl_of(CA, [1]))
    (folder.folder / "crls/b").symlink_to(folder.folder / "gone")
    assert folder.problem("crls").message == "there is no such file"


def test_of_several_lists_of_one_ca_the_newest_counts_alone_in_any_order(folder: Folder) -> None:
    lists = [crl_of(CA, [number], number=number) for number in (1, 2, 3)]
    for order in (lists, lists[::-1], [lists[2], lists[0], lists[1]]):
        folder.write("a.crl", *order)
        assert revoked(folder.good()) == {3}
    for number, der in enumerate(lists):
        folder.write(f"crls/{9 - number}", der)
    assert revoked(folder.good("crls")) == {3}
    assert revoked(folder.good("crls", "a.crl")) == {3}


def test_an_older_list_is_not_asked_even_if_the_newest_is_stale(folder: Folder) -> None:
    stale = crl_of(CA, [2], number=2, this_update=timedelta(days=-3), next_update=timedelta(days=-2))
    folder.write("a.crl", crl_of(CA, [1], number=1, this_update=timedelta(days=-9)), stale)
    revocation = folder.good()
    assert revoked(revocation) == {2}


# --- later -------------------------------------------------------------------------------------


def test_a_newer_list_takes_the_place_of_the_one_in_force(folder: Folder) -> None:
    folder.write("a.crl", crl_of(CA, [1], number=1))
    before = folder.good()
    folder.write("a.crl", crl_of(CA, [2], number=2))
    assert revoked(folder.good(previous=before)) == {2}
    assert revoked(before) == {1}


def test_a_list_that_says_more_under_the_same_number_is_taken_up(folder: Folder) -> None:
    # The lists of cfssl have no number at all.
    for number in (None, 5):
        folder.write("a.crl", crl_of(CA, [1], number=number))
        before = folder.good()
        folder.write("a.crl", crl_of(CA, [1, 2], number=number))
        assert revoked(folder.good(previous=before)) == {1, 2}


@pytest.mark.parametrize(
    "older",
    [
        crl_of(CA, [1], number=1),
        crl_of(CA, [1], number=None, this_update=timedelta(hours=-2)),
        crl_of(CA, [1], number=2, this_update=timedelta(hours=-2)),
    ],
)
def test_a_list_never_gives_way_to_an_older_one(folder: Folder, older: bytes) -> None:
    folder.write("a.crl", crl_of(CA, [1, 2], number=2))
    before = folder.good()
    folder.write("a.crl", older)
    revocation, (problem,) = folder.read(previous=before)
    assert revoked(revocation) == {1, 2}
    assert problem.message.startswith("the CRL ")
    assert problem.message.endswith(
        "is older than the CRL number 2 of 'CN=Devices,O=Test', which is in force"
    )
    assert problem.hint == "put a newer one there; to go back on purpose, restart the edge"
    assert not problem.heals


@pytest.mark.parametrize("octets", [b"", b"junk", crl_of(CA.impostor(), number=9), crl_of(OTHER, number=9)])
def test_what_cannot_be_taken_up_leaves_in_force_what_was(folder: Folder, octets: bytes) -> None:
    path = folder.write("a.crl", crl_of(CA, [1]))
    before = folder.good()
    path.write_bytes(octets)
    revocation, problems = folder.read(previous=before)
    assert revoked(revocation) == {1}
    assert [problem.heals for problem in problems] == [True]


def test_a_file_that_is_gone_leaves_in_force_what_was(folder: Folder) -> None:
    path = folder.write("a.crl", crl_of(CA, [1]))
    before = folder.good()
    path.unlink()
    revocation, (problem,) = folder.read(previous=before)
    assert revoked(revocation) == {1}
    assert problem.message == "there is no such file"


def test_a_directory_that_is_gone_leaves_in_force_what_was(folder: Folder) -> None:
    path = folder.write("crls/a", crl_of(CA, [1]))
    before = folder.good("crls")
    path.unlink()
    path.parent.rmdir()
    revocation, (problem,) = folder.read("crls", previous=before)
    assert revoked(revocation) == {1}
    assert problem.message == "there is no such file"


def test_only_changed_files_are_read(folder: Folder) -> None:
    folder.write("a.crl", crl_of(CA, [1], number=1))
    folder.write("b.crl", crl_of(BELOW, [2], number=1))
    before = folder.good("a.crl", "b.crl")
    (folder.folder / "a.crl").write_bytes(b"junk")
    folder.write("b.crl", crl_of(BELOW, [3], number=2))
    revocation, problems = folder.read("a.crl", "b.crl", previous=before, changed=["b.crl"])
    assert problems == []
    assert (revoked(revocation), revoked(revocation, BELOW)) == ({1}, {3})


def test_the_lists_of_the_other_cas_stay_when_one_changes(folder: Folder) -> None:
    folder.write("a.crl", crl_of(CA, [1]), crl_of(BELOW, [2]))
    before = folder.good()
    folder.write("a.crl", crl_of(BELOW, [3], number=2))
    revocation = folder.good(previous=before)
    assert (revoked(revocation), revoked(revocation, BELOW)) == ({1}, {3})


# --- how files look ----------------------------------------------------------------------------


def test_a_stamp_changes_with_everything_that_may_matter(folder: Folder) -> None:
    path = folder.write("a.crl", crl_of(CA))
    source = [folder.source("a.crl")]

    def stamp() -> tuple[int, ...]:
        return stamps_of(source)[path]

    seen = {stamp()}
    assert stamp() in seen
    octets = path.read_bytes()
    path.write_bytes(octets + b"\n")
    seen.add(stamp())
    new = path.with_name("new")
    new.write_bytes(octets)
    new.replace(path)
    seen.add(stamp())
    os.utime(path, ns=(1, 1))
    seen.add(stamp())
    path.unlink()
    assert stamp() == ()
    assert len(seen) == 4


def test_the_files_of_a_directory_are_stamped_as_they_come_and_go(folder: Folder) -> None:
    source = [folder.source("crls")]
    assert set(stamps_of(source)) == {folder.folder / "crls"}
    path = folder.write("crls/a", crl_of(CA))
    assert set(stamps_of(source)) == {path}
    (folder.folder / "crls/.hidden").write_bytes(b"")
    assert set(stamps_of(source)) == {path}
    path.unlink()
    assert stamps_of(source) == {}


# --- warnings ----------------------------------------------------------------------------------


def warnings_of(folder: Folder, *, stale_allowed: bool = False, later: timedelta = timedelta()) -> list[str]:
    source = folder.source("a.crl", stale_allowed=stale_allowed)
    revocation, _ = read_revocation([source], moment())
    told = list(crl_warnings(source, revocation, moment() + later))
    assert all(hint for _, hint in told)
    return [text for text, _ in told]


def test_a_ca_without_a_list_is_warned_of(folder: Folder) -> None:
    folder.write("a.crl", crl_of(CA, next_update=timedelta(days=60)))
    assert warnings_of(folder) == [
        "there is no CRL of 'CN=Devices 1,O=Test': all its certificates are refused"
    ]


@pytest.mark.parametrize(
    ("allowed", "meaning"), [(True, "still counts"), (False, "all certificates of this CA are refused")]
)
def test_a_stale_list_is_warned_of(folder: Folder, *, allowed: bool, meaning: str) -> None:
    folder.write("a.crl", crl_of(CA), crl_of(BELOW, next_update=timedelta(days=60)))
    told = warnings_of(folder, stale_allowed=allowed, later=timedelta(days=2))
    assert told == [f"the CRL number 1 of 'CN=Devices,O=Test' is stale, {meaning}"]


def test_lists_that_are_fresh_are_not_warned_of(folder: Folder) -> None:
    months = timedelta(days=60)
    folder.write("a.crl", crl_of(CA, next_update=months), crl_of(BELOW, next_update=months))
    assert warnings_of(folder) == []


@pytest.mark.parametrize("names", [("a.crl", "b.crl"), ("b.crl", "a.crl")])
def test_of_two_lists_of_one_moment_the_one_that_revokes_more_counts(
    folder: Folder, names: tuple[str, str]
) -> None:
    folder.write("a.crl", crl_of(CA, [1], number=7))
    folder.write("b.crl", crl_of(CA, [1, 2], number=7))
    assert revoked(folder.good(*names)) == {1, 2}


def test_a_list_that_should_be_renewed_soon_is_warned_of(folder: Folder) -> None:
    ends = crl_of(CA, [1], number=1, this_update=timedelta(days=-3), next_update=timedelta(days=1))
    folder.write("a.crl", ends, crl_of(BELOW, next_update=timedelta(days=60)))
    assert warnings_of(folder, later=timedelta(minutes=-1)) == []
    (told,) = warnings_of(folder, later=timedelta(minutes=1))
    assert "is good only until" in told


def test_two_lists_that_disagree_on_which_came_later_are_a_problem(folder: Folder) -> None:
    folder.write(
        "a.crl", crl_of(CA, [1], number=9, this_update=timedelta(days=-5), next_update=timedelta(days=9))
    )
    folder.write("b.crl", crl_of(CA, [1, 2], number=8, this_update=timedelta(hours=-1)))
    for names in (("a.crl", "b.crl"), ("b.crl", "a.crl")):
        problem = folder.problem(*names)
        assert "the one with the higher number is older" in problem.message
        assert not problem.heals
