"""Say in plain English what was billed and why. Texts are made when somebody asks, never while pricing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .model import Dimension, Tariff, TaxIncluded
from .money import amount_text, plain, short_text, to_ocpi
from .periods import ChargingPeriod
from .restrictions import Moment, Rule
from .steps import Category
from .tax import Price
from .wire import write_moment

if TYPE_CHECKING:
    from .bill import Bill, BillLine, FreeUse
    from .limits import Adjustment

_PER = {"kWh": "/kWh", "s": "/h", "session": ""}
_STEP = {"kWh": "Wh", "s": "s"}
_NOUN = {
    Dimension.FLAT: "fixed fee",
    Dimension.ENERGY: "energy",
    Dimension.TIME: "charging time",
    Dimension.PARKING_TIME: "parking time",
}
_RESERVATION_NOUN = {Dimension.FLAT: "reservation fee", Dimension.TIME: "reservation time"}
_TAX_INCLUDED = {
    TaxIncluded.YES: "prices include taxes",
    TaxIncluded.NO: "prices are without taxes",
    TaxIncluded.NOT_APPLICABLE: "no taxes apply",
}
_RATE_MATTERS = (TaxIncluded.YES, TaxIncluded.NO)
_NO_RATE = "The tariff names no tax rate: what taxes are due by law is not known here."
_MINUTE, _HOUR = 60, 3600


def explanation(bill: Bill) -> list[str]:
    """Explain a bill: the tariff, each line, free use, limits, totals, notes."""
    zone = bill.usage.zone
    spans: dict[int, str] = {}
    text = [f"{_tariff(tariff)}; local time is {bill.usage.time_zone}." for tariff in bill.tariffs]
    text += [_line(number, line, spans, zone) for number, line in enumerate(bill.lines, start=1)]
    text += [_free(free, spans, zone) for free in bill.free]
    text += [_adjustment(each, bill.currency) for each in bill.adjustments]
    text += _totals(bill)
    text += [
        _NO_RATE for tariff in bill.tariffs if not tariff.states_vat and tariff.tax_included in _RATE_MATTERS
    ]
    return text + list(bill.notes)


def why(rule: Rule) -> str:
    """Say why a component applies: what its element asks for, or that it asks for nothing."""
    text = rule.texts.get("why")
    if text is None:
        restrictions = rule.tariff.elements[rule.element_index].restrictions
        reservation = restrictions.reservation if restrictions else None
        asked = ", ".join(part for part in (f"to {reservation}" if reservation else "", rule.words) if part)
        text = f"elements[{rule.element_index}] applies {asked or 'always'}"
        rule.texts["why"] = text
    return text


def why_not(rules: Sequence[Rule], moment: Moment) -> str:
    """Say which restriction keeps each of these components from applying."""
    return "; ".join([_failure(rule, moment) for rule in rules])


def _failure(rule: Rule, moment: Moment) -> str:
    """Name the first restriction that does not match; there is one, or the rule would have been taken."""
    position = [test(moment, limit) for test, limit, _ in rule.checks].index(False)
    text = rule.texts.get(position)
    if text is None:
        text = f"elements[{rule.element_index}] applies only {rule.checks[position].words}"
        rule.texts[position] = text
    return text


def line_record(line: BillLine) -> dict[str, object]:
    """Turn a line into JSON-ready values that stay readable without the tariff."""
    return {
        "category": str(line.category),
        "dimension": str(line.dimension),
        "start_date_time": write_moment(line.start),
        "end_date_time": write_moment(line.end),
        "tariff_id": line.tariff_id,
        "element_index": line.element_index,
        "component_index": line.component_index,
        "price": plain(line.price),
        "unit": line.unit,
        "quantity": plain(line.quantity),
        "billed_quantity": plain(line.billed_quantity),
        "interpolated": line.period.interpolated,
        "before_taxes": _known(line.before_taxes),
        "taxes": [
            {"name": each.name, "percentage": _known(each.percentage), "amount": plain(each.amount)}
            for each in line.taxes
        ],
        "after_taxes": _known(line.after_taxes),
        "why": line.why,
        "why_not_others": line.why_not_others,
    }


def quantity_text(quantity: Decimal, unit: str) -> str:
    """Write an amount of use for a person: 5.1 kWh, 1 h 57 min, 1 session."""
    if unit != "s":
        return f"{plain(quantity)} {unit}"
    seconds = int(quantity)
    parts = ((seconds // _HOUR, "h"), (seconds % _HOUR // _MINUTE, "min"), (seconds % _MINUTE, "s"))
    return " ".join([f"{count} {name}" for count, name in parts if count]) or "0 s"


def _line(number: int, line: BillLine, spans: dict[int, str], zone: ZoneInfo) -> str:
    rule = line.rule
    unit = rule.unit
    priced = rule.texts.get("price")
    if priced is None:
        component = rule.component
        priced = f" at {plain(component.price)} {rule.tariff.currency}{_PER[unit]}"
        rule.texts["price"] = priced
    quantity = "" if unit == "session" else " " + quantity_text(line.quantity, unit)
    if line.billed_quantity != line.quantity:
        step = f"{rule.component.step_size} {_STEP[unit]}"
        quantity += f", billed as {quantity_text(line.billed_quantity, unit)} in steps of {step}"
    others = why_not(rule.earlier, line.moment) if rule is not rule.siblings[0] else ""
    reason = f"{why(rule)}; {others}" if others else why(rule)
    noun = _RESERVATION_NOUN if line.category is Category.RESERVATION else _NOUN
    return (
        f"{number}. {_span(line.period, line.moment, spans, zone)}: {noun[rule.component.type]}"
        f"{quantity}{priced} = {_price(line.amount, rule.tariff.currency)}. {reason}."
    )


def _span(period: ChargingPeriod, moment: Moment, spans: dict[int, str], zone: ZoneInfo) -> str:
    """Write the local start and end of a period once per bill."""
    text = spans.get(id(period))
    if text is None:
        start = moment.local.isoformat(" ", "seconds")
        end = period.end.astimezone(zone).isoformat(" ", "seconds")
        text = f"{start[:19]} to {end[11:19] if end[:10] == start[:10] else end[:19]}"
        if period.interpolated:
            text += " (cut out of a longer period)"
        spans[id(period)] = text
    return text


def _price(amount: Price, currency: str) -> str:
    """Write an amount so that what is printed adds up: the last tax is what the rounded amounts differ by."""
    before, after = amount.before_taxes, amount.after_taxes
    if before is None:
        return f"{_text(after)} {currency} with taxes of unknown rate"
    if after is None:
        return f"{amount_text(before)} {currency} before taxes of unknown rate"
    if not amount.taxes:
        return f"{amount_text(before)} {currency}"
    before, after = to_ocpi(before), to_ocpi(after)
    rest = after - before
    parts = []
    for tax in amount.taxes[:-1]:
        part = to_ocpi(tax.amount)
        rest -= part
        parts.append(f"{_rate(tax.name, tax.percentage)} {short_text(part)}, ")
    tax = amount.taxes[-1]
    last = f"{_rate(tax.name, tax.percentage)} {short_text(rest)}"
    return f"{short_text(before)} {currency} + {''.join(parts)}{last} = {short_text(after)} {currency}"


@lru_cache(maxsize=256)
def _rate(name: str, percentage: Decimal | None) -> str:
    return name if percentage is None else f"{name} {plain(percentage)} %"


def _text(amount: Decimal | None) -> str:
    return "an unknown amount" if amount is None else amount_text(amount)


def _tariff(tariff: Tariff) -> str:
    owner = "*".join(part for part in (tariff.country_code, tariff.party_id) if part)
    name = " ".join(part for part in ("Tariff", owner, tariff.id) if part)
    return f"{name} in {tariff.currency}, {_TAX_INCLUDED[tariff.tax_included]}"


def _free(free: FreeUse, spans: dict[int, str], zone: ZoneInfo) -> str:
    unit = "kWh" if free.dimension is Dimension.ENERGY else "s"
    others = why_not(free.asked, free.moment)
    reason = f"no component of the tariff prices it then: {others}" if others else "no component prices it"
    span = _span(free.period, free.moment, spans, zone)
    return f"{span}: {_NOUN[free.dimension]} {quantity_text(free.quantity, unit)} is free; {reason}."


def _adjustment(each: Adjustment, currency: str) -> str:
    word = "Minimum" if each.name == "min_price" else "Maximum"
    limit = f"{amount_text(each.limit.before_taxes)} {currency} before taxes"
    if each.limit.after_taxes is not None:
        limit += f" and {amount_text(each.limit.after_taxes)} {currency} after"
    return f"{word} price of the tariff, {limit}: {_change(each.amount, currency)}."


def _change(amount: Price, currency: str) -> str:
    parts = [
        f"{'+' if value > 0 else ''}{amount_text(value)} {currency} {name}"
        for name, value in (("before taxes", amount.before_taxes), ("after taxes", amount.after_taxes))
        if value is not None
    ]
    return ", ".join(parts)


def _totals(bill: Bill) -> Iterator[str]:
    parts = [f"{category} {_price(price, bill.currency)}" for category, price in _billed_categories(bill)]
    if parts:
        yield f"Subtotals: {'; '.join(parts)}."
    yield f"Total: {_price(bill.total_cost, bill.currency)}."


def _billed_categories(bill: Bill) -> list[tuple[str, Price]]:
    billed = {line.category for line in bill.lines}
    return [(str(category), price) for category, price in bill.subtotals.items() if category in billed]


def _known(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)
