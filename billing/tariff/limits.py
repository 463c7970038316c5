"""Hold a session to the least and the most that its tariff asks for.

The limit before taxes and the one after taxes apply independently of each other (OCPI 2.3.0 mod_tariffs#Tariff,
notes on min_price and max_price); the taxes are adjusted so that they still explain the difference. A limit that
names no amount after taxes scales the taxes with the amount before them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from . import money
from .errors import CannotPrice
from .model import PriceLimit, Tariff
from .money import ZERO
from .tax import Price, TaxAmount, spread

LimitName = Literal["min_price", "max_price"]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a limit added to a bill (or took off it): `amount` is the difference that it made."""

    name: LimitName
    limit: PriceLimit
    amount: Price


def adjustments(total: Price, tariff: Tariff, tax_name: str) -> tuple[Adjustment, ...]:
    """Return what brings a total within the limits of its tariff; the maximum wins. Raises CannotPrice."""
    made: list[Adjustment] = []
    pairs: tuple[tuple[LimitName, PriceLimit | None, Callable[[Decimal, Decimal], Decimal]], ...] = (
        ("min_price", tariff.min_price, max),
        ("max_price", tariff.max_price, min),
    )
    for name, limit, within in pairs:
        if limit is None:
            continue
        held = _held(total, name, limit, within, tariff, tax_name)
        if held != total:
            made.append(Adjustment(name, limit, _difference(held, total)))
            total = held
    return tuple(made)


def _held(
    total: Price,
    name: LimitName,
    limit: PriceLimit,
    within: Callable[[Decimal, Decimal], Decimal],
    tariff: Tariff,
    tax_name: str,
) -> Price:
    """Return the total within one limit."""
    before, after = total.before_taxes, total.after_taxes
    if before is None:
        if limit.after_taxes is None or after is None:
            raise CannotPrice(f"{name} has no amount after taxes, and the amount before taxes is not known")
        return Price(None, within(after, limit.after_taxes))
    new_before = within(before, limit.before_taxes)
    if after is None:
        return Price(new_before, None)
    new_after = within(after, limit.after_taxes) if limit.after_taxes is not None else None
    if new_after is None:
        new_after = after if new_before == before else _scaled(total, new_before, before, tariff)
    if new_after is None:
        return Price(new_before, None)
    if new_after < new_before:
        raise CannotPrice(f"{name} would make the amount after taxes less than the one before")
    otherwise = TaxAmount(tax_name, _only_rate(tariff), new_after - new_before)
    taxes = total.taxes if new_after - new_before == total.tax else None
    if taxes is None:
        taxes = spread(total.taxes, new_after - new_before, otherwise)
    return Price(new_before, new_after, taxes)


def _scaled(total: Price, new_before: Decimal, before: Decimal, tariff: Tariff) -> Decimal | None:
    """Scale the taxes with the amount; where there was no amount, the tariff's only rate tells, or nothing does."""
    if before:
        return new_before + money.share(total.tax, new_before, before)
    if not tariff.states_vat:
        return new_before
    rate = _only_rate(tariff)
    return None if rate is None else new_before + money.share(new_before, rate, Decimal(100))


def _only_rate(tariff: Tariff) -> Decimal | None:
    rates = {component.vat for element in tariff.elements for component in element.price_components}
    return rates.pop() if len(rates) == 1 else None


def _difference(new: Price, old: Price) -> Price:
    """Subtract amounts; taxes by name and rate."""
    taxes = {(each.name, each.percentage): each.amount for each in new.taxes}
    for each in old.taxes:
        key = (each.name, each.percentage)
        taxes[key] = taxes.get(key, ZERO) - each.amount
    known = new.before_taxes is not None and new.after_taxes is not None
    return Price(
        None if new.before_taxes is None or old.before_taxes is None else new.before_taxes - old.before_taxes,
        None if new.after_taxes is None or old.after_taxes is None else new.after_taxes - old.after_taxes,
        tuple(TaxAmount(*key, amount) for key, amount in taxes.items() if amount) if known else (),
    )
