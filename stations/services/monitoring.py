"""Monitoring of 2.x stations: monitors set, cleared and reported, events and incidents (OCPP 2.1 block N).

An event of a monitor with a grave severity (0 to 3), or of a variable that says by its name that something is wrong,
opens an incident with a review item; the station's word that it is over closes both. All events are history.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg
from django.db import connection, transaction
from django.db.models import F

from cpo.lib import clock, events, redact
from stations.events import MonitoringChanged
from stations.models import (
    ChargingStation,
    Command,
    DeviceReport,
    MonitoringState,
    ReviewItem,
    StationIncident,
    VariableMonitor,
)
from stations.services import commands, device_model, ingest, requests, review
from stations.services.ingest import DeviceEventRow
from stations.services.variable_keys import VariableKey

State = DeviceReport.State
BASES = ("All", "FactoryDefault", "HardWiredOnly")
CRITERIA = ("ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring")
CONTROLLER = "MonitoringCtrlr"
GRAVEST_HISTORY = 4  # events of this severity and above are history only (N04: 3 is Critical, 4 is Error)
TROUBLE = frozenset(
    {"problem", "tripped"}
)  # variables that need no severity to be an incident while they are true
TROUBLE_SEVERITY = 3
MONITORS_AT_MOST = 2000  # of one station that are kept
PERIODIC = "Periodic"
SEVERITIES = (
    "Danger", "Hardware failure", "System failure", "Critical", "Error", "Alert", "Warning", "Notice",
    "Informational", "Debug",
)  # fmt: skip


class Wanted(NamedTuple):
    """A monitor to set; with a `monitor_id` it replaces that one (N04.FR.12). A stream is of 2.1 (N11)."""

    key: VariableKey
    type: str
    value: Decimal
    severity: int
    is_transaction: bool = False
    monitor_id: int | None = None
    stream_interval_s: int | None = None
    stream_values: int | None = None


class Known(NamedTuple):
    """A monitor as a station tells it."""

    key: VariableKey
    monitor_id: int
    type: str
    value: Decimal
    severity: int
    is_transaction: bool
    origin: str = ""


# --- asking


@transaction.atomic(savepoint=False)
def read(
    station: ChargingStation,
    *,
    criteria: Sequence[str] = (),
    keys: Sequence[VariableKey] = (),
    requested_by: str = "",
    **options: Any,
) -> list[Command]:
    """Queue GetMonitoringReport (N02) of everything, or by criteria and variables."""
    asked = []
    for part in device_model.in_parts(station, "GetReport", list(keys)) or [[]]:
        report = DeviceReport.objects.create(
            station=station, kind=DeviceReport.Kind.MONITORS, is_whole=not criteria and not keys,
            requested_by=requested_by[:100], asked_at=clock.now(),
        )  # fmt: skip
        asked.append(
            requests.queue(
                station,
                "monitoring_report",
                facts={"request_id": report.pk, "criteria": list(criteria), "keys": part},
                subject=f"{device_model.SUBJECT}{report.pk}",
                requested_by=requested_by,
                **options,
            )
        )
    return asked


def set_monitors(station: ChargingStation, wanted: Sequence[Wanted], **options: Any) -> list[Command]:
    """Queue SetVariableMonitoring (N04), in as many messages as the station needs (N04.FR.09, FR.18)."""
    parts = device_model.in_parts(
        station, "SetVariableMonitoring", list(wanted), request="set_monitors", member="monitors",
        controller=CONTROLLER,
    )  # fmt: skip
    return [requests.queue(station, "set_monitors", facts={"monitors": part}, **options) for part in parts]


def clear(station: ChargingStation, monitor_ids: Sequence[int], **options: Any) -> list[Command]:
    """Queue ClearVariableMonitoring (N06), in as many messages as the station needs (N06.FR.04)."""
    parts = device_model.in_parts(
        station, "ClearVariableMonitoring", list(dict.fromkeys(monitor_ids)), request="clear_monitors",
        member="monitor_ids", controller=CONTROLLER,
    )  # fmt: skip
    return [
        requests.queue(station, "clear_monitors", facts={"monitor_ids": part}, **options) for part in parts
    ]


def set_base(station: ChargingStation, base: str, **options: Any) -> Command:
    """Queue SetMonitoringBase (N03)."""
    return requests.queue(station, "monitoring_base", facts={"base": base}, **options)


def set_level(station: ChargingStation, severity: int, **options: Any) -> Command:
    """Queue SetMonitoringLevel (N05): events above this severity are not reported any more."""
    return requests.queue(station, "monitoring_level", facts={"severity": severity}, **options)


# --- what came back


@transaction.atomic(savepoint=False)
def take_part(
    station_id: int, *, request_id: int, seq_no: int, is_last: bool, generated_at: datetime, known: Sequence[Known]
) -> DeviceReport | None:  # fmt: skip
    """Store one part of a monitoring report (N02.FR.03); None for one that nobody asked for.

    What a complete report of everything does not name is gone.
    """
    room = MONITORS_AT_MOST - VariableMonitor.objects.filter(station_id=station_id).count()
    for monitor in known[: max(0, room)] if room < len(known) else known:
        _keep(station_id, monitor, at=clock.now())
    report = device_model.count_part(
        station_id, DeviceReport.Kind.MONITORS, request_id=request_id, seq_no=seq_no, is_last=is_last,
        generated_at=generated_at, count=len(known),
    )  # fmt: skip
    if report is not None and report.state == State.COMPLETE and report.is_whole:
        VariableMonitor.objects.filter(station_id=station_id, reported_at__lt=report.asked_at).delete()
    events.publish(MonitoringChanged(station_id))
    return report


@transaction.atomic(savepoint=False)
def answered(command: Command, *, state: str) -> None:
    """Take what the station said to the question for its monitors; an empty set of everything is none."""
    report = device_model.answered(command, state=state)
    if report is not None and state == State.EMPTY and report.is_whole:
        VariableMonitor.objects.filter(station=command.station, reported_at__lt=report.asked_at).delete()
    events.publish(MonitoringChanged(command.station_id))


@transaction.atomic(savepoint=False)
def were_set(station_id: int, accepted: Sequence[Known]) -> None:
    """Keep the monitors that the station accepted, under the ids that it gave them (N04.FR.16)."""
    for monitor in accepted:
        _keep(station_id, monitor, at=clock.now())
    events.publish(MonitoringChanged(station_id))


@transaction.atomic(savepoint=False)
def were_cleared(station_id: int, monitor_ids: Sequence[int]) -> None:
    """Forget monitors that the station has no more (N06.FR.01, FR.02); their open incidents end with them.

    Nobody will say that a threshold is kept again whose monitor is gone (N07.FR.12).
    """
    VariableMonitor.objects.filter(station_id=station_id, monitor_id__in=monitor_ids).delete()
    keys = [f"monitor:{monitor_id}" for monitor_id in monitor_ids]
    for incident in StationIncident.objects.filter(station_id=station_id, key__in=keys, cleared_at=None):
        _close(incident, at=clock.now(), how="its monitor was removed")
    events.publish(MonitoringChanged(station_id))


@transaction.atomic(savepoint=False)
def base_was_set(station: ChargingStation, *, base: str, answer: str) -> None:
    """Keep the base, and read what is watched now; changed monitors are gone with it (N03.FR.03 to FR.05)."""
    state, _ = MonitoringState.objects.get_or_create(station=station, defaults={"changed_at": clock.now()})
    state.base_answer, state.changed_at = answer, clock.now()
    if answer == "Accepted":
        state.base = base
        read(station, requested_by="verification", queue_offline=True, priority=commands.AUTOMATIC)
    state.save()
    events.publish(MonitoringChanged(station.pk))


@transaction.atomic(savepoint=False)
def level_was_set(station: ChargingStation, *, severity: int, answer: str) -> None:
    """Keep the level up to which the station reports (N05)."""
    state, _ = MonitoringState.objects.get_or_create(station=station, defaults={"changed_at": clock.now()})
    state.level_answer, state.changed_at = answer, clock.now()
    if answer == "Accepted":
        state.level = severity
    state.save()
    events.publish(MonitoringChanged(station.pk))


# --- events


@transaction.atomic(savepoint=False)
def happened(station_id: int, told: Sequence[DeviceEventRow]) -> None:
    """Store events and open or close the incidents that they are; repeated and late ones change nothing (N07)."""
    monitors = VariableMonitor.objects.filter(
        station_id=station_id, monitor_id__in={row.monitor_id for row in told if row.monitor_id is not None}
    )
    severities = {monitor.monitor_id: monitor.severity for monitor in monitors}
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        ingest.write_device_events(cursor, told)
    station = ChargingStation.objects.select_for_update(no_key=True).get(pk=station_id)
    for row in sorted(told, key=lambda row: (row.at, row.event_id)):
        _judge(station, row, severity=_severity(row, severities))
    events.publish(MonitoringChanged(station_id))


def is_routine(row: DeviceEventRow) -> bool:
    """Tell whether an event can be no incident, so that nobody needs to look closer: a periodic value, a state."""
    return not row.is_cleared and (row.trigger == PERIODIC or row.name.casefold() == "availabilitystate")


def incidents(station: ChargingStation) -> list[StationIncident]:
    """Return the newest incidents of a station, the open ones first."""
    rows = StationIncident.objects.filter(station=station)
    return list(rows.order_by(F("cleared_at").desc(nulls_first=True), "-began_at")[:50])


def _severity(row: DeviceEventRow, severities: dict[int, int]) -> int | None:
    """Return how grave an event is: as it says (2.1), as its monitor says, or as the variable's name says."""
    if row.severity is not None:
        return row.severity
    if row.monitor_id is not None and row.monitor_id in severities:
        return severities[row.monitor_id]
    return TROUBLE_SEVERITY if row.name.casefold() in TROUBLE else None


