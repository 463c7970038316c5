"""Readings -> the energy that a session is billed for, in Wh.

The rule of OCPP 1.6 section 7.31: energy is the register now minus the register at the start. The rest of this
module is about registers that do not keep to it (field notes, quirks 15 to 17): registers that restart in
mid-session, registers that count the session while meterStart counts the meter's life, single readings of zero,
phases without a total, intervals without a register.

`energy_of` is a pure function of the set of readings: their order and duplicates do not matter.
`EnergyRegister.step` is the same arithmetic one reading at a time, for readings that come in order.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from stations.readings.falls import LINKED_WH, ROUNDING_WH, Run
from stations.readings.reading import Reading
from stations.readings.words import INTERVAL, REGISTER

ZERO = Decimal(0)
# Where to read, best first: the connector, then ever further from it; what the car claims comes last.
LOCATIONS = ("Outlet", "Cable", "Inlet", "Body", "EV")
PHASE_GROUPS = (("",), ("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"))

_Series = tuple[str, str]  # location, phase
_OUTLET: _Series = ("Outlet", "")
_USEFUL = frozenset((location, phase) for location in LOCATIONS for group in PHASE_GROUPS for phase in group)


class EnergyResult(NamedTuple):
    """Energy of a session in Wh, never negative, with the registers it follows from where they are known.

    Flags: 'begin_missing' (the first reading stands for the start), 'register_reset' (the register restarted,
    energy before and after is added), 'register_dip' (it fell and came back: ignored), 'register_spike' (it
    rose beyond reason and came back: ignored), 'session_register' (readings count the session, meterStart the
    meter's life), 'implausible_jump', 'start_mismatch' and 'stop_mismatch' (readings of another register),
    'stop_below_start', 'stop_below_register', 'phase_sum', 'interval_sum', 'negative_register',
    'out_of_order' (ask `energy_of`), 'no_readings' (nothing to measure by), 'location_...' (not the outlet).
    """

    energy_wh: Decimal
    flags: tuple[str, ...] = ()
    start_wh: Decimal | None = None
    stop_wh: Decimal | None = None


class Intervals(NamedTuple):
    """A sum of Energy.Active.Import.Interval values; a repeated moment counts once."""

    settled_wh: Decimal
    last_wh: Decimal
    last_at: datetime

    def step(self, value_wh: Decimal, at: datetime) -> "Intervals":
        if at == self.last_at:
            return self._replace(last_wh=max(self.last_wh, value_wh))
        if at < self.last_at:
            return self
        return Intervals(self.settled_wh + self.last_wh, value_wh, at)

    @property
    def sum_wh(self) -> Decimal:
        return self.settled_wh + self.last_wh


class EnergyRegister(NamedTuple):
    """What a session has consumed so far; immutable, `step` returns the next state.

    Make one with `EnergyRegister.begin(meter_start_wh)`, or with `resume` from what a session's row remembers.
    """

    start_wh: Decimal | None = None  # meterStart; None where it is missing or makes no sense
    anchor_wh: Decimal | None = None  # the register from which counting goes on
    carried_wh: Decimal = ZERO  # energy counted up to the anchor
    begun: bool = False  # whether the anchor is the true beginning
    runs: Mapping[_Series, Run] = MappingProxyType({})
    intervals: Mapping[tuple[str, str, str], Intervals] = MappingProxyType({})
    remarks: tuple[str, ...] = ()

    @classmethod
    def begin(cls, meter_start_wh: Decimal | None) -> "EnergyRegister":
        """Start counting at meterStart; a negative one is no reading."""
        if meter_start_wh is not None and meter_start_wh < 0:
            return cls(remarks=("negative_register",))
        return cls(meter_start_wh, meter_start_wh, ZERO, meter_start_wh is not None)

    @classmethod
    def resume(
        cls, *, meter_start_wh: Decimal | None, register_wh: Decimal | None, energy_wh: Decimal
    ) -> "EnergyRegister":
        """Go on counting after a restart of ours, from the last register and the energy counted by then."""
        start = cls.begin(meter_start_wh)
        if register_wh is None:
            return start._replace(carried_wh=energy_wh)
        return start._replace(anchor_wh=register_wh, carried_wh=energy_wh, begun=True)

    def step(self, reading: Reading) -> "EnergyRegister":
        """Take one reading, not older than the last one; others are returned as 'out_of_order'."""
        if reading.unit != "Wh" or (reading.location, reading.phase) not in _USEFUL:
            return self
        if reading.measurand == REGISTER:
            return self._register(reading)
        if reading.measurand == INTERVAL and reading.context != "Trigger":
            return self._interval(reading)
        return self

    @property
    def energy_wh(self) -> Decimal:
        """The energy so far in Wh."""
        return self.result().energy_wh

    @property
    def register_wh(self) -> Decimal | None:
        """The register as last read in Wh; over all phases where only these are read."""
        _, runs = self._chosen()
        return sum((run.last for run in runs), ZERO) if runs else self.anchor_wh

    def result(self, meter_stop_wh: Decimal | None = None) -> EnergyResult:
        """Return the energy up to now, or up to `meter_stop_wh` if the session has ended."""
        if (
            meter_stop_wh is None and not self.remarks and len(self.runs) == 1
        ):  # nearly always: nothing is odd
            run = self.runs.get(_OUTLET)
            if run is not None and run.linked and not run.notes and not run.levels and run.spike is None:
                return EnergyResult(max(self.carried_wh + run.total_wh, ZERO), (), self.start_wh, run.last)
        if meter_stop_wh is not None and meter_stop_wh < 0:
            return self._replace(remarks=(*self.remarks, "negative_register")).result()
        flags = dict.fromkeys(self.remarks)
        location, runs = self._chosen()
        if location not in ("", "Outlet"):
            flags[f"location_{location.lower()}"] = None
        energy = self._measured(runs, meter_stop_wh, flags)
        last = self.register_wh if meter_stop_wh is None else meter_stop_wh
        return EnergyResult(max(energy, ZERO), tuple(flags), self.start_wh, last)

    def _register(self, reading: Reading) -> "EnergyRegister":
        key = reading.location, reading.phase
        run = self.runs.get(key)
        if reading.value < 0:
            return self._remark("negative_register")
        if run is None:
            run = self._new_run(reading)
        elif run.is_before(reading.value, reading.sampled_at):
            return self._remark("out_of_order")
        else:
            run = run.step(reading.value, reading.sampled_at)
        return EnergyRegister(
            self.start_wh, self.anchor_wh, self.carried_wh, self.begun, {**self.runs, key: run}, self.intervals,
            self.remarks,
        )  # fmt: skip

    def _new_run(self, reading: Reading) -> Run:
        """Begin a series: at the anchor where this is the same register, else at the reading itself."""
        anchor = self.anchor_wh
        own = Run.begin(reading.value, reading.sampled_at, begun=reading.context == "Transaction.Begin")
        if anchor is None or reading.phase or reading.value - anchor > LINKED_WH:
            return own
        return Run.begin(anchor, None, begun=self.begun, linked=True).step(reading.value, reading.sampled_at)

    def _interval(self, reading: Reading) -> "EnergyRegister":
        context = reading.context if reading.context in ("Sample.Periodic", "Sample.Clock") else "Other"
        key = reading.location, reading.phase, context
        known = self.intervals.get(key)
        if known is None:
            known = Intervals(ZERO, reading.value, reading.sampled_at)
        else:
            known = known.step(reading.value, reading.sampled_at)
        return self._replace(intervals={**self.intervals, key: known})

    def _remark(self, word: str) -> "EnergyRegister":
        return self if word in self.remarks else self._replace(remarks=(*self.remarks, word))

    def _chosen(self) -> tuple[str, list[Run]]:
        """The best series: nearest to the connector first, a total before phases."""
        if len(self.runs) == 1:  # nearly always: one register at the outlet
            (location, phase), run = next(iter(self.runs.items()))
            if not phase:
                return location, [run]
        if _OUTLET in self.runs:
            return "Outlet", [self.runs[_OUTLET]]
        for location in LOCATIONS:
            for group in PHASE_GROUPS:
                runs = [self.runs[location, phase] for phase in group if (location, phase) in self.runs]
                if runs:
                    return location, runs
        return "", []

    def _measured(self, runs: list[Run], stop: Decimal | None, flags: dict[str, None]) -> Decimal:
        if not runs:
            return self._without_register(stop, flags)
        if len(runs) == 1 and runs[0].linked:
            return self._of_one_register(runs[0], stop, flags)
        return self._of_other_registers(runs, stop, flags)

    def _without_register(self, stop: Decimal | None, flags: dict[str, None]) -> Decimal:
        if self.anchor_wh is not None and stop is not None:
            run = Run.begin(self.anchor_wh, None, begun=self.begun, linked=True)
            return self.carried_wh + self._to_the_stop(run, stop, flags)
        summed = self._sum_of_intervals()
        if summed is None:
            flags["no_readings"] = None
            return self.carried_wh
        flags["interval_sum"] = None
        return self.carried_wh + summed

    def _of_one_register(self, run: Run, stop: Decimal | None, flags: dict[str, None]) -> Decimal:
        if stop is not None:
            return self.carried_wh + self._to_the_stop(run, stop, flags)
        flags.update(dict.fromkeys(run.remarks()))
        return self.carried_wh + run.total_wh

    def _to_the_stop(self, run: Run, stop: Decimal, flags: dict[str, None]) -> Decimal:
        """Count up to meterStop: the same register, read once more."""
        start = self.start_wh
        if start is not None and start - stop > ROUNDING_WH:
            flags["stop_below_start"] = None
        ended = run.stop(stop)
        flags.update(dict.fromkeys(ended.remarks()))
        if ended.is_at_odds or start is None or stop < start or self.carried_wh:
            return ended.total_wh
        return stop - start

    def _of_other_registers(self, runs: list[Run], stop: Decimal | None, flags: dict[str, None]) -> Decimal:
        """Phases, or a register that is not the one of meterStart: each counts from its own first reading."""
        for run in runs:
            flags.update(dict.fromkeys(run.remarks()))
        if len(runs) > 1 or self._is_of_phases():
            flags["phase_sum"] = None
        measured = self.carried_wh + sum((run.total_wh for run in runs), ZERO)
        gap = None if self.anchor_wh is None else sum((run.first for run in runs), ZERO) - self.anchor_wh
        if gap is not None and ZERO <= gap <= LINKED_WH:
            measured += gap
        elif gap is not None:
            flags["start_mismatch"] = None
        elif not all(run.begun for run in runs):
            flags["begin_missing"] = None
        return measured if stop is None else self._other_stop(runs, measured, stop, flags)

    def _other_stop(
        self, runs: list[Run], measured: Decimal, stop: Decimal, flags: dict[str, None]
    ) -> Decimal:
        """Count up to meterStop where the readings are not of meterStart's register, or of phases."""
        start = self.start_wh
        difference = None if start is None or stop < start else stop - start
        if start is not None and start - stop > ROUNDING_WH:
            flags["stop_below_start"] = None
        if "register_reset" in flags:
            difference = None
        if difference is not None and "start_mismatch" not in flags:
            return difference
        rest = stop - sum((run.last for run in runs), ZERO)
        possible = [wh for wh in (difference,) if wh is not None and wh <= LINKED_WH]
        if ZERO <= rest <= LINKED_WH:
            possible.append(measured + rest)
        if possible:
            return min(possible)  # the register that leaves less unexplained
        if len(runs) == 1 and runs[0].floor <= stop < runs[0].last:
            if -rest > ROUNDING_WH:
                flags["stop_below_register"] = None
            return measured + rest
        flags["stop_mismatch"] = None
        return measured

    def _is_of_phases(self) -> bool:
        location, _ = self._chosen()
        return (location, "") not in self.runs

    def _sum_of_intervals(self) -> Decimal | None:
        """Periodic values if there are any, else the clock-aligned ones: both tell of the same energy."""
        for location in LOCATIONS:
            for group in PHASE_GROUPS:
                sums = [
                    (context, self.intervals[location, phase, context].sum_wh)
                    for phase in group
                    for context in ("Sample.Periodic", "Sample.Clock", "Other")
                    if (location, phase, context) in self.intervals
                ]
                if sums:
                    periodic = any(context == "Sample.Periodic" for context, _ in sums)
                    return sum(
                        (wh for context, wh in sums if not periodic or context != "Sample.Clock"), ZERO
                    )
        return None


def energy_of(
    readings: Iterable[Reading],
    meter_start_wh: Decimal | None = None,
    meter_stop_wh: Decimal | None = None,
) -> EnergyResult:
    """Return a session's energy from everything that was metered, in any order, duplicates and all."""
    register = EnergyRegister.begin(meter_start_wh)
    for reading in sorted(readings, key=_in_order):
        register = register.step(reading)
    return register.result(meter_stop_wh)


def _in_order(reading: Reading) -> tuple[datetime, Decimal, bool]:
    return reading.sampled_at, reading.value, reading.context != "Transaction.Begin"
