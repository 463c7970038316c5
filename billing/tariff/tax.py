"""VAT and other taxes on a line: on top of the price, inside it, none, or not known. Nothing is invented.

OCPI 2.3.0 mod_tariffs#TaxIncluded and #PriceComponent `vat`. A component without `vat` has no VAT applicable, as
long as some component of the tariff names a rate. A tariff that names none (North America, OCPI 2.1.1) leaves the
taxes open: then one of the two amounts is unknown, unless it is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from . import money
from .model import PriceComponent, TaxIncluded
from .money import ZERO, Pieces

_HUNDRED = Decimal(100)


class Taxation(Enum):
    """How a price relates to its taxes."""

    NONE = "no taxes"
    ON_TOP = "taxes on top"
    INSIDE = "taxes inside"
    UNKNOWN_ON_TOP = "unknown taxes on top"
    UNKNOWN_INSIDE = "unknown taxes inside"


class TaxAmount(NamedTuple):  # tuples, not dataclasses: a bill is mostly made of these two
    """One tax on an amount (OCPI 2.3.0 types#TaxAmount); `percentage` is None where no single rate fits."""

    name: str
    percentage: Decimal | None
    amount: Decimal


class Price(NamedTuple):
    """An amount without and with taxes; None means that the tariff does not tell."""

    before_taxes: Decimal | None
    after_taxes: Decimal | None
    taxes: tuple[TaxAmount, ...] = ()

    @property
    def tax(self) -> Decimal:
        """Return the sum of the known taxes."""
        return sum((each.amount for each in self.taxes), ZERO)

    @property
    def is_sound(self) -> bool:
        """Tell whether the taxes explain the difference of the two amounts."""
        if self.before_taxes is None or self.after_taxes is None:
            return not self.taxes
        return self.before_taxes + self.tax == self.after_taxes


FREE = Price(ZERO, ZERO)


def taxation(tax_included: TaxIncluded, component: PriceComponent, states_vat: bool) -> Taxation:
    """Say how the price of a component relates to its taxes; `states_vat`: some component of the tariff does."""
    if tax_included is TaxIncluded.NOT_APPLICABLE:
        return Taxation.NONE
    inside = tax_included is TaxIncluded.YES
    if component.vat is not None:
        return Taxation.INSIDE if inside else Taxation.ON_TOP
    if states_vat:
        return Taxation.NONE
    return Taxation.UNKNOWN_INSIDE if inside else Taxation.UNKNOWN_ON_TOP


class Account:
    """What one price component earns over a bill, charged line by line."""

    __slots__ = ("_denominator", "_fraction", "_name", "_net", "_price", "_rate", "_sum", "_taxation")

    def __init__(
        self, component: PriceComponent, taxed: Taxation, denominator: int, name: str, pieces: type[Pieces]
    ):
        self._price = component.price
        self._rate = component.vat or ZERO
        self._fraction = self._rate.scaleb(-2)
        self._taxation = taxed
        self._denominator = denominator
        self._name = name
        self._sum = pieces()
        self._net = pieces()

    def charge(self, quantity: Decimal) -> Price:
        """Return the price of a quantity; `denominator` units of it cost the component's price."""
        numerator = self._price * quantity
        amount = self._sum.add(numerator, self._denominator)
        if self._taxation is Taxation.ON_TOP:
            tax = self._net.add(numerator * self._fraction, self._denominator)
            return Price(amount, amount + tax, (TaxAmount(self._name, self._rate, tax),))
        if self._taxation is Taxation.INSIDE:
            net = self._net.add(numerator * _HUNDRED, self._denominator * (_HUNDRED + self._rate))
            return Price(net, amount, (TaxAmount(self._name, self._rate, amount - net),))
        if self._taxation is Taxation.NONE or not amount:
            return Price(amount, amount)
        inside = self._taxation is Taxation.UNKNOWN_INSIDE
        return Price(None, amount) if inside else Price(amount, None)


def total(prices: Sequence[Price]) -> Price:
    """Add prices up, taxes by name and rate; a sum with an unknown part is unknown."""
    before = _sum([price.before_taxes for price in prices])
    after = _sum([price.after_taxes for price in prices])
    if before is None or after is None:
        return Price(before, after)
    taxes: dict[tuple[str, Decimal | None], Decimal] = {}
    for price in prices:
        for each in price.taxes:
            key = (each.name, each.percentage)
            taxes[key] = taxes.get(key, ZERO) + each.amount
    return Price(
        before,
        after,
        tuple([TaxAmount(*key, amount) for key, amount in taxes.items() if amount or key[1] == 0]),
    )


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if len(known) == len(amounts) else None


def spread(taxes: Sequence[TaxAmount], tax: Decimal, otherwise: TaxAmount) -> tuple[TaxAmount, ...]:
    """Divide a new sum of taxes over the rates in the proportion of the old ones; `otherwise` if there are none."""
    old = sum((each.amount for each in taxes), ZERO)
    if not old:
        return (otherwise,) if otherwise.amount else ()
    shares = [money.share(tax, each.amount, old) for each in taxes[:-1]]
    shares.append(tax - sum(shares, ZERO))
    return tuple(
        TaxAmount(each.name, each.percentage, part) for each, part in zip(taxes, shares, strict=True)
    )


def rounded(price: Price) -> Price:
    """Round to the four decimals of an OCPI document; the last tax takes what the roundings differ."""
    before = None if price.before_taxes is None else money.to_ocpi(price.before_taxes)
    after = None if price.after_taxes is None else money.to_ocpi(price.after_taxes)
    if before is None or after is None or not price.taxes:
        return Price(before, after)
    rest = after - before
    taxes = []
    for each in price.taxes[:-1]:
        amount = money.to_ocpi(each.amount)
        rest -= amount
        taxes.append(TaxAmount(each.name, each.percentage, amount))
    last = price.taxes[-1]
    return Price(before, after, (*taxes, TaxAmount(last.name, last.percentage, rest)))
