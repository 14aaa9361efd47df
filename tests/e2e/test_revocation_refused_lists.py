"""A list that cannot be believed changes nothing: the last good one stays, and the log says why.

All cases are written at once, each on a host of its own: what the edge made of them is taken down before
and after the healing, and judged case by case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.certificates import Authority, Credential, certificates_pem
from tests.crl_octets import by_hand, entry
from tests.crls import Revoked, crl_of, pem
from tests.e2e.crl_edge import OK, REVOKED, GuardedHost, Publisher, ask, crl_edge, soon
from tests.e2e.edge_process import Edge, Event
from tests.e2e.origin import Origin
from tests.e2e.verdicts import verdict

LATER = timedelta(minutes=30)
OFFICE = x509.DNSName("office.test")


def replace(octets: Callable[[Publisher], bytes]) -> Callable[[Publisher], None]:
    """Put these octets in the place of the list, by a rename."""

    def spoil(publisher: Publisher) -> None:
        unfinished = publisher.path.with_name(f".{publisher.path.name}.new")
        unfinished.write_bytes(octets(publisher))
        unfinished.replace(publisher.path)

    return spoil


def remove(publisher: Publisher) -> None:
    publisher.path.unlink()


def become_a_directory(publisher: Publisher) -> None:
    publisher.path.unlink()
    publisher.path.mkdir()


def become_a_dangling_link(publisher: Publisher) -> None:
    publisher.path.unlink()
    publisher.path.symlink_to("nowhere")


def signed_by(signer: Authority, **options: object) -> bytes:
    """An empty list with a very high number: whoever believed it would let everybody in."""
    return pem(crl_of(signer, number=1000, **options))  # type: ignore[arg-type]


def ends_before(publisher: Publisher) -> bytes:
    """A leaf of the CA signs in its name."""
    leaf = Authority("leaf", above=publisher.authority, ca=False)
    return signed_by(leaf, issuer=publisher.authority.signer.subject)


def scoped(**scope: bool) -> Callable[[Publisher], bytes]:
    said: dict[str, bool | None] = {
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    said.update(scope)
    names = None if scope else [x509.UniformResourceIdentifier("http://crl.test/1.crl")]
    point = x509.IssuingDistributionPoint(names, None, only_some_reasons=None, **said)  # type: ignore[arg-type]
    return lambda publisher: signed_by(publisher.authority, extensions=[(point, True)])


UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\0")

Spoil = Callable[[Publisher], None]

CASES: dict[str, tuple[Spoil, str]] = {
    "junk": (replace(lambda p: b"\x30\x82junk, and no list at all"), "no CRL in it that can be read"),
    "text": (replace(lambda p: b"<html>Service unavailable</html>"), "no CRL in it that can be read"),
    "an empty file": (replace(lambda p: b""), "the file is empty"),
    "white space": (replace(lambda p: b"\n \n"), "the file is empty"),
    "half of the PEM": (replace(lambda p: pem(p.next_list())[:200]), "it is cut off"),
    "half of the DER": (replace(lambda p: p.next_list()[:100]), "no CRL in it that can be read"),
    "octets behind the DER": (replace(lambda p: p.next_list() + b"\0"), "no CRL in it that can be read"),
    "a changed octet": (
        replace(lambda p: p.next_list()[:-1] + bytes((p.next_list()[-1] ^ 1,))),
        "signed with another key",
    ),
    "the certificate of the CA": (
        replace(lambda p: certificates_pem(p.authority.certificate)),
        "'CERTIFICATE', which is no CRL",
    ),
    "an older number": (
        replace(lambda p: pem(crl_of(p.authority, number=1, this_update=timedelta()))),
        "is older than",
    ),
    "an older time": (
        replace(lambda p: pem(crl_of(p.authority, number=p.number, this_update=-LATER))),
        "is older than",
    ),
    "an older time, without a number": (
        replace(lambda p: pem(crl_of(p.authority, number=None, this_update=-LATER))),
        "is older than",
    ),
    "of a namesake with another key": (
        replace(lambda p: signed_by(p.authority.impostor())),
        "signed with another key",
    ),
    "of another CA": (replace(lambda p: signed_by(Authority("Stranger"))), "is no CA of this entry"),
    "signed by a leaf": (replace(ends_before), "signed with another key"),
    "signed with SHA-1": (
        replace(lambda p: by_hand(p.authority, digest=hashes.SHA1())),
        "sha1, which can be forged",
    ),
    "a delta": (
        replace(lambda p: signed_by(p.authority, extensions=[(x509.DeltaCRLIndicator(1), True)])),
        "it is a delta CRL",
    ),
    "about users only": (replace(scoped(only_contains_user_certs=True)), "those that are no CA only"),
    "about CAs only": (replace(scoped(only_contains_ca_certs=True)), "those of CAs only"),
    "of one distribution point": (replace(scoped()), "one distribution point only"),
    "indirect": (replace(scoped(indirect_crl=True)), "an indirect CRL"),
    "an entry of another issuer": (
        replace(
            lambda p: pem(
                crl_of(
                    p.authority,
                    [Revoked(5, extensions=[(x509.CertificateIssuer([OFFICE]), True)])],
                    number=1000,
                )
            )
        ),
        "an indirect CRL",
    ),
    "an unknown critical extension": (
        replace(lambda p: signed_by(p.authority, extensions=[(UNHEARD_OF, True)])),
        "unknown critical extension 1.3.6.1.4.1.55555.1",
    ),
    "an entry with an unknown critical extension": (
        replace(
            lambda p: pem(crl_of(p.authority, [Revoked(5, extensions=[(UNHEARD_OF, True)])], number=1000))
        ),
        "unknown critical extension 1.3.6.1.4.1.55555.1",
    ),
    "of the future": (
        replace(lambda p: signed_by(p.authority, this_update=LATER)),
        "its thisUpdate is in the future",
    ),
    "without an end": (replace(lambda p: by_hand(p.authority, [entry(5)], next_update=b"")), "no nextUpdate"),
    "gone": (remove, "there is no such file"),
    "a directory without a list": (become_a_directory, "there is no CRL in this directory"),
    "a link to nowhere": (become_a_dangling_link, "there is no such file"),
}


@dataclass
class Story:
    """What became of one host."""

    host: GuardedHost
    revoked: Credential
    other: Credential
    refused: Event | None = None
    meanwhile: tuple[tuple[int, str], ...] = ()
    healed: tuple[tuple[int, str], ...] = ()

    def verdicts(self, edge: Edge) -> tuple[tuple[int, str], ...]:
        """What the revoked certificate gets, and the other one."""
        return tuple(verdict(ask(edge, self.host, each)) for each in (self.revoked, self.other))


@pytest.fixture(scope="module")
def stories(
    tmp_path_factory: pytest.TempPathFactory, server_root: Authority, session_origin: Origin
) -> Iterator[dict[str, Story]]:
    directory = tmp_path_factory.mktemp("lists")
    told = {}
    for number, case in enumerate(CASES):
        host = GuardedHost(f"case-{number}.test", directory)
        told[case] = Story(host, host.issue("revoked"), host.issue("other"))
        host.ca.number += 3
        host.ca.revoke(told[case].revoked)
    hosts = [story.host for story in told.values()]
    with crl_edge(tmp_path_factory.mktemp("spoilt"), server_root, session_origin.url, *hosts) as edge:
        for case, story in told.items():
            CASES[case][0](story.host.ca)
        for story in told.values():
            story.refused = edge.wait_for_event("crl_refused", file=str(story.host.ca.path))
            story.meanwhile = story.verdicts(edge)
        for story in told.values():
            heal(story)
        for story in told.values():
            soon(lambda story=story: ask(edge, story.host, story.other), REVOKED)  # type: ignore[misc]
            story.healed = story.verdicts(edge)
        yield told
        assert edge.stray_lines == []
        assert edge.log_events("crl_reading_failed") == []


def heal(story: Story) -> None:
    """Publish a good list that revokes the other certificate as well."""
    if story.host.ca.path.is_dir():
        story.host.ca.path.rmdir()
    story.host.ca.revoke(story.other)


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_with_its_reason(stories: dict[str, Story], case: str) -> None:
    event = stories[case].refused
    assert event is not None
    assert event["level"] == "warning"
    assert CASES[case][1] in event["detail"]
    assert event["detail"].endswith("what was in force stays")
    assert event["hint"]


@pytest.mark.parametrize("case", CASES)
def test_the_last_good_list_stays_in_force(stories: dict[str, Story], case: str) -> None:
    assert stories[case].meanwhile == (REVOKED, OK)


@pytest.mark.parametrize("case", CASES)
def test_the_next_good_list_is_taken_up(stories: dict[str, Story], case: str) -> None:
    assert stories[case].healed == (REVOKED, REVOKED)
