"""Part 6, chapter 3: transactions (block E). Where they start and stop is the station's choice: each must add up."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, Command, ReviewItem, SignedReading
from stations.services import commands, remote, zombies
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, sent, station
from tests.stories.v2.station import BEGAN, EVSE, TOKEN, event, readings, visit

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = ("2.0.1", "2.1")
ASK = "GetTransactionStatus"
STRANGER = TOKEN | {"idToken": "STRANGER"}
INVALID = ("Invalid", "Unknown")


async def only_session() -> ChargingSession:
    return await rows(ChargingSession.objects.get)


def started(trigger: str, state: str, *, token: bool = True, **fields: Any) -> Payload:
    """Give the Started of a start point."""
    first = event("Started", 0, triggerReason=trigger, evse=EVSE, info={"chargingState": state})
    return first | ({"idToken": TOKEN} if token else {}) | fields


def updated(seq_no: int, trigger: str, state: str, wh: float | None = None, **fields: Any) -> Payload:
    info = {"chargingState": state}
    return event("Updated", seq_no, register_wh=wh, triggerReason=trigger, info=info) | fields


def ended(seq_no: int, trigger: str, reason: str, state: str = "Idle", wh: float | None = 4000) -> Payload:
    info = {"stoppedReason": reason, "chargingState": state}
    return event("Ended", seq_no, register_wh=wh, triggerReason=trigger, info=info)


BEGIN = readings(1000, 0, "Transaction.Begin")
CHARGING = updated(2, "ChargingStateChanged", "Charging", 1000)
# What a station sends until it charges, by its TxStartPoint.
STARTS = {
    "E_01 PowerPathClosed": [
        started("ChargingStateChanged", "SuspendedEVSE", meterValue=BEGIN),
        updated(1, "ChargingStateChanged", "Charging"),
    ],
    "E_02 EnergyTransfer": [started("ChargingStateChanged", "Charging", meterValue=BEGIN)],
    "E_03 cable first": [
        started("CablePluggedIn", "EVConnected", token=False, meterValue=BEGIN),
        updated(1, "Authorized", "EVConnected", idToken=TOKEN),
        CHARGING,
    ],
    "E_04 card first": [
        started("Authorized", "Idle", meterValue=BEGIN),
        updated(1, "CablePluggedIn", "EVConnected"),
        CHARGING,
    ],
    "E_09 EVConnected": [
        started("CablePluggedIn", "EVConnected", token=False, meterValue=BEGIN),
        updated(1, "Authorized", "Charging", idToken=TOKEN),
    ],
    "E_10 Authorized": [
        started("Authorized", "Idle", meterValue=BEGIN),
        updated(1, "ChargingStateChanged", "Charging"),
    ],
    "E_12 ParkingBayOccupancy": [
        started("EVDetected", "Idle", token=False, meterValue=BEGIN),
        updated(1, "Authorized", "EVConnected", idToken=TOKEN),
        CHARGING,
    ],
}
# How it ends, by its TxStopPoint: trigger, reason, charging state.
STOPS = {
    "E_07 PowerPathClosed": ("StopAuthorized", "Local", "EVConnected"),
    "E_08 EnergyTransfer": ("ChargingStateChanged", "Local", "EVConnected"),
    "E_14 E_20 EVDisconnected": ("EVCommunicationLost", "EVDisconnected", "Idle"),
    "E_15 StopAuthorized": ("StopAuthorized", "Local", "Charging"),
    "E_17 Deauthorized": ("EVCommunicationLost", "EVDisconnected", "Idle"),
    "E_19 ParkingBayUnoccupied": ("EVDeparted", "Local", "Idle"),
    "E_22 SuspendedEV": ("ChargingStateChanged", "StoppedByEV", "SuspendedEV"),
    "E_39 Timeout": ("EVConnectTimeout", "Timeout", "Idle"),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_e_01_to_12_csms_start_points(server: Server, start: str, version: str) -> None:
    events = STARTS[start]
    async with station(server, version) as there:
        asked = await there.call("Authorize", {"idToken": TOKEN})
        answers = await there.tell(*events, ended(len(events), "StopAuthorized", "Local"))

    told = [answer["idTokenInfo"]["status"] for answer in answers if "idTokenInfo" in answer]
    session = await only_session()
    assert (asked["idTokenInfo"]["status"], told) == ("Accepted", ["Accepted"])
    assert (session.id_token, session.energy_wh, session.status) == ("BO-1", Decimal(3000), "ended")
    assert (session.authorization_status, session.flags) == ("Accepted", [])


@pytest.mark.parametrize("stop", STOPS)
async def test_tc_e_07_to_39_csms_stop_points(server: Server, stop: str) -> None:
    trigger, reason, state = STOPS[stop]
    async with station(server) as there:
        answers = await there.tell(*STARTS["E_02 EnergyTransfer"], ended(1, trigger, reason, state))

    session = await only_session()
    assert (session.status, session.stop_reason, session.energy_wh) == ("ended", reason, 3000)
    assert (answers[1], session.flags) == ({}, [])


async def test_tc_e_11_csms_signed_data_begins_a_transaction(server: Server) -> None:
    begin = readings(1000, 0, "Transaction.Begin")
    signed = {"signedMeterData": "AQID", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
    begin[0]["sampledValue"][0]["signedMeterValue"] = signed
    first = started("SignedDataReceived", "EVConnected", meterValue=begin)
    async with station(server) as there:
        [answer] = await there.tell(first)

    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert (await rows(SignedReading.objects.count), (await only_session()).meter_start_wh) == (1, 1000)


async def test_tc_e_16_csms_an_invalid_token_is_not_accepted(server: Server) -> None:
    first = started("Authorized", "Idle") | {"idToken": STRANGER}
    async with station(server) as there:
        answer, _ = await there.tell(first, ended(1, "Deauthorized", "DeAuthorized", wh=None))

    session = await only_session()
    assert answer["idTokenInfo"]["status"] in INVALID
    assert (session.status, session.energy_wh, session.stop_reason) == ("ended", 0, "DeAuthorized")


async def test_tc_e_21_csms_a_remote_stop_names_the_transaction(server: Server) -> None:
    def ask() -> Command:
        session = ChargingSession.objects.select_related("station").get()
        return commands.wait(remote.stop(session), timeout_s=5)

    async with station(server, RequestStopTransaction={"status": "Accepted"}) as there:
        await there.tell(*STARTS["E_02 EnergyTransfer"])
        await rows(ask)
        await there.tell(ended(1, "RemoteStop", "Remote"))

    assert there.requests("RequestStopTransaction") == [{"transactionId": "tx-1"}]
    assert (await only_session()).stop_reason == "Remote"


async def test_tc_e_26_csms_a_cable_pulled_and_plugged_in_again(server: Server) -> None:
    async with station(server) as there:
        await there.tell(*STARTS["E_02 EnergyTransfer"], updated(1, "EVCommunicationLost", "Idle", 2000))
        await there.status("Available")
        await there.tell(
            updated(2, "CablePluggedIn", "EVConnected"),
            updated(3, "ChargingStateChanged", "Charging", 2000),
            ended(4, "StopAuthorized", "Local"),
        )

    assert ((await only_session()).energy_wh, (await only_session()).flags) == (3000, [])


async def test_tc_e_38_csms_a_car_that_is_not_ready(server: Server) -> None:
    async with station(server) as there:
        await there.tell(*STARTS["E_04 card first"][:2])
        assert await there.tell(updated(2, "ChargingStateChanged", "SuspendedEV")) == [{}]

    assert (await only_session()).status == "active"


# --- the status of a transaction (E14)


async def running(there: Station) -> None:
    await there.tell(*visit()[:2])


@pytest.mark.parametrize("queue", [True, False])
async def test_tc_e_29_30_csms_a_transaction_that_runs(server: Server, queue: bool) -> None:
    async with station(server) as there:
        await running(there)
    answer = {"ongoingIndicator": True, "messagesInQueue": queue}
    async with station(server, GetTransactionStatus=answer) as there:
        command = await sent(ASK, {"transactionId": "tx-1"})
        await there.tell(updated(2, "MeterValuePeriodic", "Charging", 2500, offline=True))

    session = await only_session()
    assert (command.result, session.status, session.energy_wh) == (answer, "active", 1500)


async def test_tc_e_31_csms_a_gap_is_asked_about_and_filled(server: Server) -> None:
    async with station(server) as there:
        await running(there)
    answer = {"ongoingIndicator": False, "messagesInQueue": True}
    async with station(server, GetTransactionStatus=answer) as there:
        await there.status("Available")
        await there.tell(ended(4, "EVCommunicationLost", "Local") | {"offline": True})
        await eventually(lambda: Command.objects.filter(action=ASK, status="answered").exists())
        with_gap = await only_session()
        await there.tell(
            updated(2, "StopAuthorized", "Charging", offline=True),
            updated(3, "ChargingStateChanged", "EVConnected", offline=True),
        )

    assert there.requests(ASK) == [{"transactionId": "tx-1"}]
    assert (with_gap.flags, (await only_session()).flags) == (["events_missing"], [])


@pytest.mark.parametrize("queue", [True, False])
async def test_tc_e_33_34_csms_without_a_transaction(server: Server, queue: bool) -> None:
    async with station(server, GetTransactionStatus={"messagesInQueue": queue}) as there:
        command = await sent(ASK, {})

    assert (there.requests(ASK), command.result) == ([{}], {"messagesInQueue": queue})


async def test_tc_e_53_csms_every_transaction_counts_from_zero(server: Server) -> None:
    second = [told | {"timestamp": told["timestamp"].replace("T09", "T10")} for told in visit()]
    for told in second:
        told["transactionInfo"] = told["transactionInfo"] | {"transactionId": "tx-2"}
    async with station(server) as there:
        await there.tell(*visit(), *second)

    found = await rows(lambda: list(ChargingSession.objects.values_list("energy_wh", "flags")))
    assert found == [(3000, []), (3000, [])]


# --- sessions that nobody ends


def forgotten() -> None:
    """Let everything be of days ago, so that the rules find the session over."""
    past = clock.now() - timedelta(days=9)
    ChargingSession.objects.update(created_at=past, started_at=past, last_reading_at=past)
    from stations.models import ChargingStation, Connector

    Connector.objects.update(
        status="Available", status_at=past + timedelta(1), last_updated=past + timedelta(1)
    )
    ChargingStation.objects.update(online_changed_at=past + timedelta(1))


async def judged(there: Station) -> ChargingSession:
    """Let the sweep judge, the station answer and the sweep judge again."""
    await rows(forgotten)
    await rows(zombies.sweep)
    await eventually(
        lambda: Command.objects.filter(action=ASK).exclude(status__in=["queued", "sent"]).exists()
    )
    await rows(zombies.sweep)
    return await only_session()


@pytest.mark.parametrize(
    ("answer", "status", "flag"),
    [
        ({"ongoingIndicator": True, "messagesInQueue": False}, "active", None),
        ({"ongoingIndicator": False, "messagesInQueue": True}, "active", None),
        ({"ongoingIndicator": False, "messagesInQueue": False}, "ended", "closed_by:transaction_status"),
        ("NotSupported", "ended", "closed_by:rule"),
        (None, "ended", "closed_by:rule"),
    ],
)
async def test_e14_a_station_is_asked_before_its_session_is_closed(
    server: Server, answer: Any, status: str, flag: str | None
) -> None:
    async with station(server, GetTransactionStatus=answer) as there:
        await running(there)
        session = await judged(there)

    assert (session.status, there.requests(ASK)) == (status, [{"transactionId": "tx-1"}])
    assert flag is None or flag in session.flags


# --- offline and without a right


async def test_e05_a_stranger_who_charged_offline_is_an_operators_work(server: Server) -> None:
    events = [told | {"offline": True} for told in visit()]
    events[0]["idToken"] = STRANGER
    async with station(server) as there:
        answers = await there.tell(*events)

    session = await only_session()
    assert answers[0]["idTokenInfo"]["status"] in INVALID
    assert (session.energy_wh, session.needs_review) == (3000, True)
    assert await rows(lambda: ReviewItem.objects.filter(session=session).exists())


async def test_e08_a_stop_while_offline_arrives_with_its_own_time(server: Server) -> None:
    async with station(server) as there:
        await running(there)
    async with station(server) as there:
        await there.tell(*[told | {"offline": True} for told in visit()[2:]])

    session = await only_session()
    assert (session.ended_at, session.flags) == (BEGAN + timedelta(minutes=3), [])


async def test_e17_2_1_a_resumed_transaction_goes_on(server: Server) -> None:
    async with station(server, "2.1") as there:
        await running(there)
    async with station(server, "2.1") as there:
        await there.tell(updated(2, "TxResumed", "SuspendedEVSE", 1500), ended(3, "StopAuthorized", "Local"))

    session = await only_session()
    assert (session.status, session.energy_wh, session.flags) == ("ended", 3000, [])
