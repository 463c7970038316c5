"""Certificate requests, good and bad (A02.FR.03, A00.FR.501 to .506)."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from stations.pki import requests
from tests import pki
from tests.pki import VECTORS


def refusal(text: str) -> str:
    with pytest.raises(requests.BadRequest) as refused:
        requests.read(text)
    return str(refused.value)


def test_a_request_is_read() -> None:
    found = requests.read("\r\n" + pki.csr() + "\n\n")

    assert (found.common_name, found.organization, found.key_label) == ("ADA-1", pki.OPERATOR, "EC secp256r1")


@pytest.mark.parametrize("key", [pki.rsa_key(2048), pki.ec_key(ec.SECP224R1()), pki.ec_key(ec.SECP521R1())])
def test_a_key_worth_112_bits_is_strong_enough(key: Any) -> None:
    assert requests.read(pki.csr(key=key)).key_label


@pytest.mark.parametrize(
    ("key", "label"), [(pki.rsa_key(1024), "RSA 1024"), (pki.ec_key(ec.SECP192R1()), "EC secp192r1")]
)
def test_a_weak_key_is_refused(key: Any, label: str) -> None:
    assert refusal(pki.csr(key=key)) == f"its key is too weak: {label}"


def test_the_same_key_has_the_same_fingerprint_in_another_request() -> None:
    key = pki.ec_key()

    one, other = requests.read(pki.csr(key=key)), requests.read(pki.csr("ADA-2", key=key))

    assert one.key_fingerprint == other.key_fingerprint
    assert one.key_fingerprint != requests.read(pki.csr()).key_fingerprint


@pytest.mark.parametrize(
    "text", [pki.csr().replace("\n", ""), "garbage before\n" + pki.csr()], ids=["one line", "garbage"]
)
def test_line_ends_and_what_stands_before_make_no_difference(text: str) -> None:
    assert requests.read(text).common_name == "ADA-1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "-----BEGIN CERTIFICATE REQUEST-----",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        "-----BEGIN CERTIFICATE REQUEST-----\né\n-----END CERTIFICATE REQUEST-----",
        pki.csr().replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        pki.csr()[:200],
    ],
    ids=["nothing", "a word", "a head", "zeros", "no base64", "a certificate", "half of one"],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    assert refusal(text) in ("not a PEM certificate request", "cannot be read")


def test_a_changed_byte_breaks_the_signature() -> None:
    csr = x509.load_pem_x509_csr(pki.csr().encode())
    der = csr.public_bytes(Encoding.DER).replace(b"ADA-1", b"BEA-1")
    forged = x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()

    assert refusal(forged) == "its signature is wrong"


def test_an_old_hash_is_refused() -> None:
    assert refusal((VECTORS / "sha1.csr").read_text()) == "signed with SHA1"


def test_a_huge_text_is_refused_unread() -> None:
    assert refusal(pki.csr() + " " * 6000) == "longer than 5500 characters"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "it must hold one common name (CN)"),
        ([(NameOID.COMMON_NAME, "A"), (NameOID.COMMON_NAME, "B")], "it must hold one common name (CN)"),
        (
            [
                (NameOID.COMMON_NAME, "A"),
                (NameOID.ORGANIZATION_NAME, "X"),
                (NameOID.ORGANIZATION_NAME, "Y"),
            ],
            "it holds several organisations (O)",
        ),
    ],
)
def test_an_ambiguous_subject_is_refused(names: list[Any], reason: str) -> None:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    csr = builder.sign(pki.ec_key(), hashes.SHA256())

    assert refusal(csr.public_bytes(Encoding.PEM).decode()) == reason


def test_a_request_without_an_organisation_is_read_for_its_judge() -> None:
    assert requests.read(pki.csr(organization=None)).organization == ""


def test_an_edwards_key_is_strong() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateSigningRequestBuilder().subject_name(pki.name("ADA-1"))
    csr = builder.sign(key, None).public_bytes(Encoding.PEM).decode()

    assert requests.read(csr).key_label == "Ed25519"
