"""What was used: charging periods, read from OCPI or made by a CPO, and cut where a price can change.

Energy in kWh, durations in whole seconds (OCPI hours are rounded to whole seconds first), current in A over all
phases, power in kW, instants in UTC. OCPI 2.3.0 mod_cdrs#ChargingPeriod, #CdrDimensionType.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from . import clocks, money
from .errors import InvalidUsage
from .restrictions import Cuts
from .shapes import NEWEST, Shape, shape_of
from .wire import Node, write_moment

_SECOND = timedelta(seconds=1)
_ENERGY_GRID = Decimal("1E-4")  # kWh; where energy is divided by time, to 0.1 Wh
_WHOLE = Decimal(1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=366)  # a longer session is a clock that was never set

# CDR dimensions by the field they fill; the others carry nothing that has a price.
_ENERGY = {"ENERGY": "energy_kwh"}
_HOURS = {"TIME": "time_s", "PARKING_TIME": "parking_s", "RESERVATION_TIME": "reservation_s"}
_LOWEST = {"MIN_CURRENT": "min_current", "MIN_POWER": "min_power"}
_HIGHEST = {"MAX_CURRENT": "max_current", "MAX_POWER": "max_power"}
_WITHOUT_PRICE = {"FLAT", "CURRENT", "ENERGY_EXPORT", "ENERGY_IMPORT", "POWER", "STATE_OF_CHARGE"}

_START_NAMES = ("start_date_time", "start_datetime")
_END_NAMES = ("end_date_time", "stop_date_time", "end_datetime")


class ReservationOutcome(StrEnum):
    """How a reservation ended: in a session, by its expiry date, or before that by a cancellation."""

    USED = "used"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_UNUSED = (ReservationOutcome.EXPIRED, ReservationOutcome.CANCELLED)


@dataclass(frozen=True, slots=True)
class ChargingPeriod:
    """What was used between two instants; `interpolated` if it was cut out of a longer measured period."""

    start: datetime
    end: datetime
    energy_kwh: Decimal = money.ZERO
    time_s: int = 0
    parking_s: int = 0
    reservation_s: int = 0
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    tariff_id: str | None = None
    interpolated: bool = False

    @property
    def only_reserves(self) -> bool:
        """Tell whether nothing but waiting for the driver happened."""
        return self.reservation_s > 0 and not self.is_used

    @property
    def is_used(self) -> bool:
        """Tell whether the charger was in use."""
        return bool(self.energy_kwh or self.time_s or self.parking_s)

    def to_ocpi(self, version: str = NEWEST, *, reserved: bool = False) -> dict[str, object]:
        """Write the period; `reserved` also states a reservation of no duration."""
        shape = shape_of(version)
        volumes: dict[str, object] = {
            name: money.trim(self.energy_kwh) for name in _ENERGY if self.energy_kwh or not self._lasts
        }
        volumes |= {n: money.hours(getattr(self, f)) for n, f in _HOURS.items() if getattr(self, f)}
        if reserved:
            volumes.setdefault("RESERVATION_TIME", money.ZERO)
        extremes = _LOWEST | _HIGHEST
        volumes |= {n: getattr(self, f) for n, f in extremes.items() if getattr(self, f) is not None}
        document: dict[str, object] = {
            "start_date_time": write_moment(self.start),
            "dimensions": [{"type": name, "volume": volume} for name, volume in volumes.items()],
        }
        if self.tariff_id is not None and shape.period_tariff_id:
            document["tariff_id"] = self.tariff_id
        return document

    @property
    def _lasts(self) -> bool:
        return bool(self.time_s or self.parking_s or self.reservation_s)


@dataclass(frozen=True, slots=True)
class Usage:
    """A session, a reservation, or both: ordered periods that do not overlap, local to a time zone.

    `reservation` says how a reservation ended; None: there was none. Raises InvalidUsage.
    """

    start: datetime
    end: datetime
    time_zone: str
    periods: tuple[ChargingPeriod, ...]
    reservation: ReservationOutcome | None = None

    def __post_init__(self) -> None:
        if not self.periods:
            raise InvalidUsage("charging_periods", "must not be empty")
        if self.start < _EARLIEST or self.end - self.start > _LONGEST:
            raise InvalidUsage("end_date_time", f"must lie within {_LONGEST.days} days after the start")
        before, path = self.start, "charging_periods[0].start_date_time"
        for index, period in enumerate(self.periods):
            path = f"charging_periods[{index}].start_date_time"
            if period.start < before:
                raise InvalidUsage(path, "lies before the end of what came earlier")
            if period.end < period.start:
                raise InvalidUsage(path, "lies after the end of the period")
            before = period.end
            if period.only_reserves or not period.is_used or self.reservation not in _UNUSED:
                continue
            raise InvalidUsage(path, f"is charging, yet the reservation was {self.reservation}")
        if self.end < before:
            raise InvalidUsage(path, "lies after the end of the session")

    @property
    def zone(self) -> ZoneInfo:
        return clocks.zone(self.time_zone)

    @property
    def session_start(self) -> datetime | None:
        """Return when the session began, None for a reservation that never became one."""
        if self.reservation is None:
            return self.start
        if self.reservation in _UNUSED:
            return None
        return next((period.start for period in self.periods if not period.only_reserves), None)

    @property
    def reservation_start(self) -> datetime:
        return next((period.start for period in self.periods if period.reservation_s), self.start)

    @classmethod
    def from_ocpi(
        cls,
        document: Mapping[str, object] | Sequence[object],
        start_date_time: str | datetime | None = None,
        end_date_time: str | datetime | None = None,
        time_zone: str | None = None,
        version: str = NEWEST,
        *,
        reservation: ReservationOutcome | None = None,
    ) -> Usage:
        """Read a CDR, a session or a bare list of charging periods; arguments win over the document.

        A period ends where the next one starts. RESERVATION_TIME without any use of the charger is an expired
        reservation unless `reservation` says otherwise. Without a time zone anywhere, local time is UTC.
        Raises InvalidUsage.
        """
        data = document if isinstance(document, Mapping) else {"charging_periods": document}
        node = Node(data, InvalidUsage)
        nodes = list(node.need("charging_periods").items())
        starts = [item.need("start_date_time").moment() for item in nodes]
        start = _bound(node, start_date_time, _START_NAMES, starts[0] if starts else None)
        end = _bound(node, end_date_time, _end_names(shape_of(version)), None)
        ends = [*starts[1:], end]
        read = [_read_period(*each) for each in zip(nodes, starts, ends, strict=True)] if starts else []
        periods = tuple(period for period, _ in read)
        if reservation is None and any(reserved for _, reserved in read):
            used = any(not period.only_reserves for period in periods)
            reservation = ReservationOutcome.USED if used else ReservationOutcome.EXPIRED
        return cls(start, end, time_zone or zone_of(data) or "UTC", periods, reservation)


def zone_of(document: Mapping[str, object]) -> str | None:
    """Return the time zone of the location that a CDR or session carries, if it carries one."""
    for key in ("cdr_location", "location"):
        location = document.get(key)
        if isinstance(location, Mapping) and location.get("time_zone"):
            return str(location["time_zone"])
    return None


def split(usage: Usage, cuts_of: Callable[[ChargingPeriod], Cuts]) -> tuple[ChargingPeriod, ...]:
    """Cut periods at every instant where a restriction can flip.

    Volumes are divided by time, and time by energy where an amount of energy is the border. Cutting twice changes
    nothing.
    """
    pieces: list[ChargingPeriod] = []
    charged = money.ZERO
    local: dict[tuple[time, ...], list[datetime]] = {}
    session_start, reservation_start = usage.session_start, usage.reservation_start
    for period in usage.periods:
        cuts = cuts_of(period)
        if cuts.clocks not in local:
            local[cuts.clocks] = sorted(clocks.instants(usage.start, usage.end, usage.zone, cuts.clocks))
        shown = local[cuts.clocks]
        instants = shown[bisect_right(shown, period.start) : bisect_left(shown, period.end)]
        if cuts.elapsed:
            began = reservation_start if period.only_reserves or session_start is None else session_start
            borders = (began + s for s in cuts.elapsed if period.start - began < s < period.end - began)
            instants = sorted({*instants, *borders})
        for piece in _cut_by_time(period, instants) if instants else (period,):
            pieces += _cut_by_energy(piece, charged, cuts.energy_kwh) if cuts.energy_kwh else (piece,)
            charged += piece.energy_kwh
    return tuple(pieces)


def _cut_by_time(period: ChargingPeriod, instants: Sequence[datetime]) -> Iterator[ChargingPeriod]:
    """Cut at instants inside the period, dividing volumes by time."""
    length = _microseconds(period.end - period.start)
    borders = [(t, _microseconds(t - period.start), length) for t in instants]
    return _cut(period, borders, period.energy_kwh, None)


def _cut_by_energy(
    period: ChargingPeriod, charged: Decimal, limits: Sequence[Decimal]
) -> Iterator[ChargingPeriod]:
    """Cut where the session reaches an amount of energy; the border energy is exact, its instant a whole second."""
    energy = period.energy_kwh
    inside = [limit - charged for limit in limits if charged < limit < charged + energy]
    length = _microseconds(period.end - period.start)
    borders = []
    for done in inside:
        offset = int(money.portion(length, done, energy, _WHOLE))
        instant = max(period.start, _nearest_second(period.start + timedelta(microseconds=offset)))
        at = min(instant, period.end)
        borders.append((at, _microseconds(at - period.start), length))
    return _cut(period, borders, energy, inside)


def _cut(
    period: ChargingPeriod,
    borders: Sequence[tuple[datetime, Decimal, Decimal]],
    energy: Decimal,
    energies: Sequence[Decimal] | None,
) -> Iterator[ChargingPeriod]:
    """Yield the pieces between borders of (instant, done, length); `energies` fixes the energy at each border."""
    if not borders:
        yield period
        return
    whole = (energy, period.time_s, period.parking_s, period.reservation_s)
    given: tuple[Decimal, int, int, int] = (money.ZERO, 0, 0, 0)
    left = period.start
    for index in range(len(borders) + 1):
        right, reached = period.end, whole
        if index < len(borders):
            right, done, length = borders[index]
            seconds = [_seconds_at(volume, done, length) for volume in whole[1:]]
            reached_kwh = energies[index] if energies else money.portion(energy, done, length, _ENERGY_GRID)
            reached = (reached_kwh, seconds[0], seconds[1], seconds[2])
        yield ChargingPeriod(
            start=left,
            end=right,
            energy_kwh=reached[0] - given[0],
            time_s=reached[1] - given[1],
            parking_s=reached[2] - given[2],
            reservation_s=reached[3] - given[3],
            min_current=period.min_current,
            max_current=period.max_current,
            min_power=period.min_power,
            max_power=period.max_power,
            tariff_id=period.tariff_id,
            interpolated=True,
        )
        left, given = right, reached


def _seconds_at(volume: int, done: Decimal, length: Decimal) -> int:
    """Return how many whole seconds of a volume lie before a border."""
    if not volume or not length:
        return 0
    return int(money.portion(Decimal(volume), done, length, _WHOLE))


def _microseconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1))


def _nearest_second(instant: datetime) -> datetime:
    return (instant + _SECOND / 2).replace(microsecond=0)


def _end_names(shape: Shape) -> tuple[str, ...]:
    """Ask for the version's own name first; accept the others."""
    return (shape.session_end, *(name for name in _END_NAMES if name != shape.session_end))


