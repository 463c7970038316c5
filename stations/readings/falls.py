"""One energy register, read again and again: what to make of it when it falls or leaps.

A register should only rise (OCPP 1.6 section 7.31). One that falls to nearly nothing has restarted: what it counts
from there is added. One that falls and then climbs back past its old height was misread in between, or the low
readings came from another register that counts the session alone: then the climb is what was consumed. Which of
the two it was is known when it passes the old height: a misread or second register explains no less energy than
the low readings have shown, a restarted one does not. In doubt the smaller energy is billed, and flagged.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)
LINKED_WH = Decimal(1_000_000)  # two readings of one session's register are never further apart
RESTARTED_WH = Decimal(100_000)  # what a restarted register may have counted before it is read again
MAX_WH_PER_SECOND = Decimal(1_111)  # 4 MW: above the largest megawatt charger
SUDDEN_WH = Decimal(20_000)  # tolerated at once: readings arrive late and clocks are corrected
ROUNDING_WH = Decimal(10)
MAX_LEVELS = 8
_SECOND = timedelta(seconds=1)


class Level(NamedTuple):
    """The height from which a register fell, with the energy counted up to there."""

    peak: Decimal
    total: Decimal
    counted: Decimal  # of the first reading after the fall: what the restarted register had counted by then
    word: str  # what it is called if nothing else turns up


class Spike(NamedTuple):
    """The reading before a leap beyond reason."""

    last: Decimal
    total: Decimal


class Run(NamedTuple):  # a tuple, like all that is made anew for every reading
    """All readings of one register so far; immutable."""

    first: Decimal
    last: Decimal
    seen: Decimal  # the last reading itself; it may lie below `last` by what rounding explains
    last_at: datetime | None  # None: the moment of the first is not known
    total_wh: Decimal = ZERO
    begun: bool = False  # whether the first reading is the session's beginning
    linked: bool = False  # whether the first reading is meterStart
    floor: Decimal = ZERO  # where the present climb began
    levels: tuple[Level, ...] = ()
    spike: Spike | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def begin(cls, first: Decimal, at: datetime | None, *, begun: bool, linked: bool = False) -> "Run":
        return cls(first, first, first, at, ZERO, begun, linked, first)

    def is_before(self, value: Decimal, at: datetime) -> bool:
        """Whether a reading belongs before the last one."""
        return self.last_at is not None and (at, value) < (self.last_at, self.seen)

    def step(self, value: Decimal, at: datetime | None) -> "Run":
        """Read the register once more. What rounding explains is no fall: meterStop is whole, readings are not."""
        if value < self.last:
            if self.last - value <= ROUNDING_WH:
                return self._replace(seen=value, last_at=at or self.last_at)
            return self._fall(value, at or self.last_at)
        if self.levels and value >= self.levels[-1].peak:
            return self._past_a_level(value, at or self.last_at)
        return self._climb(value, at)

    def stop(self, value: Decimal) -> "Run":
        """Read meterStop: it counts even where it is a little less than the last reading."""
        if self.floor <= value < self.last:
            ended = self._replace(last=value, total_wh=self.total_wh - (self.last - value))
            return ended if self.last - value <= ROUNDING_WH else ended._noting("stop_below_register")
        if self.last_at is not None and value - self.highest > LINKED_WH:
            return self._noting("stop_mismatch")
        return self.step(value, None)

    @property
    def highest(self) -> Decimal:
        return max(self.last, *(level.peak for level in self.levels)) if self.levels else self.last

    @property
    def is_at_odds(self) -> bool:
        """Whether the difference of stop and start is not the energy: a restart, or a stop of another register."""
        words = self.remarks()
        return "register_reset" in words or "stop_mismatch" in words

    def remarks(self) -> tuple[str, ...]:
        """What was odd, as words."""
        if not self.levels and self.spike is None:
            return self.notes
        leap = () if self.spike is None else ("implausible_jump",)
        return (*self.notes, *(level.word for level in self.levels), *leap)

    def _climb(self, value: Decimal, at: datetime | None) -> "Run":
        rise = value - self.last
        spike = self.spike
        if rise > SUDDEN_WH and rise > self._most(at):
            spike = spike or Spike(self.last, self.total_wh)
        return Run(
            self.first, value, value, at or self.last_at, self.total_wh + rise, self.begun, self.linked, self.floor,
            self.levels, spike, self.notes,
        )  # fmt: skip

    def _most(self, at: datetime | None) -> Decimal:
        """The most that can have flowed since the last reading, in Wh."""
        if at is None or self.last_at is None:
            return LINKED_WH
        return SUDDEN_WH + MAX_WH_PER_SECOND * ((at - self.last_at) // _SECOND)

    def _fall(self, value: Decimal, at: datetime | None) -> "Run":
        if self.spike is not None and value >= self.spike.last:
            total = self.spike.total + value - self.spike.last
            back = self._replace(last=value, seen=value, last_at=at, total_wh=total, spike=None)
            return back._noting("register_spike")
        restarted = value <= RESTARTED_WH and value * 2 < self.last
        counted = value if restarted else ZERO
        word = "register_reset" if restarted else "register_dip"
        if restarted and self.linked and not self.levels and self.last == self.first:
            word = "session_register"  # no reading has ever followed meterStart
        level = Level(self.last, self.total_wh, counted, word)
        fallen = self._replace(
            last=value, seen=value, last_at=at, total_wh=self.total_wh + counted, floor=value, spike=None,
            levels=(*self.levels, level)[-MAX_LEVELS:],
        )  # fmt: skip
        return fallen._noting(self.levels[0].word) if len(self.levels) == MAX_LEVELS else fallen

    def _past_a_level(self, value: Decimal, at: datetime | None) -> "Run":
        """The register is back above the height from which it fell: decide what the fall was."""
        run = self
        for index, level in enumerate(self.levels):
            if value < level.peak:
                continue
            shown = self.total_wh - level.total - level.counted
            climbed = value - level.peak
            if climbed + ROUNDING_WH + shown / 100 >= shown or value - self.last > LINKED_WH:
                word = "register_dip" if level.word == "register_reset" else level.word
                back = run._replace(
                    last=value, seen=value, last_at=at, total_wh=level.total + climbed, levels=self.levels[:index],
                    floor=self.first if index == 0 else level.peak,
                )  # fmt: skip
                return back._noting(word)
            run = run._noting("register_reset")
        return run._replace(levels=tuple(level for level in self.levels if value < level.peak))._climb(
            value, at
        )

    def _noting(self, word: str) -> "Run":
        return self if word in self.notes else self._replace(notes=(*self.notes, word))
