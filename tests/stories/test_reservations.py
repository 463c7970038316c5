"""Reservations over a real socket (OCPP 1.6 sections 3.11, 4.8, 5.1 and 5.13; quirk `ReservationId always 0`)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, Connector, IdToken, Reservation, StatusChange
from stations.services import commands, reservation_watch, reservations
from stations.services.errors import InvalidReservation, NotOpen, StationOffline
from tests.charger import Charger, answers, keeps_silent, refuses
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
AN_HOUR_AGO = (clock.now() - timedelta(hours=1)).isoformat()
START = {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": AN_HOUR_AGO}


def asked(
    ada: ChargingStation, *, connector: int = 1, minutes: int = 30, **options: Any
) -> reservations.Reserved:
    """Ask for a reservation as console and API do."""
    station = ChargingStation.objects.get(pk=ada.pk)
    evse = station.evses.get(number=connector) if connector else None
    expires_at = clock.now() + timedelta(minutes=minutes)
    return reservations.reserve(
        station, **{"id_token": "BO-1", "expires_at": expires_at, "evse": evse} | options
    )


async def reserved(ada: ChargingStation, **options: Any) -> Reservation:
    """Ask for one and return it once the station has answered."""

    def ask() -> Reservation:
        found = asked(ada, **options)
        commands.wait(found.command, timeout_s=5)
        found.reservation.refresh_from_db()
        return found.reservation

    return await rows(ask)


async def cancelled(reservation: Reservation) -> Command:
    """Cancel it and return the command once it is answered."""
    return await rows(lambda: commands.wait(reservations.cancel(reservation), timeout_s=5))


async def seen(reservation: Reservation) -> Reservation:
    """Look at the row again after a follow-up."""

    def look() -> Reservation:
        reservation_watch.follow_up()
        return Reservation.objects.select_related("session", "evse").get(pk=reservation.pk)

    return await rows(look)


async def becomes(connector: int, status: str) -> Connector:
    """Wait for a connector's status."""
    return await eventually(lambda: Connector.objects.filter(evse__number=connector, status=status).first())


async def settled() -> None:
    """Let every status be of a while ago."""

    def age() -> None:
        back = timedelta(minutes=1)
        for change in StatusChange.objects.all():
            StatusChange.objects.filter(pk=change.pk).update(received_at=change.received_at - back)
        for connector in Connector.objects.all():
            Connector.objects.filter(pk=connector.pk).update(last_updated=connector.last_updated - back)
        for row in Reservation.objects.exclude(reserved_at=None):
            Reservation.objects.filter(pk=row.pk).update(reserved_at=row.reserved_at - back)
        for station in ChargingStation.objects.exclude(last_boot_at=None):
            ChargingStation.objects.filter(pk=station.pk).update(last_boot_at=station.last_boot_at - back)

    await rows(age)


# --- ReserveNow (5.13)


