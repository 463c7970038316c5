"""The point in time to show: newest power, current, voltage, state of charge and register of some readings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from stations.readings.reading import Reading
from stations.readings.words import REGISTER

_LINES = ("L1", "L2", "L3")
_LINES_TO_NEUTRAL = ("L1-N", "L2-N", "L3-N")
_LINE_TO_LINE = ("L1-L2", "L2-L3", "L3-L1")
_Phases = dict[str, tuple[datetime, Decimal]]


@dataclass(frozen=True, slots=True)
class LivePoint:
    """What a session looks like now; None is not reported.

    `energy_wh` is the register as read, not the session's energy. Power and register are the sum of the phases
    where no total is given, current is that of the strongest phase, voltage the mean.
    """

    power_w: Decimal | None = None
    soc_percent: Decimal | None = None
    current_a: Decimal | None = None
    voltage_v: Decimal | None = None
    energy_wh: Decimal | None = None
    power_offered_w: Decimal | None = None
    current_offered_a: Decimal | None = None


def latest(readings: Iterable[Reading]) -> LivePoint:
    """Return the newest of everything; the order of the readings does not matter."""
    newest: dict[str, _Phases] = {}
    at_the_inlet: dict[str, _Phases] = {}  # the station's own meter: only where nothing nearer is reported
    for reading in readings:
        measurand = reading.measurand
        shown = _SHOWN.get(measurand)
        if shown is None or shown.unit != reading.unit or reading.location == "Upstream":
            continue
        target = at_the_inlet if reading.location == "Inlet" else newest
        phases = target.get(measurand)
        if phases is None:
            phases = target[measurand] = {}
        found = reading.sampled_at, reading.value
        if reading.phase not in phases or found > phases[reading.phase]:
            phases[reading.phase] = found
    values: dict[str, Decimal | None] = {}
    for measurand, phases in {**at_the_inlet, **newest}.items():
        shown = _SHOWN[measurand]
        value = phases[""][1] if "" in phases else shown.of_phases(phases)
        if value is None or abs(value) >= shown.limit:
            continue
        if shown.is_best or shown.field not in values:
            values[shown.field] = value
    return LivePoint(**values)


def _of_group(phases: _Phases, *groups: tuple[str, ...]) -> list[Decimal]:
    """The values of the first group of phases that was reported, as far as they are of the newest moment."""
    for group in groups:
        found = [phases[phase] for phase in group if phase in phases]
        if found:
            last_at = max(found)[0]
            return [value for at, value in found if at == last_at]
    return []


def _sum(phases: _Phases) -> Decimal | None:
    values = _of_group(phases, _LINES, _LINES_TO_NEUTRAL)
    return sum(values, Decimal(0)) if values else None


def _strongest(phases: _Phases) -> Decimal | None:
    return max(_of_group(phases, _LINES, _LINES_TO_NEUTRAL), default=None)


def _mean(phases: _Phases) -> Decimal | None:
    values = _of_group(phases, _LINES_TO_NEUTRAL, _LINES, _LINE_TO_LINE)
    return (sum(values, Decimal(0)) / len(values)).quantize(Decimal("0.1")) if values else None


class _Shown(NamedTuple):
    field: str
    unit: str
    of_phases: Callable[[_Phases], Decimal | None]
    is_best: bool = True  # of several measurands that fill one field
    limit: Decimal = Decimal("1e11")  # what no meter says is not shown


_SHOWN = {
    REGISTER: _Shown("energy_wh", "Wh", _sum, limit=Decimal("1e15")),
    "Power.Active.Import": _Shown("power_w", "W", _sum),
    "Power.Offered": _Shown("power_offered_w", "W", _sum),
    "Current.Import": _Shown("current_a", "A", _strongest),
    "Current.Offered": _Shown("current_offered_a", "A", _strongest),
    "Voltage": _Shown("voltage_v", "V", _mean),
    "SoC": _Shown("soc_percent", "Percent", _strongest, limit=Decimal(1000)),
    "Display.PresentSOC": _Shown("soc_percent", "Percent", _strongest, False, Decimal(1000)),
}
