"""What everybody may ask our authority: OCSP, revocation lists, roots."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from django.test import Client

from cpo.lib import clock
from stations.services import certificate_rows
from stations.services.local_ca import LocalAuthority
from tests import pki

pytestmark = pytest.mark.django_db


def request_about(leaf: x509.Certificate, issuer: x509.Certificate) -> bytes:
    built = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256()).build()
    return built.public_bytes(Encoding.DER)


@pytest.fixture
def ours() -> tuple[x509.Certificate, x509.Certificate]:
    issuing = LocalAuthority().signer("stations").certificate
    return issuing, LocalAuthority().roots("ChargingStationCertificate")[0]


def asked(client: Client, der: bytes) -> ocsp.OCSPResponse:
    answer = client.post("/pki/ocsp", der, content_type="application/ocsp-request")
    assert (answer.status_code, answer["content-type"]) == (200, "application/ocsp-response")
    return ocsp.load_der_ocsp_response(answer.content)


def test_it_answers_about_its_own_certificates(
    client: Client, ours: tuple[x509.Certificate, x509.Certificate]
) -> None:
    assert asked(client, request_about(*ours)).certificate_status.name == "GOOD"

    certificate_rows.mark_revoked(ours[0], reason="superseded", at=clock.now())

    assert asked(client, request_about(*ours)).certificate_status.name == "REVOKED"


def test_a_request_may_stand_in_the_path(
    client: Client, ours: tuple[x509.Certificate, x509.Certificate]
) -> None:
    text = base64.b64encode(request_about(*ours)).decode()

    answer = client.get(f"/pki/ocsp/{text}")

    assert ocsp.load_der_ocsp_response(answer.content).certificate_status.name == "GOOD"


def test_about_others_it_says_that_it_may_not(client: Client) -> None:
    root = pki.authority()

    found = asked(client, request_about(pki.leaf(root).certificate, root.certificate))

    assert found.response_status.name == "UNAUTHORIZED"


@pytest.mark.parametrize("der", [b"", b"hello", b"\x30\x03", b"\x30" * 5000])
def test_what_is_no_request_is_told_so(client: Client, der: bytes) -> None:
    assert asked(client, der).response_status.name == "MALFORMED_REQUEST"


@pytest.mark.parametrize("path", ["/pki/ocsp/hello", "/pki/ocsp/%00", "/pki/ocsp/" + "A" * 6000, "/pki/ocsp"])
def test_what_is_no_request_in_the_path_is_told_so(client: Client, path: str) -> None:
    answer = client.get(path)

    assert ocsp.load_der_ocsp_response(answer.content).response_status.name == "MALFORMED_REQUEST"


def test_the_revocation_list_is_signed_and_names_what_was_revoked(
    client: Client, ours: tuple[x509.Certificate, x509.Certificate]
) -> None:
    leaf = pki.leaf(pki.Pair(ours[0], LocalAuthority().signer("stations").key)).certificate
    certificate_rows.mark_revoked(leaf, reason="superseded", at=clock.now())

    crl = x509.load_der_x509_crl(client.get("/pki/stations.crl").content)

    assert crl.is_signature_valid(ours[0].public_key())  # type: ignore[arg-type]
    assert [entry.serial_number for entry in crl] == [leaf.serial_number]


@pytest.mark.parametrize("role", ["stations", "nothing", "rsa"])
def test_there_is_no_list_of_what_never_signed(client: Client, role: str) -> None:
    assert client.get(f"/pki/{role}.crl").status_code == 404


def test_the_roots_are_given_to_whoever_ends_tls(
    client: Client, ours: tuple[x509.Certificate, x509.Certificate]
) -> None:
    text = client.get("/pki/roots.pem").content

    assert x509.load_pem_x509_certificates(text) == [ours[1]]
