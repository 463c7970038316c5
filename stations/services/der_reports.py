"""What DER controls lie on a station: asked, and reported in parts (OCPP 2.1 R04)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from django.db import transaction
from django.db.models import Exists, Max, OuterRef

from cpo.lib import clock, events
from stations.events import DERControlChanged
from stations.models import ChargingStation, Command, DERControl, DERReport
from stations.services import commands, der_control, requests
from stations.services.der_control import Control
from stations.services.errors import StationsError

log = structlog.get_logger(__name__)
State = DERReport.State
LYING = (
    DERControl.State.ACCEPTED,
    DERControl.State.STARTED,
    DERControl.State.SUPERSEDED,
    DERControl.State.UNKNOWN,
)
GRACE = timedelta(minutes=2)  # after a control's end, for the notice of it
ASK_AGAIN = timedelta(minutes=10)
AT_ONCE = 200


class Told(NamedTuple):
    """A control of a report, and whether the station follows another one instead."""

    control: Control
    is_superseded: bool


class Asked(NamedTuple):
    """A report and the command that asks for it."""

    report: DERReport
    command: Command


@transaction.atomic(savepoint=False)
def ask(
    station: ChargingStation,
    *,
    is_default: bool | None = None,
    type: str = "",
    control_id: str = "",
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    priority: int = 0,
) -> Asked:
    """Ask which controls lie on the station: all, default or scheduled ones, those of a type, or one."""
    ChargingStation.objects.select_for_update().get(pk=station.pk)  # two requests never get one number
    highest = DERReport.objects.filter(station=station).aggregate(highest=Max("request_id"))["highest"] or 0
    facts = {"is_default": is_default, "type": type, "control_id": control_id}
    report = DERReport.objects.create(
        station=station, request_id=highest + 1, asked_at=clock.now(), boot_count=station.boot_count, **facts
    )
    report.command = requests.queue(
        station, "der_report", facts=facts | {"request_id": report.request_id}, requested_by=requested_by,
        user=user, queue_offline=queue_offline, subject=f"der_report:{report.pk}",
        priority=priority,
    )  # fmt: skip
    report.save(update_fields=["command"])
    return Asked(report, report.command)


@transaction.atomic(savepoint=False)
def answered(station: ChargingStation, request_id: int, *, state: str) -> None:
    """Take the station's answer; one that has none of these controls closes ours (R04.FR.30).

    The reports themselves may have been faster.
    """
    report = _find(station, request_id)
    if report is None or report.state == State.COMPLETE:
        return
    report.state = state
    report.save(update_fields=["state"])
    if state == State.EMPTY:
        der_control.missed(station, _asked_about(report))
    events.publish(DERControlChanged(station.pk))


@transaction.atomic(savepoint=False)
def take(station: ChargingStation, request_id: int, *, told: Sequence[Told], is_last: bool) -> bool:
    """Take a part of a report; with its last part, what it did not name is not there (R04.FR.31, R04.FR.32).

    Return whether we asked for it: the controls are kept all the same.
    """
    for one in told:
        der_control.reported(station, one.control, is_superseded=one.is_superseded)
    report = _find(station, request_id)
    if report is not None:
        report.seen = sorted({*report.seen, *(one.control.control_id for one in told)})
        report.last_at = clock.now()
        if is_last:
            report.state = State.COMPLETE
            gone = [row for row in _asked_about(report) if row.control_id not in report.seen]
            der_control.missed(station, gone)
        report.save(update_fields=["seen", "last_at", "state"])
    events.publish(DERControlChanged(station.pk))
    return report is not None


def sweep() -> int:
    """Read the controls of stations again of which they may have changed; return how many were asked.

    That is after a boot, and when a control's time is over without a word of it (R04.FR.22 is only a notice).
    """
    open_ = DERControl.objects.filter(state__in=LYING, station__is_online=True)
    since_boot = DERReport.objects.filter(
        station=OuterRef("station"), type="", control_id="", boot_count=OuterRef("station__boot_count")
    )
    booted = open_.filter(~Exists(since_boot))
    ids = set(booted.values_list("station_id", flat=True)[:AT_ONCE])
    over = open_.filter(starts_at__isnull=False, duration_s__isnull=False, starts_at__lt=clock.now())
    for row in over[:AT_ONCE]:
        end = der_control.over_at(row)
        if end is None or end + GRACE > clock.now():
            continue
        if row.reported_at is None or row.reported_at < end + GRACE:
            ids.add(row.station_id)
    return sum(_read_again(station) for station in ChargingStation.objects.filter(pk__in=ids))


@transaction.atomic
def _read_again(station: ChargingStation) -> bool:
    since = clock.now() - ASK_AGAIN
    if DERReport.objects.filter(station=station, asked_at__gte=since).exists():
        return False
    try:
        ask(station, requested_by="sweep", priority=commands.AUTOMATIC)
    except StationsError as error:  # it is away again, or came back with a version without the words
        log.info("controls not read", station=station.pk, why=type(error).__name__)
        return False
    return True


def _find(station: ChargingStation, request_id: int) -> DERReport | None:
    return DERReport.objects.select_for_update().filter(station=station, request_id=request_id).first()


def _asked_about(report: DERReport) -> list[Any]:
    """Return our open controls that the report speaks of, unless they were set after the question."""
    rows = der_control.matching(
        report.station, is_default=report.is_default, type=report.type, control_id=report.control_id
    )
    return [row for row in rows if row.wanted_at < report.asked_at]
