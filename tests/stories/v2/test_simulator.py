"""The simulated 2.x station against the real server: a visit, remote control, its variables, its offline queue."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stations.models import ChargingSession, ChargingStation, Command, Connector, DisplayReport, Variable
from stations.ocpp import codec
from stations.services import commands, display_messages
from tests import factories
from tests.charger_v2 import Charger, NotAuthorized
from tests.processes import Server
from tests.stories.story import PASSWORD, eventually, rows

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
TOKEN = {"idToken": "BO-1", "type": "ISO14443"}
PROFILE = {
    "id": 4, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {"id": 1, "chargingRateUnit": "W", "startSchedule": "2026-01-01T00:00:00Z",
         "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5000}]},
    ],
}  # fmt: skip
LIST = [{"idToken": TOKEN, "idTokenInfo": {"status": "Accepted"}}]
IN_AN_HOUR = "2099-11-20T10:00:00Z"
Make = Callable[..., Charger]


@pytest.fixture
def charger(server: Server, ada: ChargingStation) -> Make:
    def make(version: str = "2.0.1", **options: Any) -> Charger:
        return Charger(f"{server.ws}/ocpp", "ADA-1", PASSWORD, version=version, connectors=2, **options)

    return make


async def sent(action: str, payload: dict[str, Any], **options: Any) -> Any:
    """Queue a command as console and API do, and return what the station said."""

    def queue() -> Command:
        station = ChargingStation.objects.get(identity="ADA-1")
        return commands.wait(commands.queue(station, action=action, payload=payload, **options), timeout_s=5)

    found = await rows(queue)
    assert found.status == "answered", (found.status, found.error_code, found.error_description)
    return found.result


def finished(command: Command) -> Command:
    return commands.wait(command, timeout_s=5)


async def session() -> ChargingSession:
    return await rows(ChargingSession.objects.get)


@BOTH
async def test_a_visit_is_stored_to_the_last_watt_hour(charger: Make, version: str) -> None:
    async with charger(version) as station:
        await station.come_up()
        told = await station.charge("BO-1", energy_wh=3000, duration_s=600, idle_s=60)

    found = await session()
    assert (found.energy_wh, found.status, found.flags) == (Decimal(told.energy_wh), "ended", [])
    assert (told.energy_wh, found.id_token, found.stop_reason) == (3000, "BO-1", "Local")
    assert station.failures == []


@BOTH
async def test_every_message_of_the_station_fits_its_schema(charger: Make, version: str) -> None:
    async with charger(version) as station:
        await station.come_up()
        await station.charge("BO-1", energy_wh=1000, duration_s=300, idle_s=60)
        await station.report_meters()
        await sent("GetBaseReport", {"requestId": 9, "reportBase": "FullInventory"})
        await eventually(
            lambda: any("NotifyReport" in f.text and '"tbc":false' in f.text for f in station.frames) or None
        )

    said = [frame.message for frame in station.frames if frame.direction == "out" and frame.text[:2] == "[2"]
    faults = {m[2]: codec.request_fault(version, m[2], m[3]) for m in said}
    assert {"BootNotification", "TransactionEvent", "MeterValues", "NotifyReport"} < set(faults)
    assert set(faults.values()) == {None}


async def test_states_are_told_as_they_change(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await station.charge("BO-1", duration_s=120, idle_s=60)

    events = station.calls("TransactionEvent")
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert [events[0]["eventType"], events[-1]["eventType"]] == ["Started", "Ended"]
    assert "SuspendedEV" in [event["transactionInfo"]["chargingState"] for event in events]


async def test_a_stranger_gets_no_energy(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        with pytest.raises(NotAuthorized):
            await station.charge("STRANGER", energy_wh=1000)

    assert not await rows(ChargingSession.objects.exists)


async def test_what_happens_offline_is_told_later_in_order(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await station.kill()
        told = await station.charge("BO-1", energy_wh=2000, duration_s=300)
        await station.come_up()
        await station.outbox.drained()

    events = station.calls("TransactionEvent")
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert all(event["offline"] for event in events)
    assert ((await session()).energy_wh, (await session()).transaction_id) == (Decimal(2000), told.id)


async def test_a_remote_start_and_stop(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        asked = {"evseId": 2, "idToken": TOKEN, "remoteStartId": 77}
        assert (await sent("RequestStartTransaction", asked))["status"] == "Accepted"
        begun = await eventually(lambda: ChargingSession.objects.select_related("evse").first())
        stop = {"transactionId": begun.transaction_id}
        if 2 in station.running:
            assert (await sent("RequestStopTransaction", stop))["status"] == "Accepted"
        await eventually(lambda: ChargingSession.objects.filter(status="ended").first())

    assert begun.evse.number == 2
    assert station.calls("TransactionEvent")[0]["transactionInfo"]["remoteStartId"] == 77


async def test_a_limit_holds_and_is_told(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        assert (await sent("SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE}))[
            "status"
        ] == "Accepted"
        told = await sent("GetCompositeSchedule", {"evseId": 1, "duration": 600, "chargingRateUnit": "W"})
        transaction = await station.charge("BO-1", duration_s=3600)
        cleared = await sent("ClearChargingProfile", {"chargingProfileId": 4})

    assert told["schedule"]["chargingSchedulePeriod"][0]["limit"] == 5000
    assert (transaction.energy_wh, cleared["status"]) == (5000, "Accepted")


async def test_variables_are_set_read_and_reported(charger: Make) -> None:
    place = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
    async with charger() as station:
        await station.come_up()
        was_set = await sent("SetVariables", {"setVariableData": [place | {"attributeValue": "30"}]})
        read = await sent("GetVariables", {"getVariableData": [place]})
        await sent("GetBaseReport", {"requestId": 5, "reportBase": "ConfigurationInventory"})
        await eventually(
            lambda: Variable.objects.filter(name__contains="TxUpdatedInterval", value="30").first()
        )

    assert was_set["setVariableResult"][0]["attributeStatus"] == "Accepted"
    assert read["getVariableResult"][0]["attributeValue"] == "30"


ANSWERED = {
    "CancelReservation": ({"reservationId": 9}, "Rejected"),
    "ChangeAvailability": ({"operationalStatus": "Inoperative", "evse": {"id": 1}}, "Accepted"),
    "ClearCache": ({}, "Accepted"),
    "DataTransfer": ({"vendorId": "org.opencpo.simulator", "data": {"a": 1}}, "Accepted"),
    "GetInstalledCertificateIds": ({}, "NotFound"),
    "ReserveNow": ({"id": 3, "expiryDateTime": IN_AN_HOUR, "idToken": TOKEN, "evseId": 1}, "Accepted"),
    "Reset": ({"type": "OnIdle"}, "Accepted"),
    "SendLocalList": (
        {"versionNumber": 4, "updateType": "Full", "localAuthorizationList": LIST},
        "Accepted",
    ),
    "TriggerMessage": ({"requestedMessage": "MeterValues", "evse": {"id": 1}}, "Accepted"),
    "UnlockConnector": ({"evseId": 1, "connectorId": 1}, "Unlocked"),
}


@pytest.mark.parametrize("action", ANSWERED)
async def test_a_request_is_answered_as_a_station_does(charger: Make, action: str) -> None:
    payload, status = ANSWERED[action]
    async with charger(version="2.1") as station:
        await station.come_up()
        assert (await sent(action, payload))["status"] == status

    assert station.failures == []


async def test_an_evse_out_of_service_is_unavailable(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await sent("ChangeAvailability", {"operationalStatus": "Inoperative"})
        found = Connector.objects.filter(status="Unavailable")
        await eventually(lambda: found.count() == 2 or None)


async def test_messages_lie_on_the_display_and_are_told(charger: Make) -> None:
    def info(number: int) -> dict[str, Any]:
        return {"id": number, "priority": "InFront", "message": {"format": "UTF8", "content": f"No {number}"}}

    async with charger("2.1") as station:
        await station.come_up()
        for number in range(1, 7):
            assert (await sent("SetDisplayMessage", {"message": info(number)}))["status"] == "Accepted"
        assert (await sent("ClearDisplayMessage", {"id": 6}))["status"] == "Accepted"
        await rows(lambda: finished(display_messages.read(ChargingStation.objects.get())))
        report = await eventually(lambda: DisplayReport.objects.filter(state="complete").first())

    assert report.seen == [1, 2, 3, 4, 5]
    assert station.model_of["DisplayMessageCtrlr", 0, "DisplayMessages"].value == "5"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"transactionId": "tx-9"}, "UnknownTransaction"),
        ({"message": {"format": "HTML", "content": "x"}}, "NotSupportedMessageFormat"),
    ],
    ids=["transaction", "format"],
)
async def test_what_the_display_cannot_show_is_refused(
    charger: Make, fields: dict[str, Any], word: str
) -> None:
    info = {"id": 1, "priority": "InFront", "message": {"format": "UTF8", "content": "Hello"}} | fields
    async with charger() as station:
        await station.come_up()
        assert (await sent("SetDisplayMessage", {"message": info}))["status"] == word


async def test_a_driver_reads_tariff_and_cost(charger: Make) -> None:
    await rows(lambda: factories.tariff(at=ChargingStation.objects.get().location))
    async with charger() as station:
        await station.come_up()
        await sent("GetBaseReport", {"requestId": 5, "reportBase": "FullInventory"})
        await eventually(
            lambda: Variable.objects.filter(name="Enabled", instance="Cost", value="true").first()
        )
        while not station.display.tariffs:  # until the socket has heard that prices are shown
            await station.authorize("BO-1")
        told = await station.charge("BO-1", energy_wh=3000, duration_s=600)

    assert station.display.tariffs["BO-1"].startswith("Energy 0.3025 EUR/kWh")
    assert station.shown_costs[told.id] == Decimal("0.9075")
