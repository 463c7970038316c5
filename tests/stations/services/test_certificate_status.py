"""OCSP: our own answers, others' answers, and which of them prove anything (RFC 6960; OCPP 2.1 M06, C07)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.core.cache import cache

from cpo.lib import clock
from stations.models import ChargingStation
from stations.pki import hash_data
from stations.pki.hash_data import HashData
from stations.services import certificate_rows, certificate_status, plug_and_charge, root_certificates
from stations.services.certificate_status import NoStatus, Responders
from stations.services.local_ca import LocalAuthority
from stations.services.plug_and_charge import Asked
from tests import factories, pki
from tests.authority_server import Responder, serving
from tests.pki import Pair

pytestmark = pytest.mark.django_db
MO = pki.authority("MO root")
EMAID = "DE8AACA2B3C4D5"


@pytest.fixture(autouse=True)
def lenient(settings: Any) -> Iterator[None]:
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def station() -> ChargingStation:
    root_certificates.add(MO.pem, use="MORootCertificate")
    factories.token(EMAID)
    return factories.station("ADA-1")


def named(leaf: Pair, issuer: Pair = MO, algorithm: str = "SHA256") -> HashData:
    return hash_data.of(leaf.certificate, issuer=issuer.certificate, algorithm=algorithm)


def status(asked: HashData, url: str = "http://127.0.0.1:9/") -> certificate_status.Status:
    return Responders().status(asked, responder_url=url)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_our_own_issuing_certificate_is_good_until_it_is_revoked(algorithm: str) -> None:
    issuing = LocalAuthority().signer("v2g").certificate
    root = LocalAuthority().roots("V2GCertificate")[0]
    asked = hash_data.of(issuing, issuer=root, algorithm=algorithm)
    assert status(asked).word == "good"

    certificate_rows.mark_revoked(issuing, reason="superseded", at=clock.now())

    found = status(asked)
    told = ocsp.load_der_ocsp_response(found.response)
    assert (found.word, told.certificate_status.name) == ("revoked", "REVOKED")
    root.public_key().verify(
        told.signature, told.tbs_response_bytes, certificate_status.ec.ECDSA(told.signature_hash_algorithm)
    )  # type: ignore[union-attr, call-arg, arg-type]


def test_a_responder_is_asked_once_while_its_answer_holds(station: ChargingStation) -> None:
    responder, leaf = Responder(MO), pki.leaf(MO)
    with serving(responder.reply) as url:
        found = [status(named(leaf), url) for _ in range(3)]

    assert {(one.word, one.is_proven) for one in found} == {("good", True)}
    assert responder.asked == 1


def test_a_delegate_of_the_issuer_may_sign(station: ChargingStation) -> None:
    purpose = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
    delegate = pki.certificate(pki.name("OCSP"), issuer=MO, extensions=(purpose,))
    with serving(Responder(MO, signer=delegate).reply) as url:
        assert status(named(pki.leaf(MO)), url).is_proven


@pytest.mark.parametrize(
    "signer",
    [
        pki.authority("MO root"),
        pki.certificate(pki.name("OCSP"), issuer=MO),
        pki.certificate(
            pki.name("OCSP"), issuer=MO, days=(-9, -1),
            extensions=((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),),
        ),
    ],
    ids=["a stranger", "without the purpose", "expired"],
)  # fmt: skip
def test_what_somebody_else_signed_proves_nothing(station: ChargingStation, signer: Pair) -> None:
    with serving(Responder(MO, signer=signer).reply) as url:
        assert not status(named(pki.leaf(MO)), url).is_proven


def test_a_listed_responder_is_believed_about_issuers_that_we_do_not_know(settings: Any) -> None:
    settings.CERTIFICATE_STATUS_HOSTS = ["127.0.0.1"]
    stranger = pki.authority("Stranger")
    with serving(Responder(stranger).reply) as url:
        assert status(named(pki.leaf(stranger), stranger), url).is_proven


def test_a_responder_that_is_not_listed_is_not_asked(settings: Any) -> None:
    settings.CERTIFICATE_STATUS_HOSTS = ["ocsp.example"]
    responder = Responder(MO)
    with serving(responder.reply) as url, pytest.raises(NoStatus, match="not among"):
        status(named(pki.leaf(MO)), url)
    assert responder.asked == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://ocsp.example/",
        "http://ada@ocsp.example/",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "gopher://a",
    ],
)
def test_an_address_that_is_none_is_not_asked(url: str) -> None:
    with pytest.raises(NoStatus):
        status(named(pki.leaf(MO)), url)


def test_no_private_address_is_asked(settings: Any) -> None:
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False
    responder = Responder(MO)
    with serving(responder.reply) as url, pytest.raises(NoStatus):
        status(named(pki.leaf(MO)), url)
    with pytest.raises(NoStatus):
        status(named(pki.leaf(MO)), "http://127.0.0.1/")
    assert responder.asked == 0


@pytest.mark.parametrize(
    "reply",
    [(500, {}, b""), (200, {}, b"hello"), (200, {}, b"\x30\x03\x0a\x01\x06"), (302, {"location": "/"}, b"")],
)
def test_an_answer_that_is_none_is_no_status(reply: Any) -> None:
    with serving(lambda *_: reply) as url, pytest.raises(NoStatus):
        status(named(pki.leaf(MO)), url)


def test_an_answer_about_another_certificate_or_another_day_is_no_status(station: ChargingStation) -> None:
    responder = Responder(MO)
    with serving(responder.reply) as url:
        responder.other_serial = True
        with pytest.raises(NoStatus, match="another certificate"):
            status(named(pki.leaf(MO)), url)
        responder.other_serial, responder.valid_for = False, timedelta(hours=-1)
        with pytest.raises(NoStatus, match="out of date"):
            status(named(pki.leaf(MO)), url)


@pytest.mark.parametrize(
    "asked",
    [
        HashData("MD5", "aa", "bb", "1"),
        HashData("SHA256", "zz", "bb", "1"),
        HashData("SHA256", "aa", "b", "1"),
        HashData("SHA256", "aa", "bb", "xyz"),
        HashData("SHA256", "aa", "bb", "1" * 41),
    ],
)
def test_hashes_that_are_none_are_no_status(asked: HashData) -> None:
    with pytest.raises(NoStatus):
        status(asked)


# --- contracts


def judged(station: ChargingStation, leaf: Pair, url: str) -> tuple[str, str]:
    found = plug_and_charge.authorize(EMAID, station=station, asked=[Asked(named(leaf), url)])
    return found.certificate_status, found.decision.status


def test_a_contract_is_what_its_responder_says(station: ChargingStation) -> None:
    leaf, responder = pki.leaf(MO, EMAID), Responder(MO)
    with serving(responder.reply) as url:
        assert judged(station, leaf, url) == ("Accepted", "Accepted")
        cache.clear()
        responder.statuses = {leaf.certificate.serial_number: ocsp.OCSPCertStatus.REVOKED}
        assert judged(station, leaf, url) == ("CertificateRevoked", "Invalid")
        cache.clear()
        responder.statuses = {leaf.certificate.serial_number: ocsp.OCSPCertStatus.UNKNOWN}
        assert judged(station, leaf, url) == ("CertChainError", "Invalid")


def test_a_responder_that_the_vehicle_brings_along_proves_nothing(station: ChargingStation) -> None:
    stranger = pki.authority("MO root")
    with serving(Responder(MO, signer=stranger).reply) as url:
        assert judged(station, pki.leaf(MO, EMAID), url) == ("CertChainError", "Invalid")


def test_a_contract_certificate_that_was_revoked_here_is_told_so(station: ChargingStation) -> None:
    leaf = pki.leaf(MO, EMAID)
    certificate_rows.mark_revoked(leaf.certificate, reason="", at=clock.now())

    found = plug_and_charge.authorize(EMAID, station=station, certificate=leaf.pem)

    assert (found.certificate_status, found.decision.status) == ("CertificateRevoked", "Invalid")


@pytest.mark.parametrize("emaid", [EMAID, "de8aaca2b3c4d5", "DE-8AA-CA2B3C4D5"])
def test_separators_and_case_of_an_emaid_make_no_difference(station: ChargingStation, emaid: str) -> None:
    found = plug_and_charge.authorize(emaid, station=station, certificate=pki.leaf(MO, EMAID).pem)

    assert (found.certificate_status, found.decision.status) == ("Accepted", "Accepted")


def test_a_blocked_contract_is_cancelled(station: ChargingStation) -> None:
    from stations.models import IdToken

    IdToken.objects.update(status="Blocked")

    found = plug_and_charge.authorize(EMAID, station=station, certificate=pki.leaf(MO, EMAID).pem)

    assert (found.certificate_status, found.decision.status) == ("ContractCancelled", "Blocked")


def test_a_certificate_that_comes_with_the_answer_proves_it_where_its_key_is_the_issuers() -> None:
    unknown = pki.authority("Unknown root")
    leaf = pki.leaf(unknown)
    asked = named(leaf, unknown)
    with serving(Responder(unknown, is_sent=True).reply) as url:
        assert status(asked, url).is_proven
    cache.clear()
    impostor = pki.authority("Unknown root")
    with serving(Responder(unknown, signer=impostor).reply) as url:
        assert not status(asked, url).is_proven


def test_a_chain_with_an_expired_authority_is_expired(station: ChargingStation) -> None:
    between = pki.authority("MO sub", issuer=MO, days=(-9, -1))
    contract = pki.leaf(between, EMAID, days=(-5, 30))

    found = plug_and_charge.authorize(EMAID, station=station, certificate=contract.pem + between.pem)

    assert (found.certificate_status, found.decision.status) == ("CertificateExpired", "Expired")


def test_an_expired_chain_of_a_stranger_is_an_error(station: ChargingStation) -> None:
    stranger = pki.authority("MO root")
    between = pki.authority("MO sub", issuer=stranger, days=(-9, -1))
    contract = pki.leaf(between, EMAID, days=(-5, 30))

    found = plug_and_charge.authorize(EMAID, station=station, certificate=contract.pem + between.pem)

    assert found.certificate_status == "CertChainError"


@pytest.mark.parametrize("presented", ["DE-8AA-CA2B3C4D5", "DE*8AA*CA2B3C4D5*3", "de8aaca2b3c4d53"])
def test_a_contract_certificate_names_its_emaid_however_it_is_written(
    station: ChargingStation, presented: str
) -> None:
    found = plug_and_charge.authorize(presented, station=station, certificate=pki.leaf(MO, EMAID).pem)

    assert (found.certificate_status, found.decision.status) == ("Accepted", "Accepted")


def test_hash_data_that_names_nothing_proves_nothing(station: ChargingStation) -> None:
    found = plug_and_charge.authorize(EMAID, station=station, asked=[Asked(None, "http://127.0.0.1:9/")])

    assert (found.certificate_status, found.decision.status) == ("CertChainError", "Invalid")
