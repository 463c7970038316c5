"""A session's rows as the engine's `Usage`: the fewest charging periods that price like all the readings.

The session's energy, computed by `stations`, is the truth: the periods add up to it exactly, and readings only say
when it flowed. A period begins where OCPI wants one (mod_cdrs#ChargingPeriod): when the vehicle stops or resumes to
request power, and where a restriction of the tariff can flip; in between, energy is interpolated linearly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.borders import Borders
from billing.curve import Curve, Cut, Levels, Series
from billing.errors import NotBillable
from billing.measured import Measured
from billing.tariff.model import Tariff
from billing.tariff.periods import ChargingPeriod, Usage
from stations.models import ConnectorStatus

FINISHING_GRACE = timedelta(seconds=60)  # a Finishing this short before the stop is the stop itself
NO_STATUSES = "No status of the connector is known for this time: all of it counts as charging."
_ZERO = Decimal(0)
_MICROSECOND = timedelta(microseconds=1)
_REQUESTING = frozenset({ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EVSE})
Spans = Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a session's row says. Energies in Wh."""

    started_at: datetime
    ended_at: datetime  # of a running session: until when it is priced
    energy_wh: Decimal
    meter_start_wh: Decimal | None = None
    meter_stop_wh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """A usage, and what a reader of the bill must know about where it comes from."""

    usage: Usage
    notes: tuple[str, ...] = ()


def of_session(facts: Facts, measured: Measured, *, time_zone: str, tariff: Tariff | None) -> Metered:
    """Build the usage of a session; without a tariff, periods tell charging from parking only.

    Raises NotBillable for a session that cannot have happened, CannotPrice and InvalidUsage as the engine does.
    """
    start, end = _milliseconds(facts.started_at), _milliseconds(facts.ended_at)
    if end < start:
        raise NotBillable("it ends before it starts")
    if facts.energy_wh < 0:
        raise NotBillable("its energy is negative")
    curve = Curve.of(
        _rounded(measured.register), start, end, facts.energy_wh, facts.meter_start_wh, facts.meter_stop_wh
    )
    parked = list(parkings(measured.statuses, start, end))
    instants = {border for span in parked for border in span}
    crossings: list[Cut] = []
    power = current = Levels((), ())
    if tariff is not None:
        borders = Borders.of(tariff)
        instants.update(borders.instants(start, end, time_zone))
        crossings += curve.crossings(borders.energies_kwh)
        if borders.powers_kw:
            power = Levels.of(_kilowatts(measured.power) or curve.powers_kw())
            instants.update(power.flips(borders.powers_kw))
        if borders.currents_a:
            current = Levels.of(_rounded(measured.current))
            instants.update(current.flips(borders.currents_a))
    cuts = [Cut(at, curve.at(at)) for at in instants if start < at < end]
    ordered = _ordered(Cut(start, _ZERO), [*cuts, *crossings], Cut(end, facts.energy_wh))
    origin = start, tariff.id if tariff else None
    periods = tuple(
        _period(left, right, origin, parked, power, current)
        for left, right in zip(ordered, ordered[1:], strict=False)
    )
    return Metered(Usage(start, end, time_zone, periods), () if measured.statuses else (NO_STATUSES,))


def parkings(
    statuses: Sequence[tuple[datetime, str]], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans in which the vehicle does not request power (OCPI 2.3.0 mod_cdrs#CdrDimensionType).

    SuspendedEV, and Finishing unless the stop follows at once. SuspendedEVSE is charging time: the vehicle still
    requests power. Other statuses say nothing about that, so what was goes on.
    """
    since: datetime | None = None
    for reported_at, status in statuses:
        at = min(max(_milliseconds(reported_at), start), end)
        if status in _REQUESTING and since is not None:
            if since < at:
                yield since, at
            since = None
        elif since is None and _is_parking(status, at, start=start, end=end):
            since = at
    if since is not None and since < end:
        yield since, end


def _is_parking(status: str, at: datetime, *, start: datetime, end: datetime) -> bool:
    """Tell SuspendedEV, and a Finishing that belongs neither to this session's stop nor to the one before."""
    if status == ConnectorStatus.FINISHING:
        return start < at and end - at > FINISHING_GRACE
    return status == ConnectorStatus.SUSPENDED_EV


def _period(
    left: Cut, right: Cut, origin: tuple[datetime, str | None], parked: Spans, power: Levels, current: Levels
) -> ChargingPeriod:
    start, tariff_id = origin
    seconds = _seconds(right.at - start) - _seconds(left.at - start)
    is_parked = any(since <= left.at and right.at <= until for since, until in parked)
    lowest_power, highest_power = power.extremes(left.at, right.at)
    lowest_current, highest_current = current.extremes(left.at, right.at)
    return ChargingPeriod(
        start=left.at,
        end=right.at,
        energy_kwh=(right.energy_wh - left.energy_wh).scaleb(-3),
        time_s=0 if is_parked else seconds,
        parking_s=seconds if is_parked else 0,
        min_power=lowest_power,
        max_power=highest_power,
        min_current=lowest_current,
        max_current=highest_current,
        tariff_id=tariff_id,
    )


def _ordered(first: Cut, inner: Sequence[Cut], last: Cut) -> list[Cut]:
    """Sort the borders by time; where one carries an exact limit, the rounded one of the same instant goes."""
    exact = {cut.at for cut in inner if cut.is_exact}
    wanted = [cut for cut in inner if cut.is_exact or cut.at not in exact]
    borders = [first]
    for cut in sorted(wanted, key=lambda cut: (cut.at, cut.energy_wh)):
        energy = max(cut.energy_wh, borders[-1].energy_wh)
        if (cut.at, energy) not in ((borders[-1].at, borders[-1].energy_wh), (last.at, last.energy_wh)):
            borders.append(Cut(cut.at, energy))
    return [*borders, last]


def _kilowatts(watts: Series) -> Series:
    return [(at, value.scaleb(-3)) for at, value in _rounded(watts)]


def _rounded(series: Series) -> Series:
    return [(_milliseconds(at), value) for at, value in series]


def _milliseconds(instant: datetime) -> datetime:
    """Cut to milliseconds: an OCPI DateTime has room for no more."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _seconds(span: timedelta) -> int:
    return int(Decimal(span // _MICROSECOND).scaleb(-6).quantize(Decimal(1)))
