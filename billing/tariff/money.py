"""The only place that rounds.

Inside a bill nothing is rounded to money: each line carries ten decimals, and the pieces of one price component
are cut so that they add up to the rounded whole (`Pieces`). So a bill does not depend on how finely the periods
were cut. OCPI documents show up to four decimals (`to_ocpi`, OCPI 2.3.0 types#number); an invoice is in minor
units (`to_minor`). OCPI gives no rounding rules on purpose (mod_tariffs#Tariff, note): half-up is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal

ZERO = Decimal(0)
SECONDS_PER_HOUR = 3600
WH_PER_KWH = 1000
_HUNDRED = Decimal(100)

# Wide enough that no product of two OCPI numbers is rounded before its turn.
EXACT = Context(prec=42, rounding=ROUND_HALF_UP)

LINE = Decimal("1E-10")
OCPI = Decimal("1E-4")
_VOLUME = Decimal("1E-6")

# ISO 4217: minor units that are not two digits.
_MINOR_DIGITS: Mapping[str, int] = (
    dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0)
    | dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0)
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
    | dict.fromkeys(("CLF", "UYW"), 4)
)


class Pieces:
    """Cut a growing sum into rounded pieces that always add up to the rounded sum."""

    __slots__ = ("_given", "_sum")

    def __init__(self) -> None:
        self._sum = ZERO
        self._given = ZERO

    def add(self, numerator: Decimal, denominator: Decimal | int = 1) -> Decimal:
        """Grow the sum of numerators and return the next piece of sum / denominator (constant over one use)."""
        self._sum += numerator
        whole = self._sum if denominator == 1 else EXACT.divide(self._sum, Decimal(denominator))
        rounded = EXACT.quantize(whole, LINE)
        piece = rounded - self._given
        self._given = rounded
        return piece


class EachRounded(Pieces):
    """Round every piece for itself, to the four decimals of a document: what is printed is what is added."""

    __slots__ = ()

    def add(self, numerator: Decimal, denominator: Decimal | int = 1) -> Decimal:
        return EXACT.quantize(EXACT.divide(numerator, Decimal(denominator)), OCPI)


def before_tax(gross: Decimal, percentage: Decimal) -> Decimal:
    """Take the tax out of an amount that includes it."""
    return EXACT.divide(gross * _HUNDRED, _HUNDRED + percentage)


def share(whole: Decimal, part: Decimal, total: Decimal) -> Decimal:
    """Return whole x part / total at line precision."""
    return EXACT.quantize(EXACT.divide(whole * part, total), LINE)


def portion(volume: Decimal, done: Decimal, length: Decimal, step: Decimal) -> Decimal:
    """Return how much of a volume fell into the first `done` of `length`, on a grid of `step`."""
    return EXACT.quantize(EXACT.divide(volume * done, length), step)


def round_up_to(volume: Decimal, step: int) -> Decimal:
    """Round up to whole steps; a step of 0 means none (OCPI 2.3.0 mod_tariffs#PriceComponent step_size)."""
    if not step:
        return volume
    return (volume / step).to_integral_value(ROUND_CEILING) * step


def whole_seconds(hours: Decimal) -> int:
    """Turn OCPI hours into whole seconds: 0.3667 h is 22 minutes, not 22 minutes and 0.12 s."""
    return int((hours * SECONDS_PER_HOUR).to_integral_value(ROUND_HALF_UP))


def hours(seconds: Decimal | int, step: Decimal = OCPI) -> Decimal:
    """Turn seconds into OCPI hours; four decimals find whole seconds again."""
    return trim(EXACT.quantize(EXACT.divide(Decimal(seconds), Decimal(SECONDS_PER_HOUR)), step))


def fine_hours(seconds: Decimal | int) -> Decimal:
    """Turn seconds into hours with up to six decimals, for people and reports."""
    return hours(seconds, _VOLUME)


def to_ocpi(amount: Decimal) -> Decimal:
    """Round an amount half-up to the four decimals of an OCPI document."""
    return EXACT.quantize(amount, OCPI)


def to_minor(amount: Decimal, currency: str) -> Decimal:
    """Round an amount half-up to the minor unit of its currency: the explicit last step of an invoice."""
    return EXACT.quantize(amount, Decimal(1).scaleb(-_MINOR_DIGITS.get(currency.upper(), 2)))


def trim(number: Decimal) -> Decimal:
    """Drop needless zeros without falling into an exponent."""
    short = number.normalize()
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short


def plain(number: Decimal) -> str:
    """Write a number for a person: no exponent, no needless zeros."""
    text = str(number)
    if "E" in text:
        text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount_text(amount: Decimal) -> str:
    """Write money for a person or a report: rounded to four decimals, at least two of them shown."""
    return short_text(EXACT.quantize(amount, OCPI))


def short_text(amount: Decimal) -> str:
    """Write an amount that has four decimals already."""
    text = str(amount)
    if text[-1] != "0":
        return text
    return text[:-2] if text[-2] == "0" else text[:-1]
