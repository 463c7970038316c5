"""Part 6, chapter 3: reservations (block H)."""

from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, Reservation
from stations.services import authorization, commands, reservation_watch, reservations
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Reaction, Station, sent, station
from tests.stories.v2.station import TOKEN, visit

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = ("2.0.1", "2.1")
ACCEPTED = {"status": "Accepted"}
RESERVE = "ReserveNow"


async def reserved(*, evse: int = 1, **options: Any) -> Reservation:
    """Ask for a reservation as console and API do; return it once the station has answered."""

    def ask() -> Reservation:
        row = ChargingStation.objects.get()
        place = row.evses.get(number=evse) if evse else None
        facts = {"id_token": "BO-1", "evse": place, "expires_at": clock.now() + timedelta(minutes=30)}
        found = reservations.reserve(row, **facts | options)
        commands.wait(found.command, timeout_s=5)
        found.reservation.refresh_from_db()
        return found.reservation

    return await rows(ask)


async def seen() -> Reservation:
    """Look at the row again after a follow-up."""

    def look() -> Reservation:
        reservation_watch.follow_up()
        return Reservation.objects.select_related("session").get()

    return await rows(look)


async def update(there: Station, word: str, number: int | None = None) -> None:
    """Send a ReservationStatusUpdate."""
    known = number or there.requests(RESERVE)[-1]["id"]
    await there.call("ReservationStatusUpdate", {"reservationId": known, "reservationUpdateStatus": word})


def begun(**fields: Any) -> Payload:
    """Give the Started of a transaction of now."""
    return visit()[0] | {"timestamp": clock.now().isoformat()} | fields


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_h_01_csms_an_evse_is_reserved(server: Server, version: str) -> None:
    async with station(server, version, ReserveNow=ACCEPTED) as there:
        row = await reserved()
        await there.status("Reserved")

    asked = there.requests(RESERVE)[0]
    assert (asked["evseId"], asked["idToken"], asked["id"]) == (1, TOKEN, row.number)
    assert (row.status, "connectorType" in asked) == ("reserved", False)


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_h_07_csms_a_reservation_that_nobody_used_expires(server: Server, version: str) -> None:
    async with station(server, version, ReserveNow=ACCEPTED) as there:
        await reserved()
        await update(there, "Expired")

    assert (await seen()).status == "expired"


async def test_tc_h_08_csms_any_evse_is_reserved(server: Server) -> None:
    async with station(server, ReserveNow=ACCEPTED) as there:
        row = await reserved(evse=0)

    assert ("evseId" in there.requests(RESERVE)[0], row.status, row.evse) == (False, "reserved", None)


async def test_tc_h_14_csms_as_many_reservations_as_evses(server: Server) -> None:
    async with station(server, ReserveNow=ACCEPTED) as there:
        first, second = await reserved(evse=0), await reserved(evse=0)
        for evse in (1, 2):
            await there.status("Reserved", evse)

    assert {first.status, second.status} == {"reserved"}
    assert len({asked["id"] for asked in there.requests(RESERVE)}) == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_h_15_csms_a_type_of_connector_is_reserved(server: Server, version: str) -> None:
    async with station(server, version, ReserveNow=ACCEPTED) as there:
        await reserved(evse=0, connector_type="cCCS2")

    asked = there.requests(RESERVE)[0]
    assert (asked["connectorType"], "evseId" in asked) == ("cCCS2", False)


async def test_tc_h_17_csms_a_reservation_is_cancelled(server: Server) -> None:
    async with station(server, ReserveNow=ACCEPTED, CancelReservation=ACCEPTED) as there:
        row = await reserved()
        await rows(lambda: commands.wait(reservations.cancel(row), timeout_s=5))

    assert there.requests("CancelReservation") == [{"reservationId": row.number}]
    assert (await seen()).status == "cancelled"


