"""What differs between OCPI versions in tariffs, CDRs and prices: the one table, and how to tell versions apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import TariffError


@dataclass(frozen=True, slots=True)
class Shape:
    """The words of one OCPI version. `None` and `False` mean that the version has no such word."""

    version: str
    has_tax_included: bool  # tariff.tax_included and preauthorize_amount
    has_parties: bool  # owner, type, validity, price limits, vat, reservation and current limits
    before_taxes: str | None  # names inside Price and PriceLimit; None: a price is a bare number
    after_taxes: str | None
    lists_taxes: bool  # Price.taxes[] instead of a sum including VAT
    period_tariff_id: bool
    session_end: str


_NEWEST = Shape("2.3.0", True, True, "before_taxes", "after_taxes", True, True, "end_date_time")
_WITH_VAT = Shape("2.2.1", False, True, "excl_vat", "incl_vat", False, True, "end_date_time")
_OLDEST = Shape("2.1.1", False, False, None, None, False, False, "stop_date_time")

SHAPES: Mapping[str, Shape] = {shape.version: shape for shape in (_NEWEST, _WITH_VAT, _OLDEST)}
NEWEST = _NEWEST.version

_ONLY_NEWEST = ("tax_included", "preauthorize_amount")
_SINCE_PARTIES = (
    "country_code",
    "party_id",
    "type",
    "min_price",
    "max_price",
    "start_date_time",
    "end_date_time",
)


def shape_of(version: str) -> Shape:
    """Return the words of a version; raises TariffError for one that is not spoken here."""
    if version not in SHAPES:
        raise TariffError(f"OCPI {version} is not spoken here; known are {', '.join(sorted(SHAPES))}")
    return SHAPES[version]


def version_of_tariff(data: Mapping[str, object]) -> str:
    """Tell by its fields which version a tariff was written for."""
    limits = [data.get("min_price"), data.get("max_price")]
    if any(data.get(key) is not None for key in _ONLY_NEWEST):
        return _NEWEST.version
    if any(isinstance(limit, Mapping) and _NEWEST.before_taxes in limit for limit in limits):
        return _NEWEST.version
    if any(data.get(key) is not None for key in _SINCE_PARTIES) or "vat" in _component_keys(data):
        return _WITH_VAT.version
    return _OLDEST.version


def _component_keys(data: Mapping[str, object]) -> set[str]:
    """Collect the field names of all price components, whatever else is wrong with the document."""
    keys: set[str] = set()
    elements = data.get("elements")
    for element in elements if isinstance(elements, list | tuple) else ():
        components = element.get("price_components") if isinstance(element, Mapping) else None
        for component in components if isinstance(components, list | tuple) else ():
            keys |= {str(key) for key in component} if isinstance(component, Mapping) else set()
    return keys
