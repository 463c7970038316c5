"""A tariff in one short line for a charger's display: what the driver pays, with taxes where they are known."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from . import money
from .model import PriceComponent, PriceLimit, Tariff
from .vocabulary import Dimension, TaxIncluded

_NOUNS = {
    Dimension.ENERGY: ("energy", "/kWh"),
    Dimension.TIME: ("charging", "/h"),
    Dimension.PARKING_TIME: ("parking", "/h"),
    Dimension.FLAT: ("start", ""),
}


def summary(tariff: Tariff, language: str = "") -> tuple[str, str]:
    """Return a text and its language: the tariff's own words in that language, else its prices in English.

    A price that depends on something is given as the range that it can have.
    """
    wanted = language.casefold().partition("-")[0]
    for each in tariff.tariff_alt_text:
        if wanted and each.language.casefold().partition("-")[0] == wanted:
            return each.text, each.language
    if tariff.tariff_alt_text:
        return tariff.tariff_alt_text[0].text, tariff.tariff_alt_text[0].language
    parts = [*_prices(tariff), *_limits(tariff)]
    text = ", ".join(parts) if parts else "free of charge"
    note = _note(tariff) if parts else ""
    return f"{text[0].upper()}{text[1:]}{f' ({note})' if note else ''}", "en"


def _prices(tariff: Tariff) -> Iterator[str]:
    for dimension, (noun, per) in _NOUNS.items():
        found = sorted(
            {
                _paid(component, tariff.tax_included)
                for element in tariff.elements
                if element.restrictions is None or element.restrictions.reservation is None
                for component in element.price_components
                if component.type is dimension
            }
        )
        if found and found[-1]:
            least, most = money.amount_text(found[0]), money.amount_text(found[-1])
            amount = most if len(found) == 1 else f"{least} to {most}"
            yield f"{noun} {amount} {tariff.currency}{per}"


def _limits(tariff: Tariff) -> Iterator[str]:
    for word, limit in (("at least", tariff.min_price), ("at most", tariff.max_price)):
        if limit is not None:
            yield f"{word} {money.amount_text(_limit(limit))} {tariff.currency}"


def _limit(limit: PriceLimit) -> Decimal:
    return limit.before_taxes if limit.after_taxes is None else limit.after_taxes


def _paid(component: PriceComponent, tax_included: TaxIncluded) -> Decimal:
    if tax_included is not TaxIncluded.NO or component.vat is None:
        return component.price
    return component.price * (100 + component.vat) / 100


def _note(tariff: Tariff) -> str:
    """Say whether taxes are in the prices; nothing where none apply."""
    if tariff.tax_included is TaxIncluded.YES:
        return "incl. taxes"
    rates = {c.vat for element in tariff.elements for c in element.price_components}
    if tariff.tax_included is TaxIncluded.NO:
        return "plus taxes" if None in rates else "incl. VAT"
    return ""
