"""Readings as lines over time: energy that never falls, and levels that hold until the next reading. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

Series = list[tuple[datetime, Decimal]]
_ZERO = Decimal(0)
_GRID = Decimal("1E-4")  # Wh, as sessions store energy; kW
_WATT_SECONDS = Decimal(3600)  # in a Wh
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cut:
    """A border between periods; energy in Wh since the session began."""

    at: datetime
    energy_wh: Decimal
    is_exact: bool = False  # the energy is a limit of the tariff, not to be lost by rounding the instant


@dataclass(frozen=True, slots=True)
class Curve:
    """Energy in Wh over time: from 0 at the start to the session's energy at its end, never falling."""

    times: tuple[datetime, ...]
    energies: tuple[Decimal, ...]

    @classmethod
    def of(
        cls,
        register: Series,
        start: datetime,
        end: datetime,
        energy_wh: Decimal,
        meter_start_wh: Decimal | None,
        meter_stop_wh: Decimal | None,
    ) -> "Curve":
        """Follow the register. Readings out of line are left out; after a reset only rises count; nothing exceeds
        the total, and what the readings do not show flows last.
        """
        values = {at: value for at, value in register if start <= at <= end}
        values |= {} if meter_start_wh is None else {start: meter_start_wh}
        values |= {} if meter_stop_wh is None else {end: meter_stop_wh}
        line = sorted(values.items())
        is_sound = bool(line) and line[-1][1] - line[0][1] == energy_wh
        points = dict(_rising(line) if is_sound else _rises(line))
        times = [start, *(at for at in points if start < at < end), end]
        inside = [min(max(points[at], _ZERO), energy_wh).quantize(_GRID) for at in times[1:-1]]
        return cls(tuple(times), (_ZERO, *inside, energy_wh))

    def at(self, instant: datetime) -> Decimal:
        """Return the energy so far, interpolated between two readings."""
        right = bisect_right(self.times, instant)
        if right == len(self.times):
            return self.energies[-1]
        (left_at, right_at), (low, high) = (
            self.times[right - 1 : right + 1],
            self.energies[right - 1 : right + 1],
        )
        done, length = (instant - left_at) // _MICROSECOND, (right_at - left_at) // _MICROSECOND
        return (low + (high - low) * done / length).quantize(_GRID)

    def crossings(self, limits_kwh: Sequence[Decimal]) -> Iterator[Cut]:
        """Yield where the energy passes a limit of the tariff: exact energy, its instant to the second."""
        for limit_kwh in limits_kwh:
            limit = limit_kwh.scaleb(3)
            right = bisect_left(self.energies, limit)
            if not _ZERO < limit <= self.energies[-1]:
                continue
            if self.energies[right] == limit:
                yield Cut(self.times[right], limit, True)
                continue
            low, high = self.energies[right - 1 : right + 1]
            left_at, right_at = self.times[right - 1 : right + 1]
            after = int((limit - low) * ((right_at - left_at) // _MICROSECOND) / (high - low))
            nearest = (left_at + timedelta(microseconds=after) + _SECOND / 2).replace(microsecond=0)
            yield Cut(min(max(nearest, self.times[0]), self.times[-1]), limit, True)

    def powers_kw(self) -> Series:
        """Return the average power between two readings, from the first of them on."""
        points = list(zip(self.times, self.energies, strict=True))
        return [
            (at, ((high - low) * _WATT_SECONDS * 1000 / ((until - at) // _MICROSECOND)).quantize(_GRID))
            for (at, low), (until, high) in zip(points, points[1:], strict=False)
            if until > at
        ]


@dataclass(frozen=True, slots=True)
class Levels:
    """Power in kW or current in A; a reading holds until the next one, the first also before itself."""

    times: tuple[datetime, ...]
    values: tuple[Decimal, ...]

    @classmethod
    def of(cls, series: Series) -> "Levels":
        return cls(tuple(at for at, _ in series), tuple(value for _, value in series))

    def flips(self, limits: Sequence[Decimal]) -> Iterator[datetime]:
        """Yield where the level comes to stand on another side of a limit."""
        sides = [tuple(value >= limit for limit in limits) for value in self.values]
        for index in range(1, len(sides)):
            if sides[index] != sides[index - 1]:
                yield self.times[index]

    def extremes(self, left: datetime, right: datetime) -> tuple[Decimal, Decimal] | tuple[None, None]:
        """Return lowest and highest level of a span; nothing where nothing was read."""
        if not self.values:
            return None, None
        first = max(bisect_right(self.times, left) - 1, 0)
        last = max(bisect_left(self.times, right), first + 1)
        held = self.values[first:last]
        return min(held), max(held)


def _rising(line: Series) -> Series:
    """Return energy by the longest run of readings that never falls: what is left out is a spike or a dip."""
    tails: list[Decimal] = []  # the lowest last value of a run of each length
    length_at = []
    for _, value in line:
        place = bisect_right(tails, value)
        tails[place : place + 1] = [value]
        length_at.append(place + 1)
    kept: Series = []
    wanted = len(tails)
    for (at, value), length in zip(reversed(line), reversed(length_at), strict=True):
        if length == wanted and (not kept or value <= kept[-1][1]):
            kept.append((at, value))
            wanted -= 1
    first = kept[-1][1]
    return [(at, value - first) for at, value in reversed(kept)]


def _rises(line: Series) -> Series:
    """Return energy as the sum of all rises: a step back (reset, swapped meter) adds nothing."""
    charged, points = _ZERO, []
    for (at, value), (_, before) in zip(line, [*line[:1], *line], strict=False):
        charged += max(value - before, _ZERO)
        points.append((at, charged))
    return points
