"""The common name of a rule is compared whole, exactly, and with the only one that a certificate has."""

from __future__ import annotations

import pytest

from tests.certificates import Authority, StringType, multi_valued_name, name
from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused

LOOKALIKES = {
    "two names, james first": name(("CN", "James Royal"), ("CN", "evil")),
    "two names, james last": name(("CN", "evil"), ("CN", "James Royal")),
    "james twice": name(("CN", "James Royal"), ("CN", "James Royal")),
    "two names in one": multi_valued_name(("CN", "James Royal"), ("CN", "evil")),
    "james and an odd second name": name(("CN", "James Royal"), ("CN", "evil", StringType.BMPString)),
    "BMPString": name(("CN", "James Royal", StringType.BMPString)),
    "T61String": name(("CN", "James Royal", StringType.T61String)),
    "UniversalString": name(("CN", "James Royal", StringType.UniversalString)),
    "slash in O": name(("O", "x/CN=James Royal")),
    "slash in O beside a name": name(("O", "x/CN=James Royal"), ("CN", "evil")),
    "comma in O": name(("O", "x,CN=James Royal"), ("CN", "evil")),
    "plus in O": name(("O", "x+CN=James Royal"), ("CN", "evil")),
    "slash in CN": name(("CN", "evil/CN=James Royal")),
    "equals in CN": name(("CN", "CN=James Royal")),
    "name in OU": name(("OU", "James Royal")),
    "empty subject": name(),
    "longer": name(("CN", "James Royal2")),
    "prefixed": name(("CN", "xJames Royal")),
    "lower case": name(("CN", "james royal")),
    "trailing space": name(("CN", "James Royal ")),
    "two spaces": name(("CN", "James  Royal")),
    "NUL": name(("CN", "James Royal\0.evil")),
    "NUL at the end": name(("CN", "James Royal\0")),
    "line end": name(("CN", "James Royal\n")),
    "Cyrillic a": name(("CN", "J\u0430mes Royal")),
    "zero width": name(("CN", "James\u200b Royal")),
}
"""Subjects that some reader of names may take for ``CN=James Royal``."""


@pytest.mark.parametrize("subject", LOOKALIKES)
def test_a_name_that_only_looks_like_the_one_that_is_meant_is_denied(
    edge: Edge, origin: Origin, ca_a: Authority, subject: str
) -> None:
    with raw_tls(edge, credential=ca_a.issue(subject=LOOKALIKES[subject])) as client:
        assert_refused(client.ask("/james"), "policy_denied")
        assert client.ask("/").status == 200  # the certificate is valid: only the name is not meant
    assert origin.received("/james") == []


@pytest.mark.parametrize("string_type", [StringType.UTF8String, StringType.PrintableString])
def test_the_name_that_is_meant_passes(
    edge: Edge, origin: Origin, ca_a: Authority, string_type: StringType
) -> None:
    subject = name(("O", "Widget Corp"), ("CN", "James Royal", string_type))
    with raw_tls(edge, credential=ca_a.issue(subject=subject)) as client:
        assert client.ask("/james").status == 200
    assert len(origin.received("/james")) == 1