async def test_tc_h_19_csms_a_driver_of_the_group_uses_it(server: Server) -> None:
    await rows(lambda: [authorization.save_token(uid, group_id="FLEET") for uid in ("BO-1", "CY-1")])
    async with station(server, ReserveNow=ACCEPTED) as there:
        row = await reserved()
        [answer] = await there.tell(begun(idToken=TOKEN | {"idToken": "CY-1"}, reservationId=row.number))

    asked = there.requests(RESERVE)[0]
    assert asked["groupIdToken"]["idToken"] == "FLEET"
    assert answer["idTokenInfo"]["groupIdToken"] == asked["groupIdToken"]
    assert ((await seen()).status, (await seen()).session.transaction_id) == ("used", "tx-1")


async def test_tc_h_20_csms_a_fault_ends_the_reservation(server: Server) -> None:
    async with station(server, ReserveNow=ACCEPTED) as there:
        await reserved()
        await there.status("Faulted")
        await update(there, "Removed")

    found = await seen()
    assert (found.status, found.ended_at is not None) == ("removed", True)


@pytest.mark.parametrize("word", ["Rejected", "Occupied", "Faulted", "Unavailable"])
async def test_tc_h_22_csms_a_station_that_says_no(server: Server, word: str) -> None:
    async with station(server, ReserveNow={"status": word}):
        row = await reserved()

    assert (row.status, row.reason) == ("refused", word)


@pytest.mark.parametrize(("reaction", "status"), [(None, "unknown"), ("NotSupported", "refused")])
async def test_h01_no_answer_and_an_error(server: Server, reaction: Reaction, status: str) -> None:
    async with station(server, ReserveNow=reaction):
        await reserved()
        found = await eventually(lambda: Reservation.objects.exclude(status="requested").first())

    assert found.status == status


async def test_h04_2_1_a_reservation_used_for_nothing_is_over(server: Server) -> None:
    async with station(server, "2.1", ReserveNow=ACCEPTED) as there:
        await reserved()
        await update(there, "NoTransaction")

    assert ((await seen()).status, (await seen()).reason) == ("removed", "used, but nothing began")


async def test_h04_a_number_of_nobody_is_answered(server: Server) -> None:
    async with station(server) as there:
        await update(there, "Removed", 4711)

    assert not await rows(Reservation.objects.exists)


async def test_h03_a_used_reservation_stays_used(server: Server) -> None:
    async with station(server, ReserveNow=ACCEPTED) as there:
        row = await reserved()
        await there.tell(begun(reservationId=row.number))
        await update(there, "Removed")

    assert (await seen()).status == "used"


async def test_h03_the_number_may_come_with_a_later_event(server: Server) -> None:
    plugged = begun(triggerReason="CablePluggedIn")
    del plugged["idToken"]
    later = visit()[1] | {"triggerReason": "Authorized", "idToken": TOKEN}
    async with station(server, ReserveNow=ACCEPTED) as there:
        row = await reserved()
        await there.tell(plugged, later | {"reservationId": row.number})

    assert (await rows(Reservation.objects.get)).status == "used"


async def test_h01_a_reservation_written_by_hand_has_a_row(server: Server) -> None:
    payload = {"id": 77, "expiryDateTime": (clock.now() + timedelta(hours=1)).isoformat(), "idToken": TOKEN}
    async with station(server, ReserveNow=ACCEPTED):
        await sent(RESERVE, payload | {"connectorType": "sType2"})

    found = await rows(Reservation.objects.get)
    assert (found.number, found.connector_type, found.status) == (77, "sType2", "reserved")


async def test_h02_a_station_that_knows_no_such_reservation(server: Server) -> None:
    async with station(server, ReserveNow=ACCEPTED, CancelReservation={"status": "Rejected"}):
        row = await reserved()
        command: Command = await rows(lambda: commands.wait(reservations.cancel(row), timeout_s=5))

    assert (command.result, (await seen()).reason) == ({"status": "Rejected"}, "unknown to the station")
