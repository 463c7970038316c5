"""Part 6, chapter 3: availability (block G)."""

from typing import Any

import pytest

from stations.models import AvailabilityWish, ChargingStation, Command
from stations.services import availability, commands, provisioning
from stations.services.errors import InvalidPayload
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import sent, station
from tests.stories.v2.station import visit

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
CHANGE = "ChangeAvailability"
ACCEPTED, SCHEDULED = {"status": "Accepted"}, {"status": "Scheduled"}
PLACES = {
    "evse": ({"evse": 1}, {"evse": {"id": 1}}),
    "station": ({}, {}),
    "connector": ({"evse": 1, "connector": 1}, {"evse": {"id": 1, "connectorId": 1}}),
}


async def changed(*, is_operative: bool, evse: int = 0, **options: Any) -> Command:
    """Ask for a change as console and API do, and wait for the answer."""

    def ask() -> Command:
        row = ChargingStation.objects.get()
        place = row.evses.get(number=evse) if evse else None
        asked = availability.change(row, evse=place, is_operative=is_operative, **options)
        return commands.wait(asked, timeout_s=5)

    return await rows(ask)


async def wish() -> AvailabilityWish:
    """Follow up and return the only wish."""

    def look() -> AvailabilityWish:
        availability.follow_up()
        return AvailabilityWish.objects.get()

    return await rows(look)


async def in_force(server: Server, version: str, place: str, *, is_operative: bool) -> None:
    """Wish this of a place that is not so, let the station accept it and say so of its connectors."""
    options, told = PLACES[place]
    now, then = ("Unavailable", "Available") if is_operative else ("Available", "Unavailable")
    async with station(server, version, ChangeAvailability=ACCEPTED) as there:
        for evse in (1, 2):
            await there.status(now, evse)
        await changed(is_operative=is_operative, **options)
        for evse in (1, 2):
            await there.status(then, evse)

    word = "Operative" if is_operative else "Inoperative"
    assert there.requests(CHANGE) == [{"operationalStatus": word} | told]
    assert (await wish()).state == "in_force"


@BOTH
async def test_tc_g_03_csms_an_evse_becomes_inoperative(server: Server, version: str) -> None:
    await in_force(server, version, "evse", is_operative=False)


@BOTH
async def test_tc_g_04_csms_an_evse_becomes_operative(server: Server, version: str) -> None:
    await in_force(server, version, "evse", is_operative=True)


@BOTH
async def test_tc_g_05_csms_a_station_becomes_inoperative(server: Server, version: str) -> None:
    await in_force(server, version, "station", is_operative=False)


@BOTH
async def test_tc_g_06_csms_a_station_becomes_operative(server: Server, version: str) -> None:
    await in_force(server, version, "station", is_operative=True)


@BOTH
async def test_tc_g_07_csms_a_connector_becomes_inoperative(server: Server, version: str) -> None:
    await in_force(server, version, "connector", is_operative=False)


@BOTH
async def test_tc_g_08_csms_a_connector_becomes_operative(server: Server, version: str) -> None:
    await in_force(server, version, "connector", is_operative=True)


async def put_off(server: Server, place: str) -> None:
    """Wish a place inoperative while somebody charges: it is scheduled, and in force after the session."""
    options, told = PLACES[place]
    events = visit()
    async with station(server, ChangeAvailability=SCHEDULED) as there:
        await there.tell(*events[:2])
        await changed(is_operative=False, **options)
        waiting = await wish()
        await there.tell(*events[2:])
        for evse in (1, 2):
            await there.status("Unavailable", evse)

    assert there.requests(CHANGE) == [{"operationalStatus": "Inoperative"} | told]
    assert waiting.state == "scheduled"
    assert (await wish()).state == "in_force"


async def test_tc_g_11_csms_a_running_transaction_puts_an_evse_off(server: Server) -> None:
    await put_off(server, "evse")


async def test_tc_g_14_csms_a_running_transaction_puts_the_station_off(server: Server) -> None:
    await put_off(server, "station")


async def test_tc_g_17_csms_a_running_transaction_puts_a_connector_off(server: Server) -> None:
    await put_off(server, "connector")


async def test_tc_g_20_csms_a_lock_failure_is_answered(server: Server) -> None:
    told = {
        "eventId": 1, "timestamp": "2026-11-20T09:00:00Z", "trigger": "Delta", "actualValue": "true",
        "component": {"name": "ConnectorPlugRetentionLock", "evse": {"id": 1, "connectorId": 1}},
        "variable": {"name": "Problem"}, "eventNotificationType": "HardWiredNotification",
    }  # fmt: skip
    async with station(server) as there:
        payload = {"generatedAt": "2026-11-20T09:00:00Z", "seqNo": 0, "eventData": [told]}
        answer = await there.answer_to("NotifyEvent", payload)

    assert answer[0] == 3


@pytest.mark.parametrize(
    ("reaction", "state"),
    [({"status": "Rejected"}, "refused"), ("InternalError", "refused"), (None, "unknown")],
)
async def test_g03_a_change_that_is_refused_or_unanswered(server: Server, reaction: Any, state: str) -> None:
    async with station(server, ChangeAvailability=reaction):
        await changed(is_operative=False, evse=1)
        found = await eventually(lambda: AvailabilityWish.objects.exclude(state="requested").first())

    assert found.state == state


async def test_g03_a_change_written_by_hand_is_a_wish_too(server: Server) -> None:
    async with station(server, ChangeAvailability=ACCEPTED):
        await sent(CHANGE, {"operationalStatus": "Inoperative", "evse": {"id": 2, "connectorId": 1}})

    found = await rows(lambda: AvailabilityWish.objects.select_related("evse").get())
    assert (found.evse.number, found.connector_number, found.state) == (2, 1, "accepted")


async def test_g03_the_wish_for_an_evse_takes_the_place_of_those_for_its_connectors(server: Server) -> None:
    async with station(server, ChangeAvailability=ACCEPTED):
        await changed(is_operative=False, evse=1, connector=1)
        await changed(is_operative=True, evse=1)

    found = await rows(AvailabilityWish.objects.get)
    assert (found.connector_number, found.is_operative) == (0, True)


async def test_g03_a_connector_alone_is_put_out_of_service(server: Server) -> None:
    await rows(lambda: provisioning.ensure_connector(ChargingStation.objects.get(), number=1, connector=2))
    async with station(server, ChangeAvailability=ACCEPTED) as there:
        await changed(is_operative=False, evse=1, connector=2)
        await there.status("Available", 1, 1)
        await there.status("Unavailable", 1, 2)

    assert (await wish()).state == "in_force"


async def test_g03_a_connector_that_is_not_there_is_refused(server: Server) -> None:
    async with station(server):
        with pytest.raises(InvalidPayload, match="no such connector"):
            await changed(is_operative=False, evse=1, connector=9)
