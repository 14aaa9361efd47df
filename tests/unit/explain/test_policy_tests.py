"""A test that does not come true is an error with its place; the others say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.explain.policy_tests import run_tests
from tests.unit.explain.questions import ALICE, CONFIG, MALLORY, STRANGER, Bench
from tests.unit.snapshot.world import NOW


def errors(folder: Path, *tests: str) -> list[str]:
    for name, credential in (("alice", ALICE), ("mallory", MALLORY), ("stranger", STRANGER)):
        credential.write(folder, name, with_chain=True)
    bench = Bench(folder, CONFIG + "".join(f"[[tests]]\n{test}\n" for test in tests))
    found = run_tests(bench.config, bench.snapshot, NOW)
    return [str(error).replace(f"{folder}/", "") for error in found]


URL = 'url = "https://a.test/alice"\n'

TRUE = [
    URL + 'expect = "client_certificate_required"',
    URL + 'expect = "allow"\ncommon_name = "alice"',
    URL + 'expect = "policy_denied"\ncommon_name = "bob"',
    URL + 'expect = "allow"\ncertificate = "alice.pem"',
    URL + 'expect = "allow"\ncertificate = "alice-both.pem"',
    URL + f"expect = 'allow'\ncertificate = '''{ALICE.pem(with_chain=True).decode()}'''",
    URL + 'expect = "client_certificate_revoked"\ncertificate = "mallory.pem"',
    URL + 'expect = "client_certificate_invalid"\ncertificate = "stranger.pem"',
    URL + 'expect = "client_certificate_expired"\ncertificate = "alice.pem"\nat = 2020-01-01T00:00:00Z',
    URL + 'expect = "method_not_allowed"\ncommon_name = "alice"\nmethod = "TRACE"',
    'url = "https://require.test/"\nexpect = "client_certificate_required"',
    'url = "https://x.wild.test/"\nexpect = "allow"',
    'url = "https://a.test/%zz"\nexpect = "bad_request"',
]


@pytest.mark.parametrize("test", TRUE, ids=range(len(TRUE)))
def test_a_test_that_comes_true_says_nothing(folder: Path, test: str) -> None:
    assert errors(folder, test) == []


def test_every_test_that_fails_names_itself_and_what_came_instead(folder: Path) -> None:
    line = CONFIG.count("\n") + 1
    hint = "edge explain shows the whole argument"
    assert errors(
        folder,
        URL + 'expect = "allow"',
        URL + 'expect = "allow"\ncommon_name = "alice"',
        'name = "closed to all"\n' + URL + 'expect = "policy_denied"\ncommon_name = "alice"',
    ) == [
        f'edge.toml:{line}: tests[0]: GET "https://a.test/alice": expected allow, but: '
        f"client_certificate_required: no client certificate was presented; {hint}",
        f'edge.toml:{line + 7}: tests[2]: the test "closed to all": '
        f"expected policy_denied, but: allow; {hint}",
    ]


def test_a_certificate_that_cannot_be_read_is_an_error_of_its_own(folder: Path) -> None:
    (folder / "empty.pem").write_bytes(b"")
    (folder / "note.pem").write_bytes(b"a note")
    (gone, empty, note) = errors(
        folder,
        *(URL + f'expect = "allow"\ncertificate = "{name}.pem"' for name in ("gone", "empty", "note")),
    )
    assert 'tests[0].certificate: "gone.pem": there is no such file' in gone
    assert 'tests[1].certificate: "empty.pem": the file is empty' in empty
    assert 'tests[2].certificate: "note.pem": there is no certificate in it' in note


REPORTS = CONFIG + (
    '[[applications]]\nname = "tried"\ndomain = "a.test/tried"\nreport_only = true\n'
    "[[applications.policies]]\n"
    'name = "alice"\ndecision = "non_identity"\ninclude = [{ common_name = "alice" }]\n'
)


@pytest.mark.parametrize(
    ("test", "failures"),
    [
        ('expect = "allow"\nwould_be = "client_certificate_required"', []),
        ('expect = "allow"\nwould_be = "allow"\ncommon_name = "alice"', []),
        ('expect = "allow"', []),
        ('expect = "client_certificate_required"', ["expected client_certificate_required, but: allow: "]),
        (
            'expect = "allow"\nwould_be = "allow"\ncommon_name = "bob"',
            ["without report_only, expected allow, but: policy_denied: the certificate is valid, but"],
        ),
        (
            'expect = "policy_denied"\nwould_be = "allow"',
            ["expected policy_denied, but: allow: ", "without report_only, expected allow, but: client_"],
        ),
    ],
)
def test_expect_is_what_happens_and_would_be_what_will_happen(
    folder: Path, test: str, failures: list[str]
) -> None:
    bench = Bench(folder, REPORTS + f'[[tests]]\nurl = "https://a.test/tried"\n{test}\n')
    found = run_tests(bench.config, bench.snapshot, NOW)
    assert len(found) == len(failures)
    for error, failure in zip(found, failures, strict=True):
        assert f'GET "https://a.test/tried": {failure}' in str(error)


def test_would_be_of_what_is_enforced_is_what_happens(folder: Path) -> None:
    assert (
        errors(folder, URL + 'expect = "policy_denied"\nwould_be = "policy_denied"\ncommon_name = "bob"')
        == []
    )


def test_the_address_counts(folder: Path) -> None:
    rule = CONFIG + (
        '[[applications]]\nname = "here"\ndomain = "a.test/here"\n[[applications.policies]]\nname = "here"\n'
        'decision = "bypass"\ninclude = [{ ip = "127.0.0.0/8" }]\n'
    )
    url = '[[tests]]\nurl = "https://a.test/here"\nexpect = "allow"\n'
    bench = Bench(folder, rule + url + url + 'ip = "192.0.2.1"\n')
    (error,) = run_tests(bench.config, bench.snapshot, NOW)
    assert "tests[1]" in str(error)
