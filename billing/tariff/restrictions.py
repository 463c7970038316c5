"""When a tariff element applies: restrictions compiled once per tariff into checks of a moment.

All times of day, dates and weekdays are local to the location; a check looks at the start of a period, so periods
must be cut where a check can flip (`Cuts`, `periods.split`). OCPI 2.3.0 mod_tariffs#TariffRestrictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from .errors import CannotPrice
from .model import (
    RESERVATION_KINDS,
    DayOfWeek,
    Dimension,
    PriceComponent,
    ReservationRestriction,
    Tariff,
    TariffRestrictions,
)
from .money import SECONDS_PER_HOUR, plain
from .tax import taxation

_MIDNIGHT = time(0)
_WEEK = tuple(DayOfWeek)


class Moment(NamedTuple):
    """What restrictions may ask about the start of a period."""

    local: datetime
    clock: time
    elapsed: timedelta  # since the session began, or since the reservation was made
    energy_kwh: Decimal  # charged in the session before this moment
    min_current: Decimal | None  # A over all phases, of the period that starts here; None: not reported
    max_current: Decimal | None
    min_power: Decimal | None  # kW
    max_power: Decimal | None


class Check(NamedTuple):
    """One restriction: a test of a moment against a limit, and its words."""

    test: Callable[[Moment, Any], bool]
    limit: Any
    words: str


class Rule:
    """A price component together with the conditions of its element; what a bill line points to."""

    __slots__ = (
        "checks",
        "component",
        "component_index",
        "denominator",
        "element_index",
        "siblings",
        "tariff",
        "taxation",
        "texts",
        "timed",
        "unit",
        "words",
    )

    def __init__(
        self, tariff: Tariff, element_index: int, component_index: int, siblings: list[Rule], states_vat: bool
    ) -> None:
        element = tariff.elements[element_index]
        self.tariff = tariff
        self.element_index = element_index
        self.component_index = component_index
        self.component: PriceComponent = element.price_components[component_index]
        self.checks = tuple(_checks(element.restrictions)) if element.restrictions else ()
        self.siblings = siblings  # all rules of the same dimension, in the order in which they are asked
        self.words = ", ".join(check.words for check in self.checks)
        self.taxation = taxation(tariff.tax_included, self.component, states_vat)
        self.timed = self.component.type in (Dimension.TIME, Dimension.PARKING_TIME)
        self.denominator = SECONDS_PER_HOUR if self.timed else 1  # units that cost the component's price
        self.unit = "s" if self.timed else "kWh" if self.component.type is Dimension.ENERGY else "session"
        self.texts: dict[object, str] = {}  # sentences of explain.py that depend on the tariff alone

    @property
    def earlier(self) -> list[Rule]:
        """Return the rules that are asked before this one."""
        return self.siblings[: self.siblings.index(self)]


class Cuts(NamedTuple):
    """Where a restriction can flip within a period."""

    clocks: tuple[time, ...] = ()
    elapsed: tuple[timedelta, ...] = ()
    energy_kwh: tuple[Decimal, ...] = ()


class Electrical(NamedTuple):
    """The borders in A and kW at which some component of a dimension begins or ends."""

    currents: tuple[Decimal, ...]
    powers: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A tariff compiled: rules per dimension in the order in which they are asked."""

    session: Mapping[Dimension, list[Rule]]
    reservation: Mapping[tuple[ReservationRestriction, Dimension], list[Rule]]
    electrical: Mapping[Dimension, Electrical]  # only dimensions that ask for current or power
    reservation_cuts: Cuts
    session_cuts: dict[tuple[Dimension, ...], Cuts] = field(
        default_factory=dict
    )  # filled as combinations come

    def cuts(self, used: tuple[Dimension, ...]) -> Cuts:
        """Return where the price of any of the dimensions can change; a flat fee may begin in any period."""
        found = self.session_cuts.get(used)
        if found is None:
            rules = [rule for dimension in (Dimension.FLAT, *used) for rule in self.session[dimension]]
            found = self.session_cuts[used] = _cuts(rules)
        return found


