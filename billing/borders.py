"""Where the price of a tariff can change: there a charging period begins (OCPI 2.3.0 mod_cdrs#ChargingPeriod)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from billing.tariff.model import Tariff, TariffRestrictions
from billing.tariff.periods import ChargingPeriod, Usage, split
from billing.tariff.restrictions import Cuts

_MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class Borders:
    """Times of day (local), durations, energies in kWh, powers in kW and currents in A that restrictions name."""

    clocks: tuple[time, ...] = ()
    durations: tuple[timedelta, ...] = ()
    energies_kwh: tuple[Decimal, ...] = ()
    powers_kw: tuple[Decimal, ...] = ()
    currents_a: tuple[Decimal, ...] = ()

    @classmethod
    def of(cls, tariff: Tariff) -> "Borders":
        """Collect them from the elements that price a session; those of reservations price something else."""
        asked = [e.restrictions for e in tariff.elements if e.restrictions and not e.restrictions.reservation]
        seconds = {s for each in asked for s in (each.min_duration, each.max_duration) if s}
        return cls(
            clocks=tuple(sorted({clock for each in asked for clock in _clocks(each)})),
            durations=tuple(timedelta(seconds=s) for s in sorted(seconds)),
            energies_kwh=_named(limit for each in asked for limit in (each.min_kwh, each.max_kwh)),
            powers_kw=_named(limit for each in asked for limit in (each.min_power, each.max_power)),
            currents_a=_named(limit for each in asked for limit in (each.min_current, each.max_current)),
        )

    def instants(self, start: datetime, end: datetime, time_zone: str) -> set[datetime]:
        """Return when the clock or the duration of a session reaches a border; clock changes count too."""
        by_time = Cuts(self.clocks, self.durations, ())
        whole = Usage(start, end, time_zone, (ChargingPeriod(start, end),))
        return {piece.start for piece in split(whole, lambda _: by_time)[1:]}


def _clocks(asked: TariffRestrictions) -> Sequence[time]:
    """Give the times of day at which a restriction flips; dates and weekdays flip at midnight, as do open ends."""
    given = [clock for clock in (asked.start_time, asked.end_time) if clock is not None]
    is_daily = len(given) == 1 or asked.start_date or asked.end_date or asked.day_of_week
    return [*given, _MIDNIGHT] if is_daily else given


def _named(limits: Iterable[Decimal | None]) -> tuple[Decimal, ...]:
    return tuple(sorted({limit for limit in limits if limit is not None}))
