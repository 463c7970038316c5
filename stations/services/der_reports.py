"""What DER controls lie on a station: asked, and reported in parts (OCPP 2.1 R04)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Max

from cpo.lib import clock, events
from stations.events import DERControlChanged
from stations.models import ChargingStation, Command, DERReport
from stations.services import der_control, requests
from stations.services.der_control import Control

State = DERReport.State


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
) -> Asked:
    """Ask which controls lie on the station: all, default or scheduled ones, those of a type, or one."""
    ChargingStation.objects.select_for_update().get(pk=station.pk)  # two requests never get one number
    highest = DERReport.objects.filter(station=station).aggregate(highest=Max("request_id"))["highest"] or 0
    facts = {"is_default": is_default, "type": type, "control_id": control_id}
    report = DERReport.objects.create(station=station, request_id=highest + 1, asked_at=clock.now(), **facts)
    report.command = requests.queue(
        station, "der_report", facts=facts | {"request_id": report.request_id}, requested_by=requested_by,
        user=user, queue_offline=queue_offline, subject=f"der_report:{report.pk}",
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
        der_control.close(station, _asked_about(report))
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
            der_control.close(station, gone)
        report.save(update_fields=["seen", "last_at", "state"])
    events.publish(DERControlChanged(station.pk))
    return report is not None


def _find(station: ChargingStation, request_id: int) -> DERReport | None:
    return DERReport.objects.select_for_update().filter(station=station, request_id=request_id).first()


def _asked_about(report: DERReport) -> list[Any]:
    """Return our open controls that the report speaks of, unless they were set after the question."""
    rows = der_control.matching(
        report.station, is_default=report.is_default, type=report.type, control_id=report.control_id
    )
    return [row for row in rows if row.wanted_at < report.asked_at]