def rulebook(tariff: Tariff) -> Rulebook:
    """Return the compiled tariff, made once per object; raises CannotPrice for restrictions nobody knows."""
    if isinstance(tariff.rules, Rulebook):
        return tariff.rules
    compiled = _compile(tariff)
    object.__setattr__(tariff, "rules", compiled)  # a cache: equality and representation do not see it
    return compiled


def first_match(rules: Sequence[Rule], moment: Moment) -> Rule | None:
    """Return the rule that prices this moment: the first in tariff order whose restrictions all match."""
    for rule in rules:
        for test, limit, _ in rule.checks:
            if not test(moment, limit):
                break
        else:
            return rule
    return None


def _compile(tariff: Tariff) -> Rulebook:
    session: dict[Dimension, list[Rule]] = {dimension: [] for dimension in Dimension}
    reservation: dict[tuple[ReservationRestriction, Dimension], list[Rule]] = {
        (kind, dimension): [] for kind in RESERVATION_KINDS for dimension in Dimension
    }
    states_vat = tariff.states_vat
    for index, element in enumerate(tariff.elements):
        restrictions = element.restrictions or TariffRestrictions()
        if restrictions.unknown:
            raise CannotPrice(
                f"elements[{index}].restrictions.{restrictions.unknown[0]} is no OCPI restriction"
            )
        for position, component in enumerate(element.price_components):
            rules = session[component.type]
            if restrictions.reservation is not None:
                rules = reservation.get((restrictions.reservation, component.type), [])
            rules.append(Rule(tariff, index, position, rules, states_vat))
    asked = {dimension: _electrical(rules) for dimension, rules in session.items()}
    return Rulebook(
        session=session,
        reservation=reservation,
        electrical={dimension: limits for dimension, limits in asked.items() if any(limits)},
        reservation_cuts=_cuts([rule for rules in reservation.values() for rule in rules]),
    )


def _cuts(rules: Iterable[Rule]) -> Cuts:
    clocks: set[time] = set()
    elapsed: set[int] = set()
    energy: set[Decimal] = set()
    for each in _restrictions(rules):
        given = [clock for clock in (each.start_time, each.end_time) if clock is not None]
        clocks.update(given)
        if len(given) == 1 or each.start_date or each.end_date or each.day_of_week:
            clocks.add(_MIDNIGHT)
        elapsed.update(limit for limit in (each.min_duration, each.max_duration) if limit)
        energy.update(limit for limit in (each.min_kwh, each.max_kwh) if limit)
    spans = tuple(timedelta(seconds=seconds) for seconds in sorted(elapsed))
    return Cuts(tuple(sorted(clocks)), spans, tuple(sorted(energy)))


def _electrical(rules: Iterable[Rule]) -> Electrical:
    given = list(_restrictions(rules))
    currents = [
        limit for each in given for limit in (each.min_current, each.max_current) if limit is not None
    ]
    powers = [limit for each in given for limit in (each.min_power, each.max_power) if limit is not None]
    return Electrical(tuple(currents), tuple(powers))


def _restrictions(rules: Iterable[Rule]) -> Iterator[TariffRestrictions]:
    for rule in rules:
        restrictions = rule.tariff.elements[rule.element_index].restrictions
        if restrictions is not None:
            yield restrictions


def _checks(given: TariffRestrictions) -> Iterable[Check]:
    """Compile what is set, in the order of the specification's table."""
    yield from _clock_checks(given.start_time, given.end_time)
    if given.start_date is not None:
        yield Check(_from_date, given.start_date, f"from {given.start_date}")
    if given.end_date is not None:
        yield Check(_before_date, given.end_date, f"before {given.end_date}")
    for name, test, words in _NUMBER_CHECKS:
        limit = getattr(given, name)
        if limit is not None:
            yield Check(test, limit, words.format(plain(limit)))
    if given.min_duration is not None:
        yield Check(_after, timedelta(seconds=given.min_duration), f"after {given.min_duration} s")
    if given.max_duration is not None:
        yield Check(_within, timedelta(seconds=given.max_duration), f"in the first {given.max_duration} s")
    if given.day_of_week:
        days = frozenset(_WEEK.index(day) for day in given.day_of_week)
        yield Check(_on_day, days, f"on {', '.join(day.capitalize() for day in given.day_of_week)}")


