"""The device model of 2.x stations: reports in parts, variables read and set (OCPP 2.1 B05 to B08).

What a station reports lies in the table of the 1.6 keys, a row for each attribute of a variable; wishes and drift are
those of `configuration` and its templates.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower

from cpo.lib import clock, events
from stations.events import VariablesChanged
from stations.models import ChargingStation, Command, DeviceReport, Variable
from stations.services import commands, provisioning, requests, variable_keys, variable_rows, wake
from stations.services.errors import InvalidPayload, NotConfirmed, UnknownAction
from stations.services.guarded_keys import is_guarded, is_secret
from stations.services.variable_keys import VariableKey
from stations.services.variable_rows import is_drifting

T = TypeVar("T")
State = DeviceReport.State
FULL, CONFIGURATION, SUMMARY = "FullInventory", "ConfigurationInventory", "SummaryInventory"
BASES = (FULL, CONFIGURATION, SUMMARY)  # what is asked for in turn, where a station has not the first
ITEMS_AT_ONCE = 20  # to a station that never told how many it takes
FRAME_BYTES = 100  # of a message around its payload
ROWS_AT_MOST = 20_000  # of one station that are stored
EVSES_AT_MOST, CONNECTORS_AT_MOST = 100, 20  # of one station that a report can bring into being
QUIET = timedelta(minutes=5)  # a report of which nothing came for so long is over
READ_AGAIN_AFTER = timedelta(
    hours=1
)  # a station that did not answer is asked again at a boot after this time
AFTER_BOOT = "boot"  # who asked, where nobody did
SUBJECT = "report:"
UNKNOWN = frozenset({"UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"})
SHOWS_PRICES = "tariffcostctrlr"
VALUE = ["value", "is_supported", "reported_at", "changed_at", "is_drifting"]
TRAITS = ["is_readonly", "is_writeonly", "is_persistent", "is_constant"]
CHARACTERISTICS = ["data_type", "unit", "min_limit", "max_limit", "values_list", "is_monitorable"]


class Told(NamedTuple):
    """One attribute of a variable as a station told it; None where it told nothing about it."""

    key: VariableKey
    value: str | None = None
    traits: dict[str, bool] | None = None
    characteristics: dict[str, Any] | None = None


class Outcome(NamedTuple):
    """What a station said to one change: SetVariableStatusEnumType, and why."""

    key: VariableKey
    status: str
    reason: str = ""


# --- asking


def is_spoken(station: ChargingStation) -> bool:
    """Tell whether the station's version has components and variables."""
    try:
        requests.write(station, "base_report", {"request_id": 0, "base": FULL})
    except UnknownAction:
        return False
    return True


@transaction.atomic(savepoint=False)
def ask_base(
    station: ChargingStation, *, base: str = FULL, requested_by: str = "", **options: Any
) -> Command:
    """Queue GetBaseReport (B07); raise what `requests.queue` raises."""
    report = _report(station, DeviceReport.Kind.VARIABLES, base, base == FULL, requested_by)
    return requests.queue(
        station,
        "base_report",
        facts={"request_id": report.pk, "base": base},
        subject=f"{SUBJECT}{report.pk}",
        requested_by=requested_by,
        **options,
    )


@transaction.atomic(savepoint=False)
def ask_some(
    station: ChargingStation,
    *,
    criteria: Sequence[str] = (),
    keys: Sequence[VariableKey] = (),
    requested_by: str = "",
    **options: Any,
) -> list[Command]:
    """Queue GetReport (B08): of components with a problem, that are available and so on, or of these variables.

    An empty name of a variable means all of its component. As many questions as the station needs (B08.FR.06).
    """
    if not criteria and not keys:
        raise InvalidPayload("criteria", "name criteria, variables or both")
    asked = []
    for part in in_parts(station, "GetReport", list(keys)) or [[]]:
        report = _report(station, DeviceReport.Kind.VARIABLES, "", False, requested_by)
        asked.append(
            requests.queue(
                station,
                "report",
                facts={"request_id": report.pk, "criteria": list(criteria), "keys": part},
                subject=f"{SUBJECT}{report.pk}",
                requested_by=requested_by,
                **options,
            )
        )
    return asked


