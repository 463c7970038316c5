"""Part 6, chapter 3: authorization (block C), and what its test cases leave open."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from cpo.lib import clock
from stations.models import ChargingSession, UnknownToken
from stations.pki import hash_data
from stations.services import authorization, root_certificates, token_groups
from tests import factories, pki
from tests.authority_server import Responder, serving
from tests.processes import Server
from tests.stories.story import rows
from tests.stories.v2.answering import Payload, Station, sent, station
from tests.stories.v2.station import EVSE, TOKEN, event, visit

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = ("2.0.1", "2.1")
STRANGER = TOKEN | {"idToken": "STRANGER"}
EMAID = "DE8AACA2B3C4D5"
CONTRACT = {"idToken": EMAID, "type": "eMAID"}
MO_ROOT = pki.authority("MO root")


async def asked(there: Station, token: Payload = TOKEN, **fields: Any) -> Payload:
    """Send an Authorize and return what is said about the token."""
    info: Payload = (await there.call("Authorize", {"idToken": token} | fields))["idTokenInfo"]
    return info


def parked() -> Payload:
    """Give the Started of a station whose transactions begin with a car in the bay."""
    return event("Started", 0, triggerReason="EVDetected", evse=EVSE, info={"chargingState": "Idle"})


def shown(token: Payload = TOKEN, seq_no: int = 1, **fields: Any) -> Payload:
    return event("Updated", seq_no, triggerReason="Authorized", idToken=token) | fields


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_02_csms_an_unknown_token_is_invalid(server: Server, version: str) -> None:
    async with station(server, version) as there:
        assert (await asked(there, STRANGER))["status"] in ("Invalid", "Unknown")

    assert (await rows(UnknownToken.objects.get)).uid == "STRANGER"


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_06_csms_a_blocked_token_is_blocked(server: Server, version: str) -> None:
    await rows(lambda: authorization.save_token("BO-1", status="Blocked"))
    async with station(server, version) as there:
        assert (await asked(there))["status"] == "Blocked"


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_07_csms_an_expired_token_is_expired(server: Server, version: str) -> None:
    yesterday = clock.now() - timedelta(days=1)
    await rows(lambda: authorization.save_token("BO-1", expires_at=yesterday))
    async with station(server, version) as there:
        assert (await asked(there))["status"] == "Expired"


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_08_csms_a_cached_token_is_accepted_with_the_transaction(
    server: Server, version: str
) -> None:
    async with station(server, version) as there:
        _, answer = await there.tell(parked(), shown())

    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert (await rows(ChargingSession.objects.get)).id_token == "BO-1"


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_20_csms_a_token_that_only_the_cache_knew_is_invalid(server: Server, version: str) -> None:
    async with station(server, version) as there:
        _, answer = await there.tell(parked(), shown(STRANGER))

    assert answer["idTokenInfo"]["status"] in ("Invalid", "Unknown")


async def cleared(server: Server, version: str, word: str) -> Any:
    """Send ClearCache to a station that says this word; return what became of it."""
    async with station(server, version, ClearCache={"status": word}) as there:
        command = await sent("ClearCache", {})
    assert there.requests("ClearCache") == [{}]
    return command.result


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_37_csms_a_cache_is_cleared(server: Server, version: str) -> None:
    assert await cleared(server, version, "Accepted") == {"status": "Accepted"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_38_csms_a_cache_that_cannot_be_cleared(server: Server, version: str) -> None:
    assert await cleared(server, version, "Rejected") == {"status": "Rejected"}


# --- groups (C09)


@pytest.fixture
def family(ada: Any) -> None:
    """Put Bo's and Cy's tokens into one group."""
    for uid in ("BO-1", "CY-1"):
        authorization.save_token(uid, group_id="FAMILY")


CY = TOKEN | {"idToken": "CY-1"}


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_39_csms_a_group_travels_with_every_answer(server: Server, version: str) -> None:
    async with station(server, version) as there:
        first = await asked(there, CY)
        _, started = await there.tell(parked(), shown())
        second = await asked(there, CY)
        stopping = await there.tell(shown(CY, 2, triggerReason="StopAuthorized"))

    infos = [first, started["idTokenInfo"], second, stopping[0]["idTokenInfo"]]
    assert [info["status"] for info in infos] == ["Accepted"] * 4
    assert [info["groupIdToken"]["idToken"] for info in infos] == ["FAMILY"] * 4


@pytest.mark.usefixtures("family")
async def test_tc_c_40_csms_a_token_of_the_list_stops_its_groups_session(server: Server) -> None:
    ended = event("Ended", 3, register_wh=2000, info={"stoppedReason": "Local"})
    async with station(server) as there:
        await there.tell(visit()[0])
        stopping = await there.tell(shown(CY, 1, triggerReason="StopAuthorized"))
        await there.tell(event("Updated", 2, info={"chargingState": "EVConnected"}), ended)

    session = await rows(ChargingSession.objects.get)
    assert stopping[0]["idTokenInfo"]["groupIdToken"]["idToken"] == "FAMILY"
    assert (session.id_token, session.stop_id_token, session.status) == ("BO-1", "CY-1", "ended")


@pytest.mark.usefixtures("family")
async def test_tc_c_43_csms_the_list_may_be_older_than_what_is_answered(server: Server) -> None:
    async with station(server) as there:
        started = (await there.tell(parked(), shown()))[1]["idTokenInfo"]
        info = await asked(there, CY)

    assert (started["groupIdToken"], info["groupIdToken"]["idToken"]) == (info["groupIdToken"], "FAMILY")
    assert info["status"] == "Accepted"


@pytest.mark.usefixtures("family")
async def test_c09_a_blocked_group_blocks_its_tokens(server: Server) -> None:
    await rows(lambda: token_groups.save("FAMILY", status="Blocked"))
    async with station(server) as there:
        assert (await asked(there))["status"] == "Blocked"


# --- master pass (C16)

MASTER = {"idToken": "MASTER-1", "type": "ISO14443"}


@pytest.fixture
def master(ada: Any) -> None:
    authorization.save_token("MASTER-1", group_id="MASTERS")
    authorization.save_token("CY-1")


def at(evse: int, token: Payload, transaction_id: str) -> Payload:
    first = visit()[0] | {"evse": EVSE | {"id": evse}, "idToken": token}
    return first | {"transactionInfo": {"transactionId": transaction_id, "chargingState": "Charging"}}


def mastered(transaction_id: str) -> Payload:
    info = {"transactionId": transaction_id, "stoppedReason": "MasterPass"}
    return event("Ended", 1, register_wh=2000, triggerReason="StopAuthorized", idToken=MASTER, info=info)


async def stopped_by_master(server: Server, *names: str) -> list[ChargingSession]:
    """Charge at two EVSEs, show the master pass, and stop these with it; return the sessions that ended."""
    async with station(server) as there:
        await there.tell(at(1, TOKEN, "a"), at(2, CY, "b"))
        info = await asked(there, MASTER)
        answers = await there.tell(*(mastered(name) for name in names))

    infos = [info, *(answer["idTokenInfo"] for answer in answers)]
    assert {(one["status"], one["groupIdToken"]["idToken"]) for one in infos} == {("Accepted", "MASTERS")}
    ended = ChargingSession.objects.filter(status="ended").order_by("transaction_id")
    found = await rows(lambda: list(ended))
    assert {(s.stop_reason, s.stop_id_token, s.energy_wh, s.needs_review) for s in found} == {
        ("MasterPass", "MASTER-1", 1000, False)
    }
    return found


@pytest.mark.usefixtures("master")
async def test_tc_c_47_csms_a_master_pass_stops_all_on_its_display(server: Server) -> None:
    ended = await stopped_by_master(server, "a", "b")

    assert [session.transaction_id for session in ended] == ["a", "b"]


@pytest.mark.usefixtures("master")
async def test_tc_c_48_csms_a_master_pass_stops_the_one_that_was_chosen(server: Server) -> None:
    [session] = await stopped_by_master(server, "b")

    assert (session.transaction_id, session.id_token) == ("b", "CY-1")
    assert await rows(lambda: ChargingSession.objects.active().get().transaction_id) == "a"


@pytest.mark.usefixtures("master")
async def test_tc_c_49_csms_a_master_pass_stops_all_without_a_display(server: Server) -> None:
    ended = await stopped_by_master(server, "b", "a")

    assert [session.transaction_id for session in ended] == ["a", "b"]
    assert not await rows(ChargingSession.objects.active().exists)


# --- contracts (C07)


@pytest.fixture
def responder(ada: Any) -> Iterator[tuple[Responder, str]]:
    """Give the responder of a mobility operator that we know, and its address; Bo has a contract."""
    factories.token(EMAID)
    root_certificates.add(MO_ROOT.pem, use="MORootCertificate")
    found = Responder(MO_ROOT)
    with serving(found.reply) as url:
        yield found, url


def contract(url: str, **options: Any) -> pki.Pair:
    """Give a contract certificate that names the responder."""
    place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
    access = (x509.AuthorityInformationAccess([place]), False)
    return pki.leaf(MO_ROOT, **{"common_name": EMAID, "extensions": (access,)} | options)


def hashes(leaf: pki.Pair, url: str) -> list[Payload]:
    named = hash_data.of(leaf.certificate, issuer=MO_ROOT.certificate)
    return [
        {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": named.issuer_name_hash,
            "issuerKeyHash": named.issuer_key_hash,
            "serialNumber": named.serial_number,
            "responderURL": url,
        }
    ]


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_c_50_csms_a_contract_is_asked_about_by_its_hashes(
    server: Server, responder: Any, version: str
) -> None:
    source, url = responder
    async with station(server, version) as there:
        payload = {"idToken": CONTRACT, "iso15118CertificateHashData": hashes(contract(url), url)}
        answer = await there.call("Authorize", payload)
        _, started = await there.tell(parked(), shown(CONTRACT))

    assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == ("Accepted", "Accepted")
    assert (source.asked, started["idTokenInfo"]["status"]) == (1, "Accepted")


async def test_tc_c_51_csms_a_revoked_contract_is_refused(server: Server, responder: Any) -> None:
    source, url = responder
    leaf = contract(url)
    source.statuses[leaf.certificate.serial_number] = ocsp.OCSPCertStatus.REVOKED
    async with station(server) as there:
        payload = {"idToken": CONTRACT, "iso15118CertificateHashData": hashes(leaf, url)}
        answer = await there.call("Authorize", payload)

    assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == ("CertificateRevoked", "Invalid")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("GOOD", ("Accepted", "Accepted")), ("REVOKED", ("CertificateRevoked", "Invalid"))],
)
async def test_tc_c_52_csms_a_contract_is_judged_by_its_certificate(
    server: Server, responder: Any, status: str, expected: tuple[str, str]
) -> None:
    source, url = responder
    leaf = contract(url)
    source.statuses[leaf.certificate.serial_number] = ocsp.OCSPCertStatus[status]
    async with station(server) as there:
        answer = await there.call("Authorize", {"idToken": CONTRACT, "certificate": leaf.pem})

    assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == expected
    assert source.asked == 1


async def test_c07_fr_13_a_good_certificate_of_a_blocked_driver_is_a_cancelled_contract(
    server: Server, responder: Any
) -> None:
    _, url = responder
    await rows(lambda: authorization.save_token(EMAID, status="Blocked"))
    async with station(server) as there:
        answer = await there.call("Authorize", {"idToken": CONTRACT, "certificate": contract(url).pem})

    assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == ("ContractCancelled", "Blocked")


async def test_c07_fr_15_an_expired_certificate_is_told_apart(server: Server, responder: Any) -> None:
    _, url = responder
    leaf = contract(url, days=(-9, -1))
    async with station(server) as there:
        answer = await there.call("Authorize", {"idToken": CONTRACT, "certificate": leaf.pem})

    assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == ("CertificateExpired", "Expired")


@pytest.mark.parametrize("stored", ["DE8AACA2B3C4D5", "DE-8AA-CA2B3C4D5"])
@pytest.mark.parametrize("presented", ["DE8AACA2B3C4D5", "DE-8AA-CA2B3C4D5-3", "de*8aa*ca2b3c4d5"])
async def test_c07_separators_of_a_contract_id_mean_nothing(
    server: Server, stored: str, presented: str
) -> None:
    await rows(lambda: authorization.save_token(stored, type="EMAID"))
    token = {"idToken": presented, "type": "eMAID"}
    async with station(server) as there:
        assert (await asked(there, token))["status"] == "Accepted"
        assert (await there.tell(visit()[0] | {"idToken": token}))[0]["idTokenInfo"]["status"] == "Accepted"


# --- types of tokens


@pytest.mark.parametrize(
    ("version", "type"),
    [("2.0.1", name) for name in ("Central", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress")]
    + [("2.1", name) for name in ("EVCCID", "VIN", "SomethingNew")],
)
async def test_c01_a_token_of_any_type_is_known_by_its_id(server: Server, version: str, type: str) -> None:
    async with station(server, version) as there:
        assert (await asked(there, TOKEN | {"type": type}))["status"] == "Accepted"


@pytest.mark.parametrize(("version", "type"), [("2.0.1", "NoAuthorization"), ("2.1", "DirectPayment")])
async def test_c02_c18_what_the_station_authorized_is_not_asked_about(
    server: Server, version: str, type: str
) -> None:
    token = {"idToken": "" if type == "NoAuthorization" else "psp-4711", "type": type}
    async with station(server, version) as there:
        assert (await asked(there, token))["status"] == "Accepted"
        await there.tell(*[visit()[0] | {"idToken": token}, *visit()[1:]])

    session = await rows(ChargingSession.objects.get)
    assert (session.status, session.flags, session.needs_review) == ("ended", [], False)
    assert not await rows(UnknownToken.objects.exists)


async def test_c01_expiry_and_language_are_told(server: Server) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    await rows(lambda: authorization.save_token("BO-1", expires_at=tomorrow, language="nl"))
    async with station(server) as there:
        info = await asked(there)

    assert info["language1"] == "nl"
    assert info["cacheExpiryDateTime"][:19] <= tomorrow.isoformat()[:19]


async def test_c05_an_additional_id_is_no_reason_to_refuse(server: Server) -> None:
    extra = [{"additionalIdToken": "5678", "type": "pin"}]
    async with station(server) as there:
        assert (await asked(there, TOKEN | {"additionalInfo": extra}))["status"] == "Accepted"
