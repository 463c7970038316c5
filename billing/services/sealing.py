"""From a priced session to the immutable row of its CDR (OCPI 2.3.0 mod_cdrs#CDR)."""

from decimal import Decimal
from typing import Any

from billing.errors import PriceDisagreement, UnknownOperator
from billing.models import Cdr
from billing.services import choice
from billing.services.costs import Priced
from billing.tariff import engine, money, tax
from billing.tariff.periods import Usage
from cpo.lib import clock

_TOTALS = (
    "total_cost", "total_fixed_cost", "total_energy_cost", "total_time_cost", "total_parking_cost",
    "total_reservation_cost", "total_energy", "total_time", "total_parking_time",
)  # fmt: skip


def row(priced: Priced, *, by: str = "") -> Cdr:
    """Build the row, not saved; `by` released the session.

    Raises UnknownOperator, CannotPrice (the amount before taxes is not known) or PriceDisagreement.
    """
    session, snapshot, usage = priced.session, priced.snapshot, priced.usage
    if snapshot.operator is None:
        raise UnknownOperator("the station has no location, and several operators or none could own it")
    document = _document(priced)
    total = tax.rounded(priced.bill.total_cost) if priced.bill else tax.FREE
    return Cdr(
        session=session,
        session_uid=session.uid,
        operator=snapshot.operator,
        site_id=session.station.location_id,
        station_identity=session.station.identity,
        party=session.party,
        currency=priced.bill.currency if priced.bill else snapshot.operator.currency,
        started_at=usage.start,
        ended_at=usage.end,
        time_zone=snapshot.time_zone,
        energy_wh=session.energy_wh,
        meter_start_wh=session.meter_start_wh,
        meter_stop_wh=session.meter_stop_wh,
        seconds=_seconds(usage),
        parking_seconds=_parking_seconds(usage),
        total_before_taxes=Decimal(document["total_cost"]["before_taxes"]),
        total_after_taxes=total.after_taxes,
        totals={name: document[name] for name in _TOTALS if name in document},
        location=snapshot.location,
        evse=snapshot.evse,
        connector=snapshot.connector,
        token=snapshot.token,
        tariff=priced.version.data if priced.version else None,
        tariff_version=priced.version.number if priced.version else None,
        charging_periods=_with_export(document["charging_periods"], priced.exported_wh),
        explanation=priced.explanation,
        auth_method=session.auth_method,
        authorization_reference=session.authorization_reference,
        remark=priced.remark[:255],
        issued_by=by[:100],
        created_at=clock.now(),
    )


def negated(price: dict[str, Any]) -> dict[str, Any]:
    """Negate an OCPI 2.3.0 Price with its taxes, as a credit CDR's total cost."""
    taxes = [{**each, "amount": _minus(each["amount"])} for each in price.get("taxes", [])]
    return {**price, "before_taxes": _minus(price["before_taxes"]), "taxes": taxes}


def _with_export(periods: list[dict[str, Any]], exported_wh: Decimal) -> list[dict[str, Any]]:
    """Tell what was fed back as a volume of the last period (OCPI 2.3.0 mod_cdrs#CdrDimensionType ENERGY_EXPORT)."""
    if not exported_wh or not periods:
        return periods
    told = choice.as_json({"type": "ENERGY_EXPORT", "volume": money.trim(exported_wh.scaleb(-3))})
    last = periods[-1] | {"dimensions": [*periods[-1]["dimensions"], told]}
    return [*periods[:-1], last]


def _document(priced: Priced) -> dict[str, Any]:
    """Write what a price decides as OCPI 2.3.0; what is stored, priced again, must give the same."""
    if priced.bill is None:
        free: dict[str, Any] = choice.as_json(_free(priced.usage))
        return free
    document: dict[str, Any] = choice.as_json(priced.bill.to_ocpi())
    usage = priced.usage
    stored = Usage.from_ocpi(document["charging_periods"], usage.start, usage.end, usage.time_zone)
    again = choice.as_json(engine.price(stored, priced.bill.tariffs).to_ocpi())
    if again != document:
        raise PriceDisagreement(f"{document['total_cost']} became {again['total_cost']} when priced again")
    return document


def _free(usage: Usage) -> dict[str, Any]:
    """Write a CDR's totals where nothing has a price."""
    return {
        "charging_periods": [period.to_ocpi() for period in usage.periods],
        "total_cost": {"before_taxes": money.ZERO, "taxes": []},
        "total_energy": money.trim(sum((period.energy_kwh for period in usage.periods), money.ZERO)),
        "total_time": money.hours(_seconds(usage)),
        "total_parking_time": money.hours(_parking_seconds(usage)),
    }


def _seconds(usage: Usage) -> int:
    return sum(period.time_s + period.parking_s for period in usage.periods)


def _parking_seconds(usage: Usage) -> int:
    return sum(period.parking_s for period in usage.periods)


def _minus(amount: str) -> str:
    return f"{-Decimal(amount):f}"
