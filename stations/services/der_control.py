"""DER controls of stations that feed the grid: set, started, superseded, cleared (OCPP 2.1 R01 to R04)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from cpo.lib import clock, events
from stations.events import DERControlChanged
from stations.models import ChargingStation, Command, DERControl
from stations.models.locations import new_uid
from stations.services import requests, review
from stations.services.errors import InvalidPayload, NotOpen

State, Type = DERControl.State, DERControl.Type
ONLY_DEFAULT = frozenset({Type.ENTER_SERVICE.value, Type.GRADIENTS.value})  # R04.FR.14


@dataclass(frozen=True, slots=True)
class Control:
    """A DER control as somebody wants it or a station tells it; `duration_s` in seconds."""

    control_id: str
    type: str
    is_default: bool
    priority: int
    settings: dict[str, Any] = field(default_factory=dict)
    starts_at: datetime | None = None
    duration_s: Decimal | None = None


class Wanted(NamedTuple):
    """A control and the command that carries it to the station."""

    control: DERControl
    command: Command


@transaction.atomic(savepoint=False)
def put(
    station: ChargingStation,
    *,
    type: str,
    is_default: bool,
    priority: int,
    settings: dict[str, Any],
    starts_at: datetime | None = None,
    duration_s: Decimal | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> Wanted:
    """Give a station a control: a default one, or one that is scheduled for `duration_s` seconds from `starts_at`.

    Raise `InvalidPayload` for what the specification forbids (R04.FR.12, R04.FR.14) or the schema does not know, and
    what `requests.queue` raises. The station's answer changes the row (`answered`).
    """
    if type not in Type.values:
        raise InvalidPayload("type", "is no type of DER control")
    if is_default and (starts_at is not None or duration_s is not None):
        raise InvalidPayload("starts_at", "a default control has no time")
    if not is_default and type in ONLY_DEFAULT:
        raise InvalidPayload("is_default", f"{type} exists as a default only")
    control = Control(new_uid(), type, is_default, priority, settings, starts_at, duration_s)
    row = _keep(station, control, requested_by=requested_by)
    command = requests.queue(
        station, "der_control", facts={"control": control}, requested_by=requested_by, user=user,
        queue_offline=queue_offline, subject=f"der:{row.pk}",
    )  # fmt: skip
    return Wanted(row, command)


@transaction.atomic(savepoint=False)
def answered(
    station: ChargingStation,
    control: Control,
    *,
    state: str,
    reason: str = "",
    superseded: Sequence[str] = (),
    requested_by: str = "",
) -> None:
    """Take what the station said to a control, and which others it superseded by it, perhaps this one (R04.FR.08).

    A control that somebody wrote by hand becomes a row here. What the station told since then counts more.
    """
    row = _find(station, control.control_id) or _keep(station, control, requested_by=requested_by)
    if row.state in (State.WANTED, State.UNKNOWN):
        row.state = state
    row.reason, row.answered_at = reason[:64], clock.now()
    row.save(update_fields=["state", "reason", "answered_at"])
    supersede(station, superseded, by=control.control_id)
    _publish(station)


@transaction.atomic(savepoint=False)
def clear(
    station: ChargingStation,
    *,
    is_default: bool,
    type: str = "",
    control_id: str = "",
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> Command:
    """Take back all default or all scheduled controls, those of a type, or one (R04.FR.41 to R04.FR.46)."""
    facts = {"is_default": is_default, "type": type, "control_id": control_id}
    return requests.queue(
        station, "clear_der_control", facts=facts, requested_by=requested_by, user=user,
        queue_offline=queue_offline, subject="der",
    )  # fmt: skip


@transaction.atomic(savepoint=False)
def cleared(station: ChargingStation, *, is_default: bool, type: str = "", control_id: str = "") -> None:
    """Close the controls that the station says it has not, or not any more (Accepted, NotFound)."""
    close(station, matching(station, is_default=is_default, type=type, control_id=control_id))


@transaction.atomic(savepoint=False)
def notified(
    station: ChargingStation,
    control_id: str,
    *,
    started: bool,
    at: datetime,
    superseded: Sequence[str] = (),
) -> bool:
    """Take a station's word that a scheduled control has started or ended (R04.FR.20 to R04.FR.22).

    Notices may be repeated or come late: the newest moment counts. Return whether the control is known.
    """
    row = _find(station, control_id)
    if started:
        supersede(station, superseded, by=control_id)
    if row is None:
        return False
    if started:
        row.started_at = max(at, row.started_at) if row.started_at else at
    else:
        row.ended_at = max(at, row.ended_at) if row.ended_at else at
    is_over = row.ended_at is not None and (row.started_at is None or row.started_at <= row.ended_at)
    if row.state != State.CLEARED and (is_over or row.state != State.SUPERSEDED):
        row.state = State.ENDED if is_over else State.STARTED
    row.save(update_fields=["started_at", "ended_at", "state"])
    _publish(station)
    return True


def supersede(station: ChargingStation, control_ids: Sequence[str], *, by: str = "") -> None:
    """Note that the station does not follow these any more (R04.FR.03, R04.FR.06, R04.FR.21)."""
    rows = DERControl.objects.filter(
        station=station, control_id__in=list(control_ids), state__in=DERControl.OPEN
    )
    rows.update(state=State.SUPERSEDED, superseded_by=by)


def matching(
    station: ChargingStation, *, is_default: bool | None = None, type: str = "", control_id: str = ""
) -> list[DERControl]:
    """Return the open controls that a request is about; what is not named matches any (R04.FR.30)."""
    rows = DERControl.objects.select_for_update().filter(station=station, state__in=DERControl.OPEN)
    if is_default is not None:
        rows = rows.filter(is_default=is_default)
    if type:
        rows = rows.filter(type=type)
    if control_id:
        rows = rows.filter(control_id=control_id)
    return list(rows)


def close(station: ChargingStation, rows: Sequence[DERControl], *, otherwise: str = State.CLEARED) -> None:
    """End controls that do not lie on the station any more; what is still on its way there stays.

    `otherwise`: what becomes of one whose time is not over yet.
    """
    now = clock.now()
    for row in rows:
        if row.state != State.WANTED:
            end = over_at(row)
            row.state = State.ENDED if end is not None and end <= now else otherwise
            row.ended_at = row.ended_at or now
            row.save(update_fields=["state", "ended_at"])
    _publish(station)


def missed(station: ChargingStation, rows: Sequence[DERControl]) -> None:
    """Note that a station's report did not name controls: ours that nobody took back are lost, which is drift.

    A review item says so; sending them again is the operator's decision (`again`), for the grid's rules are his.
    """
    ours = [
        row
        for row in rows
        if row.requested_by and row.state in (State.ACCEPTED, State.STARTED, State.UNKNOWN)
    ]
    close(station, [row for row in rows if row not in ours])
    close(station, ours, otherwise=State.LOST)
    lost = [row for row in ours if row.state == State.LOST]
    if lost:
        review.raise_item(
            "station_alert",
            key=f"der_lost:{lost[0].pk}",
            summary=f"{station.identity} has lost DER controls: {', '.join(sorted({row.type for row in lost}))}",
            station=station,
            facts={"controls": [row.control_id for row in lost]},
        )


@transaction.atomic(savepoint=False)
def again(
    row: DERControl, *, requested_by: str = "", user: Any = None, queue_offline: bool = False
) -> Wanted:
    """Give the station a control that it has lost or refused once more, under a new id. Raise as `put` does."""
    if row.state not in (State.LOST, State.REFUSED, State.UNKNOWN):
        raise NotOpen("the control lies on the station, or was taken back")
    made = put(
        row.station,
        type=row.type,
        is_default=row.is_default,
        priority=row.priority,
        settings=row.settings,
        starts_at=row.starts_at,
        duration_s=row.duration_s,
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )
    row.state, row.superseded_by = State.CLEARED, made.control.control_id
    row.save(update_fields=["state", "superseded_by"])
    return made


def reported(station: ChargingStation, control: Control, *, is_superseded: bool) -> None:
    """Take a control as the station reports it; one that we did not set becomes a row."""
    row = _find(station, control.control_id) or _keep(station, control, requested_by="")
    row.type, row.is_default, row.priority = control.type, control.is_default, control.priority
    row.settings, row.starts_at, row.duration_s = control.settings, control.starts_at, control.duration_s
    row.reported_at = clock.now()
    if is_superseded:
        row.state = State.SUPERSEDED
    elif row.state != State.STARTED:
        row.state = State.ACCEPTED
    row.ended_at = None
    row.save()


def _keep(station: ChargingStation, control: Control, *, requested_by: str) -> DERControl:
    return DERControl.objects.create(
        station=station,
        control_id=control.control_id,
        type=control.type,
        is_default=control.is_default,
        priority=control.priority,
        settings=control.settings,
        starts_at=control.starts_at,
        duration_s=control.duration_s,
        requested_by=requested_by[:100],
        wanted_at=clock.now(),
    )


def _find(station: ChargingStation, control_id: str) -> DERControl | None:
    return DERControl.objects.select_for_update().filter(station=station, control_id=control_id).first()


def over_at(row: DERControl) -> datetime | None:
    """Return when the time of a scheduled control is over; None for a default one."""
    if row.starts_at is None or row.duration_s is None:
        return None
    return row.starts_at + timedelta(seconds=int(row.duration_s))


def _publish(station: ChargingStation) -> None:
    events.publish(DERControlChanged(station.pk))
