"""Plug & Charge as a simulated station plays it: contracts presented both ways, chains asked about (C07, C08, M07)."""

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from cpo.simulator.v2 import certificates as simulator
from stations.models import ChargingSession
from stations.services import root_certificates
from tests import factories, pki
from tests.authority_server import Responder, serving
from tests.processes import Server
from tests.stories.story import rows
from tests.stories.v2.certified import VERSIONS, at_adas

pytestmark = pytest.mark.usefixtures("ada")
EMAID = "DE8AACA2B3C4D5"
MO = pki.authority("MO root")
BOTH = pytest.mark.parametrize("version", VERSIONS)


class Operator:
    """A mobility operator: it issues contracts under a sub-CA, and answers about both."""

    def __init__(self, url: str) -> None:
        place = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url)
        )
        access = ((x509.AuthorityInformationAccess([place]), False),)
        self.between = pki.authority("MO sub", issuer=MO, extensions=access)
        self.contract = pki.leaf(self.between, EMAID, extensions=access)
        self.responders = [Responder(MO), Responder(self.between, is_sent=True)]

    @property
    def chain(self) -> list[x509.Certificate]:
        return [self.contract.certificate, self.between.certificate, MO.certificate]

    def revoke(self) -> None:
        number = self.contract.certificate.serial_number
        self.responders[1].statuses[number] = ocsp.OCSPCertStatus.REVOKED

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        asked = ocsp.load_der_ocsp_request(body).serial_number
        responder = self.responders[asked == self.contract.certificate.serial_number]
        return responder.reply(method, path, headers, body)


@pytest.fixture
def operator(ada: Any) -> Iterator[Operator]:
    factories.token(EMAID)
    root_certificates.add(MO.pem, use="MORootCertificate")
    found: list[Operator] = []
    with serving(lambda *asked: found[0].reply(*asked)) as url:
        found.append(Operator(url))
        yield found[0]


def told(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["certificateStatus"], answer["idTokenInfo"]["status"]


@BOTH
@pytest.mark.parametrize("is_central", [False, True], ids=["hashes", "chain"])
async def test_c07_a_contract_is_good_until_it_is_revoked(
    server: Server, operator: Operator, version: str, is_central: bool
) -> None:
    chain = operator.chain[:2] if is_central else operator.chain
    async with at_adas(server, version) as there:
        await there.come_up()
        good = await simulator.authorize_contract(there, EMAID, chain, is_central=is_central)

    assert told(good) == ("Accepted", "Accepted")
    assert [responder.asked for responder in operator.responders] == [1, 1]


@BOTH
async def test_c07_fr_16_one_revoked_certificate_of_the_chain_refuses_the_contract(
    server: Server, operator: Operator, version: str
) -> None:
    operator.revoke()
    async with at_adas(server, version) as there:
        await there.come_up()
        by_hashes = await simulator.authorize_contract(there, EMAID, operator.chain)
        by_chain = await simulator.authorize_contract(there, EMAID, operator.chain[:2], is_central=True)

    assert [told(by_hashes), told(by_chain)] == [("CertificateRevoked", "Invalid")] * 2


async def test_c07_fr_17_a_chain_without_an_answer_or_without_its_root_is_an_error(
    server: Server, operator: Operator
) -> None:
    lonely = [operator.contract.certificate]
    stranger = pki.leaf(pki.authority("MO root"), EMAID)
    operator.responders[1].other_serial = True  # it speaks of another certificate
    async with at_adas(server) as there:
        await there.come_up()
        answers = [
            await simulator.authorize_contract(there, EMAID, operator.chain),
            await simulator.authorize_contract(there, EMAID, lonely, is_central=True),
            await simulator.authorize_contract(there, EMAID, [stranger.certificate], is_central=True),
        ]

    assert [told(answer) for answer in answers] == [("CertChainError", "Invalid")] * 3


@BOTH
async def test_c08_a_vehicle_with_another_means_is_known_by_its_card_alone(
    server: Server, operator: Operator, version: str
) -> None:
    async with at_adas(server, version) as there:
        await there.come_up()
        await there.charge("BO-1", energy_wh=1000, duration_s=60)

    assert (await rows(ChargingSession.objects.get)).id_token == "BO-1"
    assert "iso15118CertificateHashData" not in there.calls("Authorize")[0]


async def test_m07_a_station_asks_about_a_vehicles_chain(server: Server, operator: Operator) -> None:
    async with at_adas(server, "2.1") as there:
        await there.come_up()
        url = simulator.ocsp_data(there, operator.chain)[0]["responderURL"]
        good = await simulator.chain_status(there, operator.chain, ocsp=[url])
        bad = await simulator.chain_status(there, operator.chain, crl=["http://127.0.0.1:9/"])

    assert (good, bad) == (["Good", "Good"], ["Failed", "Failed"])
