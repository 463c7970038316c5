"""ChangeAvailability, from the wish to the status, over a real socket (OCPP 1.6 sections 5.2 and 4.9)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import AvailabilityWish, ChargingStation, Command, Connector
from stations.services import availability, commands
from stations.services.errors import StationOffline
from tests.charger import Charger, accepts, answers, keeps_silent, refuses
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]


async def changed(
    ada: ChargingStation, *, connector: int = 1, is_operative: bool = False, **options: Any
) -> Command:
    """Ask for a change as console and API do, and wait for its answer."""

    def change() -> Command:
        station = ChargingStation.objects.get(pk=ada.pk)
        evse = station.evses.get(number=connector) if connector else None
        command = availability.change(station, evse=evse, is_operative=is_operative, **options)
        return commands.wait(command, timeout_s=5)

    return await rows(change)


async def wish() -> AvailabilityWish:
    """Follow up and return the only wish, with `is_drifting`."""

    def look() -> AvailabilityWish:
        availability.follow_up()
        (found,) = availability.of_station(ChargingStation.objects.get())
        return found

    return await rows(look)


async def becomes(connector: int, status: str) -> None:
    await eventually(lambda: Connector.objects.filter(evse__number=connector, status=status).exists())


async def test_an_accepted_change_is_in_force_once_the_status_says_so(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await changed(ada)
        await becomes(1, "Unavailable")

    found = await wish()
    assert (found.is_operative, found.state, found.is_drifting) == (False, "in_force", False)


async def test_a_change_that_is_not_seen_yet_is_only_accepted(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ChangeAvailability"] = accepts()
        await station.come_up()
        await changed(ada)

    assert (await wish()).state == "accepted"


async def test_a_scheduled_change_takes_effect_after_the_session(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await station.plug(1)
        transaction = await station.start_transaction("BO-1")
        await changed(ada)
        assert (await wish()).state == "scheduled"
        await station.stop_transaction(transaction)
        await station.unplug(1)
        await becomes(1, "Unavailable")

    assert (await wish()).state == "in_force"


async def test_a_station_that_is_already_so_is_in_force_at_once(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await becomes(1, "Available")
        await changed(ada, is_operative=True)

    assert (await rows(AvailabilityWish.objects.get)).state == "in_force"


@pytest.mark.parametrize("reaction", [answers({"status": "Rejected"}), refuses("NotSupported")])
async def test_a_refused_change_keeps_the_wish_and_says_so(
    charger: Make, ada: ChargingStation, reaction: Any
) -> None:
    async with charger() as station:
        station.reactions["ChangeAvailability"] = reaction
        await station.come_up()
        await changed(ada)

    assert (await wish()).state == "refused"


async def test_an_unanswered_change_is_unknown_until_the_status_tells(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ChangeAvailability"] = keeps_silent()
        await station.come_up()
        await changed(ada)
        assert (await wish()).state == "unknown"
        await station.set_status(1, "Unavailable")
        await becomes(1, "Unavailable")

    assert (await wish()).state == "in_force"


async def test_a_late_answer_counts(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ChangeAvailability"] = keeps_silent()
        await station.come_up()
        command = await changed(ada)
        await station.send_raw(f'[3,"{command.uid}",{{"status":"Scheduled"}}]')
        await eventually(lambda: AvailabilityWish.objects.filter(state="scheduled").exists())


async def test_a_late_answer_to_an_older_wish_changes_nothing(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ChangeAvailability"] = keeps_silent()
        await station.come_up()
        older = await changed(ada)
        station.reactions["ChangeAvailability"] = accepts()
        await changed(ada, is_operative=True)
        await station.send_raw(f'[3,"{older.uid}",{{"status":"Rejected"}}]')
        await eventually(lambda: Command.objects.filter(pk=older.pk, answered_late=True).exists())

    found = await wish()
    assert (found.is_operative, found.state) == (True, "in_force")


async def test_connector_0_is_the_whole_station_and_replaces_wishes_for_its_parts(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await changed(ada, connector=1, is_operative=True)
        await changed(ada, connector=0)
        await becomes(1, "Unavailable")
        await becomes(2, "Unavailable")

    found = await wish()
    assert (found.evse, found.is_operative, found.state) == (None, False, "in_force")


async def test_a_station_that_forgets_it_over_a_restart_drifts(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await changed(ada)
        await becomes(1, "Unavailable")
        assert not (await wish()).is_drifting
        station.outlets[1].status = "Available"
        await station.kill()
        await station.come_up()
        await becomes(1, "Available")

    assert (await wish()).is_drifting


async def test_a_station_that_keeps_it_over_a_restart_does_not_drift(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await changed(ada)
        await becomes(1, "Unavailable")
        await station.kill()
        await station.come_up()

    found = await wish()
    assert (found.state, found.is_drifting) == ("in_force", False)


async def test_a_change_may_wait_for_its_station(charger: Make, ada: ChargingStation) -> None:
    def queue() -> None:
        availability.change(ada, is_operative=False, queue_offline=True)

    await rows(queue)
    async with charger() as station:
        await station.come_up()
        await becomes(2, "Unavailable")

    assert (await wish()).state == "in_force"


async def test_a_wish_whose_command_was_taken_back_is_gone(ada: ChargingStation) -> None:
    command = await rows(lambda: availability.change(ada, is_operative=False, queue_offline=True))
    await rows(lambda: commands.cancel(command, by="ada"))

    assert await rows(AvailabilityWish.objects.count) == 0


async def test_a_station_that_is_away_is_not_asked(ada: ChargingStation) -> None:
    with pytest.raises(StationOffline):
        await rows(lambda: availability.change(ada, is_operative=False))

    assert await rows(AvailabilityWish.objects.count) == 0
