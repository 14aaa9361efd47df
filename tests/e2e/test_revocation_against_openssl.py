"""One answer of two judges: ``openssl verify -crl_check_all`` and the edge, chain by chain."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.config.errors import Place
from edge.config.pem import Pem
from edge.model.refusal import Reason
from edge.snapshot.revocation import CrlProblem, CrlSource, read_revocation
from edge.tls.verification import Verifier
from edge.trust.authenticate import authenticate
from edge.trust.ca_bundle import combine, der, read_ca_entry
from tests.certificates import Authority
from tests.crls import pem
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.openssl_cases import AGREED, DIFFERENT
from tests.e2e.openssl_chains import Chain, World, openssl_says
from tests.e2e.origin import Origin
from tests.e2e.verdicts import verdict

ALL = [*AGREED, *DIFFERENT]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one case."""

    number: int
    chain: Chain
    openssl: str
    """Its error; empty for yes."""
    edge: Reason | None
    """Why not; None for yes."""
    problems: list[CrlProblem]
    """What the edge said of the lists that it did not believe."""
    lists: list[Path]

    @property
    def host(self) -> str:
        """The host of the case."""
        return f"case-{self.number}.test"

    def tables(self, directory: Path, origin_url: str) -> str:
        """Return its part of a configuration."""
        bundle = directory / f"{self.host}-ca.pem"
        bundle.write_bytes(self.chain.bundle)
        paths = ", ".join(f'"{path}"' for path in self.lists)
        ca = ca_table(self.host, bundle, self.host) + f"crl = [{paths}]\n"
        return host_table(directory, self.host, origin_url) + ca + application_table(self.host)


def edge_says(chain: Chain, lists: list[Path]) -> tuple[Reason | None, list[CrlProblem]]:
    """Judge as the edge does, without its process: lists it cannot believe are as good as absent."""
    entry = read_ca_entry("CA", chain.bundle)
    bundle = combine((entry,))
    named = tuple(Pem(Place("edge.toml", "crl"), path=path, shown=str(path)) for path in lists)
    now = time.time()  # noqa: TID251 -- the openssl command reads this clock too
    source = CrlSource("CA", entry.certificates, named, stale_allowed=False)
    revocation, problems = read_revocation([source], datetime.fromtimestamp(now, UTC))
    own = [der(each) for each in chain.client.chain]
    verification = Verifier(bundle).verify_again(chain.client.certificate, own)
    return authenticate(verification, bundle, revocation, now).failure, problems


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Judged]:
    found = {}
    makers = {case: maker for case, (maker, _) in AGREED.items()}
    makers |= {case: maker for case, (maker, *_) in DIFFERENT.items()}
    for number, (case, make) in enumerate(makers.items()):
        directory = tmp_path_factory.mktemp("case")
        chain = make(World())
        lists = [directory / f"edge-{place}.crl" for place in range(len(chain.lists))]
        for path, octets in zip(lists, chain.lists, strict=True):
            path.write_bytes(pem(octets))
        reason, problems = edge_says(chain, lists)
        found[case] = Judged(number, chain, openssl_says(chain, directory), reason, problems, lists)
    return found


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    judged: dict[str, Judged],
) -> Iterator[Edge]:
    """An edge with a host for each case whose lists it believes."""
    directory = tmp_path_factory.mktemp("judging")
    server_ca = server_root.write(directory / "server-ca.pem")
    hosts = [case for case in judged.values() if not case.problems]
    for case in hosts:
        server_root.issue_server(case.host).write(directory, case.host)
    text = server_table() + "".join(case.tables(directory, session_origin.url) for case in hosts)
    with Edge(text, directory, server_ca=server_ca) as running:
        yield running


@pytest.fixture(scope="module")
def complaints(
    tmp_path_factory: pytest.TempPathFactory, server_root: Authority, judged: dict[str, Judged]
) -> str:
    """What an edge says that has all the other cases, and does not start."""
    directory = tmp_path_factory.mktemp("refusing")
    hosts = [case for case in judged.values() if case.problems]
    for case in hosts:
        server_root.issue_server(case.host).write(directory, case.host)
    text = server_table() + "".join(case.tables(directory, "http://127.0.0.1:9") for case in hosts)
    edge = Edge(text, directory, server_ca=directory)
    with pytest.raises(AssertionError, match="no event 'listening'"):
        edge.start()
    assert edge.process.wait() == 1
    return edge.log


@pytest.mark.parametrize("case", AGREED)
def test_both_say_the_same(judged: dict[str, Judged], case: str) -> None:
    wanted = AGREED[case][1]
    assert judged[case].edge == wanted
    assert (judged[case].openssl == "") == (wanted is None), judged[case].openssl


@pytest.mark.parametrize("case", DIFFERENT)
def test_where_they_differ_on_purpose(judged: dict[str, Judged], case: str) -> None:
    _, openssl, wanted, why = DIFFERENT[case]
    assert judged[case].edge == wanted, why
    assert (judged[case].openssl == "") == openssl, judged[case].openssl


@pytest.mark.parametrize("case", ALL)
def test_the_process_judges_as_its_rooms_do(
    request: pytest.FixtureRequest, judged: dict[str, Judged], case: str
) -> None:
    """What it does not believe, it does not start with; and what it believes, it judges over the wire."""
    mine = judged[case]
    if mine.problems:
        complaints: str = request.getfixturevalue("complaints")
        for problem in mine.problems:
            assert problem.file in complaints
            assert problem.message in complaints
        return
    edge: Edge = request.getfixturevalue("edge")
    wanted = (200, "") if mine.edge is None else (403, mine.edge.value)
    with raw_tls(edge, mine.host, mine.chain.client, with_chain=True) as client:
        assert verdict(client.ask(host=mine.host)) == wanted
