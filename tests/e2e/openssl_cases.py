"""What ``openssl verify -crl_check_all`` and the edge both judge, and what each is to say."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from edge.model.refusal import Reason
from tests.certificates import Authority, StringType, name
from tests.crl_octets import AUTHORITY_KEY_ID, by_hand, element, entry, extension, reason
from tests.crls import Revoked, crl_of
from tests.e2e.openssl_chains import (
    Maker,
    about,
    because,
    delta,
    empty,
    impostor,
    in_name,
    listed,
    of_serial,
    only,
    own_intermediate,
    renewed,
    rolled_over,
    signed_by_key,
    vouched_for,
    with_leaf,
    without_crl_signing,
)

GOOD = None
REVOKED = Reason.CLIENT_CERTIFICATE_REVOKED
UNKNOWN = Reason.REVOCATION_UNKNOWN
EXPIRED = Reason.CLIENT_CERTIFICATE_EXPIRED

AGO = timedelta(hours=-2)
LAPSED = timedelta(minutes=-1)
UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\0")
ANOTHER_KEY_ID = extension(AUTHORITY_KEY_ID, element(0x30, element(0x80, bytes(20))))
SHOUTED = name(("O", "TEST", StringType.PrintableString), ("CN", " ca ", StringType.UTF8String))
"""The name of the intermediate, for who compares names as RFC 5280 7.1 says."""

AGREED: dict[str, tuple[Maker, Reason | None]] = {
    "nobody revoked": (listed(empty()), GOOD),
    "others revoked": (listed(lambda w: crl_of(w.ca, range(1, 99))), GOOD),
    "leaf revoked": (listed(with_leaf()), REVOKED),
    "leaf revoked among others": (listed(lambda w: crl_of(w.ca, [*range(1, 99), w.leaf])), REVOKED),
    "intermediate revoked": (listed(empty(), root=lambda w: crl_of(w.root, [w.ca])), REVOKED),
    "intermediate revoked, and no list of it": (only(lambda w: crl_of(w.root, [w.ca])), REVOKED),
    "root in its own list": (listed(empty(), root=lambda w: crl_of(w.root, [w.root])), REVOKED),
    "leaf in the list of the root": (listed(empty(), root=lambda w: crl_of(w.root, [w.leaf])), GOOD),
    "intermediate in its own list": (listed(lambda w: crl_of(w.ca, [w.ca])), GOOD),
    # whose lists are there
    "no list about the leaf": (listed(), UNKNOWN),
    "no list about the intermediate": (only(empty()), UNKNOWN),
    "no list about the intermediate, and the leaf revoked": (only(with_leaf()), REVOKED),
    "no list of the client's own intermediate": (own_intermediate(revoked=False), UNKNOWN),
    "the client's own intermediate revoked": (own_intermediate(revoked=True), REVOKED),
    # times
    "lapsed": (listed(empty(next_update=LAPSED)), UNKNOWN),
    "lapsed, with the leaf": (listed(with_leaf(next_update=LAPSED)), REVOKED),
    "lapsed list of the root": (listed(empty(), root=lambda w: crl_of(w.root, next_update=LAPSED)), UNKNOWN),
    "of the future": (listed(empty(this_update=timedelta(minutes=10))), UNKNOWN),
    "revoked from tomorrow on": (
        listed(lambda w: crl_of(w.ca, [Revoked(w.leaf.certificate.serial_number, timedelta(days=1))])),
        REVOKED,
    ),
    "expired leaf": (
        lambda w: w.chain(crl_of(w.root), crl_of(w.ca), leaf=w.ca.issue("old", not_after=LAPSED)),
        EXPIRED,
    ),
    # an old list and a new one
    "revoked once, but not any more": (listed(with_leaf(this_update=AGO), empty(number=2)), GOOD),
    "revoked once, but not any more; newest first": (
        listed(empty(number=2), with_leaf(this_update=AGO)),
        GOOD,
    ),
    "revoked lately": (listed(empty(this_update=AGO), with_leaf(number=2)), REVOKED),
    "revoked lately; newest first": (listed(with_leaf(number=2), empty(this_update=AGO)), REVOKED),
    "revoked lately, lists without numbers": (
        listed(empty(this_update=AGO, number=None), with_leaf(number=None)),
        REVOKED,
    ),
    "one lapsed, a newer one good": (listed(with_leaf(this_update=AGO, next_update=LAPSED), empty()), GOOD),
    # reasons
    "on hold": (listed(because(x509.ReasonFlags.certificate_hold)), REVOKED),
    "removed from the list": (listed(because(x509.ReasonFlags.remove_from_crl)), GOOD),
    "key compromise": (listed(because(x509.ReasonFlags.key_compromise)), REVOKED),
    "superseded": (listed(because(x509.ReasonFlags.superseded)), REVOKED),
    # who signed
    "of a namesake with another key": (listed(impostor), UNKNOWN),
    "of a stranger": (listed(lambda w: crl_of(Authority("Stranger"))), UNKNOWN),
    "signed by the root in the name of the intermediate": (
        listed(lambda w: crl_of(w.root, issuer=w.ca.signer.subject)),
        UNKNOWN,
    ),
    "signed without the right to": (without_crl_signing, UNKNOWN),
    "in a name written another way": (listed(empty(issuer=SHOUTED)), GOOD),
    "leaf revoked in a name written another way": (listed(with_leaf(issuer=SHOUTED)), REVOKED),
    "name with a no-break space": (listed(empty(issuer=name(("O", "Test"), ("CN", "CA\u00a0")))), UNKNOWN),
    "letters beyond ASCII in another case": (in_name("CÄ", "cä"), UNKNOWN),
    "the same letters beyond ASCII": (in_name("CÄ", "cÄ"), GOOD),
    # CAs that changed
    "root with a new key": (rolled_over(by_old=False, by_new=False), GOOD),
    "root with a new key, leaf revoked": (rolled_over(by_old=False, by_new=True), REVOKED),
    "root with a new key, serial revoked by the old one": (rolled_over(by_old=True, by_new=False), GOOD),
    "intermediate renewed": (renewed(revoked=False), GOOD),
    "intermediate renewed, leaf revoked": (renewed(revoked=True), REVOKED),
    # keys and signatures
    "RSA": (signed_by_key("rsa2048", revoked=False), GOOD),
    "RSA, revoked": (signed_by_key("rsa2048", revoked=True), REVOKED),
    "RSA-PSS": (
        signed_by_key("rsa2048", revoked=False, rsa_padding=padding.PSS(padding.MGF1(hashes.SHA256()), 32)),
        GOOD,
    ),
    "Ed25519": (signed_by_key("ed25519", revoked=False), GOOD),
    "Ed25519, revoked": (signed_by_key("ed25519", revoked=True), REVOKED),
    "P-384 and SHA-384": (signed_by_key("p384", revoked=True, digest=hashes.SHA384()), REVOKED),
    # serials
    "negative serial": (of_serial("-128", revoked=False), GOOD),
    "negative serial, revoked": (of_serial("-128", revoked=True), REVOKED),
    "serial zero": (of_serial("0", revoked=False), GOOD),
    "serial zero, revoked": (of_serial("0", revoked=True), REVOKED),
    "serial of 20 octets, all ones": (of_serial("0x" + "FF" * 20, revoked=False), GOOD),
    "serial of 20 octets, all ones, revoked": (of_serial("0x" + "FF" * 20, revoked=True), REVOKED),
    "serial of 40 octets": (of_serial("0x" + "5A" * 40, revoked=False), GOOD),
    "serial of 40 octets, revoked": (of_serial("0x" + "5A" * 40, revoked=True), REVOKED),
    # extensions
    "unknown critical extension": (listed(empty(extensions=[(UNHEARD_OF, True)])), UNKNOWN),
    "unknown extension that is not critical": (listed(empty(extensions=[(UNHEARD_OF, False)])), GOOD),
    "entry with an unknown critical extension": (
        listed(lambda w: crl_of(w.ca, [Revoked(5, extensions=[(UNHEARD_OF, True)])])),
        UNKNOWN,
    ),
    "list of version 1": (
        listed(lambda w: by_hand(w.ca, [entry(5)], version=b"", extensions=None)),
        GOOD,
    ),
    "list of version 1 with the leaf": (
        listed(
            lambda w: by_hand(w.ca, [entry(w.leaf.certificate.serial_number)], version=b"", extensions=None)
        ),
        REVOKED,
    ),
    "about CAs only": (listed(about("only_contains_ca_certs")), UNKNOWN),
    "of one distribution point": (listed(about(None)), UNKNOWN),
    "a delta alone": (listed(delta), UNKNOWN),
}
"""What both say: yes, or no, and then the reason that the edge gives."""

DIFFERENT: dict[str, tuple[Maker, bool, Reason | None, str]] = {
    "of a namesake beside the good one": (
        listed(empty(), impostor),
        False,
        GOOD,
        "OpenSSL takes the newer one, finds its signature bad, and locks everybody out",
    ),
    "newest lapsed, an older one not": (
        listed(empty(this_update=AGO), with_leaf(number=2, next_update=LAPSED)),
        True,
        REVOKED,
        "OpenSSL falls back to the older one and forgets who was revoked since",
    ),
    "newest lapsed and empty, an older one not": (
        listed(empty(this_update=AGO), empty(number=2, next_update=LAPSED)),
        True,
        UNKNOWN,
        "OpenSSL falls back to the older one; an older list is never asked here",
    ),
    "a delta that revokes, beside the complete list": (
        listed(empty(), delta),
        True,
        GOOD,
        "both overlook what the delta says; here it is an error at the start and told in the log",
    ),
    "about users only": (
        listed(about("only_contains_user_certs")),
        True,
        UNKNOWN,
        "what covers some certificates only is refused, not half obeyed",
    ),
    "signed with SHA-1": (
        listed(lambda w: by_hand(w.ca, [entry(5)], digest=hashes.SHA1())),
        True,
        UNKNOWN,
        "SHA-1 can be forged; the security level of the command does not look at lists",
    ),
    "without a nextUpdate": (
        listed(lambda w: by_hand(w.ca, [entry(5)], next_update=b"")),
        True,
        UNKNOWN,
        "nobody could ever tell that it is stale",
    ),
    "three minutes in the future": (
        listed(empty(this_update=timedelta(minutes=3))),
        False,
        GOOD,
        "clocks differ; a CA whose clock is ahead must not lock everybody out",
    ),
    "with the identifier of another key": (
        listed(lambda w: by_hand(w.ca, [entry(5)], extensions=[ANOTHER_KEY_ID])),
        False,
        GOOD,
        "who made it, the signature says",
    ),
    "taken off the list and put on it": (
        listed(
            lambda w: by_hand(
                w.ca, [entry(w.leaf.certificate.serial_number, reason(code)) for code in (8, 1)]
            )
        ),
        True,
        REVOKED,
        "of two entries OpenSSL obeys the first; here one that revokes is enough",
    ),
    "higher number, older time": (
        listed(with_leaf(number=5), empty(number=9, this_update=AGO)),
        False,
        UNKNOWN,
        "OpenSSL goes by thisUpdate; number and time disagree on which came later, so neither counts",
    ),
    "root with a new key that the old one vouches for, and no list of the new": (
        vouched_for,
        True,
        UNKNOWN,
        "a CA is its name and its key: another key needs a list of its own",
    ),
    "a list of the client's own intermediate": (
        own_intermediate(revoked=False, with_list=True),
        True,
        UNKNOWN,
        "lists are believed of the configured CAs only",
    ),
}
"""Where they differ on purpose: what OpenSSL says, what the edge says, and why."""
