"""Commands as rows: queue, claim, answer, expiry (docs/adr/0002)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, ReviewItem
from stations.services import commands
from stations.services.errors import InvalidPayload, NotOpen, StationOffline, UnknownAction
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> ChargingStation:
    return factories.station(is_online=True, epoch=3, ocpp_version="1.6")


def queued(station: ChargingStation, **fields: Any) -> Command:
    fields.setdefault("action", "Reset")
    fields.setdefault("payload", {"type": "Soft"})
    return commands.queue(station, **fields)


def test_it_refuses_an_action_that_the_version_does_not_have(station: ChargingStation) -> None:
    with pytest.raises(UnknownAction, match="Explode"):
        queued(station, action="Explode")


def test_it_names_the_member_that_does_not_fit_the_schema(station: ChargingStation) -> None:
    with pytest.raises(InvalidPayload) as caught:
        queued(station, payload={"type": "Gentle"})

    assert caught.value.path == "type"


def test_it_refuses_a_station_that_is_away(station: ChargingStation) -> None:
    station.is_online = False

    with pytest.raises(StationOffline):
        queued(station)


def test_it_waits_for_a_station_that_is_away_if_asked(station: ChargingStation) -> None:
    station.is_online = False

    assert queued(station, queue_offline=True).status == Command.Status.QUEUED


def test_the_owner_of_the_newest_connection_claims_the_oldest_command(station: ChargingStation) -> None:
    first, _second = queued(station), queued(station)

    claimed = commands.claim(station.pk, epoch=3)

    assert claimed is not None
    assert (claimed.pk, claimed.status) == (first.pk, Command.Status.SENT)


def test_an_older_connection_claims_nothing(station: ChargingStation) -> None:
    queued(station)

    assert commands.claim(station.pk, epoch=2) is None


def test_a_rejection_is_an_answer_and_not_a_failure(station: ChargingStation) -> None:
    command = queued(station)
    commands.claim(station.pk, epoch=3)

    answered = commands.answered(command.uid, station_id=station.pk, result={"status": "Rejected"})

    assert answered is not None
    assert (answered.status, answered.result) == (Command.Status.ANSWERED, {"status": "Rejected"})


def test_an_answer_after_the_timeout_is_kept_and_marked_late(station: ChargingStation) -> None:
    command = queued(station)
    commands.claim(station.pk, epoch=3)
    commands.timed_out(command.uid, station_id=station.pk, reason="no answer")

    late = commands.answered(command.uid, station_id=station.pk, result={"status": "Accepted"})

    assert late is not None
    assert (late.status, late.answered_late) == (Command.Status.TIMED_OUT, True)


def test_a_second_answer_changes_nothing(station: ChargingStation) -> None:
    command = queued(station)
    commands.claim(station.pk, epoch=3)
    commands.answered(command.uid, station_id=station.pk, result={"status": "Accepted"})

    assert commands.answered(command.uid, station_id=station.pk, result={"status": "Rejected"}) is None


def test_another_station_cannot_answer(station: ChargingStation) -> None:
    command = queued(station)
    commands.claim(station.pk, epoch=3)

    assert commands.answered(command.uid, station_id=station.pk + 1, result={}) is None


def test_what_was_never_sent_expires(station: ChargingStation) -> None:
    command = queued(station)
    Command.objects.update(expires_at=clock.now() - timedelta(seconds=1))

    commands.expire()

    command.refresh_from_db()
    assert command.status == Command.Status.EXPIRED


def test_what_a_dead_process_sent_times_out(station: ChargingStation) -> None:
    command = queued(station)
    commands.claim(station.pk, epoch=3)
    Command.objects.update(sent_at=clock.now() - timedelta(hours=1))

    commands.expire()

    command.refresh_from_db()
    assert command.status == Command.Status.TIMED_OUT


def test_a_command_can_be_taken_back_only_before_it_is_sent(station: ChargingStation) -> None:
    taken, sent = queued(station), queued(station)
    commands.cancel(taken, by="ada")
    commands.claim(station.pk, epoch=3)

    with pytest.raises(NotOpen):
        commands.cancel(sent, by="ada")


def test_a_secret_is_forgotten_once_its_command_is_over(station: ChargingStation) -> None:
    command = queued(
        station,
        action="ChangeConfiguration",
        payload={"key": "AuthorizationKey", "value": "very-secret-value-123"},
    )
    claimed = commands.claim(station.pk, epoch=3)
    assert claimed is not None
    assert claimed.payload["value"] == "very-secret-value-123"

    commands.answered(command.uid, station_id=station.pk, result={"status": "Accepted"})

    command.refresh_from_db()
    assert command.payload == {"key": "AuthorizationKey", "value": "••••"}


def test_what_somebody_asked_for_passes_what_nobody_asked_for(station: ChargingStation) -> None:
    queued(station, priority=commands.AUTOMATIC)
    wanted = queued(station)

    claimed = commands.claim(station.pk, epoch=3)

    assert claimed is not None
    assert claimed.pk == wanted.pk


def test_fractions_are_kept_as_the_numbers_that_they_are(station: ChargingStation) -> None:
    command = queued(station)
    commands.claim(station.pk, epoch=3)
    commands.answered(command.uid, station_id=station.pk, result={"limit": Decimal("8.1"), "n": 3})

    command.refresh_from_db()

    assert command.result == {"limit": 8.1, "n": 3}


def test_an_outcome_is_kept_when_nobody_can_act_upon_it(station: ChargingStation, settings: Any) -> None:
    settings.COMMAND_OUTCOME = "tests.stations.services.test_commands.clumsy"
    commands._listener.cache_clear()
    command = queued(station)
    commands.claim(station.pk, epoch=3)

    commands.answered(command.uid, station_id=station.pk, result={"status": "Accepted"})
    commands._listener.cache_clear()

    command.refresh_from_db()
    assert command.status == Command.Status.ANSWERED
    assert ReviewItem.objects.get().kind == "command_outcome"


def clumsy(command: Command, answer: Any) -> None:
    """Fail, as a handler with a fault would."""
    Command.objects.create(
        station=command.station, action="Half", created_at=clock.now(), expires_at=clock.now()
    )
    raise ValueError("half done")


@pytest.mark.parametrize("way", ["cancelled", "expired", "timed_out", "failed"])
def test_whoever_sent_it_hears_that_there_is_no_answer(
    station: ChargingStation, settings: Any, way: str
) -> None:
    heard.clear()
    settings.COMMAND_OUTCOME = "tests.stations.services.test_commands.listen"
    commands._listener.cache_clear()
    command = queued(station, subject="thing:1", ttl_s=-1 if way == "expired" else 60)
    if way in ("timed_out", "failed"):
        commands.claim(station.pk, epoch=3)

    ends = {
        "cancelled": lambda: commands.cancel(command, by="ada"),
        "expired": commands.expire,
        "timed_out": lambda: commands.timed_out(command.uid, station_id=station.pk, reason="silence"),
        "failed": lambda: commands.failed(
            command.uid, station_id=station.pk, code="NotSupported", description=""
        ),
    }
    ends[way]()
    commands._listener.cache_clear()

    assert heard == [("thing:1", way, None)]


heard: list[Any] = []


def listen(command: Command, answer: Any) -> None:
    """Note what became of a command."""
    heard.append((command.subject, command.status, answer))
