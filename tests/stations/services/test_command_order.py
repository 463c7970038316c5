"""Which command goes next, and what becomes of one whose socket is gone or slow."""

from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command
from stations.services import commands
from tests import factories

pytestmark = pytest.mark.django_db


def online() -> ChargingStation:
    return factories.station("ADA-1", is_online=True, epoch=3, ocpp_version="1.6")


def queue(station: ChargingStation, **options: Any) -> Command:
    return commands.queue(station, action="ClearCache", payload={}, **options)


def test_what_an_operator_asked_for_goes_before_what_nobody_did() -> None:
    station = online()
    automatic, asked = queue(station, priority=commands.AUTOMATIC), queue(station)

    assert commands.claim(station.pk, epoch=3) == asked
    assert commands.claim(station.pk, epoch=3, is_asked_for=True) is None
    assert commands.claim(station.pk, epoch=3) == automatic


def test_a_command_that_was_never_written_waits_again() -> None:
    station = online()
    queue(station)
    claimed = commands.claim(station.pk, epoch=3)
    assert claimed is not None

    commands.put_back(claimed.uid, epoch=3)

    again = Command.objects.get()
    assert (again.status, again.sent_at, again.sent_epoch) == ("queued", None, None)


def test_a_command_that_was_answered_is_not_put_back() -> None:
    station = online()
    queue(station)
    claimed = commands.claim(station.pk, epoch=3)
    assert claimed is not None
    commands.answered(claimed.uid, station_id=station.pk, result={"status": "Accepted"})

    commands.put_back(claimed.uid, epoch=3)

    assert Command.objects.get().status == "answered"


@pytest.mark.parametrize(("epoch", "status"), [(3, "sent"), (4, "timed_out")])
def test_the_sweep_leaves_a_slow_station_its_time_while_its_socket_is_there(epoch: int, status: str) -> None:
    station = online()
    queue(station)
    commands.claim(station.pk, epoch=3)
    Command.objects.update(sent_at=clock.now() - timedelta(minutes=5))
    ChargingStation.objects.update(epoch=epoch)

    commands.expire()

    assert Command.objects.get().status == status
