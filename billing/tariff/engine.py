"""The one door: `price(usage, tariff) -> Bill`.

The steps of a price, in order: choose the tariff of each period, cut the periods where a restriction can flip, find
the component of each dimension, bill in steps, charge with taxes, hold to the price limits. What OCPI leaves open
raises CannotPrice; every assumption about incomplete input is a note on the bill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from enum import Enum
from itertools import compress, product
from zoneinfo import ZoneInfo

from . import limits, money, tax
from .bill import Bill, BillLine, FreeUse, Volumes
from .errors import CannotPrice
from .model import Dimension, ReservationRestriction, Tariff, TariffType
from .money import ZERO, EachRounded, Pieces
from .periods import ChargingPeriod, ReservationOutcome, Usage, split
from .restrictions import Cuts, Electrical, Moment, Rule, Rulebook, first_match, rulebook
from .steps import Category, Draft, ParkThenCharge, apply_steps
from .tax import Account, Price

_ONCE = Decimal(1)
_USES = (Dimension.ENERGY, Dimension.TIME, Dimension.PARKING_TIME)
_USED = {flags: tuple(compress(_USES, flags)) for flags in product((False, True), repeat=len(_USES))}
_NO_TIME = timedelta()
_EXPIRED = (ReservationRestriction.RESERVATION_EXPIRES, ReservationRestriction.RESERVATION)
_RESERVED = (ReservationRestriction.RESERVATION,)


class Rounding(Enum):
    """Whether amounts are rounded as a sum, or each line for itself (to four decimals)."""

    SUM = Pieces
    LINES = EachRounded


@dataclass(frozen=True, slots=True)
class Policy:
    """What OCPI leaves to contracts. `tariff_type`: which of several tariffs a session may use."""

    park_then_charge: ParkThenCharge = ParkThenCharge.PARKING
    rounding: Rounding = Rounding.SUM
    limits_cover_reservation: bool = True
    tariff_type: TariffType | None = None
    tax_name: str = "VAT"


DEFAULT = Policy()


def price(usage: Usage, tariff: Tariff | Sequence[Tariff], *, policy: Policy = DEFAULT) -> Bill:
    """Price a session, a reservation or both; raises CannotPrice rather than guess."""
    with localcontext(money.EXACT):
        tariffs = (tariff,) if isinstance(tariff, Tariff) else tuple(tariff)
        return _Pricing(usage, tariffs, policy).bill()


class _Pricing:
    """The work on one bill."""

    def __init__(self, usage: Usage, tariffs: tuple[Tariff, ...], policy: Policy) -> None:
        self.policy = policy
        self.notes: list[str] = []
        self.drafts: list[Draft] = []
        self.free: list[FreeUse] = []
        self.zone: ZoneInfo = usage.zone
        self.tariff_of = _TariffChoice(usage, tariffs, policy, self.notes)
        self.session_start = usage.session_start
        self.reservation_start = usage.reservation_start
        self.usage = replace(usage, periods=split(usage, self._cuts))
        self.charged = ZERO
        self.flat_is_charged = False
        self.reservation_fee_is_charged = False

    def bill(self) -> Bill:
        if self.usage.reservation is not None and not any(p.reservation_s for p in self.usage.periods):
            self._reservation(self.usage.periods[0], timed=False)
        for period in self.usage.periods:
            if period.reservation_s:
                self._reservation(period, timed=True)
            if self.session_start is not None and not period.only_reserves:
                self._session(period)
        apply_steps(self.drafts, self.policy.park_then_charge)
        lines = tuple(self._charged())
        subtotals = _subtotals(lines)
        adjustments = self._adjustments(subtotals)
        used = self.tariff_of.used()
        return Bill(
            currency=used[0].currency,
            usage=self.usage,
            tariffs=used,
            lines=lines,
            free=tuple(self.free),
            adjustments=adjustments,
            notes=tuple(self.notes),
            total_cost=tax.total([*subtotals.values(), *(each.amount for each in adjustments)]),
            total_fixed_cost=subtotals[Category.FIXED],
            total_energy_cost=subtotals[Category.ENERGY],
            total_time_cost=subtotals[Category.TIME],
            total_parking_cost=subtotals[Category.PARKING],
            total_reservation_cost=subtotals[Category.RESERVATION],
            metered=_metered(self.usage.periods),
            billed=_billed(self.drafts),
        )

    def _cuts(self, period: ChargingPeriod) -> Cuts:
        book = rulebook(self.tariff_of(period))
        if period.only_reserves or self.session_start is None:
            return book.reservation_cuts
        return book.cuts(_USED[bool(period.energy_kwh), bool(period.time_s), bool(period.parking_s)])

    def _session(self, period: ChargingPeriod) -> None:
        """Find what prices each dimension of a period of use."""
        book = rulebook(self.tariff_of(period))
        moment = _moment(period, self.zone, self.session_start or period.start, self.charged)
        if not self.flat_is_charged:
            rule = first_match(book.session[Dimension.FLAT], moment)
            if rule is not None:
                self.flat_is_charged = True
                self.drafts.append(Draft(Category.FIXED, rule, period, moment, _ONCE))
        if period.energy_kwh:
            self._use(Category.ENERGY, Dimension.ENERGY, period, moment, period.energy_kwh, book)
            self.charged += period.energy_kwh
        if period.time_s:
            self._use(Category.TIME, Dimension.TIME, period, moment, Decimal(period.time_s), book)
        if period.parking_s:
            self._use(
                Category.PARKING, Dimension.PARKING_TIME, period, moment, Decimal(period.parking_s), book
            )

    def _use(
        self,
        category: Category,
        dimension: Dimension,
        period: ChargingPeriod,
        moment: Moment,
        quantity: Decimal,
        book: Rulebook,
    ) -> None:
        rules = book.session[dimension]
        if dimension in book.electrical:
            self._note_electrical(book.electrical[dimension], moment)
        rule = first_match(rules, moment)
        if rule is None:
            self.free.append(FreeUse(dimension, period, moment, quantity, rules))
            return
        if quantity < 0:
            raise CannotPrice("energy fed back into the grid has no price in OCPI")
        self.drafts.append(Draft(category, rule, period, moment, quantity))

    def _note_electrical(self, asked: Electrical, moment: Moment) -> None:
        """Note where a restriction on current or power met a period that does not answer it."""
        extremes = (
            ("current", asked.currents, moment.min_current, moment.max_current),
            ("power", asked.powers, moment.min_power, moment.max_power),
        )
        for name, borders, lowest, highest in extremes:
            if borders and lowest is None and highest is None:
                note = f"reports no {name}: restrictions on it were taken as met."
            elif lowest is not None and highest is not None and any(lowest < b <= highest for b in borders):
                note = f"spans a change of price by {name}: its issuer should have cut it."
            else:
                continue
            text = f"The period from {moment.local.isoformat(' ', 'seconds')} {note}"
            if text not in self.notes:
                self.notes.append(text)

    def _reservation(self, period: ChargingPeriod, *, timed: bool) -> None:
        """Price the time before the driver came; an expired reservation asks its own elements first."""
        book = rulebook(self.tariff_of(period))
        moment = _moment(period, self.zone, self.reservation_start, ZERO)
        if not self.reservation_fee_is_charged:
            rule = self._reservation_rule(book, Dimension.FLAT, moment)
            if rule is not None:
                self.reservation_fee_is_charged = True
                self.drafts.append(Draft(Category.RESERVATION, rule, period, moment, _ONCE))
        if not timed:
            return
        rule, seconds = self._reservation_rule(book, Dimension.TIME, moment), Decimal(period.reservation_s)
        if rule is None:
            self.free.append(FreeUse(Dimension.TIME, period, moment, seconds, ()))
        else:
            self.drafts.append(Draft(Category.RESERVATION, rule, period, moment, seconds))

    def _reservation_rule(self, book: Rulebook, dimension: Dimension, moment: Moment) -> Rule | None:
        kinds = _EXPIRED if self.usage.reservation is ReservationOutcome.EXPIRED else _RESERVED
        found = (first_match(book.reservation[kind, dimension], moment) for kind in kinds)
        return next((rule for rule in found if rule is not None), None)

    def _charged(self) -> Iterator[BillLine]:
        accounts: dict[Rule, Account] = {}
        for draft in self.drafts:
            rule = draft.rule
            account = accounts.get(rule)
            if account is None:
                pieces = self.policy.rounding.value
                account = Account(
                    rule.component, rule.taxation, rule.denominator, self.policy.tax_name, pieces
                )
                accounts[rule] = account
            amount = account.charge(draft.billed)
            yield BillLine(
                draft.category, draft.period, rule, draft.moment, draft.quantity, draft.billed, amount
            )

    def _adjustments(self, subtotals: Mapping[Category, Price]) -> tuple[limits.Adjustment, ...]:
        used = self.tariff_of.used()
        limited = [each for each in used if each.min_price or each.max_price]
        if not limited or self.session_start is None:
            return ()  # the limits are those of a charging session, and a reservation alone is none
        if len(used) > 1:
            raise CannotPrice("OCPI does not say how price limits work when a session changes its tariff")
        covered = [
            amount
            for category, amount in subtotals.items()
            if category is not Category.RESERVATION or self.policy.limits_cover_reservation
        ]
        return limits.adjustments(tax.total(covered), limited[0], self.policy.tax_name)


class _TariffChoice:
    """Which tariff prices a period: the one it names, else the only one that fits the start of the session."""

    def __init__(self, usage: Usage, tariffs: tuple[Tariff, ...], policy: Policy, notes: list[str]) -> None:
        if not tariffs:
            raise CannotPrice("there is no tariff")
        if len({each.currency for each in tariffs}) > 1:
            raise CannotPrice("the tariffs have different currencies")
        self._tariffs = tariffs
        self._start = usage.session_start or usage.start
        self._type = policy.tariff_type
        self._chosen: dict[str | None, Tariff] = {}
        for period in usage.periods:
            if period.tariff_id not in self._chosen:
                self._chosen[period.tariff_id] = self._choose(period.tariff_id)
        notes += [
            f"Tariff {each.id} was not valid when the session began."
            for each in self.used()
            if not self._valid(each)
        ]

    def __call__(self, period: ChargingPeriod) -> Tariff:
        return self._chosen[period.tariff_id]

    def used(self) -> tuple[Tariff, ...]:
        """Return the tariffs in order of their first use."""
        distinct: list[Tariff] = []
        for each in self._chosen.values():
            if not any(each is known for known in distinct):
                distinct.append(each)
        return tuple(distinct)

    def _choose(self, tariff_id: str | None) -> Tariff:
        found = [each for each in self._tariffs if tariff_id is None or _same_id(each.id, tariff_id)]
        if not found:
            raise CannotPrice(f"a charging period names tariff {tariff_id!r}, which was not given")
        if len(found) > 1:
            found = [each for each in found if self._valid(each) and self._fits(each)]
        if len(found) != 1:
            names = ", ".join(repr(each.id) for each in self._tariffs)
            raise CannotPrice(f"{len(found) or 'none'} of the tariffs {names} fit this session, not one")
        return found[0]

    def _valid(self, tariff: Tariff) -> bool:
        after_start = tariff.start_date_time is None or tariff.start_date_time <= self._start
        return after_start and (tariff.end_date_time is None or self._start < tariff.end_date_time)

    def _fits(self, tariff: Tariff) -> bool:
        return tariff.type is None or self._type is None or tariff.type is self._type


def _same_id(left: str, right: str) -> bool:
    return left.casefold() == right.casefold()


def _moment(period: ChargingPeriod, zone: ZoneInfo, began: datetime, charged: Decimal) -> Moment:
    local = period.start.astimezone(zone)
    return Moment(
        local,
        local.time(),
        max(period.start - began, _NO_TIME),
        charged,
        period.min_current,
        period.max_current,
        period.min_power,
        period.max_power,
    )


def _subtotals(lines: Sequence[BillLine]) -> dict[Category, Price]:
    amounts: dict[Category, list[Price]] = {category: [] for category in Category}
    for line in lines:
        amounts[line.category].append(line.amount)
    return {category: tax.total(each) if each else tax.FREE for category, each in amounts.items()}


def _metered(periods: Sequence[ChargingPeriod]) -> Volumes:
    return Volumes(
        energy_kwh=sum([period.energy_kwh for period in periods], ZERO),
        time_s=Decimal(sum([period.time_s for period in periods])),
        parking_s=Decimal(sum([period.parking_s for period in periods])),
        reservation_s=Decimal(sum([period.reservation_s for period in periods])),
    )


def _billed(drafts: Sequence[Draft]) -> Volumes:
    sums = dict.fromkeys(Category, ZERO)
    for draft in drafts:
        if draft.rule.unit != "session":
            sums[draft.category] += draft.billed
    return Volumes(
        sums[Category.ENERGY], sums[Category.TIME], sums[Category.PARKING], sums[Category.RESERVATION]
    )
