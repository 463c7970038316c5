"""Amounts as people pay them: a CDR has four decimals, a card payment those of its currency."""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel.numbers import UnknownCurrencyError, get_currency_precision

from billing.models import Cdr


@lru_cache(maxsize=200)
def digits(currency: str) -> int:
    """Return how many decimals amounts of a currency have (ISO 4217)."""
    try:
        return int(get_currency_precision(currency.upper()))
    except UnknownCurrencyError:
        return 2


def payable(amount: Decimal, currency: str) -> Decimal:
    """Round an amount to what can be paid, half up; the one rounding between a CDR and a card."""
    return amount.quantize(Decimal(1).scaleb(-digits(currency)), rounding=ROUND_HALF_UP)


def of_cdr(cdr: Cdr) -> Decimal:
    """Return what the driver of a CDR owes: with taxes where they are known."""
    total = cdr.total_before_taxes if cdr.total_after_taxes is None else cdr.total_after_taxes
    return payable(total, cdr.currency)