def read(station: ChargingStation, keys: Iterable[VariableKey], **options: Any) -> list[Command]:
    """Queue GetVariables (B06), in as many questions as the station needs (B06.FR.05, B06.FR.16)."""
    once = list({key.folded: key for key in keys}.values())
    return [
        requests.queue(station, "read_variables", facts={"keys": part}, **options)
        for part in in_parts(station, "GetVariables", once, request="read_variables", member="keys")
    ]


def change(
    station: ChargingStation,
    changes: Iterable[tuple[VariableKey, str]],
    *,
    confirmed: bool = False,
    **options: Any,
) -> list[Command]:
    """Queue SetVariables (B05), in as many messages as the station needs; each accepted one is read again.

    Raise `NotConfirmed` for a guarded variable without `confirmed`, and what `requests.queue` raises.
    """
    wanted = [(spelt(station.pk, key), value) for key, value in changes]
    for key, value in wanted:
        if not confirmed and is_guarded(key.name, value):
            raise NotConfirmed(f"a wrong {key} can cut the station off: confirm the change")
    return [
        requests.queue(station, "change_variables", facts={"changes": part}, **options)
        for part in in_parts(station, "SetVariables", wanted, request="change_variables", member="changes")
    ]


def spelt(station_id: int, key: VariableKey) -> VariableKey:
    """Return the key as the station spells it, if it ever told it."""
    rows = Variable.objects.filter(
        station_id=station_id, component__iexact=key.component, name__iexact=key.name, attribute=key.attribute
    )
    known = {found.folded: found for found in map(variable_keys.of, rows)}
    return known.get(key.folded, key)


