"""Certificate hash data against independent arithmetic (white paper section 6.1, RFC 6960 section 4.1.1)."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stations.pki import hash_data
from tests import pki
from tests.pki import VECTORS


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_it_hashes_name_and_key_of_the_issuer(algorithm: str) -> None:
    root = pki.authority()
    leaf = pki.leaf(root)
    digest = getattr(hashlib, algorithm.lower())
    point = root.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    found = hash_data.of(leaf.certificate, issuer=root.certificate, algorithm=algorithm)

    assert found.issuer_name_hash == digest(root.certificate.subject.public_bytes()).hexdigest()
    assert found.issuer_key_hash == digest(point).hexdigest()
    assert found.serial_number == format(leaf.certificate.serial_number, "x")
    assert found.hash_algorithm == algorithm


def test_a_root_is_its_own_issuer_and_an_rsa_key_is_hashed_without_its_wrapping() -> None:
    root = pki.authority(key=pki.rsa_key())
    bits = root.key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)

    assert hash_data.of(root.certificate).issuer_key_hash == hashlib.sha256(bits).hexdigest()


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_another_implementation_agrees(algorithm: str) -> None:
    told = json.loads((VECTORS / "hash_data.json").read_text())
    root, leaf = (pki.stored(name) for name in ("sha1_root.pem", "leaf_of_sha1_root.pem"))

    found = hash_data.of(leaf, issuer=root, algorithm=algorithm)

    assert found == hash_data.HashData.told(
        algorithm,
        **{k.removeprefix("issuer_"): v for k, v in told[algorithm].items()},
        serial_number=told["serial_number"],
    )


def test_case_and_leading_zeroes_make_no_difference() -> None:
    told = hash_data.HashData.told("SHA-256", " AB ", "CD", "0x000FFF")

    assert told == hash_data.HashData("SHA256", "ab", "cd", "fff")


def test_the_serial_number_zero_keeps_a_digit() -> None:
    assert hash_data.HashData.told("SHA256", "a", "b", "00").serial_number == "0"
