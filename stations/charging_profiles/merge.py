"""Several periods that hold at the same moment become one: the lowest limit, in one unit, on one number of phases."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from stations.charging_profiles.profile import (
    ChargingSchedule,
    ChargingSchedulePeriod,
    InvalidProfile,
    RateUnit,
)
from stations.charging_profiles.timeline import Span
from stations.charging_profiles.units import convert, plain, total

Lines = tuple[Decimal | None, ...]  # a value for all phases together, or one for each of L1, L2 and L3
LINES = ("", "_l2", "_l3")
SPLIT = [
    name + line
    for name in ("limit", "discharge_limit", "setpoint", "setpoint_reactive")
    for line in LINES[1:]
]


@dataclass(frozen=True, slots=True)
class Merger:
    """Merges into one unit.

    The number of phases is the lowest of all (K01.FR.140) and of those connected. A power is shared evenly among
    the phases it counts on, so that the current on each never exceeds what any of the periods allows.
    """

    unit: RateUnit
    connected_phases: int
    voltage_v: Decimal
    soc_percent: Decimal | int | None = None
    csms_setpoint_first: bool = False

    def merge(self, spans: Sequence[Span], generation: Span | None = None) -> ChargingSchedulePeriod:
        """Merge restricting periods, those from outside first, and add local generation on top (SC.01, K27).

        Raises InvalidProfile where they ask for different phases: no composite exists then (2.1 K 3.8).
        """
        restricting = [*self._caps(spans), *spans]
        phases = min([self.connected_phases, *(span.period.phases for span in restricting)])
        split = any(getattr(span.period, name) is not None for span in restricting for name in SPLIT)
        limit = _each(min, self._lines(restricting, "limit", split, phases))
        if generation is not None:
            whole = generation._replace(period=replace(generation.period, limit_l2=None, limit_l3=None))
            limit = _each(total, [limit, *self._lines([whole], "limit", split, phases)], only=limit)
        discharge = _each(max, self._lines(restricting, "discharge_limit", split, phases))
        by_priority = spans[::-1] if self.csms_setpoint_first else spans
        setpoints = [span for span in by_priority if self._lines([span], "setpoint", split, phases)]
        setpoint = _each(min, self._lines(setpoints[:1], "setpoint", split, phases))
        reactive = _each(min, self._lines(by_priority, "setpoint_reactive", split, phases)[:1])
        guide = [*setpoints, *spans[::-1], *_NOTHING][0].period
        return ChargingSchedulePeriod(
            start_period_s=0,
            **_named("limit", limit),
            **_named("discharge_limit", discharge),
            **_named(
                "setpoint", [_capped(*values) for values in zip(setpoint, limit, discharge, strict=True)]
            ),
            **_named("setpoint_reactive", reactive),
            number_phases=phases,
            phase_to_use=_phase_to_use(restricting),
            preconditioning_request=guide.preconditioning_request,
            evse_sleep=guide.evse_sleep,
            v2x_baseline=guide.v2x_baseline,
            operation_mode=guide.operation_mode,
            v2x_freq_watt_curve=guide.v2x_freq_watt_curve,
            v2x_signal_watt_curve=guide.v2x_signal_watt_curve,
        )

    def total(self, periods: Sequence[ChargingSchedulePeriod]) -> Span | None:
        """Return what merged periods of EVSEs amount to; None where there is none or one is unlimited."""
        if not periods or any(period.limit is None for period in periods):
            return None
        amounts = [[getattr(period, "limit" + line) or Decimal(0) for line in LINES] for period in periods]
        whole = total(total(each) if self.unit is RateUnit.W else max(each) for each in amounts)
        phases = max(period.phases for period in periods)
        return _span(ChargingSchedulePeriod(0, whole, number_phases=phases), self.unit)

    def _caps(self, spans: Iterable[Span]) -> list[Span]:
        """Cap what belongs to a schedule with limitAtSoC once the vehicle is as full as that (K01.FR.100)."""
        caps = []
        for span in spans:
            at_soc = span.schedule.limit_at_soc
            if at_soc is not None and self.soc_percent is not None and self.soc_percent >= at_soc[0]:
                cap = ChargingSchedulePeriod(0, at_soc[1], number_phases=span.period.number_phases)
                caps.append(_span(cap, span.schedule.rate_unit))
        return caps

    def _lines(self, spans: Iterable[Span], name: str, split: bool, phases: int) -> list[Lines]:
        """Return the values that periods have under a name, converted to the unit and phases of the result."""
        found = []
        for span in spans:
            values = [getattr(span.period, name + line) for line in LINES]
            if values == [None, None, None]:
                continue
            own = values[1:] != [None, None]
            if split and not own:
                values = values[:1] * 3
            phases_of_value = 1 if own else span.period.phases
            converted = [
                value
                if value is None
                else convert(
                    value,
                    unit=span.schedule.rate_unit,
                    into=self.unit,
                    phases=phases_of_value,
                    into_phases=1 if split else phases,
                    voltage_v=self.voltage_v,
                )
                for value in values
            ]
            found.append(tuple(converted))
        return found


def _span(period: ChargingSchedulePeriod, unit: RateUnit) -> Span:
    return Span(0, 0, period, ChargingSchedule(unit, (period,)))


_NOTHING = [_span(ChargingSchedulePeriod(0), RateUnit.W)]


def _each(choose: Callable[[Any], Any], lines: Sequence[Lines], only: Lines | None = None) -> Lines:
    """Combine values line by line; a line without a value (in `only`, if given) stays without."""
    columns = [[value for value in column if value is not None] for column in zip(*lines, strict=True)]
    chosen = [choose(column) if column else None for column in columns or [[], [], []]]
    return tuple(
        value if only is None or bound is not None else None
        for value, bound in zip(chosen, only or chosen, strict=True)
    )


def _named(name: str, values: Iterable[Decimal | None]) -> dict[str, Any]:
    return {
        name + line: None if value is None else plain(value)
        for line, value in zip(LINES, values, strict=True)
    }


def _capped(setpoint: Decimal | None, limit: Decimal | None, discharge: Decimal | None) -> Decimal | None:
    """Keep a setpoint within the limits of its direction (V2X.03, V2X.04, K08.FR.08)."""
    if setpoint is None:
        return None
    if setpoint > 0:
        return setpoint if limit is None else min(setpoint, limit)
    return setpoint if discharge is None else max(setpoint, discharge)


def _phase_to_use(spans: Iterable[Span]) -> int | None:
    """Return the one phase that is asked for; it means something only for a single phase (K01.FR.19)."""
    asked = {span.period.phase_to_use for span in spans if span.period.number_phases == 1}
    asked.discard(None)
    if len(asked) > 1:
        raise InvalidProfile(
            "phaseToUse", "profiles ask for different phases", rule="K01.FR.141", reason="PhaseConflict"
        )
    return asked.pop() if asked else None
