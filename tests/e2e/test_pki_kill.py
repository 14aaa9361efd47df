"""``edge pki`` killed at any moment: no half file, no lost certificate, no number that means two lists."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from edge.pki.directory import reading, writing
from edge.pki.keys import read_key
from edge.trust.crl import split_crls
from tests.e2e.command_line import run
from tests.e2e.killed_commands import Commands, commands

KILLS = 100
SEED = 20260701
UNTIL_THE_END = 10**9
"""No command has that many lines: it is counted and not killed."""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    log = tmp_path_factory.mktemp("log") / "said"
    with commands(log) as started:
        yield started
    assert b"Traceback" not in log.read_bytes()


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    assert run("pki", "init", tmp_path / "pki").status == 0
    return tmp_path / "pki"


class Witness:
    """Remembers everything that was ever to be seen in a directory, and checks that it stays true."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._certificates: dict[int, bytes] = {}
        self._lists: dict[tuple[str, int], bytes] = {}
        self._newest: dict[str, int] = {}

    def look(self) -> None:
        """Read every file under its own name, and the index."""
        with reading(self._directory) as opened:
            known = {record.certificate.serial_number: record for record in opened.inventory.records()}
        assert set(self._certificates) <= set(known), "a certificate that was recorded is not any more"
        for serial, record in known.items():
            octets = record.certificate.fingerprint(record.certificate.signature_hash_algorithm)  # type: ignore[arg-type]
            assert self._certificates.setdefault(serial, octets) == octets, "one serial, two certificates"
        for path in self._directory.glob("[!.]*.pem"):
            self._look_at(path, set(known))

    def _look_at(self, path: Path, serials: set[int]) -> None:
        octets = path.read_bytes()
        assert octets.endswith(b"-----\n"), f"{path} is half written"
        if path.name.endswith("-key.pem"):
            assert path.stat().st_mode & 0o777 == 0o600
            read_key(octets)
        elif path.name == "crl.pem":
            self._look_at_lists(octets)
        else:
            for certificate in x509.load_pem_x509_certificates(octets):
                assert certificate.serial_number in serials, f"{path} is not in the index"

    def _look_at_lists(self, octets: bytes) -> None:
        lists = split_crls(octets)
        assert len(lists) == 2
        for der in lists:
            crl = x509.load_der_x509_crl(der)
            issuer = crl.issuer.rfc4514_string()
            number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
            assert self._lists.setdefault((issuer, number), der) == der, "one number, two lists"
            assert self._newest.get(issuer, 0) <= number, "an older list replaced a newer one"
            self._newest[issuer] = number

    def certificates(self) -> int:
        """How many certificates were recorded."""
        return len(self._certificates)

    def numbers(self) -> int:
        """How many different lists were seen."""
        return len(self._lists)


def everything_works(directory: Path, witness: Witness) -> None:
    """The next commands do their work, every leaf is whole, and nothing is left behind."""
    for command in (("issue", "the last one"), ("crl",), ("list",)):
        got = run("pki", *command, "--dir", directory)
        assert got.status == 0, got.err
    witness.look()
    with reading(directory) as opened:
        leaves = {record.name: record for record in opened.inventory.records() if record.is_leaf}
        chain_end = opened.intermediate.certificate
    for name, record in leaves.items():
        certificate = x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())
        key = read_key((directory / f"{name}-key.pem").read_bytes())
        assert certificate == record.certificate
        assert key.public_key() == certificate.public_key()
        chain = x509.load_pem_x509_certificates((directory / f"{name}-chain.pem").read_bytes())
        assert chain == [certificate, chain_end]
        assert record.written
    assert [path.name for path in directory.iterdir() if path.name.startswith(".")] == []
    expected = {f"{name}{suffix}" for name in leaves for suffix in (".pem", "-key.pem", "-chain.pem")}
    authority = {"root.pem", "root-key.pem", "intermediate.pem", "intermediate-key.pem", "ca.pem"}
    assert {path.name for path in directory.iterdir()} == expected | authority | {"crl.pem", "index.db"}


