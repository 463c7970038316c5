"""Remote start, stop and reset, seen to their outcome (OCPP 1.6 sections 5.11, 5.12, 5.14; field note 16)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    Connector,
    IdToken,
    RemoteRequest,
    Variable,
)
from stations.services import commands, remote, remote_watch
from stations.services.errors import NotOpen, StationOffline
from tests.charger import Charger, accepts, answers, keeps_silent, refuses
from tests.processes import Process
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
AN_HOUR_AGO = (clock.now() - timedelta(hours=1)).isoformat()
START = {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": AN_HOUR_AGO}


async def sent(ada: ChargingStation, action: str, payload: dict[str, Any], **options: Any) -> Command:
    """Queue a command as console and API do, and wait for its answer."""

    def queue() -> Command:
        station = ChargingStation.objects.get(pk=ada.pk)
        return commands.wait(commands.queue(station, action=action, payload=payload, **options), timeout_s=5)

    return await rows(queue)


async def remote_start(ada: ChargingStation, **payload: Any) -> Command:
    return await sent(ada, "RemoteStartTransaction", {"idTag": "BO-1", "connectorId": 1} | payload)


async def remote_stop(session: ChargingSession) -> Command:
    def stop() -> Command:
        row = ChargingSession.objects.select_related("station").get(pk=session.pk)
        return commands.wait(remote.stop(row, requested_by="ada"), timeout_s=5)

    return await rows(stop)


async def outcome(command: Command, *, is_due: bool = False) -> RemoteRequest:
    """Follow up and return what is known; `is_due`: the time for it is over."""

    def look() -> RemoteRequest:
        if is_due:
            RemoteRequest.objects.exclude(due_at=None).update(due_at=clock.now() - timedelta(seconds=1))
        remote_watch.follow_up()
        return RemoteRequest.objects.select_related("session").get(command=command)

    return await rows(look)


async def started(station: Charger, **fields: Any) -> ChargingSession:
    """Start a session locally and return it."""
    answer = await station.call("StartTransaction", START | fields)
    return await rows(lambda: ChargingSession.objects.get(transaction_id=str(answer["transactionId"])))


# --- RemoteStartTransaction (5.11)


async def test_an_accepted_remote_start_succeeds_with_its_session(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.remote_charge = {"energy_wh": 1000, "duration_s": 600}
        await station.come_up()
        command = await remote_start(ada)
        session = await eventually(ChargingSession.objects.first)
        found = await outcome(command)

    assert (found.kind, found.state, found.session_id) == ("start", "succeeded", session.pk)


async def test_a_worker_knows_the_outcome_at_once_without_a_sweep(
    charger: Make, ada: ChargingStation, celery_worker_process: Process
) -> None:
    async with charger() as station:
        station.remote_charge = {"energy_wh": 1000, "duration_s": 600}
        await station.come_up()
        command = await remote_start(ada)
        await eventually(
            lambda: RemoteRequest.objects.filter(command=command, state="succeeded").exists(), within_s=30
        )


async def test_a_start_that_was_faster_than_the_answer_counts(charger: Make, ada: ChargingStation) -> None:
    async def eager(station: Charger, payload: dict[str, Any]) -> dict[str, Any]:
        await station.call("StartTransaction", START)
        return {"status": "Accepted"}

    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = eager
        await station.come_up()
        command = await remote_start(ada)

    found = await rows(lambda: RemoteRequest.objects.get(command=command))
    assert (found.state, found.due_at) == ("succeeded", None)


async def test_a_rejected_remote_start_says_what_we_know_of_why(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await station.set_status(1, "Faulted", "GroundFailure")
        await eventually(lambda: Connector.objects.filter(status="Faulted").exists())
        found = await outcome(await remote_start(ada))

    assert (found.state, found.reason) == ("refused", "faulted")


async def test_a_remote_start_answered_with_a_callerror_is_refused(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = refuses("NotSupported")
        await station.come_up()
        found = await outcome(await remote_start(ada))

    assert (found.state, found.reason) == ("refused", "error")


WHY = {
    "Available": "no_car",
    "Preparing": "not_started",
    "Finishing": "occupied",
    "Reserved": "reserved",
    "Unavailable": "out_of_service",
    "Faulted": "faulted",
}


@pytest.mark.parametrize("status", WHY)
async def test_an_accepted_remote_start_without_a_session_fails_with_a_reason(
    charger: Make, ada: ChargingStation, status: str
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        command = await remote_start(ada)
        assert (await outcome(command)).state == "accepted"
        await station.set_status(1, status)
        await eventually(lambda: Connector.objects.filter(evse__number=1, status=status).exists())
        found = await outcome(command, is_due=True)

    assert (found.state, found.reason) == ("failed", WHY[status])


async def test_a_refused_token_is_named_as_the_reason(charger: Make, ada: ChargingStation) -> None:
    await rows(lambda: IdToken.objects.update(status="Blocked"))
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        found = await outcome(await remote_start(ada), is_due=True)

    assert (found.state, found.reason) == ("failed", "token_refused")


async def test_a_session_that_began_with_a_refused_token_is_a_failure_with_its_session(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        command = await remote_start(ada, idTag="NOBODY")
        session = await started(station, idTag="NOBODY")
        found = await outcome(command)

    assert (found.state, found.reason, found.session_id) == ("failed", "token_refused", session.pk)


async def test_somebody_elses_session_there_is_not_the_one_asked_for(
    charger: Make, ada: ChargingStation
) -> None:
    await rows(lambda: IdToken.objects.create(uid="CY-1", last_updated=clock.now()))
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        command = await remote_start(ada)
        await started(station, idTag="CY-1")
        found = await outcome(command, is_due=True)

    assert (found.state, found.reason) == ("failed", "other_token")


async def test_an_unanswered_remote_start_is_known_by_its_session(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = keeps_silent()
        await station.come_up()
        command = await remote_start(ada)
        assert (await outcome(command)).state == "unknown"
        await started(station)
        found = await outcome(command)

    assert found.state == "succeeded"


async def test_an_unanswered_remote_start_without_a_session_fails(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = keeps_silent()
        await station.come_up()
        found = await outcome(await remote_start(ada), is_due=True)

    assert (found.state, found.reason) == ("failed", "no_answer")


@pytest.mark.parametrize(("word", "state"), [("Accepted", "accepted"), ("Rejected", "refused")])
async def test_a_late_answer_to_a_remote_start_counts(
    charger: Make, ada: ChargingStation, word: str, state: str
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = keeps_silent()
        await station.come_up()
        command = await remote_start(ada)
        await station.send_raw(f'[3,"{command.uid}",{{"status":"{word}"}}]')
        await eventually(lambda: RemoteRequest.objects.filter(command=command, state=state).exists())


async def test_a_station_that_went_away_is_given_time_to_tell(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        command = await remote_start(ada)
        await station.kill()
        await eventually(lambda: not ChargingStation.objects.get(pk=ada.pk).is_online)
        found = await outcome(command, is_due=True)
        assert (found.state, found.reason) == ("unknown", "offline")
        await station.connect()
        await started(station)

    assert (await outcome(command)).state == "succeeded"


async def test_a_station_that_came_back_without_a_session_has_failed(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        command = await remote_start(ada)
        await station.kill()
        await eventually(lambda: not ChargingStation.objects.get(pk=ada.pk).is_online)
        await outcome(command, is_due=True)
        await station.come_up()
        an_hour_ago = clock.now() - timedelta(hours=1)
        await rows(lambda: ChargingStation.objects.update(online_changed_at=an_hour_ago))
        found = await outcome(command)

    assert (found.state, found.reason) == ("failed", "offline")


async def test_a_remote_start_that_waits_for_its_station_has_no_outcome_yet(
    charger: Make, ada: ChargingStation
) -> None:
    station_row = ada
    command = await rows(lambda: remote.start(station_row, id_token="BO-1", queue_offline=True))
    assert await rows(RemoteRequest.objects.count) == 0
    async with charger() as station:
        station.remote_charge = {"energy_wh": 1000, "duration_s": 600}
        await station.come_up()
        await eventually(ChargingSession.objects.first)
        assert (await outcome(command)).state == "succeeded"


async def test_a_remote_start_that_was_never_sent_has_failed(ada: ChargingStation) -> None:
    command = await rows(lambda: remote.start(ada, id_token="BO-1", queue_offline=True))
    await rows(lambda: Command.objects.update(expires_at=clock.now()))
    await rows(commands.expire)

    found = await outcome(command)
    assert (found.state, found.reason) == ("failed", "never_sent")


async def test_a_station_that_is_away_is_not_asked_to_start(ada: ChargingStation) -> None:
    with pytest.raises(StationOffline):
        await rows(lambda: remote.start(ada, id_token="BO-1"))


async def test_two_remote_starts_are_not_both_content_with_one_session(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        one, two = await remote_start(ada), await remote_start(ada)
        await started(station)
        states = {(await outcome(one)).state, (await outcome(two)).state}

    assert states == {"succeeded", "accepted"}


async def test_the_station_waits_for_a_car_as_long_as_it_said(charger: Make, ada: ChargingStation) -> None:
    await rows(lambda: Variable.objects.create(station=ada, name="ConnectionTimeOut", value="300"))
    async with charger() as station:
        station.reactions["RemoteStartTransaction"] = accepts()
        await station.come_up()
        found = await outcome(await remote_start(ada))

    assert (found.due_at - found.answered_at).total_seconds() == 300 + remote.GRACE_S


# --- RemoteStopTransaction (5.12)


async def test_an_accepted_remote_stop_succeeds_with_the_sessions_end(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["RemoteStopTransaction"] = accepts()
        await station.come_up()
        session = await started(station)
        command = await remote_stop(session)
        assert (await outcome(command)).state == "accepted"
        await station.call(
            "StopTransaction",
            {
                "transactionId": int(session.transaction_id),
                "meterStop": 2000,
                "timestamp": clock.now().isoformat(),
            },
        )
        found = await outcome(command)

    assert (found.kind, found.state, found.session_id) == ("stop", "succeeded", session.pk)


async def test_an_accepted_remote_stop_without_an_end_is_shown(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["RemoteStopTransaction"] = accepts()
        await station.come_up()
        found = await outcome(await remote_stop(await started(station)), is_due=True)

    assert (found.state, found.reason) == ("failed", "not_stopped")


async def test_a_rejected_remote_stop_means_that_the_station_does_not_know_the_session(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        found = await outcome(await remote_stop(await started(station)))

    assert (found.state, found.reason) == ("refused", "session_unknown")


@pytest.mark.parametrize(
    ("reaction", "state", "reason"),
    [(keeps_silent(), "unknown", ""), (refuses("InternalError"), "refused", "error")],
)
async def test_a_remote_stop_without_an_answer_is_not_taken_for_one(
    charger: Make, ada: ChargingStation, reaction: Any, state: str, reason: str
) -> None:
    async with charger() as station:
        station.reactions["RemoteStopTransaction"] = reaction
        await station.come_up()
        found = await outcome(await remote_stop(await started(station)))

    assert (found.state, found.reason) == (state, reason)


async def test_a_session_that_has_ended_is_not_stopped(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await station.charge("BO-1", energy_wh=1000, duration_s=600)
    session = await rows(lambda: ChargingSession.objects.select_related("station").get())

    with pytest.raises(NotOpen):
        await rows(lambda: remote.stop(session))


# --- Reset (5.14)


async def test_an_accepted_reset_succeeds_with_the_boot(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reboot_s = 0
        await station.come_up()
        command = await sent(ada, "Reset", {"type": "Soft"})
        await eventually(lambda: ChargingStation.objects.get(pk=ada.pk).boot_count == 2)
        found = await outcome(command)

    assert (found.kind, found.state) == ("reset", "succeeded")


async def test_an_accepted_reset_without_a_boot_has_failed(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["Reset"] = accepts()
        await station.come_up()
        found = await outcome(await sent(ada, "Reset", {"type": "Hard"}), is_due=True)

    assert (found.state, found.reason) == ("failed", "not_restarted")


async def test_a_rejected_reset_is_refused(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["Reset"] = answers({"status": "Rejected"})
        await station.come_up()
        found = await outcome(await sent(ada, "Reset", {"type": "Soft"}))

    assert (found.state, found.reason) == ("refused", "")
