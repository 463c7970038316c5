"""Energy in both directions: permission, what the vehicle does, what it fed back, grid signals (OCPP 2.1 block Q)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from cpo.lib import clock, events
from stations.events import EnergyServicesChanged
from stations.models import (
    BidirectionalSession,
    ChargingSession,
    ChargingStation,
    Command,
    GridSignal,
    MeterSample,
    ReadingKind,
)
from stations.services import energy_transfers, metering, requests
from stations.services.errors import InvalidPayload, NotOpen
from stations.services.metering import SeriesSample

State = BidirectionalSession.State
EXPORT = "Energy.Active.Export.Register"
RECENT = timedelta(minutes=3)  # how far back the sweep looks for sessions that have new readings
AT_ONCE = 500


@transaction.atomic(savepoint=False)
def allow(
    session: ChargingSession, modes: Sequence[str], *, requested_by: str = "", user: Any = None
) -> Command:
    """Tell the station which transfers the driver's contract and the grid permit now (Q02.FR.05).

    Raise `NotOpen` when the session has ended, `InvalidPayload` for an unknown mode or none.
    """
    if session.status == ChargingSession.Status.ENDED:
        raise NotOpen("the session has already ended")
    energy_transfers.check(modes)
    if not modes:
        raise InvalidPayload("modes", "name one at least")
    row = _row(session)
    row.allowed, row.allowed_state, row.changed_at = list(modes), State.WANTED, clock.now()
    row.save(update_fields=["allowed", "allowed_state", "changed_at"])
    return requests.queue(
        session.station, "allow_energy_transfer",
        facts={"transaction_id": session.transaction_id, "modes": list(modes)}, requested_by=requested_by,
        user=user, subject=f"session:{session.pk}",
    )  # fmt: skip


@transaction.atomic(savepoint=False)
def allow_answered(
    station: ChargingStation, transaction_id: str, modes: Sequence[str], *, state: str
) -> None:
    """Take the station's word to a permission, unless another one was given since."""
    session = ChargingSession.objects.filter(station=station, transaction_id=transaction_id).first()
    if session is None:
        return
    row = _row(session)
    if row.allowed and row.allowed != list(modes):
        return
    row.allowed, row.allowed_state, row.changed_at = list(modes), state, clock.now()
    row.save(update_fields=["allowed", "allowed_state", "changed_at"])
    events.publish(EnergyServicesChanged(station.pk))


@transaction.atomic(savepoint=False)
def told(session: ChargingSession, *, mode: str, at: datetime) -> None:
    """Note in which mode a transaction says it is (transactionInfo.operationMode); events may come late."""
    row = _row(session)
    if row.mode_at is None or row.mode_at <= at:
        row.operation_mode, row.mode_at = mode[:20], at
    row.exported_wh, row.changed_at = exported_wh(session), clock.now()
    row.save(update_fields=["operation_mode", "mode_at", "exported_wh", "changed_at"])


@transaction.atomic(savepoint=False)
def measured(session: ChargingSession) -> Decimal | None:
    """Keep what a session has fed back by its export register, whether its station speaks of a mode or not.

    Any version: 1.6 and 2.0.1 have the register but no mode. Nothing is kept of a register that does not move.
    """
    found = exported_wh(session)
    if found:
        row = _row(session)
        if row.exported_wh != found:
            row.exported_wh, row.changed_at = found, clock.now()
            row.save(update_fields=["exported_wh", "changed_at"])
            events.publish(EnergyServicesChanged(session.station_id))
    return found


def sweep() -> int:
    """Look at sessions with new readings of an export register; return how many have fed something back.

    Sessions are asked in a worker, never while a message is answered: a fleet without such registers pays nothing.
    """
    kinds = list(ReadingKind.objects.filter(measurand=EXPORT).values_list("pk", flat=True))
    if not kinds:
        return 0
    changed = ChargingSession.objects.filter(last_updated__gte=clock.now() - RECENT)
    spans = dict(changed.order_by("-last_updated").values_list("pk", "started_at")[:AT_ONCE])
    if not spans:
        return 0
    samples = MeterSample.objects.filter(
        session_id__in=spans, kind_id__in=kinds, sampled_at__gte=min(spans.values())
    )
    found = set(samples.values_list("session_id", flat=True).distinct())
    return sum(measured(session) is not None for session in ChargingSession.objects.filter(pk__in=found))


def exported_wh(session: ChargingSession) -> Decimal | None:
    """Return what the vehicle has fed back in Wh, from the export register; None when it was not measured."""
    return exported(metering.series(session, measurands=[EXPORT]))


def exported(samples: Iterable[SeriesSample]) -> Decimal | None:
    """Sum the rises of an export register up, in Wh; where there is no total, of its phases; at the outlet, if told.

    A register that falls was reset or replaced: it counts on from there, and nothing is made up for the gap.
    """
    by_place: dict[str, dict[str, list[SeriesSample]]] = {}
    for sample in samples:
        by_place.setdefault(sample.location, {}).setdefault(sample.phase, []).append(sample)
    if not by_place:
        return None
    by_phase = by_place[
        min(by_place, key=lambda place: (place not in ("", "Outlet"), place))
    ]  # of several meters one
    phases = [""] if "" in by_phase else sorted(by_phase)
    return sum((_rises(by_phase[phase]) for phase in phases), Decimal(0))


@transaction.atomic(savepoint=False)
def signal(
    station: ChargingStation,
    value: int,
    *,
    at: datetime | None = None,
    requested_by: str = "",
    user: Any = None,
) -> GridSignal:
    """Send an aFRR signal (Q08); it is worth nothing later, so the station must be there."""
    row = GridSignal.objects.create(
        station=station, signal=value, at=at or clock.now(), requested_by=requested_by[:100]
    )
    row.command = requests.queue(
        station, "grid_signal", facts={"signal": value, "at": row.at}, requested_by=requested_by, user=user,
        subject=f"grid_signal:{row.pk}",
    )  # fmt: skip
    row.save(update_fields=["command"])
    return row


@transaction.atomic(savepoint=False)
def signal_answered(command: Command, *, state: str, reason: str = "") -> None:
    """Take the station's word to a signal."""
    if GridSignal.objects.filter(command=command).update(state=state, reason=reason[:64]):
        events.publish(EnergyServicesChanged(command.station_id))


def _rises(samples: list[SeriesSample]) -> Decimal:
    values = [sample.value for sample in samples]
    pairs = zip(values, values[1:], strict=False)
    return sum((new - old for old, new in pairs if new > old), Decimal(0))


def _row(session: ChargingSession) -> BidirectionalSession:
    row, _ = BidirectionalSession.objects.select_for_update().get_or_create(
        session=session, defaults={"changed_at": clock.now()}
    )
    return row
