"""Periodic event streams of 2.1 stations: what they send of a monitor without being answered (N11 to N15)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count

from cpo.lib import clock, events
from stations.events import MonitoringChanged
from stations.models import ChargingStation, Command, DeviceEvent, EventStream, VariableMonitor
from stations.services import monitoring, requests
from stations.services.errors import NotOpen

STREAMS_AT_MOST = 200  # of one station
RATE_OVER = timedelta(minutes=5)
TENTH = Decimal("0.1")


@transaction.atomic(savepoint=False)
def opened(
    station_id: int, *, stream_id: int, monitor_id: int, interval_s: int | None, values_at_once: int | None,
    at: datetime,
) -> bool:  # fmt: skip
    """Open a stream for a monitor; False when we cannot take it (N11.FR.05): then the station sends events as before.

    The monitor need not be known yet: its id comes with the answer that set it, which may be later.
    """
    ours = EventStream.objects.filter(station_id=station_id)
    if not ours.filter(stream_id=stream_id).exists() and ours.count() >= STREAMS_AT_MOST:
        return False
    EventStream.objects.update_or_create(
        station_id=station_id,
        stream_id=stream_id,
        defaults={
            "monitor_id": monitor_id, "interval_s": interval_s, "values_at_once": values_at_once, "pending": 0,
            "opened_at": at, "closed_at": None,
        },
    )  # fmt: skip
    events.publish(MonitoringChanged(station_id))
    return True


@transaction.atomic(savepoint=False)
def closed(station_id: int, *, stream_id: int, at: datetime) -> None:
    """Close a stream (N13.FR.02); values of its time that come later are still taken."""
    EventStream.objects.filter(station_id=station_id, stream_id=stream_id, closed_at=None).update(
        closed_at=at
    )
    events.publish(MonitoringChanged(station_id))


def adjust(
    station: ChargingStation, *, stream_id: int, interval_s: int | None = None, values_at_once: int | None = None,
    **options: Any,
) -> Command:  # fmt: skip
    """Queue AdjustPeriodicEventStream (N14); raise what `requests.queue` raises."""
    return requests.queue(
        station,
        "adjust_stream",
        facts={"stream_id": stream_id, "interval_s": interval_s, "values_at_once": values_at_once},
        **options,
    )


def read(station: ChargingStation, **options: Any) -> Command:
    """Queue GetPeriodicEventStream (N12); raise what `requests.queue` raises."""
    return requests.queue(station, "read_streams", facts={}, **options)


@transaction.atomic(savepoint=False)
def adjusted(station_id: int, *, stream_id: int, interval_s: int | None, values_at_once: int | None) -> None:
    """Keep what the station accepted (N14.FR.03)."""
    told = {"interval_s": interval_s, "values_at_once": values_at_once}
    changes = {name: value for name, value in told.items() if value is not None}
    if changes:
        EventStream.objects.filter(station_id=station_id, stream_id=stream_id).update(**changes)
    events.publish(MonitoringChanged(station_id))


@transaction.atomic(savepoint=False)
def were_told(station_id: int, streams: list[dict[str, Any]]) -> None:
    """Take the station's list of open streams: others are closed (N12.FR.01)."""
    now = clock.now()
    for stream in streams[:STREAMS_AT_MOST]:
        opened(station_id, at=now, **stream)
    ids = [stream["stream_id"] for stream in streams]
    gone = EventStream.objects.filter(station_id=station_id, closed_at=None).exclude(stream_id__in=ids)
    gone.update(closed_at=now)
    events.publish(MonitoringChanged(station_id))


def of_station(station: ChargingStation) -> list[EventStream]:
    """Return the station's streams, each with `monitor`, None where that is not known."""
    streams = list(EventStream.objects.filter(station=station))
    monitors = {row.monitor_id: row for row in VariableMonitor.objects.filter(station=station)}
    for stream in streams:
        stream.monitor = monitors.get(stream.monitor_id)  # type: ignore[attr-defined]
    return streams


def close(station: ChargingStation, *, stream_id: int, **options: Any) -> list[Command]:
    """End a stream by clearing its monitor (N13, second scenario): the station closes it itself.

    There is no other way to stop one. Raise `NotOpen` for a stream that is not open, and what `monitoring.clear` does.
    """
    row = EventStream.objects.filter(station=station, stream_id=stream_id, closed_at=None).first()
    if row is None:
        raise NotOpen("there is no such open stream")
    return monitoring.clear(station, [row.monitor_id], **options)


def rates(station: ChargingStation) -> dict[int, Decimal]:
    """Return by stream how many values a minute came lately, to see what a stream costs (N15.FR.05)."""
    counted = (
        DeviceEvent.objects.filter(
            station_id=station.pk, event_id__lt=0, at__gte=clock.now() - RATE_OVER, at__lte=clock.now()
        )
        .values("event_id")
        .annotate(values=Count("event_id"))
    )
    minutes = Decimal(int(RATE_OVER.total_seconds())) / 60
    return {-row["event_id"] - 1: (Decimal(row["values"]) / minutes).quantize(TENTH) for row in counted}