async def test_an_accepted_reserve_now_holds_the_connector(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await becomes(1, "Reserved")

    (request,) = station.calls("ReserveNow", "in")
    assert (reservation.status, reservation.number) == ("reserved", request["reservationId"])
    assert (request["connectorId"], request["idTag"]) == (1, "BO-1")


@pytest.mark.parametrize("word", ["Faulted", "Occupied", "Rejected", "Unavailable"])
async def test_a_refused_reserve_now_is_over_and_says_why(
    charger: Make, ada: ChargingStation, word: str
) -> None:
    async with charger() as station:
        station.reactions["ReserveNow"] = answers({"status": word})
        await station.come_up()
        reservation = await reserved(ada)

    assert (reservation.status, reservation.reason) == ("refused", word)
    assert reservation.ended_at is not None


async def test_a_station_without_reservations_refuses_with_a_callerror(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ReserveNow"] = refuses("NotImplemented")
        await station.come_up()
        reservation = await reserved(ada)

    assert (reservation.status, reservation.reason) == ("refused", "NotImplemented")


async def test_an_answer_that_nobody_can_read_leaves_the_reservation_unknown(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ReserveNow"] = answers({"status": "Perhaps"})
        await station.come_up()
        reservation = await reserved(ada)

    assert (reservation.status, reservation.reason) == ("unknown", "unreadable answer")


@pytest.mark.parametrize(("word", "status"), [("Accepted", "reserved"), ("Occupied", "refused")])
async def test_an_unanswered_reserve_now_is_unknown_until_a_late_answer(
    charger: Make, ada: ChargingStation, word: str, status: str
) -> None:
    async with charger() as station:
        station.reactions["ReserveNow"] = keeps_silent()
        await station.come_up()
        reservation = await reserved(ada)
        uid = (await rows(Command.objects.get)).uid
        await station.send_raw(f'[3,"{uid}",{{"status":"{word}"}}]')
        await eventually(lambda: Reservation.objects.filter(pk=reservation.pk, status=status).exists())

    assert (reservation.status, reservation.reason) == ("unknown", "no answer")


async def test_a_station_that_is_away_is_not_asked(ada: ChargingStation) -> None:
    with pytest.raises(StationOffline):
        await rows(lambda: asked(ada))

    assert await rows(Reservation.objects.count) == 0


async def test_a_reservation_may_wait_for_its_station(charger: Make, ada: ChargingStation) -> None:
    waiting = await rows(lambda: asked(ada, queue_offline=True))
    async with charger() as station:
        await station.come_up()
        await eventually(lambda: Reservation.objects.filter(status="reserved").exists())

    assert waiting.command.expires_at <= waiting.reservation.expires_at


async def test_a_reservation_that_waited_too_long_is_never_sent(charger: Make, ada: ChargingStation) -> None:
    waiting = await rows(lambda: asked(ada, queue_offline=True))
    await rows(lambda: Command.objects.update(expires_at=clock.now()))
    await rows(commands.expire)
    async with charger() as station:
        await station.come_up()

    found = await rows(lambda: Reservation.objects.get(pk=waiting.reservation.pk))
    assert (found.status, found.reason, station.calls("ReserveNow", "in")) == ("expired", "never sent", [])


async def test_a_reservation_in_the_past_is_not_sent(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        with pytest.raises(InvalidReservation, match="past"):
            await rows(lambda: asked(ada, minutes=-1))

    assert station.calls("ReserveNow", "in") == []


async def test_the_same_id_again_replaces_the_reservation(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        first = await reserved(ada)
        again = await reserved(ada, replaces=first, connector=2)
        await becomes(2, "Reserved")
        await becomes(1, "Available")

    assert (again.pk, again.number, again.status) == (first.pk, first.number, "reserved")


async def test_what_held_before_holds_when_its_change_is_refused(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        first = await reserved(ada)
        station.reactions["ReserveNow"] = answers({"status": "Occupied"})
        again = await reserved(ada, replaces=first, minutes=90)

    assert (again.status, again.expires_at) == ("reserved", first.expires_at)
    assert again.reason == "change refused: Occupied"


async def test_a_second_reservation_has_a_number_of_its_own(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        one, two = await reserved(ada), await reserved(ada, connector=2)

    assert (one.number, two.number) == (1, 2)


async def test_a_reserve_now_that_somebody_wrote_by_hand_is_known_too(
    charger: Make, ada: ChargingStation
) -> None:
    payload = {"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": "BO-1", "reservationId": 77}

    def send() -> None:
        station_row = ChargingStation.objects.get(pk=ada.pk)
        commands.wait(commands.queue(station_row, action="ReserveNow", payload=payload), timeout_s=5)

    async with charger() as station:
        await station.come_up()
        await rows(send)

    found = await rows(Reservation.objects.get)
    assert (found.number, found.status, found.id_token) == (77, "reserved", "BO-1")


# --- use (3.11, 4.8)


async def test_the_start_that_names_the_reservation_uses_it(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await becomes(1, "Reserved")
        visit = await station.charge("BO-1", energy_wh=1000, duration_s=600)

    found = await rows(lambda: Reservation.objects.select_related("session").get(pk=reservation.pk))
    assert (found.status, found.session.transaction_id) == ("used", str(visit.id))
    assert found.session.reservation_id == str(found.number)


async def test_a_repeated_start_uses_the_reservation_once(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        payload = START | {"reservationId": reservation.number}
        first = await station.call("StartTransaction", payload)
        assert await station.call("StartTransaction", payload) == first

    found = await seen(reservation)
    assert (found.status, found.session.transaction_id) == ("used", str(first["transactionId"]))


@pytest.mark.parametrize("named", [{}, {"reservationId": 0}])
async def test_a_start_that_names_no_reservation_uses_that_of_its_token(
    charger: Make, ada: ChargingStation, named: dict[str, int]
) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await station.call("StartTransaction", START | named)

    assert (await seen(reservation)).status == "used"


async def test_another_token_of_the_group_uses_it(charger: Make, ada: ChargingStation) -> None:
    def group() -> None:
        IdToken.objects.filter(uid="BO-1").update(group_id="FAMILY")
        IdToken.objects.create(uid="CY-1", group_id="FAMILY", last_updated=clock.now())

    await rows(group)
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await station.call("StartTransaction", START | {"idTag": "CY-1"})

    (request,) = station.calls("ReserveNow", "in")
    assert (request["parentIdTag"], (await seen(reservation)).status) == ("FAMILY", "used")


async def test_a_reservation_of_connector_0_binds_to_the_one_that_is_used(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada, connector=0)
        await station.call("StartTransaction", START | {"connectorId": 2})

    found = await seen(reservation)
    assert (found.status, found.evse_id, found.session.evse_id) == (
        "used", None, (await rows(lambda: ada.evses.get(number=2))).pk,
    )  # fmt: skip


async def test_a_start_elsewhere_or_of_another_token_leaves_it_alone(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await station.call("StartTransaction", START | {"connectorId": 2})

    assert (await seen(reservation)).status == "reserved"


async def test_a_start_queued_offline_uses_a_reservation_that_seemed_expired(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await rows(lambda: Reservation.objects.update(expires_at=clock.now()))
        assert (await seen(reservation)).status == "expired"
        await station.call("StartTransaction", START | {"reservationId": reservation.number})

    assert (await seen(reservation)).status == "used"


async def test_a_start_that_names_a_number_of_nobody_is_stored_as_any_other(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        answer = await station.call("StartTransaction", START | {"reservationId": 4711})

    assert answer["idTagInfo"]["status"] == "Accepted"


# --- the end that the station decides (5.13)


async def test_a_reservation_expires_when_its_time_is_up(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await rows(lambda: Reservation.objects.update(expires_at=clock.now()))

    found = await seen(reservation)
    assert (found.status, found.ended_at) == ("expired", found.expires_at)


@pytest.mark.parametrize("status", ["Faulted", "Unavailable"])
async def test_a_fault_ends_the_reservation(charger: Make, ada: ChargingStation, status: str) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await station.set_status(1, status)
        await becomes(1, status)

    found = await seen(reservation)
    assert (found.status, found.reason) == ("removed", status.lower())


async def test_a_station_that_makes_the_connector_available_has_let_go(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await becomes(1, "Reserved")
        await station.clock.sleep(60)
        await station.set_status(1, "Available")
        await becomes(1, "Available")
        assert (await seen(reservation)).status == "reserved", "its start may be on the way"

    await settled()
    found = await seen(reservation)
    assert (found.status, found.reason) == ("removed", "released by the station")


async def test_a_station_that_forgot_it_over_a_restart_is_believed(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await becomes(1, "Reserved")
        station.outlets[1].status = "Available"
        await station.clock.sleep(60)
        await station.kill()
        await station.come_up()
        await becomes(1, "Available")

    await settled()
    found = await seen(reservation)
    assert (found.status, found.reason) == ("removed", "lost at a restart")


async def test_a_restart_that_keeps_it_changes_nothing(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await becomes(1, "Reserved")
        await station.kill()
        await station.come_up()

    await settled()
    assert (await seen(reservation)).status == "reserved"


async def test_another_drivers_session_there_ends_it(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await station.call("StartTransaction", START | {"idTag": "CY-9"})

    found = await seen(reservation)
    assert (found.status, found.reason) == ("removed", "another driver charges there")


# --- CancelReservation (5.1)


async def test_an_accepted_cancellation_frees_the_connector(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await becomes(1, "Reserved")
        await cancelled(reservation)
        await becomes(1, "Available")

    assert (await seen(reservation)).status == "cancelled"


async def test_a_rejected_cancellation_means_that_the_station_does_not_know_it(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        station.reservations.clear()
        await cancelled(reservation)

    found = await seen(reservation)
    assert (found.status, found.reason) == ("cancelled", "unknown to the station")


@pytest.mark.parametrize("reaction", [keeps_silent(), refuses("InternalError")])
async def test_a_cancellation_without_an_answer_leaves_it_as_it_is(
    charger: Make, ada: ChargingStation, reaction: Any
) -> None:
    async with charger() as station:
        station.reactions["CancelReservation"] = reaction
        await station.come_up()
        reservation = await reserved(ada)
        await cancelled(reservation)

    found = await seen(reservation)
    assert (found.status, found.reason) == ("reserved", "cancellation unanswered")


async def test_a_late_answer_to_a_cancellation_counts(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["CancelReservation"] = keeps_silent()
        await station.come_up()
        reservation = await reserved(ada)
        command = await cancelled(reservation)
        await station.send_raw(f'[3,"{command.uid}",{{"status":"Accepted"}}]')
        await eventually(lambda: Reservation.objects.filter(status="cancelled").exists())


async def test_a_reservation_that_still_waits_is_taken_back_unsent(ada: ChargingStation) -> None:
    waiting = await rows(lambda: asked(ada, queue_offline=True))
    command = await rows(lambda: reservations.cancel(waiting.reservation, requested_by="ada"))

    found = await seen(waiting.reservation)
    assert (command.pk, command.status, found.status) == (waiting.command.pk, "cancelled", "cancelled")


async def test_a_reservation_that_is_over_cannot_be_cancelled(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        reservation = await reserved(ada)
        await cancelled(reservation)
        with pytest.raises(NotOpen):
            await rows(lambda: reservations.cancel(reservation))


async def test_what_the_station_accepts_after_it_was_cancelled_is_cancelled_again(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ReserveNow"] = keeps_silent()
        await station.come_up()
        reservation = await reserved(ada)
        uid = (await rows(Command.objects.get)).uid
        await cancelled(reservation)
        await station.send_raw(f'[3,"{uid}",{{"status":"Accepted"}}]')
        await eventually(lambda: Command.objects.filter(requested_by="accepted too late").exists())

    assert (await seen(reservation)).status == "cancelled"
