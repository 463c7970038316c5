"""A tariff in the words of OCPP 2.1 (part 2, TariffType), for stations that calculate by themselves (I07, I08, I11).

What a station would price otherwise than we do is not written: `CannotExpress` names the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from . import money
from .errors import CannotExpress
from .model import PriceComponent, PriceLimit, Tariff, TariffRestrictions
from .vocabulary import Dimension, ReservationRestriction, TaxIncluded
from .wire import write_moment

_MINUTES_PER_HOUR = 60
_PRICE_STEP = Decimal("1E-6")
_ID, _TEXT, _TEXTS = 60, 1024, 10  # lengths of TariffType
_FINEST_STEP = 1  # Wh or s: a station counts no finer, so that such a step changes nothing
_VAT = "VAT"
# Where the prices of a dimension are, and what one of them is called.
_FIELDS = {
    Dimension.ENERGY: ("energy", "priceKwh"),
    Dimension.TIME: ("chargingTime", "priceMinute"),
    Dimension.PARKING_TIME: ("idleTime", "priceMinute"),
    Dimension.FLAT: ("fixedFee", "priceFixed"),
}
_OF_RESERVATION = {
    Dimension.TIME: ("reservationTime", "priceMinute"),
    Dimension.FLAT: ("reservationFixed", "priceFixed"),
}
_FIXED = ("fixedFee", "reservationFixed")
_CONDITIONS_OF_FIXED = frozenset(
    {"startTimeOfDay", "endTimeOfDay", "dayOfWeek", "validFromDate", "validToDate"}
)
_PER_THOUSAND = ("minEnergy", "maxEnergy", "minPower", "maxPower")  # kWh and kW with us


def write(tariff: Tariff, *, tariff_id: str, valid_from: datetime | None = None) -> dict[str, Any]:
    """Return a TariffType; `tariff_id` must be another one for other content (I08.FR.08).

    Numbers are exact Decimals, prices without tax. Raise `CannotExpress` for step sizes, several VAT rates within a
    dimension, conditions that OCPP does not know there, and identifiers that are too long.
    """
    if len(tariff_id) > _ID:
        raise CannotExpress("id", f"is longer than {_ID} characters")
    found: dict[str, Any] = {"tariffId": tariff_id, "currency": tariff.currency}
    if tariff.tariff_alt_text:
        found["description"] = [
            {"format": "UTF8", "language": each.language, "content": each.text[:_TEXT]}
            for each in tariff.tariff_alt_text[:_TEXTS]
        ]
    if valid_from is not None:
        found["validFrom"] = write_moment(valid_from)
    rates: dict[str, set[Decimal | None]] = {}
    for number, element in enumerate(tariff.elements):
        path = f"elements[{number}]"
        fields = _fields(element.restrictions, path)
        for component in element.price_components:
            if component.type not in fields:
                continue  # what an expired reservation costs is no matter of a transaction
            name, price = fields[component.type]
            written = _price(component, price, tariff.tax_included, path)
            conditions = _conditions(element.restrictions, name, path)
            found.setdefault(name, {"prices": []})["prices"].append(
                written | ({"conditions": conditions} if conditions else {})
            )
            rates.setdefault(name, set()).add(component.vat)
    _add_rates(found, rates)
    for name, limit in (("minCost", tariff.min_price), ("maxCost", tariff.max_price)):
        if limit is not None:
            found[name] = _limit(limit)
    return found


def _fields(restrictions: TariffRestrictions | None, path: str) -> Mapping[Dimension, tuple[str, str]]:
    """Return where the components of an element belong."""
    reservation = restrictions.reservation if restrictions else None
    if reservation is None:
        return _FIELDS
    if reservation is ReservationRestriction.RESERVATION:
        return _OF_RESERVATION
    if reservation is ReservationRestriction.RESERVATION_EXPIRES:
        return {}
    raise CannotExpress(f"{path}.restrictions.reservation", f"{reservation} is unknown to OCPP")


def _price(component: PriceComponent, name: str, tax_included: TaxIncluded, path: str) -> dict[str, Any]:
    if component.step_size > _FINEST_STEP:
        raise CannotExpress(f"{path}.step_size", "OCPP has no steps: the station would charge less")
    price = component.price
    if tax_included is TaxIncluded.YES:
        if component.vat is None:
            raise CannotExpress(f"{path}.vat", "the price includes a tax that nobody names")
        price = money.before_tax(price, component.vat).quantize(_PRICE_STEP)
    if name == "priceMinute":
        price = (price / _MINUTES_PER_HOUR).quantize(_PRICE_STEP)
    return {name: money.trim(price)}


def _conditions(restrictions: TariffRestrictions | None, name: str, path: str) -> dict[str, Any]:
    if restrictions is None:
        return {}
    if restrictions.unknown:
        raise CannotExpress(f"{path}.restrictions.{restrictions.unknown[0]}", "is unknown to OCPP")
    found: dict[str, Any] = {
        "startTimeOfDay": f"{restrictions.start_time:%H:%M}" if restrictions.start_time else None,
        "endTimeOfDay": f"{restrictions.end_time:%H:%M}" if restrictions.end_time is not None else None,
        "dayOfWeek": [day.capitalize() for day in restrictions.day_of_week] or None,
        "validFromDate": restrictions.start_date.isoformat() if restrictions.start_date else None,
        "validToDate": restrictions.end_date.isoformat() if restrictions.end_date else None,
        "minEnergy": restrictions.min_kwh,
        "maxEnergy": restrictions.max_kwh,
        "minCurrent": restrictions.min_current,
        "maxCurrent": restrictions.max_current,
        "minPower": restrictions.min_power,
        "maxPower": restrictions.max_power,
        "minTime": restrictions.min_duration,
        "maxTime": restrictions.max_duration,
    }
    found = {key: value for key, value in found.items() if value is not None}
    for key in _PER_THOUSAND:
        if key in found:
            found[key] = money.trim(found[key] * 1000)
    strange = sorted(found.keys() - _CONDITIONS_OF_FIXED) if name in _FIXED else []
    if strange:
        raise CannotExpress(f"{path}.restrictions", f"a fixed fee has no {strange[0]} in OCPP")
    return found


def _add_rates(found: dict[str, Any], rates: Mapping[str, set[Decimal | None]]) -> None:
    for name, values in rates.items():
        if len(values) > 1:
            raise CannotExpress(name, "has several VAT rates: OCPP knows one for a dimension")
        (vat,) = values
        if vat is not None:
            found[name]["taxRates"] = [{"type": _VAT, "tax": vat}]


def _limit(limit: PriceLimit) -> dict[str, Any]:
    after = {} if limit.after_taxes is None else {"inclTax": limit.after_taxes}
    return {"exclTax": limit.before_taxes} | after