def _bound(
    node: Node, given: str | datetime | None, names: Sequence[str], otherwise: datetime | None
) -> datetime:
    if isinstance(given, datetime):
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    if given is not None:
        return Node(given, InvalidUsage, names[0]).moment()
    found = next((member for name in names if (member := node.get(name))), None)
    if found is not None:
        return found.moment()
    return otherwise or node.need(names[0]).moment()


def _read_period(node: Node, start: datetime, end: datetime) -> tuple[ChargingPeriod, bool]:
    """Read one period and whether it belongs to a reservation; a dimension named twice is added up."""
    values: dict[str, Decimal] = {}
    for item in node.need("dimensions").items():
        name, volume = item.need("type").text(), item.need("volume")
        if name in _ENERGY:
            key = _ENERGY[name]
            values[key] = values.get(key, money.ZERO) + volume.number()
        elif name in _HOURS:
            key = _HOURS[name]
            values[key] = values.get(key, money.ZERO) + volume.not_negative()
        elif name in _LOWEST:
            key = _LOWEST[name]
            values[key] = min(values.get(key, volume.number()), volume.number())
        elif name in _HIGHEST:
            key = _HIGHEST[name]
            values[key] = max(values.get(key, volume.number()), volume.number())
        elif name not in _WITHOUT_PRICE:
            item.need("type").fail(f"{name[:40]!r} is no CDR dimension that can be priced")
    tariff_id = node.get("tariff_id")
    period = ChargingPeriod(
        start=start,
        end=end,
        energy_kwh=values.get("energy_kwh", money.ZERO),
        time_s=money.whole_seconds(values.get("time_s", money.ZERO)),
        parking_s=money.whole_seconds(values.get("parking_s", money.ZERO)),
        reservation_s=money.whole_seconds(values.get("reservation_s", money.ZERO)),
        min_current=values.get("min_current"),
        max_current=values.get("max_current"),
        min_power=values.get("min_power"),
        max_power=values.get("max_power"),
        tariff_id=tariff_id.text() if tariff_id else None,
    )
    return period, "reservation_s" in values
