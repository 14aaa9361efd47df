"""A root and the intermediate that issues under it, with the CRL of each."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from edge.pki import issue
from edge.pki.issue import Authority, RandomBits, Validity
from edge.pki.keys import new_key


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Two authorities with their keys. Only the intermediate signs leaves."""

    root: Authority
    intermediate: Authority

    @property
    def chain(self) -> bytes:
        """Intermediate and root as PEM: what whoever judges the leaves trusts."""
        return issue.certificate_pem(self.intermediate.certificate, self.root.certificate)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the two authorities are called and how long they live."""

    root_subject: x509.Name
    root_validity: Validity
    intermediate_subject: x509.Name
    intermediate_validity: Validity


def make_hierarchy(plan: Plan, random_bits: RandomBits) -> Hierarchy:
    """Make both, with P-256 keys. Raises ``IssueError`` if the intermediate would outlive the root."""
    root = issue.make_root(plan.root_subject, new_key(), plan.root_validity, random_bits)
    return Hierarchy(
        root,
        issue.make_intermediate(
            root, plan.intermediate_subject, new_key(), plan.intermediate_validity, random_bits
        ),
    )
