"""Sockets as facts: who owned a station and how that ended, also when nobody was left to say so."""

from datetime import timedelta

import pytest
from django.db import connection

from cpo.lib import clock
from stations.models import ChargingStation, ConnectionEvent
from stations.services import connections
from tests import factories

pytestmark = pytest.mark.django_db
FACTS = {
    "remote_address": "203.0.113.7", "subprotocol": "ocpp1.6", "offered_subprotocols": "ocpp1.6",
    "user_agent": "", "is_tls": False,
}  # fmt: skip


def opened(station: ChargingStation, **changes: object) -> int:
    """Open a connection of the station; its facts may be changed."""
    return connections.opened(station.pk, owner="here:1", version="1.6", facts=FACTS | changes)


def test_the_incumbent_is_the_open_connection_with_its_address_and_its_takeovers() -> None:
    station = factories.station("ADA-1")
    assert connections.incumbent(station.pk) is None

    first = opened(station)
    connections.closed(station.pk, epoch=first, code=None, by="takeover")
    opened(station, remote_address="198.51.100.9")

    assert connections.incumbent(station.pk) == ("here:1", "198.51.100.9", 1)


def test_a_takeover_of_long_ago_counts_no_more() -> None:
    station = factories.station("ADA-1")
    first = opened(station)
    connections.closed(station.pk, epoch=first, code=None, by="takeover")
    ConnectionEvent.objects.update(closed_at=clock.now() - timedelta(minutes=6))
    opened(station)

    found = connections.incumbent(station.pk)

    assert found is not None
    assert found.takeovers == 0


def test_a_process_is_dead_when_its_lock_is_free() -> None:
    assert connections.is_dead("nobody:1")


def test_a_connection_that_nobody_closed_is_closed_by_the_sweep() -> None:
    station = factories.station("ADA-1")
    opened(station)
    second = opened(station)
    assert connections.close_forgotten() == 0  # its process may still be about to say so
    with connection.cursor() as cursor:
        cursor.execute("update stations_connectionevent set opened_at = opened_at - interval '1 hour'")

    assert connections.close_forgotten() == 1
    assert list(ConnectionEvent.objects.filter(closed_at=None).values_list("epoch", flat=True)) == [second]
    assert ConnectionEvent.objects.get(epoch=second - 1).closed_by == "restart"
