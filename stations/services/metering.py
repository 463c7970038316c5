"""Readings of sessions: where they belong, what they sum up to, how they are shown (OCPP 2.1 block J, 1.6 section 4.7).

The arithmetic is in `stations.readings` (pure); this module only brings rows to it and back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
from django.conf import settings
from django.db import connection

from cpo.lib import clock
from stations import readings
from stations.models import ChargingSession, MeterSample, ReadingKind
from stations.services import ingest
from stations.services.ingest import Kind

# Flags of an energy result that need a human; others only say how the energy was found.
SUSPICIOUS = frozenset(
    {
        "implausible_jump",
        "negative_register",
        "no_readings",
        "register_reset",
        "start_mismatch",
        "stop_below_register",
        "stop_below_start",
        "stop_mismatch",
    }
)
# All flags of an energy result, `location_…` aside: with new readings they are found anew.
ENERGY_FLAGS = SUSPICIOUS | {
    "begin_missing",
    "interval_sum",
    "out_of_order",
    "phase_sum",
    "register_dip",
    "register_spike",
    "session_register",
}


@dataclass(frozen=True, slots=True)
class SeriesSample:
    """One reading of a session as people and partners read it; `value` in `unit`, a base unit."""

    sampled_at: datetime
    measurand: str
    phase: str
    location: str
    context: str
    unit: str
    value: Decimal


def series(session: ChargingSession, *, measurands: Iterable[str] | None = None) -> list[SeriesSample]:
    """Return the session's samples in the order of time; all, or of these measurands."""
    first, last = _span(session)
    rows = list(
        MeterSample.objects.filter(session_id=session.pk, sampled_at__range=(first, last))
        .order_by("sampled_at", "kind_id")
        .values_list("sampled_at", "kind_id", "value")
    )
    kinds = ReadingKind.objects.in_bulk({kind_id for _, kind_id, _ in rows})
    wanted = None if measurands is None else set(measurands)
    return [
        SeriesSample(at, kind.measurand, kind.phase, kind.location, kind.context, kind.unit, value)
        for at, kind_id, value in rows
        if (kind := kinds[kind_id]) and (wanted is None or kind.measurand in wanted)
    ]


def as_readings(samples: Iterable[SeriesSample]) -> list[readings.Reading]:
    """Return stored samples in the shape of the pure library."""
    return [
        readings.Reading(
            sampled_at=sample.sampled_at,
            measurand=sample.measurand,
            phase=sample.phase,
            location=sample.location,
            context=sample.context,
            value=sample.value,
            unit=sample.unit,
        )
        for sample in samples
    ]


def power_curve(
    session: ChargingSession,
) -> list[tuple[datetime, Decimal | None, Decimal | None, Decimal | None]]:
    """Return (time, power in W, energy so far in Wh, state of charge in percent) for each moment with readings."""
    moments: dict[datetime, list[SeriesSample]] = {}
    for sample in series(session):
        moments.setdefault(sample.sampled_at, []).append(sample)
    curve = []
    start_wh = session.meter_start_wh
    for at, samples in moments.items():
        point = readings.latest(as_readings(samples))
        energy_wh = None
        if point.energy_wh is not None:
            start_wh = point.energy_wh if start_wh is None else start_wh
            energy_wh = max(point.energy_wh - start_wh, Decimal(0))
        curve.append((at, point.power_w, energy_wh, point.soc_percent))
    return curve


def is_about_energy(flag: str) -> bool:
    """Tell whether a flag of a session says how its energy was found."""
    return flag in ENERGY_FLAGS or flag.startswith("location_")


def energy(
    session: ChargingSession, *, meter_stop_wh: Decimal | None, until: datetime | None = None
) -> readings.EnergyResult:
    """Return the session's energy from the set of everything that was metered `until` then, in any order, in Wh."""
    return readings.energy_of(
        as_readings(sample for sample in series(session) if until is None or sample.sampled_at <= until),
        meter_start_wh=session.meter_start_wh,
        meter_stop_wh=meter_stop_wh,
    )


def add(session: ChargingSession, *, samples: Sequence[ingest.Sample]) -> None:
    """Store samples of a session inside the caller's transaction (transaction data, late readings)."""
    owned = [(session.pk, *sample[1:3], session.evse_id, sample[4]) for sample in samples]
    with psycopg.Cursor(connection.connection) as cursor:
        ingest.write_samples(cursor, owned)


def find_session(
    station_id: int, *, transaction_id: str, evse_id: int, first_at: datetime, last_at: datetime
) -> ChargingSession | None:
    """Find the session that readings belong to: by transaction id, else by EVSE and time.

    An id of zero, a missing or stale one means nothing; then it is the session of that EVSE whose span, with the grace
    after its end, holds the readings (the newest of several).
    """
    sessions = ChargingSession.objects.filter(station_id=station_id)
    if transaction_id and transaction_id not in ("0", "-1"):
        found = sessions.filter(transaction_id=transaction_id).first()
        if found is not None:
            return found
    if not evse_id:
        return None
    grace = timedelta(seconds=settings.OCPP_STOP_GRACE_S)
    nearest = sessions.filter(evse_id=evse_id, started_at__lte=last_at).order_by("-started_at").first()
    if nearest is None or (nearest.ended_at is not None and nearest.ended_at + grace < first_at):
        return None
    return nearest


def _span(session: ChargingSession) -> tuple[datetime, datetime]:
    """Return a time range that holds the session's samples, so that the planner skips other months."""
    margin = timedelta(days=1)
    return session.started_at - margin, (session.ended_at or clock.now()) + margin


def kind_of(reading: readings.Reading) -> Kind:
    """Return what a reading measures, in the words of the sample's kind."""
    return reading.measurand, reading.phase, reading.location, reading.context, reading.unit
