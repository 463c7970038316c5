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
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
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
CABLE_FIRST = [
    started("CablePluggedIn", "EVConnected", token=False, meterValue=BEGIN),
    updated(1, "Authorized", "EVConnected", idToken=TOKEN),
    CHARGING,
]
CARD_FIRST = [
    started("Authorized", "Idle", meterValue=BEGIN),
    updated(1, "CablePluggedIn", "EVConnected"),
    CHARGING,
]
ENERGY = [started("ChargingStateChanged", "Charging", meterValue=BEGIN)]


async def starts(server: Server, version: str, *events: Payload) -> None:
    """Start in one way and charge 3 kWh: the token is accepted once, the session adds up."""
    async with station(server, version) as there:
        asked = await there.call("Authorize", {"idToken": TOKEN})
        await there.status("Occupied")
        answers = await there.tell(*events, ended(len(events), "StopAuthorized", "Local"))

    told = [answer["idTokenInfo"]["status"] for answer in answers if "idTokenInfo" in answer]
    session = await only_session()
    assert (asked["idTokenInfo"]["status"], told) == ("Accepted", ["Accepted"])
    assert (session.id_token, session.energy_wh, session.status) == ("BO-1", Decimal(3000), "ended")
    assert (session.authorization_status, session.flags) == ("Accepted", [])


async def stops(server: Server, reason: str, *events: Payload) -> None:
    """Charge, then go on in one way until the end: the session has it."""
    async with station(server) as there:
        answers = await there.tell(*ENERGY, *events)

    session = await only_session()
    assert (session.status, session.stop_reason, session.energy_wh) == ("ended", reason, 3000)
    assert (answers[1:], session.flags) == ([{}] * len(events), [])


@VERSIONS
async def test_tc_e_01_csms_it_starts_with_the_power_path(server: Server, version: str) -> None:
    first = started("ChargingStateChanged", "SuspendedEVSE", meterValue=BEGIN)
    await starts(server, version, first, updated(1, "ChargingStateChanged", "Charging"))


@VERSIONS
async def test_tc_e_02_csms_it_starts_with_the_energy(server: Server, version: str) -> None:
    await starts(server, version, *ENERGY)


@VERSIONS
async def test_tc_e_03_csms_the_cable_comes_first(server: Server, version: str) -> None:
    await starts(server, version, *CABLE_FIRST)


@VERSIONS
async def test_tc_e_04_csms_the_card_comes_first(server: Server, version: str) -> None:
    await starts(server, version, *CARD_FIRST)


@VERSIONS
async def test_tc_e_09_csms_it_starts_with_the_vehicle(server: Server, version: str) -> None:
    await starts(server, version, CABLE_FIRST[0], updated(1, "Authorized", "Charging", idToken=TOKEN))


@VERSIONS
async def test_tc_e_10_csms_it_starts_with_the_token(server: Server, version: str) -> None:
    await starts(server, version, CARD_FIRST[0], updated(1, "ChargingStateChanged", "Charging"))


@VERSIONS
async def test_tc_e_12_csms_it_starts_with_a_vehicle_in_the_bay(server: Server, version: str) -> None:
    await starts(
        server, version, started("EVDetected", "Idle", token=False, meterValue=BEGIN), *CABLE_FIRST[1:]
    )


async def test_tc_e_07_csms_it_ends_with_the_power_path(server: Server) -> None:
    await stops(server, "Local", ended(1, "StopAuthorized", "Local", "EVConnected"))


async def test_tc_e_08_csms_it_ends_with_the_energy(server: Server) -> None:
    stopped = updated(1, "StopAuthorized", "Charging", 3900)
    await stops(server, "Local", stopped, ended(2, "ChargingStateChanged", "Local", "EVConnected"))


async def test_tc_e_14_csms_the_cable_is_pulled_at_the_station(server: Server) -> None:
    after = updated(1, "ChargingStateChanged", "EVConnected", 4000)
    await stops(server, "EVDisconnected", after, ended(2, "EVCommunicationLost", "EVDisconnected"))


async def test_tc_e_20_csms_the_cable_is_pulled_at_the_vehicle(server: Server) -> None:
    suspended = updated(1, "ChargingStateChanged", "SuspendedEV", 4000)
    await stops(server, "EVDisconnected", suspended, ended(2, "EVCommunicationLost", "EVDisconnected"))


async def test_tc_e_15_csms_it_ends_with_the_token(server: Server) -> None:
    await stops(server, "Local", ended(1, "StopAuthorized", "Local", "Charging"))


