"""A tariff in plain words: what each part costs and when it applies (OCPI 2.3.0 mod_tariffs)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.tariff import model
from cpo.console.templatetags.console import duration, exact, price_of

WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
SHORT = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Unit(NamedTuple):
    """What a kind of price is for, and per what it is."""

    icon: str
    what: Any
    unit: Any


UNITS = {
    "ENERGY": Unit("bolt", gettext_lazy("Energy"), gettext_lazy("per kWh")),
    "TIME": Unit("clock", gettext_lazy("Charging time"), gettext_lazy("per hour")),
    "PARKING_TIME": Unit("car-off", gettext_lazy("Parking after charging"), gettext_lazy("per hour parked")),
    "FLAT": Unit("ticket", gettext_lazy("Start fee"), gettext_lazy("per session")),
}


@dataclass(frozen=True, slots=True)
class Price:
    """One price component: what it is for, how much, and its small print."""

    icon: str
    what: Any
    price: str
    unit: Any
    notes: str


@dataclass(frozen=True, slots=True)
class Element:
    """A group of prices and when they apply; the first group that fits wins for each kind of price."""

    when: str
    prices: tuple[Price, ...]


def read(data: dict[str, Any]) -> model.Tariff:
    """Parse a stored version."""
    return model.Tariff.from_ocpi(data)


def elements(tariff: model.Tariff) -> list[Element]:
    """Say each element in words."""
    return [
        Element(when(element.restrictions), tuple(_price(tariff, c) for c in element.price_components))
        for element in tariff.elements
    ]


def summary(tariff: model.Tariff) -> str:
    """Say the tariff in one line: from the lowest to the highest price of each kind."""
    prices: dict[str, set[Decimal]] = {}
    for element in tariff.elements:
        for component in element.price_components:
            prices.setdefault(component.type, set()).add(component.price)
    parts = [
        f"{_range(found)} {tariff.currency} {UNITS[kind].unit}"
        for kind, found in prices.items()
        if any(found)
    ]
    return " + ".join(parts) or _("free of charge")


def _range(prices: set[Decimal]) -> str:
    low, high = min(prices), max(prices)
    return price_of(low) if low == high else f"{price_of(low)}–{price_of(high)}"


def tax_words(tariff: model.Tariff) -> str:
    """Say whether the prices hold taxes."""
    return {
        model.TaxIncluded.YES: _("Prices include taxes."),
        model.TaxIncluded.NO: _("Prices are without taxes."),
    }.get(tariff.tax_included, _("No taxes apply."))


def _price(tariff: model.Tariff, component: model.PriceComponent) -> Price:
    words = UNITS[component.type]
    notes = []
    if component.vat is not None:
        notes.append(_("VAT %(percent)s %%") % {"percent": exact(component.vat)})
    if component.step_size > 1 and component.type == model.Dimension.ENERGY:
        notes.append(_("in steps of %(step)s Wh") % {"step": exact(component.step_size)})
    elif component.step_size > 1 and component.type != model.Dimension.FLAT:
        notes.append(_("in steps of %(step)s") % {"step": duration(component.step_size)})
    price = f"{price_of(component.price)} {tariff.currency}" if component.price else _("free")
    return Price(words.icon, words.what, price, words.unit if component.price else "", ", ".join(notes))


def when(limits: model.TariffRestrictions | None) -> str:
    """Say when an element applies."""
    if limits is None:
        return _("Always")
    parts = [*_calendar(limits), *_amounts(limits)]
    if limits.reservation is not None:
        parts.insert(
            0,
            _("for a reservation")
            if limits.reservation == "RESERVATION"
            else _("for a reservation that expires"),
        )
    parts += [_("under a condition that nobody knows (%(name)s)") % {"name": name} for name in limits.unknown]
    text = ", ".join(parts)
    return text[:1].upper() + text[1:] if text else _("Always")


def _calendar(limits: model.TariffRestrictions) -> list[str]:
    parts = []
    if limits.day_of_week:
        parts.append(_days(limits.day_of_week))
    if limits.start_time and limits.end_time:
        parts.append(f"{limits.start_time:%H:%M}–{limits.end_time:%H:%M}")
    elif limits.start_time:
        parts.append(_("from %(time)s") % {"time": f"{limits.start_time:%H:%M}"})
    elif limits.end_time:
        parts.append(_("until %(time)s") % {"time": f"{limits.end_time:%H:%M}"})
    if limits.start_date:
        parts.append(_("from %(date)s") % {"date": limits.start_date.isoformat()})
    if limits.end_date:
        parts.append(_("before %(date)s") % {"date": limits.end_date.isoformat()})
    return parts


def _days(days: tuple[model.DayOfWeek, ...]) -> str:
    numbers = sorted(WEEK.index(day) for day in days)
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{SHORT[numbers[0]]}–{SHORT[numbers[-1]]}"
    return ", ".join(SHORT[number] for number in numbers)


def _amounts(limits: model.TariffRestrictions) -> list[str]:
    spans = [
        (limits.min_kwh, limits.max_kwh, "kWh"),
        (limits.min_power, limits.max_power, "kW"),
        (limits.min_current, limits.max_current, "A"),
    ]
    parts = [text for low, high, unit in spans if (text := _span(low, high, unit))]
    if limits.min_duration is not None:
        parts.append(_("after %(time)s") % {"time": duration(limits.min_duration)})
    if limits.max_duration is not None:
        parts.append(_("up to %(time)s") % {"time": duration(limits.max_duration)})
    return parts


def _span(low: Any, high: Any, unit: str) -> str:
    if low is not None and high is not None:
        return f"{exact(low)}–{exact(high)} {unit}"
    if low is not None:
        return _("from %(value)s %(unit)s") % {"value": exact(low), "unit": unit}
    if high is not None:
        return _("below %(value)s %(unit)s") % {"value": exact(high), "unit": unit}
    return ""
