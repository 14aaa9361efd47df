"""What the edge makes of NIST's suite for path validation, and every place where it says something else."""

from __future__ import annotations

import re

import pytest

from tests.unit.tls.pkits import end_entities, is_meant_to_pass, verdict_on_chain, verdict_with_crls

CASES = end_entities()
ABOUT_CRLS = re.compile(
    r"[cC]RL|Revoked|SerialNumber|distributionPoint|onlyContains|onlySomeReasons"
    r"|BasicSelfIssued|SeparateCertificateandCRLKeys"
)
"""What the suite calls invalid here is so because of a CRL alone."""

POLICIES_ARE_NOT_CHECKED = {
    "InvalidMappingFromanyPolicyTest7EE",
    "InvalidMappingToanyPolicyTest8EE",
    "InvalidPolicyMappingTest10EE",
    "InvalidPolicyMappingTest2EE",
    "InvalidPolicyMappingTest4EE",
    "InvalidSelfIssuedinhibitAnyPolicyTest10EE",
    "InvalidSelfIssuedinhibitAnyPolicyTest8EE",
    "InvalidSelfIssuedinhibitPolicyMappingTest10EE",
    "InvalidSelfIssuedinhibitPolicyMappingTest11EE",
    "InvalidSelfIssuedinhibitPolicyMappingTest8EE",
    "InvalidSelfIssuedinhibitPolicyMappingTest9EE",
    "InvalidSelfIssuedrequireExplicitPolicyTest7EE",
    "InvalidSelfIssuedrequireExplicitPolicyTest8EE",
    "InvalidinhibitAnyPolicyTest1EE",
    "InvalidinhibitAnyPolicyTest4EE",
    "InvalidinhibitAnyPolicyTest5EE",
    "InvalidinhibitAnyPolicyTest6EE",
    "InvalidinhibitPolicyMappingTest1EE",
    "InvalidinhibitPolicyMappingTest3EE",
    "InvalidinhibitPolicyMappingTest5EE",
    "InvalidinhibitPolicyMappingTest6EE",
    "InvalidrequireExplicitPolicyTest3EE",
    "InvalidrequireExplicitPolicyTest5EE",
}
"""Accepted though invalid: OpenSSL looks at certificate policies only if it is told to."""

TOO_WEAK = {
    "ValidDSASignaturesTest4EE": "FAILED:EE certificate key too weak",
    "ValidDSAParameterInheritanceTest5EE": "FAILED:unable to get local issuer certificate",
}
"""DSA with 1024 bits; parameters that are inherited from another certificate are not supported."""

_POINT = (
    "CRL: it is not about all certificates of its CA, but about those of one distribution point only",
    ["BasicSelfIssuedNewWithOldTest3", "BasicSelfIssuedNewWithOldTest4", "cRLIssuerTest28", "cRLIssuerTest29"]
    + [f"distributionPointTest{number}" for number in (1, 4, 5, 7)],
)
_REASONS = (
    "CRL: it is not about all certificates of its CA, but about some reasons only",
    ["onlySomeReasonsTest18", "onlySomeReasonsTest19"],
)
_CAS_ONLY = (
    "CRL: it is not about all certificates of its CA, but about those of CAs only",
    ["onlyContainsCACertsTest13"],
)
_INDIRECT = (
    "CRL: it is not about all certificates of its CA, but about other issuers' certificates too"
    " (an indirect CRL)",
    ["IDPwithindirectCRLTest22"],
)
_DELTA = (
    "CRL: it is a delta CRL, which lists only what changed",
    [f"deltaCRLTest{number}" for number in (2, 5, 7, 8)],
)
_SHA1 = ("CRL: it is signed with sha1, which can be forged", ["DSASignaturesTest4"])
_CRLS_OF_OTHERS = (
    "FAILED:unable to get certificate CRL",
    ["IDPwithindirectCRLTest24", "IDPwithindirectCRLTest25", "cRLIssuerTest30", "cRLIssuerTest33"],
)
"""The CRL is another CA's: an indirect one."""
_NEW_KEY = (
    "FAILED:unable to get certificate CRL",
    ["BasicSelfIssuedOldWithNewTest1", "DNnameConstraintsTest19"]
    + [f"SelfIssued{what}" for what in ("inhibitAnyPolicyTest7", "inhibitAnyPolicyTest9")]
    + [f"SelfIssued{what}" for what in ("inhibitPolicyMappingTest7", "requireExplicitPolicyTest6")]
    + [f"SelfIssued{what}" for what in ("pathLenConstraintTest15", "pathLenConstraintTest17")],
)
"""A CA with two keys, and a CRL of one of them: each key needs its own."""
_KEY_FOR_CRLS = (
    "bundle: {} is no CA certificate (basicConstraints CA:TRUE)",
    ["BasicSelfIssuedCRLSigningKeyTest6", "SeparateCertificateandCRLKeysTest19"],
)
"""A certificate that may sign CRLs but no certificates belongs into no bundle."""
_INHERITED = ("bundle: error parsing asn1 value", ["DSAParameterInheritanceTest5"])

REFUSED_WITH_CRLS = {
    f"Valid{case}EE": text
    for text, cases in (
        *(_POINT, _REASONS, _CAS_ONLY, _INDIRECT, _DELTA, _SHA1),
        *(_CRLS_OF_OTHERS, _NEW_KEY, _KEY_FOR_CRLS, _INHERITED),
    )
    for case in cases
}
"""Valid, and refused: CRLs that can only be half obeyed are errors at the start. See ``edge.trust.crl``."""


def without_name(text: str) -> str:
    """The verdict without the name of a CA, or the place in a certificate."""
    return re.sub(r"^bundle: '.*'", "bundle: {}", text).partition(": ParseError")[0]


def test_the_suite_is_there() -> None:
    assert len(CASES) == 223
    assert sum(is_meant_to_pass(case) for case in CASES) == 108


@pytest.mark.parametrize("strict", [False, True])
def test_a_chain_passes_if_the_suite_says_so(strict: bool) -> None:
    verdicts = {case: verdict_on_chain(case, strict=strict) for case in CASES}
    accepted = {case for case, verdict in verdicts.items() if verdict == "SUCCESS"}
    wrong = {case for case in accepted if not is_meant_to_pass(case) and not ABOUT_CRLS.search(case)}
    assert wrong == POLICIES_ARE_NOT_CHECKED
    refused = {case: verdict for case, verdict in verdicts.items() if is_meant_to_pass(case)}
    assert {case: verdict for case, verdict in refused.items() if verdict != "SUCCESS"} == TOO_WEAK


def test_with_its_crls_no_case_passes_that_must_not() -> None:
    verdicts = {case: without_name(verdict_with_crls(case)) for case in CASES}
    accepted = {case for case, verdict in verdicts.items() if verdict == "SUCCESS"}
    assert {case for case in accepted if not is_meant_to_pass(case)} <= POLICIES_ARE_NOT_CHECKED
    refused = {case: verdict for case, verdict in verdicts.items() if is_meant_to_pass(case)}
    assert {case: verdict for case, verdict in refused.items() if verdict != "SUCCESS"} == REFUSED_WITH_CRLS
    revoked = {case for case, verdict in verdicts.items() if verdict == "FAILED:certificate revoked"}
    assert {
        "InvalidRevokedCATest2EE",
        "InvalidRevokedEETest3EE",
        "InvalidLongSerialNumberTest18EE",
    } <= revoked
    assert "InvalidNegativeSerialNumberTest15EE" in revoked
