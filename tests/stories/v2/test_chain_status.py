"""GetCertificateChainStatus: a vehicle's chain asked about by OCSP and by revocation list (2.1 M07)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509 import ocsp

from cpo.lib import clock
from stations.pki import hash_data
from stations.services import root_certificates
from tests import pki
from tests.authority_server import Authority, Reply, Responder, serving
from tests.processes import Server
from tests.stories.story import rows
from tests.stories.v2.answering import Payload, Station, station

pytestmark = pytest.mark.usefixtures("ada")
OEM = pki.authority("Vehicle maker")
NOWHERE = "http://127.0.0.1:9/"


@dataclass
class Sources:
    """What a vehicle maker runs: a responder at /ocsp and a list everywhere else."""

    responder: Responder
    lists: Authority
    url: str = ""
    asked: int = 0

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        self.asked += 1
        if path == "/ocsp":
            return self.responder.reply(method, path, headers, body)
        if path == "/broken":
            return 500, {}, b""
        return 200, {}, self.lists.crl()


@pytest.fixture
def sources() -> Iterator[Sources]:
    lists = Authority()
    lists.issuing = OEM
    found = Sources(Responder(OEM), lists)
    with serving(found.reply) as url:
        found.url = url
        yield found


def wish(vehicle: pki.Pair, source: str, *urls: str) -> Payload:
    named = hash_data.of(vehicle.certificate, issuer=OEM.certificate)
    hashes = {
        "hashAlgorithm": named.hash_algorithm, "issuerNameHash": named.issuer_name_hash,
        "issuerKeyHash": named.issuer_key_hash, "serialNumber": named.serial_number.upper(),
    }  # fmt: skip
    return {"certificateHashData": hashes, "source": source, "urls": list(urls)}


async def asked(there: Station, *wishes: Payload) -> list[Payload]:
    answer = await there.call("GetCertificateChainStatus", {"certificateStatusRequests": list(wishes)})
    found: list[Payload] = answer["certificateStatus"]
    assert [one["certificateHashData"] for one in found] == [one["certificateHashData"] for one in wishes]
    return found


def words(told: list[Payload]) -> list[str]:
    return [one["status"] for one in told]


@pytest.mark.parametrize("word", ["GOOD", "REVOKED", "UNKNOWN"])
async def test_m07_fr_03_the_responders_word_is_the_status(
    server: Server, sources: Sources, word: str
) -> None:
    vehicle = pki.leaf(OEM, "VIN")
    sources.responder.statuses[vehicle.certificate.serial_number] = ocsp.OCSPCertStatus[word]
    async with station(server, "2.1") as there:
        [told] = await asked(there, wish(vehicle, "OCSP", f"{sources.url}/ocsp"))

    until = datetime.fromisoformat(told["nextUpdate"])
    assert (told["status"], told["source"]) == (word.capitalize(), "OCSP")
    assert clock.now() < until <= clock.now() + timedelta(hours=1)


async def test_m07_fr_06_and_07_what_is_on_the_list_is_revoked_and_what_is_not_is_good(
    server: Server, sources: Sources
) -> None:
    good, bad = pki.leaf(OEM, "VIN-1"), pki.leaf(OEM, "VIN-2")
    sources.lists.revoked = [bad.certificate.serial_number]
    async with station(server, "2.1") as there:
        told = await asked(there, *(wish(one, "CRL", f"{sources.url}/crl") for one in (good, bad)))

    assert (words(told), {one["source"] for one in told}) == (["Good", "Revoked"], {"CRL"})
    assert datetime.fromisoformat(told[0]["nextUpdate"]) > datetime.now(UTC) + timedelta(hours=23)


async def test_m07_one_address_after_the_other_is_tried_and_what_was_said_is_remembered(
    server: Server, sources: Sources
) -> None:
    one, other = pki.leaf(OEM, "VIN-1"), pki.leaf(OEM, "VIN-2")
    urls = ("ftp://crl.example/list", f"{sources.url}/broken", f"{sources.url}/crl")
    async with station(server, "2.1") as there:
        asks = [wish(one, "CRL", *urls), wish(other, "OCSP", NOWHERE, f"{sources.url}/ocsp")]
        told = [words(await asked(there, *asks)) for _ in range(2)]

    assert told == [["Good", "Good"]] * 2
    assert sources.asked == 4  # the broken address twice, the list and the responder once


@pytest.mark.parametrize("source", ["OCSP", "CRL"])
async def test_m07_fr_02_and_05_what_nobody_can_tell_is_failed_now(
    server: Server, sources: Sources, source: str
) -> None:
    asks = [
        wish(pki.leaf(OEM, "VIN"), source, NOWHERE, "file:///etc/passwd"),
        wish(pki.leaf(OEM, "VIN"), source, f"{sources.url}/broken"),
    ]
    asks.append({**asks[0], "certificateHashData": {**asks[0]["certificateHashData"], "serialNumber": "x"}})
    async with station(server, "2.1") as there:
        told = await asked(there, *asks)

    assert words(told) == ["Failed"] * 3
    assert all(datetime.fromisoformat(one["nextUpdate"]) <= clock.now() for one in told)


async def test_m07_a_list_of_another_issuer_or_with_a_strangers_signature_says_nothing(
    server: Server, sources: Sources
) -> None:
    await rows(lambda: root_certificates.add(OEM.pem, use="OEMRootCertificate"))
    vehicle, stranger = pki.leaf(OEM, "VIN"), pki.authority("Stranger")
    asks = [wish(vehicle, "CRL", f"{sources.url}/{name}") for name in ("forged", "other", "crl")]
    async with station(server, "2.1") as there:
        sources.lists.issuing = pki.Pair(OEM.certificate, stranger.key)
        told = words(await asked(there, asks[0]))
        sources.lists.issuing = stranger
        told += words(await asked(there, asks[1]))
        sources.lists.issuing = OEM
        told += words(await asked(there, asks[2]))

    assert told == ["Failed", "Failed", "Good"]
