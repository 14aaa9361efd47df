from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.pki.cfssl.usages import WORDS, UsageError, extended_word, usages


def test_words_become_the_two_extensions() -> None:
    found = usages(["signing", "key encipherment", "client auth"])
    assert found.key_usage == x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    assert found.extended == x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def test_no_words_are_no_usages() -> None:
    assert not usages([])


def test_one_extension_alone_is_enough() -> None:
    assert usages(["server auth"]).key_usage is None
    assert usages(["cert sign"]).extended is None
    assert usages(["server auth"])
    assert usages(["cert sign"])


def test_extended_usages_keep_their_order_and_stand_once() -> None:
    found = usages(["s/mime", "any", "email protection"]).extended
    assert found is not None
    assert list(found) == [ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]


def test_both_spellings_of_commitment_are_known() -> None:
    assert usages(["content commitment"]) == usages(["content committment"])


def test_encipher_only_needs_key_agreement() -> None:
    with pytest.raises(UsageError):
        usages(["encipher only"])
    assert usages(["encipher only", "key agreement"])


@pytest.mark.parametrize("word", WORDS)
def test_every_word_means_something(word: str) -> None:
    assert usages([word, "key agreement"])


def test_an_extended_usage_is_shown_by_its_first_word_or_its_number() -> None:
    assert extended_word(ExtendedKeyUsageOID.EMAIL_PROTECTION) == "email protection"
    assert extended_word(x509.ObjectIdentifier("1.2.3")) == "1.2.3"