def _judge(station: ChargingStation, row: DeviceEventRow, *, severity: int | None) -> None:
    rows = StationIncident.objects.filter(station=station, key=_key(row))
    found = rows.filter(cleared_at=None).first()
    is_over = row.is_cleared or (row.trigger == "Delta" and row.value.strip().casefold() == "false")
    if is_over:
        if found is not None and row.at >= found.last_at:
            _close(found, at=row.at, how="the station says that it is over")
        return
    if severity is None or severity >= GRAVEST_HISTORY or row.trigger == PERIODIC:
        return
    if found is not None:
        if row.at > found.last_at:
            StationIncident.objects.filter(pk=found.pk).update(
                count=F("count") + 1,
                last_at=row.at,
                severity=min(severity, found.severity),
                value=row.value[:255],
            )
        return
    if not rows.filter(cleared_at__gte=row.at).exists():
        _open(station, row, severity)


def _open(station: ChargingStation, row: DeviceEventRow, severity: int) -> None:
    place = VariableKey(
        row.name, row.component, row.component_instance, row.evse_number, row.connector_number, row.instance
    )
    incident = StationIncident.objects.create(
        station=station,
        key=_key(row),
        title=str(place)[:255],
        severity=severity,
        value=redact.frame(row.value)[:255],
        tech_code=row.tech_code,
        tech_info=row.tech_info,
        transaction_id=row.transaction_id,
        began_at=row.at,
        last_at=row.at,
    )
    incident.review = review.raise_item(
        ReviewItem.Kind.STATION_ALERT,
        key=f"alert:{incident.pk}",
        summary=f"{station.identity}: {SEVERITIES[severity]}: {place} is {row.value}"[:255],
        station=station,
        facts={"value": incident.value, "tech_code": row.tech_code, "tech_info": row.tech_info},
    )
    incident.save(update_fields=["review"])


def _close(incident: StationIncident, *, at: datetime, how: str) -> None:
    incident.cleared_at = at
    incident.save(update_fields=["cleared_at"])
    if incident.review is not None and incident.review.resolved_at is None:
        review.resolve(incident.review, by="station", resolution=how)


def _key(row: DeviceEventRow) -> str:
    """Name what an incident is about: the monitor, or the variable where there is none."""
    if row.monitor_id is not None:
        return f"monitor:{row.monitor_id}"
    place = VariableKey(
        row.name, row.component, row.component_instance, row.evse_number, row.connector_number, row.instance
    )
    return f"variable:{place.folded}"[:255]


def _keep(station_id: int, monitor: Known, *, at: datetime) -> None:
    place = monitor.key._asdict()
    place.pop("attribute")
    VariableMonitor.objects.update_or_create(
        station_id=station_id,
        monitor_id=monitor.monitor_id,
        defaults={
            **place,
            "type": monitor.type,
            "value": monitor.value,
            "severity": monitor.severity,
            "is_transaction": monitor.is_transaction,
            "origin": monitor.origin,
            "reported_at": at,
        },
    )