def _clock_checks(start: time | None, end: time | None) -> Iterable[Check]:
    """Compile a time of day: start inclusive, end exclusive, an end of 00:00 is the end of the day.

    Equal start and end are left open by OCPI; read as the whole day, so that nothing becomes free by accident.
    """
    if start is not None and end is not None:
        test = _whole_day if start == end else _in_day if start < end else _over_midnight
        yield Check(test, (start, end), f"{start:%H:%M} to {end:%H:%M}")
    elif start is not None:
        yield Check(_since_clock, start, f"from {start:%H:%M} to midnight")
    elif end is not None:
        test = _whole_day if end == _MIDNIGHT else _in_day
        yield Check(test, (_MIDNIGHT, end), f"from midnight to {end:%H:%M}")


def _whole_day(moment: Moment, limit: tuple[time, time]) -> bool:
    return True


def _in_day(moment: Moment, limit: tuple[time, time]) -> bool:
    return limit[0] <= moment.clock < limit[1]


def _since_clock(moment: Moment, limit: time) -> bool:
    return moment.clock >= limit


def _over_midnight(moment: Moment, limit: tuple[time, time]) -> bool:
    return moment.clock >= limit[0] or moment.clock < limit[1]


def _from_date(moment: Moment, limit: date) -> bool:
    return moment.local.date() >= limit


def _before_date(moment: Moment, limit: date) -> bool:
    return moment.local.date() < limit


def _on_day(moment: Moment, limit: frozenset[int]) -> bool:
    return moment.local.weekday() in limit


def _min_kwh(moment: Moment, limit: Decimal) -> bool:
    return moment.energy_kwh >= limit


def _max_kwh(moment: Moment, limit: Decimal) -> bool:
    return moment.energy_kwh < limit


def _after(moment: Moment, limit: timedelta) -> bool:
    return moment.elapsed >= limit


def _within(moment: Moment, limit: timedelta) -> bool:
    return moment.elapsed < limit


# Current and power hold for a whole period: the lowest value must reach a minimum, the highest stay below a
# maximum. If only one of the two is reported it stands for both; if neither is, the check passes and is noted.


def _at_least(lowest: Decimal | None, highest: Decimal | None, limit: Decimal) -> bool:
    value = lowest if lowest is not None else highest
    return value is None or value >= limit


def _below(lowest: Decimal | None, highest: Decimal | None, limit: Decimal) -> bool:
    value = highest if highest is not None else lowest
    return value is None or value < limit


def _min_current(moment: Moment, limit: Decimal) -> bool:
    return _at_least(moment.min_current, moment.max_current, limit)


def _max_current(moment: Moment, limit: Decimal) -> bool:
    return _below(moment.min_current, moment.max_current, limit)


def _min_power(moment: Moment, limit: Decimal) -> bool:
    return _at_least(moment.min_power, moment.max_power, limit)


def _max_power(moment: Moment, limit: Decimal) -> bool:
    return _below(moment.min_power, moment.max_power, limit)


_NUMBER_CHECKS: tuple[tuple[str, Callable[[Moment, Any], bool], str], ...] = (
    ("min_kwh", _min_kwh, "from {} kWh"),
    ("max_kwh", _max_kwh, "before {} kWh"),
    ("min_current", _min_current, "at {} A or more"),
    ("max_current", _max_current, "below {} A"),
    ("min_power", _min_power, "at {} kW or more"),
    ("max_power", _max_power, "below {} kW"),
)
