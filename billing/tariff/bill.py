"""The bill: immutable, and sound or not there at all.

Money has ten decimals here; `to_ocpi` rounds to four, `money.to_minor` to cents. Energy in kWh, time in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from . import explain, money, tax
from .errors import CannotExpress, CannotPrice, UnbalancedBill
from .limits import Adjustment
from .model import Dimension, PriceComponent, Tariff
from .money import ZERO
from .periods import ChargingPeriod, Usage
from .restrictions import Moment, Rule
from .shapes import NEWEST, Shape, shape_of
from .steps import Category
from .tax import Price


@dataclass(frozen=True, slots=True)
class Volumes:
    """Amounts of use: kWh and seconds, hours on demand (up to six decimals)."""

    energy_kwh: Decimal
    time_s: Decimal
    parking_s: Decimal
    reservation_s: Decimal

    @property
    def time_h(self) -> Decimal:
        return money.fine_hours(self.time_s)

    @property
    def parking_h(self) -> Decimal:
        return money.fine_hours(self.parking_s)

    @property
    def reservation_h(self) -> Decimal:
        return money.fine_hours(self.reservation_s)


class BillLine(NamedTuple):  # a tuple, not a dataclass: there are two dozen in a bill
    """One price component applied to one period; `unit` is kWh, s or session."""

    category: Category
    period: ChargingPeriod
    rule: Rule
    moment: Moment
    quantity: Decimal  # as metered
    billed_quantity: Decimal  # after step_size
    amount: Price

    @property
    def dimension(self) -> Dimension:
        return self.rule.component.type

    @property
    def unit(self) -> str:
        return self.rule.unit

    @property
    def start(self) -> datetime:
        return self.period.start

    @property
    def end(self) -> datetime:
        return self.period.end

    @property
    def tariff_id(self) -> str:
        return self.rule.tariff.id

    @property
    def element_index(self) -> int:
        return self.rule.element_index

    @property
    def component_index(self) -> int:
        return self.rule.component_index

    @property
    def component(self) -> PriceComponent:
        return self.rule.component

    @property
    def price(self) -> Decimal:
        return self.rule.component.price

    @property
    def before_taxes(self) -> Decimal | None:
        return self.amount.before_taxes

    @property
    def taxes(self) -> tuple[tax.TaxAmount, ...]:
        return self.amount.taxes

    @property
    def after_taxes(self) -> Decimal | None:
        return self.amount.after_taxes

    @property
    def why(self) -> str:
        """Say why this component applies."""
        return explain.why(self.rule)

    @property
    def why_not_others(self) -> str:
        """Say why the components that are asked earlier do not apply."""
        return explain.why_not(self.rule.earlier, self.moment)


@dataclass(frozen=True, slots=True)
class FreeUse:
    """Use that no component prices: billed nothing, and explained all the same."""

    dimension: Dimension
    period: ChargingPeriod
    moment: Moment
    quantity: Decimal
    asked: Sequence[Rule]


@dataclass(frozen=True)
class Bill:
    """What a session costs, line by line. Raises UnbalancedBill if the lines do not add up to the totals."""

    currency: str
    usage: Usage  # its periods are cut where a price can change: what an issuer puts into the CDR
    tariffs: tuple[Tariff, ...]  # those that priced something, in order of use
    lines: tuple[BillLine, ...]
    free: tuple[FreeUse, ...]
    adjustments: tuple[Adjustment, ...]
    notes: tuple[str, ...]  # what a reader must know: assumptions, doubtful input
    total_cost: Price
    total_fixed_cost: Price
    total_energy_cost: Price
    total_time_cost: Price
    total_parking_cost: Price
    total_reservation_cost: Price
    metered: Volumes
    billed: Volumes

    def __post_init__(self) -> None:
        amounts: dict[Category, list[Price]] = {category: [] for category in Category}
        for line in self.lines:
            amounts[line.category].append(line.amount)
        for category, price in self.subtotals.items():
            self._must_equal(category, price, amounts[category])
        everything = [*self.subtotals.values(), *[each.amount for each in self.adjustments]]
        self._must_equal("total", self.total_cost, everything)

    @staticmethod
    def _must_equal(name: str, price: Price, parts: Sequence[Price]) -> None:
        if price != (tax.total(parts) if parts else tax.FREE) or not price.is_sound:
            raise UnbalancedBill(f"{name} cost {price} is not the sum of its lines")

    @property
    def subtotals(self) -> dict[Category, Price]:
        """Return the parts of the total by category, before price limits."""
        return {
            Category.FIXED: self.total_fixed_cost,
            Category.ENERGY: self.total_energy_cost,
            Category.TIME: self.total_time_cost,
            Category.PARKING: self.total_parking_cost,
            Category.RESERVATION: self.total_reservation_cost,
        }

    @property
    def charging_periods(self) -> tuple[ChargingPeriod, ...]:
        """Return the periods after cutting; priced again, they give this bill."""
        return self.usage.periods

    @cached_property
    def total_time_s(self) -> Decimal:
        """Return how long the session lasted, charging or not, in seconds; a reservation is no part of it."""
        start = self.usage.session_start
        return ZERO if start is None else Decimal((self.usage.end - start) // timedelta(seconds=1))

    def explanation(self) -> list[str]:
        """Explain the bill in plain English, a sentence or two per line."""
        return explain.explanation(self)

    def breakdown(self) -> list[dict[str, object]]:
        """Return the lines as JSON-ready values, to be kept with a CDR: numbers as strings, instants in UTC."""
        return [explain.line_record(line) for line in self.lines]

    def to_ocpi(self, version: str = NEWEST) -> dict[str, object]:
        """Return the fields of a CDR that a price decides, numbers as Decimal with up to four decimals.

        Raises CannotPrice where the amount before taxes is not known, CannotExpress where the version has no
        words for a reservation.
        """
        shape = shape_of(version)
        if self.usage.reservation and not shape.has_parties:
            raise CannotExpress("charging_periods", f"OCPI {version} has no reservation time")
        document: dict[str, object] = {
            "currency": self.currency,
            "charging_periods": self._periods_to_ocpi(shape),
            "total_cost": _price_to_ocpi(self.total_cost, shape),
            "total_energy": money.trim(self.metered.energy_kwh),
            "total_time": money.hours(self.total_time_s),
            "total_parking_time": money.hours(self.metered.parking_s),
        }
        if shape.has_parties:
            billed = {line.category for line in self.lines}
            for category, price in self.subtotals.items():
                if category in billed:
                    document[f"total_{category}_cost"] = _price_to_ocpi(price, shape)
        return document

    def _periods_to_ocpi(self, shape: Shape) -> list[dict[str, object]]:
        """Write the periods; a reservation of no duration must still be seen by whoever prices them again."""
        unseen = self.usage.reservation is not None and not self.metered.reservation_s
        return [
            period.to_ocpi(shape.version, reserved=unseen and index == 0)
            for index, period in enumerate(self.usage.periods)
        ]


def _price_to_ocpi(price: Price, shape: Shape) -> object:
    if price.before_taxes is None:
        raise CannotPrice("the tariff includes taxes but names no rate: the amount before taxes is not known")
    amount = tax.rounded(price)
    before = money.trim(amount.before_taxes or ZERO)
    if shape.before_taxes is None:
        return before
    if not shape.lists_taxes:
        after = {} if amount.after_taxes is None else {str(shape.after_taxes): money.trim(amount.after_taxes)}
        return {shape.before_taxes: before, **after}
    taxes = [
        {"name": each.name, "amount": money.trim(each.amount)}
        | ({} if each.percentage is None else {"percentage": each.percentage})
        for each in amount.taxes
    ]
    return {shape.before_taxes: before, "taxes": taxes}