def command_for(name: str, number: int, pki: Path) -> list[str | Path]:
    if name == "issue":
        return ["pki", "issue", f"device {number}", "--dir", pki]
    return ["pki", name, *(["device-0"] if name == "renew" else []), "--dir", pki]


def prepare(pki: Path) -> Witness:
    assert run("pki", "issue", "device 0", "--dir", pki).status == 0
    witness = Witness(pki)
    witness.look()
    return witness


@pytest.mark.parametrize("name", ["issue", "crl", "renew"])
def test_killed_at_random_times_it_loses_nothing(warm: Commands, pki: Path, name: str) -> None:
    chance = random.Random(f"{SEED} {name}")
    witness = prepare(pki)
    whole = max(warm.run(*command_for(name, number, pki)).seconds for number in range(1, 4))
    killed = 0
    for number in range(KILLS):
        ended = warm.run(*command_for(name, 100 + number, pki), seconds=chance.uniform(0, whole))
        killed += ended.status == -9
        witness.look()
    assert killed
    everything_works(pki, witness)


@pytest.mark.parametrize("name", ["issue", "crl"])
def test_killed_before_any_line_it_loses_nothing(warm: Commands, pki: Path, name: str) -> None:
    witness = prepare(pki)
    whole = warm.run(*command_for(name, 1, pki), line=UNTIL_THE_END)
    assert whole.status == 0
    before = witness.certificates(), witness.numbers()
    for number in range(KILLS):
        line = 1 + number * whole.lines // KILLS
        ended = warm.run(*command_for(name, 100 + number, pki), line=line)
        assert ended.status == -9
        witness.look()
    assert (witness.certificates(), witness.numbers()) > before, "some kills came after the work was done"
    everything_works(pki, witness)


def test_key_and_certificate_fit_after_a_killed_renewal_and_the_next_command(
    warm: Commands, pki: Path
) -> None:
    witness = prepare(pki)
    whole = warm.run(*command_for("renew", 1, pki), line=UNTIL_THE_END)
    mended = 0
    for number in range(KILLS):
        line = 1 + number * whole.lines // KILLS
        assert warm.run(*command_for("renew", 1, pki), line=line).status == -9
        witness.look()
        with writing(pki) as opened:
            mended += any("interrupted" in note for note in opened.notes)
        certificate = x509.load_pem_x509_certificate((pki / "device-0.pem").read_bytes())
        key = read_key((pki / "device-0-key.pem").read_bytes())
        assert key.public_key() == certificate.public_key()
    assert mended
    everything_works(pki, witness)


def test_killed_while_it_moves_a_pki_aside_it_loses_no_key(warm: Commands, pki: Path, tmp_path: Path) -> None:
    prepare(pki)
    keys = {path.read_bytes() for path in pki.glob("*-key.pem")}
    assert len(keys) == 3
    counted = tmp_path / "counted"
    shutil.copytree(pki, counted)
    whole = warm.run("pki", "init", counted, "--force", line=UNTIL_THE_END)
    assert whole.status == 0
    for number in range(KILLS // 2):
        directory = tmp_path / f"{number}"
        shutil.copytree(pki, directory)
        line = 1 + number * whole.lines // (KILLS // 2)
        assert warm.run("pki", "init", directory, "--force", line=line).status == -9
        assert keys <= {path.read_bytes() for path in directory.rglob("*-key.pem")}
        if (directory / "index.db").exists() and run("pki", "crl", "--dir", directory).status == 0:
            continue  # nothing was moved yet, or the new one was complete
        got = run("pki", "init", directory, "--force")
        assert got.status == 0, got.err
        assert keys <= {path.read_bytes() for path in directory.rglob("*-key.pem")}
        assert run("pki", "issue", "after", "--dir", directory).status == 0