async def test_tc_e_17_csms_a_deauthorized_one_ends_when_the_vehicle_leaves(server: Server) -> None:
    suspended = updated(1, "Deauthorized", "SuspendedEVSE", 4000)
    await stops(server, "EVDisconnected", suspended, ended(2, "EVCommunicationLost", "EVDisconnected"))


async def test_tc_e_19_csms_it_ends_when_the_bay_is_empty(server: Server) -> None:
    gone = updated(1, "EVCommunicationLost", "Idle", 4000)
    await stops(server, "Local", gone, ended(2, "EVDeparted", "Local", wh=None))


async def test_tc_e_22_csms_it_ends_when_the_vehicle_wants_no_more(server: Server) -> None:
    await stops(server, "StoppedByEV", ended(1, "ChargingStateChanged", "StoppedByEV", "SuspendedEV"))


async def test_tc_e_39_csms_no_vehicle_came_in_time(server: Server) -> None:
    async with station(server) as there:
        await there.call("Authorize", {"idToken": TOKEN})
        answers = await there.tell(CARD_FIRST[0], ended(1, "EVConnectTimeout", "Timeout", wh=1000))

    session = await only_session()
    assert (session.status, session.stop_reason, session.energy_wh) == ("ended", "Timeout", 0)
    assert answers[1] == {}


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
        await there.tell(*ENERGY)
        await rows(ask)
        await there.tell(ended(1, "RemoteStop", "Remote"))

    assert there.requests("RequestStopTransaction") == [{"transactionId": "tx-1"}]
    assert (await only_session()).stop_reason == "Remote"


async def test_tc_e_26_csms_a_cable_pulled_and_plugged_in_again(server: Server) -> None:
    async with station(server) as there:
        await there.tell(*ENERGY, updated(1, "EVCommunicationLost", "Idle", 2000))
        await there.status("Available")
        await there.tell(
            updated(2, "CablePluggedIn", "EVConnected"),
            updated(3, "ChargingStateChanged", "Charging", 2000),
            ended(4, "StopAuthorized", "Local"),
        )

    assert ((await only_session()).energy_wh, (await only_session()).flags) == (3000, [])


async def test_tc_e_38_csms_a_car_that_is_not_ready(server: Server) -> None:
    async with station(server) as there:
        await there.tell(*CARD_FIRST[:2])
        assert await there.tell(updated(2, "ChargingStateChanged", "SuspendedEV")) == [{}]

    assert (await only_session()).status == "active"


# --- the status of a transaction (E14)


async def running(there: Station) -> None:
    await there.tell(*visit()[:2])


async def test_tc_e_29_csms_a_transaction_that_runs_with_messages_to_come(server: Server) -> None:
    async with station(server) as there:
        await running(there)
    answer = {"ongoingIndicator": True, "messagesInQueue": True}
    async with station(server, GetTransactionStatus=answer) as there:
        command = await sent(ASK, {"transactionId": "tx-1"})
        assert await there.tell(updated(2, "MeterValuePeriodic", "Charging", 2500, offline=True)) == [{}]

    session = await only_session()
    assert (there.requests(ASK), command.result) == ([{"transactionId": "tx-1"}], answer)
    assert (session.status, session.energy_wh) == ("active", 1500)


async def test_tc_e_30_csms_a_transaction_that_runs_with_nothing_to_come(server: Server) -> None:
    answer = {"ongoingIndicator": True, "messagesInQueue": False}
    async with station(server, GetTransactionStatus=answer) as there:
        await running(there)
        command = await sent(ASK, {"transactionId": "tx-1"})

    assert (there.requests(ASK), command.result) == ([{"transactionId": "tx-1"}], answer)
    assert (await only_session()).status == "active"


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


async def test_tc_e_33_csms_without_a_transaction_with_messages_to_come(server: Server) -> None:
    async with station(server) as there:
        await running(there)
    async with station(server, GetTransactionStatus={"messagesInQueue": True}) as there:
        command = await sent(ASK, {})
        assert await there.tell(updated(2, "MeterValuePeriodic", "Charging", 2500, offline=True)) == [{}]

    assert (there.requests(ASK), command.result) == ([{}], {"messagesInQueue": True})


async def test_tc_e_34_csms_without_a_transaction_with_nothing_to_come(server: Server) -> None:
    async with station(server, GetTransactionStatus={"messagesInQueue": False}) as there:
        command = await sent(ASK, {})

    assert (there.requests(ASK), command.result) == ([{}], {"messagesInQueue": False})


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
