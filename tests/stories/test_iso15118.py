"""Plug & Charge inside DataTransfer over a real socket (application note on ISO 15118 with 1.6, chapters 2 to 6)."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.x509 import ocsp

from cpo.simulator import security as simulator
from stations.models import (
    ChargingStation,
    Command,
    InstalledCertificate,
    RootCertificate,
    StationCertificate,
)
from stations.pki import certificates as x
from stations.pki import hash_data
from stations.services import (
    certificates,
    installed_certificates,
    root_certificates,
)
from stations.services.local_ca import LocalAuthority
from tests import factories, pki
from tests.charger import Charger, answers, keeps_silent
from tests.stories.story import eventually, rows

pytestmark = pytest.mark.usefixtures("celery_worker_process")
Make = Callable[..., Charger]
Row = StationCertificate
VENDOR, V2G = simulator.VENDOR, "V2GCertificate"
EMAID = "DE8AACA2B3C4D5"
MO_ROOT = pki.authority("MO root")


def at_adas(charger: Make) -> Charger:
    station = charger()
    station.configuration["CpoName"].value = pki.OPERATOR
    return station


async def ask(station: Charger, message: str, payload: Any) -> dict[str, Any]:
    """Send a message of the application note; return the outer answer with the inner one read."""
    data = payload if isinstance(payload, str) else json.dumps(payload)
    answer = await station.call("DataTransfer", {"vendorId": VENDOR, "messageId": message, "data": data})
    return answer | ({"data": json.loads(answer["data"])} if "data" in answer else {})


def contract(**options: Any) -> pki.Pair:
    return pki.leaf(MO_ROOT, **{"common_name": EMAID} | options)


def hashes_of(leaf: x.x509.Certificate, issuer: x.x509.Certificate, url: str = "http://127.0.0.1:9/") -> Any:
    named = hash_data.of(leaf, issuer=issuer)
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": named.issuer_name_hash,
        "issuerKeyHash": named.issuer_key_hash,
        "serialNumber": named.serial_number.upper(),
        "responderURL": url,
    }


@pytest.fixture
def mo_root(ada: ChargingStation) -> RootCertificate:
    factories.token(EMAID)
    return root_certificates.add(MO_ROOT.pem, use="MORootCertificate")


# --- the station's own certificate (3.1)


async def test_sign_certificate_and_certificate_signed_bring_a_v2g_chain(
    charger: Make, ada: ChargingStation
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        assert await simulator.ask_for_certificate(station, V2G) == "Accepted"
        row = await eventually(lambda: Row.objects.filter(state="accepted").first())

    own = station.vault.own[V2G]
    assert (row.use, len(own.chain)) == (V2G, 2)
    assert row.serial_number == format(own.chain[0].serial_number, "x")
    assert station.calls("CertificateSigned", "in") == []


async def test_trigger_message_makes_a_station_renew_its_v2g_certificate(
    charger: Make, ada: ChargingStation
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        for _ in range(2):
            await rows(lambda: certificates.renew(ChargingStation.objects.get(pk=ada.pk), use=V2G))
            await eventually(lambda: not Row.objects.filter(state__in=["requested", "sent"]).exists())
            await eventually(lambda: Row.objects.filter(state="accepted").first())
        await eventually(lambda: Row.objects.filter(state="replaced").first())

    assert station.calls("DataTransfer", "in")[0] == {
        "vendorId": VENDOR, "messageId": "TriggerMessage", "data": "{}",
    }  # fmt: skip


async def test_sign_certificate_for_another_name_is_rejected_inside_an_accepted_answer(charger: Make) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(station, "SignCertificate", {"csr": pki.csr("BEA-1")})

    assert answer == {"status": "Accepted", "data": {"status": "Rejected"}}


@pytest.mark.parametrize(
    "reaction",
    [
        answers({"status": "UnknownVendorId"}),
        answers({"status": "Accepted"}),
        answers({"status": "Accepted", "data": "hello"}),
        answers({"status": "Accepted", "data": '{"status": "Rejected"}'}),
    ],
    ids=["unknown vendor", "nothing inside", "no JSON inside", "rejected inside"],
)
async def test_certificate_signed_that_is_not_accepted_inside_is_rejected(
    charger: Make, reaction: Any
) -> None:
    async with at_adas(charger) as station:
        station.reactions["DataTransfer"] = reaction
        await station.come_up()
        await simulator.ask_for_certificate(station, V2G)
        row = await eventually(lambda: Row.objects.filter(state="rejected").first())

    assert "did not take it" in row.problem


async def test_certificate_signed_inside_that_is_not_answered_is_tried_again_later(charger: Make) -> None:
    async with at_adas(charger) as station:
        station.reactions["DataTransfer"] = keeps_silent()
        await station.come_up()
        await simulator.ask_for_certificate(station, V2G)
        row = await eventually(lambda: Row.objects.filter(state="sent", tries=1).first())

    assert row.next_try_at is not None


# --- roots and chains (chapter 4)


async def test_install_get_and_delete_of_a_v2g_root_travel_inside(
    charger: Make, ada: ChargingStation
) -> None:
    root = await rows(lambda: root_certificates.add(pki.authority("V2G").pem, use="V2GRootCertificate"))
    async with at_adas(charger) as station:
        await station.come_up()
        await rows(lambda: installed_certificates.install(ChargingStation.objects.get(pk=ada.pk), root=root))
        checks = Command.objects.filter(requested_by="verification", status="answered")
        await eventually(checks.exists)
        row = await rows(InstalledCertificate.objects.select_related("station").get)
        await rows(lambda: installed_certificates.delete(row, confirmed=True))
        await eventually(lambda: checks.count() == 2)

    messages = [call["messageId"] for call in station.calls("DataTransfer", "in")]
    check = "GetInstalledCertificateIds"
    assert messages == ["InstallCertificate", check, "DeleteCertificate", check]
    assert row.root_id == root.pk


async def test_get_installed_certificate_ids_tells_the_stations_own_chain(
    charger: Make, ada: ChargingStation
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        await simulator.ask_for_certificate(station, V2G)
        await eventually(lambda: Row.objects.filter(state="accepted").first())
        await rows(
            lambda: installed_certificates.read(
                ChargingStation.objects.get(pk=ada.pk), uses=["V2GCertificateChain"]
            )
        )
        row = await eventually(lambda: InstalledCertificate.objects.filter(parent=None).first())
        issued = await rows(lambda: installed_certificates.chain_of(row))

    assert issued is not None
    assert issued.use == V2G


# --- contracts (chapter 5)


async def test_authorize_of_a_good_contract_is_accepted_with_its_token(
    charger: Make, mo_root: RootCertificate
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(
            station,
            "Authorize",
            {"idToken": {"idToken": EMAID.lower()}, "certificate": contract().pem},
        )

    assert answer["status"] == "Accepted"
    assert answer["data"]["certificateStatus"] == "Accepted"
    assert answer["data"]["idTokenInfo"]["status"] == "Accepted"


@pytest.mark.parametrize(
    ("make", "certificate_status", "token_status"),
    [
        (lambda: contract(days=(-9, -1)), "CertificateExpired", "Expired"),
        (lambda: contract(common_name="DE8AAXXXXXXXXX"), "CertChainError", "Invalid"),
        (lambda: pki.leaf(pki.authority("MO root"), EMAID), "CertChainError", "Invalid"),
    ],
    ids=["expired", "another contract", "another root"],
)
async def test_authorize_tells_what_is_wrong_with_a_contract_certificate(
    charger: Make, mo_root: RootCertificate, make: Any, certificate_status: str, token_status: str
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(station, "Authorize", {"idToken": {"idToken": EMAID}, "certificate": make().pem})

    assert answer["data"] == {
        "certificateStatus": certificate_status,
        "idTokenInfo": answer["data"]["idTokenInfo"] | {"status": token_status},
    }


async def test_authorize_of_a_contract_that_nobody_knows_is_cancelled(
    charger: Make, mo_root: RootCertificate
) -> None:
    unknown = "DE8AAZZZZZZZZZ"
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(
            station,
            "Authorize",
            {"idToken": {"idToken": unknown}, "certificate": contract(common_name=unknown).pem},
        )

    assert answer["data"]["certificateStatus"] == "ContractCancelled"
    assert answer["data"]["idTokenInfo"]["status"] == "Invalid"


async def test_authorize_by_hashes_asks_the_responder_and_believes_no_silence(
    charger: Make, mo_root: RootCertificate
) -> None:
    asked = hashes_of(contract().certificate, MO_ROOT.certificate)
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(
            station, "Authorize", {"idToken": {"idToken": EMAID}, "iso15118CertificateHashData": [asked]}
        )

    assert answer["data"]["certificateStatus"] == "CertChainError"
    assert answer["data"]["idTokenInfo"]["status"] == "Invalid"


# --- OCSP (4.4)


async def test_get_certificate_status_of_our_own_v2g_certificate_is_a_signed_answer(charger: Make) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        await simulator.ask_for_certificate(station, V2G)
        row = await eventually(lambda: Row.objects.filter(state="accepted").first())
        leaf, issuing = station.vault.own[V2G].chain
        payload = {"ocspRequestData": hashes_of(leaf, issuing)}
        good = await ask(station, "GetCertificateStatus", payload)
        await rows(lambda: certificates.revoke(row, reason="superseded", by="user:ada"))
        revoked = await ask(station, "GetCertificateStatus", payload)

    told = [
        ocsp.load_der_ocsp_response(base64.b64decode(answer["data"]["ocspResult"]))
        for answer in (good, revoked)
    ]
    assert [one.certificate_status.name for one in told] == ["GOOD", "REVOKED"]
    assert told[0].serial_number == leaf.serial_number


async def test_get_certificate_status_of_a_certificate_that_we_never_issued_is_unknown(
    charger: Make,
) -> None:
    signer = await rows(lambda: LocalAuthority().signer("v2g"))
    forged = pki.leaf(pki.Pair(signer.certificate, signer.key))
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(
            station,
            "GetCertificateStatus",
            {"ocspRequestData": hashes_of(forged.certificate, signer.certificate)},
        )

    told = ocsp.load_der_ocsp_response(base64.b64decode(answer["data"]["ocspResult"]))
    assert told.certificate_status.name == "UNKNOWN"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "file:///etc/passwd", "http://user@ocsp.example/", "x"]
)
async def test_get_certificate_status_that_nobody_can_tell_is_failed(charger: Make, url: str) -> None:
    asked = hashes_of(contract().certificate, MO_ROOT.certificate, url)
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(station, "GetCertificateStatus", {"ocspRequestData": asked})

    assert answer == {"status": "Accepted", "data": {"status": "Failed"}}


# --- contract certificates for vehicles (3.2)


async def test_get_15118_ev_certificate_fails_without_a_pool(charger: Make) -> None:
    payload = {
        "iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef",
        "action": "Install",
        "exiRequest": "gA==",
    }
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(station, "Get15118EVCertificate", payload)

    assert answer == {"status": "Accepted", "data": {"status": "Failed", "exiResponse": ""}}


# --- what cannot be read


@pytest.mark.parametrize(
    "message", ["Authorize", "Get15118EVCertificate", "GetCertificateStatus", "SignCertificate"]
)
@pytest.mark.parametrize("data", ["", "hello", "[]", "{}", '{"csr": 7, "idToken": "x"}', "[" * 3000])
async def test_a_message_that_cannot_be_read_is_rejected(charger: Make, message: str, data: str) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await ask(station, message, data)
        await station.heartbeat()

    assert answer == {"status": "Rejected"}


@pytest.mark.parametrize("odd", ["\\ud800", "\\u0000", "\\u202e", "é" * 3, "x" * 255])
async def test_odd_characters_inside_harm_nothing(charger: Make, odd: str) -> None:
    hashes = {"hashAlgorithm": odd, "issuerNameHash": odd, "issuerKeyHash": odd, "serialNumber": odd}
    asked = {"ocspRequestData": hashes | {"responderURL": f"http://{odd}/"}}
    messages = {
        "Authorize": {"idToken": {"idToken": odd}, "certificate": odd},
        "SignCertificate": {"csr": odd},
        "GetCertificateStatus": asked,
        "Get15118EVCertificate": {"iso15118SchemaVersion": odd, "action": odd, "exiRequest": odd},
    }
    async with at_adas(charger) as station:
        await station.come_up()
        for message, payload in messages.items():
            text = json.dumps(payload, ensure_ascii=False).replace("\\\\", "\\")
            answer = await ask(station, message, text)
            assert answer["status"] in ("Accepted", "Rejected")
        await station.heartbeat()


async def test_a_message_that_the_note_does_not_know_is_told_so(charger: Make) -> None:
    async with at_adas(charger) as station:
        await station.come_up()

        assert await ask(station, "BootNotification", {}) == {"status": "UnknownMessageId"}
