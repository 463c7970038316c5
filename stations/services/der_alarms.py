"""Alarms of stations that deviate because of the grid (OCPP 2.1 R05)."""

from datetime import datetime

from django.db import transaction

from cpo.lib import events
from stations.events import DERControlChanged
from stations.models import ChargingStation, DERAlarm
from stations.services import review

ENDED = "the station says that it is over"
TAKEN_OVER = "another control acts instead"


@transaction.atomic(savepoint=False)
def raised(station: ChargingStation, *, type: str, fault: str, at: datetime, info: str = "") -> DERAlarm:
    """Begin an alarm; there are no levels, so it takes the place of one that is open (R05.FR.03, R05.FR.04)."""
    known = DERAlarm.objects.filter(station=station, type=type, fault=fault, began_at=at).first()
    if known is not None:
        return known
    before = _open(station)
    if before is not None and before.began_at <= at:
        _end(before, at, TAKEN_OVER)
    is_late = before is not None and before.began_at > at
    alarm = DERAlarm.objects.create(
        station=station, type=type, fault=fault, info=info[:200], began_at=at,
        ended_at=before.began_at if before is not None and is_late else None,
    )  # fmt: skip
    if not is_late:
        alarm.review = review.raise_item(
            "station_alert",
            key=f"der:{alarm.pk}",
            summary=f"{station.identity} deviates because of the grid: {fault or 'no cause named'} ({type})",
            station=station,
            facts={"control": type, "fault": fault, "info": info},
        )
        alarm.save(update_fields=["review"])
    events.publish(DERControlChanged(station.pk))
    return alarm


@transaction.atomic(savepoint=False)
def ended(station: ChargingStation, *, at: datetime) -> bool:
    """End the open alarm (R05.FR.02); return False when none is open that began before."""
    alarm = _open(station)
    if alarm is None or alarm.began_at > at:
        return False
    _end(alarm, at, ENDED)
    events.publish(DERControlChanged(station.pk))
    return True


def _open(station: ChargingStation) -> DERAlarm | None:
    rows = DERAlarm.objects.select_for_update(of=("self",)).select_related("review")
    return rows.filter(station=station, ended_at=None).first()


def _end(alarm: DERAlarm, at: datetime, why: str) -> None:
    alarm.ended_at = at
    alarm.save(update_fields=["ended_at"])
    if alarm.review is not None and alarm.review.resolved_at is None:
        review.resolve(alarm.review, by="station", resolution=why)
