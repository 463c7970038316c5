"""A tariff as a driver reads it: prices with VAT in them, in plain words."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.tariff import model
from cpo.console.tariff_words import when
from cpo.console.templatetags.console import duration, exact, price_of

UNITS = {
    "ENERGY": (gettext_lazy("Energy"), gettext_lazy("per kWh")),
    "TIME": (gettext_lazy("Time while charging"), gettext_lazy("per hour")),
    "PARKING_TIME": (gettext_lazy("Time after charging"), gettext_lazy("per hour")),
    "FLAT": (gettext_lazy("Start"), gettext_lazy("once")),
}
MILL = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Price:
    """One price: for what, how much with VAT, per what, and when."""

    what: Any
    price: str
    unit: Any
    when: str
    notes: str


def read(data: dict[str, Any]) -> list[Price]:
    """Say a stored version of a tariff."""
    tariff = model.Tariff.from_ocpi(data)
    has_several = len({component.type for e in tariff.elements for component in e.price_components}) < sum(
        len(e.price_components) for e in tariff.elements
    )
    return [
        _price(tariff, component, _moment(element, has_several=has_several))
        for element in tariff.elements
        for component in element.price_components
    ]


def _moment(element: model.TariffElement, *, has_several: bool) -> str:
    """Say when an element holds; the one without conditions holds where none before it does."""
    if element.restrictions is not None:
        return when(element.restrictions)
    return _("Otherwise") if has_several else ""


def with_vat(tariff: model.Tariff, component: model.PriceComponent) -> Decimal:
    """Return what a driver pays for a unit."""
    if tariff.tax_included != model.TaxIncluded.NO or not component.vat:
        return component.price
    gross = component.price * (1 + component.vat / 100)
    return gross.quantize(MILL, rounding=ROUND_HALF_UP).normalize()


def _price(tariff: model.Tariff, component: model.PriceComponent, moment: str) -> Price:
    what, unit = UNITS[component.type]
    notes = []
    if component.vat:
        notes.append(_("includes %(percent)s %% VAT") % {"percent": exact(component.vat)})
    if component.step_size > 1 and component.type == model.Dimension.ENERGY:
        notes.append(_("in steps of %(step)s Wh") % {"step": exact(component.step_size)})
    elif component.step_size > 1 and component.type != model.Dimension.FLAT:
        notes.append(_("in steps of %(step)s") % {"step": duration(component.step_size)})
    gross = with_vat(tariff, component)
    price = f"{price_of(gross)} {tariff.currency}" if gross else _("free")
    return Price(what, price, unit if gross else "", moment, ", ".join(notes))
