"""Paths to a root (RFC 5280 section 6, 1.6 security white paper A00.FR.403, A00.FR.501 to .504)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from stations.pki import chains
from tests import pki
from tests.pki import Pair

NOW = datetime.now(UTC)
ROOT = pki.authority()
OLD = pki.stored("sha1_root.pem")
ISSUING = pki.authority("Issuing", issuer=ROOT)


def path(leaf: Pair, *intermediates: Pair, root: Pair = ROOT, at: datetime = NOW) -> list[x509.Certificate]:
    between = [pair.certificate for pair in intermediates]
    return chains.path(leaf.certificate, intermediates=between, roots=[root.certificate], at=at)


def refusal(leaf: Pair, *intermediates: Pair, root: Pair = ROOT) -> str:
    with pytest.raises(chains.Untrusted) as refused:
        path(leaf, *intermediates, root=root)
    return str(refused.value)


def test_a_leaf_of_the_root_is_trusted() -> None:
    leaf = pki.leaf(ROOT)

    assert path(leaf) == [leaf.certificate, ROOT.certificate]


@pytest.mark.parametrize("key", [pki.rsa_key(), pki.ec_key(ec.SECP384R1()), pki.ec_key(ec.SECP224R1())])
def test_a_path_leads_over_authorities_of_any_strong_key(key: Any) -> None:
    issuing = pki.authority("Any", issuer=ROOT, key=key)
    leaf = pki.leaf(issuing)

    assert path(leaf, pki.authority("Stranger"), issuing)[-1] == ROOT.certificate


def test_a_renewed_authority_with_the_same_key_is_found_beside_its_expired_self() -> None:
    old = pki.authority("Issuing", issuer=ROOT, key=ISSUING.key, days=(-20, -10))

    assert len(path(pki.leaf(ISSUING), old, ISSUING)) == 3


def test_a_leaf_of_a_stranger_is_not_trusted() -> None:
    assert "no root" in refusal(pki.leaf(pki.authority("Stranger")))


def test_a_root_that_only_bears_our_roots_name_is_not_trusted() -> None:
    assert "signature" in refusal(pki.leaf(pki.authority()))


def test_a_certificate_that_signed_itself_is_not_trusted() -> None:
    assert "no root" in refusal(pki.certificate(pki.name("ADA-1")))


def test_a_root_is_no_stations_certificate() -> None:
    assert "no station" in refusal(ROOT)


def test_a_missing_intermediate_breaks_the_path() -> None:
    assert "no root" in refusal(pki.leaf(ISSUING))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ca": None}, "no certificate authority"),
        ({"ca": False}, "no certificate authority"),
        ({"days": (-20, -10)}, "not valid at this time"),
        ({"days": (10, 20)}, "not valid at this time"),
        ({"extensions": ((pki.usage(digital_signature=True), True),)}, "may not sign"),
        ({"key": pki.rsa_key(1024)}, "too weak"),
        ({"key": pki.ec_key(ec.SECP192R1())}, "too weak"),
        ({"extensions": ((x509.NameConstraints([x509.DNSName("ada.nl")], None), True),)}, "cannot be obeyed"),
        (
            {"extensions": ((x509.NameConstraints([x509.DNSName("ada.nl")], None), False),)},
            "cannot be obeyed",
        ),
        (
            {"extensions": ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x"), True),)},
            "cannot be obeyed",
        ),
    ],
)
def test_an_unfit_authority_breaks_the_path(options: dict[str, Any], reason: str) -> None:
    issuing = pki.authority("Unfit", issuer=ROOT, **options)

    assert reason in refusal(pki.leaf(issuing), issuing)


def test_a_leaf_may_not_sign_another_leaf() -> None:
    leaf = pki.leaf(ROOT)

    assert "no certificate authority" in refusal(pki.leaf(leaf), leaf)


def test_the_path_length_of_an_authority_is_kept() -> None:
    short = pki.authority("Short", issuer=ROOT, path_length=0)
    below = pki.authority("Below", issuer=short)

    assert path(pki.leaf(short), short)
    assert "too long" in refusal(pki.leaf(below), below, short)


def test_authorities_that_signed_each_other_end_nowhere() -> None:
    one_key, other_key = pki.ec_key(), pki.ec_key()
    one = Pair(pki.authority("One", key=one_key).certificate, one_key)
    other = pki.authority("Other", issuer=one, key=other_key)
    back = pki.certificate(pki.name("One"), issuer=other, key=one_key, ca=True)

    assert refusal(pki.leaf(other), other, back)


def test_a_heap_of_look_alikes_does_not_keep_us_busy() -> None:
    key = pki.ec_key()
    heap = [Pair(pki.certificate(pki.name("Heap"), key=key, ca=True).certificate, key) for _ in range(30)]

    assert refusal(pki.leaf(heap[0]), *heap)


def test_a_weak_leaf_is_refused() -> None:
    assert "too weak" in refusal(pki.leaf(ROOT, key=pki.rsa_key(1024)))
    with pytest.raises(chains.Untrusted, match="SHA1"):
        chains.path(pki.stored("sha1_leaf.pem"), intermediates=[], roots=[OLD], at=NOW)


def test_a_root_signed_with_an_old_hash_is_trusted_all_the_same() -> None:
    leaf = pki.stored("leaf_of_sha1_root.pem")

    assert chains.path(leaf, intermediates=[], roots=[OLD], at=NOW) == [leaf, OLD]


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({}, True),
        ({"ca": False}, True),
        ({"ca": True}, False),
        ({"extensions": ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),)}, True),
        ({"extensions": ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),)}, False),
        ({"extensions": ((pki.usage(digital_signature=True), True),)}, True),
        ({"extensions": ((pki.usage(key_encipherment=True), True),)}, False),
    ],
)
def test_a_clients_certificate_is_no_authority_and_made_for_clients(
    options: dict[str, Any], fits: bool
) -> None:
    assert chains.may_be_client(pki.leaf(ROOT, **options).certificate) is fits


def test_validity_has_two_ends() -> None:
    leaf = pki.leaf(ROOT, days=(-1, 1), now=NOW).certificate

    assert chains.is_within_validity(leaf, NOW)
    assert not chains.is_within_validity(leaf, NOW + timedelta(days=1, seconds=1))
    assert not chains.is_within_validity(leaf, NOW - timedelta(days=1, seconds=1))