def in_parts(
    station: ChargingStation, action: str, items: list[T], *, request: str = "", member: str = "",
    controller: str = "DeviceDataCtrlr", **facts: Any,
) -> list[list[T]]:  # fmt: skip
    """Cut items of a request into as many messages as the station's limits on items and bytes demand."""
    most = limit(station.pk, "ItemsPerMessage", action, controller=controller) or ITEMS_AT_ONCE
    parts = [items[start : start + most] for start in range(0, len(items), most)]
    octets = limit(station.pk, "BytesPerMessage", action, controller=controller)
    if octets is None or not request:
        return parts
    fitting: list[list[T]] = []
    while parts:
        part = parts.pop(0)
        _, payload = requests.write(station, request, {member: part, **facts})
        if len(part) > 1 and requests.size(payload) + FRAME_BYTES > octets:
            parts[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
        else:
            fitting.append(part)
    return fitting


def limit(station_id: int, name: str, action: str, *, controller: str = "DeviceDataCtrlr") -> int | None:
    """Return how many items or bytes the station takes in one message of this action; None: it never told."""
    row = Variable.objects.filter(
        station_id=station_id, component__iexact=controller, name__iexact=name, instance__iexact=action,
        attribute=variable_keys.ACTUAL,
    ).first()  # fmt: skip
    if row is None or not row.value or not row.value.isascii() or not row.value.isdigit():
        return None
    return max(1, int(row.value[:9]))


# --- what came back


@transaction.atomic(savepoint=False)
def store(
    station_id: int, *, told: Sequence[Told], at: datetime, unknown: Sequence[VariableKey] = ()
) -> None:
    """Store what a station told of its variables as of this moment; a newer word stays.

    `unknown` names what it does not have. Values of secrets are dropped, passwords in addresses blanked.
    """
    variable_rows.lock(station_id)
    names = {key.component.casefold() for key in [*(entry.key for entry in told), *unknown]}
    known = {
        variable_keys.of(row).folded: row
        for row in Variable.objects.annotate(folded=Lower("component")).filter(
            station_id=station_id, folded__in=names
        )
    }
    room = ROWS_AT_MOST - Variable.objects.filter(station_id=station_id).count()
    rows: dict[VariableKey, Variable] = {}
    with_traits: set[VariableKey] = set()
    with_characteristics: set[VariableKey] = set()
    for entry in told:
        key = entry.key.folded
        row = rows.get(key) or known.get(key)
        if row is None:
            if room <= 0:
                continue
            row, room = _new(station_id, entry.key), room - 1
        rows[key] = row
        if row.reported_at is None or row.reported_at <= at:
            variable_rows.take(row, entry.value, at=at)
        if entry.traits is not None:
            with_traits.add(key)
            _set(row, entry.traits)
        if entry.characteristics is not None:
            with_characteristics.add(key)
            _set(row, entry.characteristics)
    for name in unknown:
        row = rows.get(name.folded) or known.get(name.folded)
        if row is not None:
            rows[name.folded] = row
            row.value, row.is_supported, row.reported_at = None, False, at
    _write(rows, with_traits, with_characteristics)
    if SHOWS_PRICES in names:
        wake.changed(station_id)  # whether it shows its driver prices (quirks.flags)
    if rows:
        events.publish(VariablesChanged(station_id))


def take_part(
    station_id: int,
    *,
    request_id: int,
    seq_no: int,
    is_last: bool,
    generated_at: datetime,
    told: Sequence[Told],
) -> DeviceReport | None:
    """Store one part of a report (B07.FR.03); None for a report that nobody asked for, which is stored all the same.

    The parts may come in any order and doubled.
    """
    with transaction.atomic(savepoint=False):
        store(station_id, told=told, at=generated_at)
        report = count_part(
            station_id, DeviceReport.Kind.VARIABLES, request_id=request_id, seq_no=seq_no, is_last=is_last,
            generated_at=generated_at, count=len(told),
        )  # fmt: skip
        if report is not None and report.state == State.COMPLETE:
            _completed(report)
        return report


def count_part(
    station_id: int, kind: str, *, request_id: int, seq_no: int, is_last: bool, generated_at: datetime, count: int
) -> DeviceReport | None:  # fmt: skip
    """Write down that a part came, in the caller's transaction; the report is complete with the last missing one."""
    rows = DeviceReport.objects.select_for_update().filter(station_id=station_id, kind=kind)
    report = rows.filter(pk=request_id).first()
    if report is None:
        return None
    report.heard_at = clock.now()
    if seq_no not in report.parts:
        report.parts = sorted([*report.parts, seq_no])
        report.count += count
    if is_last:
        report.last_part = seq_no
    report.generated_at = min(generated_at, report.generated_at or generated_at)
    report.state = State.RECEIVING
    if report.last_part is not None and set(range(report.last_part + 1)) <= set(report.parts):
        report.state, report.ended_at = State.COMPLETE, clock.now()
    report.save()
    return report


@transaction.atomic(savepoint=False)
def answered(command: Command, *, state: str) -> DeviceReport | None:
    """Take what the station said to the question for a report, or that it said nothing.

    Where it has not the inventory asked for, it is asked for the next smaller one.
    """
    report = _of(command)
    if report is None:
        return None
    if report.state == State.ASKED or (report.state == State.UNANSWERED and state != State.UNANSWERED):
        report.state = state
        report.ended_at = None if state in DeviceReport.OPEN else clock.now()
        report.heard_at = clock.now() if state != State.UNANSWERED else None
        report.save(update_fields=["state", "heard_at", "ended_at"])
        events.publish(VariablesChanged(report.station_id))
    if state in (State.NOT_SUPPORTED, State.EMPTY) and report.base in BASES[:-1]:
        ask_base(
            command.station,
            base=BASES[BASES.index(report.base) + 1],
            requested_by=report.requested_by,
            queue_offline=True,
            priority=commands.AUTOMATIC,
        )
    return report


@transaction.atomic(savepoint=False)
def changed(station: ChargingStation, outcomes: Sequence[Outcome]) -> list[Command]:
    """Take the station's answers to changes (B05.FR.02): read accepted ones again, note unknown ones.

    What needs a reboot is read after the boot. Nobody can read a secret, nor what can only be written.
    """
    now = clock.now()
    variable_rows.lock(station.pk)
    again: list[VariableKey] = []
    for outcome in outcomes:
        key = spelt(station.pk, outcome.key)
        row = Variable.objects.filter(station=station, **key._asdict()).first()
        if row is None:
            if outcome.status in UNKNOWN:
                continue
            row = _new(station.pk, key)
        row.answer, row.answer_reason = outcome.status, outcome.reason[:255]
        if outcome.status in UNKNOWN:
            row.value, row.is_supported, row.reported_at = None, False, now
            row.is_drifting = is_drifting(row)
        elif outcome.status == "Accepted" and not row.is_writeonly and not is_secret(key.name):
            again.append(key)
        row.save()
    events.publish(VariablesChanged(station.pk))
    if not again:
        return []
    return read(station, again, requested_by="verification", queue_offline=True, priority=commands.AUTOMATIC)


# --- at the right time


@transaction.atomic(savepoint=False)
def after_boot(station: ChargingStation, *, is_new_firmware: bool) -> Command | None:
    """Queue one full inventory if the station was never read, has new firmware, or applied a change by booting.

    None: it is not needed, or on its way. A station that did not answer is left alone for an hour (quirk 9), and is
    then asked for less.
    """
    if not settings.OCPP_READ_CONFIGURATION_AFTER_BOOT:
        return None
    reports = DeviceReport.objects.filter(station=station, kind=DeviceReport.Kind.VARIABLES)
    last = reports.exclude(base="").order_by("-pk").first()
    if (
        last is not None
        and last.state in DeviceReport.OPEN
        and clock.now() - last.asked_at < READ_AGAIN_AFTER
    ):
        return None
    rebooted = Variable.objects.filter(station=station, answer="RebootRequired").update(answer="")
    is_unread = (
        not Variable.objects.filter(station=station, reported_at__isnull=False).exclude(component="").exists()
    )
    if last is not None and clock.now() - last.asked_at < READ_AGAIN_AFTER:
        is_unread = False
    if not (is_new_firmware or rebooted or is_unread):
        return None
    was_in_vain = last is not None and last.state == State.UNANSWERED and not is_new_firmware
    return ask_base(
        station, base=SUMMARY if was_in_vain else FULL, requested_by=AFTER_BOOT, queue_offline=True,
        priority=commands.AUTOMATIC,
    )  # fmt: skip


def sweep() -> int:
    """Call reports incomplete of which nothing came for a while; return how many."""
    horizon = clock.now() - QUIET
    rows = DeviceReport.objects.filter(state=State.RECEIVING, asked_at__lt=horizon)
    late = rows.filter(Q(heard_at=None) | Q(heard_at__lt=horizon))
    stations = set(late.values_list("station_id", flat=True)[:500])
    count = late.filter(station_id__in=stations).update(state=State.INCOMPLETE, ended_at=clock.now())
    for station_id in stations:
        events.publish(VariablesChanged(station_id))
    return count


def _completed(report: DeviceReport) -> None:
    """Let go of what a whole inventory did not name; make EVSEs and connectors that it did."""
    if report.is_whole:
        gone = Variable.objects.filter(
            station_id=report.station_id, is_supported=True, reported_at__lt=report.generated_at
        ).exclude(component="")
        gone.filter(desired__isnull=False).update(is_supported=False, value=None, is_drifting=True)
        gone.update(is_supported=False, value=None)
    station = report.station
    connectors = Variable.objects.filter(
        station=station, component__iexact="Connector", is_supported=True, connector_number__gt=0,
        connector_number__lte=CONNECTORS_AT_MOST, evse_number__gt=0, evse_number__lte=EVSES_AT_MOST,
    )  # fmt: skip
    pairs = connectors.order_by().values_list("evse_number", "connector_number").distinct()
    for evse_number, connector_number in sorted(pairs):
        provisioning.ensure_connector(station, number=evse_number, connector=connector_number)


def _report(
    station: ChargingStation, kind: str, base: str, is_whole: bool, requested_by: str
) -> DeviceReport:
    return DeviceReport.objects.create(
        station=station, kind=kind, base=base, is_whole=is_whole, requested_by=requested_by[:100],
        asked_at=clock.now(),
    )  # fmt: skip


def _of(command: Command) -> DeviceReport | None:
    kind, _, number = command.subject.partition(":")
    if f"{kind}:" != SUBJECT or not number.isdigit():
        return None
    rows = DeviceReport.objects.select_for_update(of=("self",)).filter(station=command.station)
    return rows.filter(pk=int(number)).first()


def _new(station_id: int, key: VariableKey) -> Variable:
    return Variable(station_id=station_id, **key._asdict())


def _set(row: Variable, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)


def _write(
    rows: dict[VariableKey, Variable], with_traits: set[VariableKey], with_characteristics: set[VariableKey]
) -> None:
    """Write in one statement for each set of columns that was told."""
    groups: dict[tuple[str, ...], list[Variable]] = {}
    for key, row in rows.items():
        row.is_drifting = is_drifting(row)
        fields = [*VALUE]
        fields += TRAITS if key in with_traits else []
        fields += CHARACTERISTICS if key in with_characteristics else []
        groups.setdefault(tuple(fields), []).append(row)
    for names, members in groups.items():
        variable_rows.upsert(members, fields=list(names))
