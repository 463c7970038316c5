"""Price JSON documents: an OCPI tariff and a CDR go in, a JSON-ready report comes out.

Every amount is a string: plain decimals, at most four, at least two. Volumes: at most six decimals, no needless
zeros. `excl_vat` and `incl_vat` are always there and null only where the tariff does not tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from . import money
from .bill import Bill
from .engine import DEFAULT, Policy, price
from .errors import CannotPrice, InvalidTariff, InvalidUsage
from .model import Tariff
from .periods import ReservationOutcome, Usage, zone_of
from .shapes import version_of_tariff
from .tax import Price, rounded
from .wire import Node

_NO_ZONE = "The CDR names no time zone and none was given: local times were read as UTC."


def price_documents(
    tariff: object,
    cdr: object,
    *,
    time_zone: str | None = None,
    version: str | None = None,
    reservation: ReservationOutcome | None = None,
    policy: Policy = DEFAULT,
) -> dict[str, object]:
    """Price the charging periods of a CDR with a tariff (or several), and report.

    Either may be bare or in an OCPI envelope. Without `version` each tariff is read as what its fields say.
    Raises TariffError.
    """
    tariffs = read_tariffs(tariff, version)
    document = _unwrap(cdr, "charging_periods")
    data = Node(document, InvalidUsage).members()
    zone = time_zone or zone_of(data)
    notes = [] if zone else [_NO_ZONE]
    usage = Usage.from_ocpi(data, time_zone=zone, reservation=reservation)
    usage, tariffs = _matched(usage, tariffs, data, version, notes)
    bill = price(usage, tariffs, policy=policy)
    if data.get("currency") not in (None, bill.currency):
        notes.append(f"The CDR is in {data['currency']}, the tariff in {bill.currency}.")
    return {**report(bill), "explanation": [*bill.explanation(), *notes]}


def read_tariffs(document: object, version: str | None = None) -> list[Tariff]:
    """Read a tariff, a list of tariffs, or an OCPI envelope around either."""
    bare = _unwrap(document, "elements")
    items = bare if isinstance(bare, Sequence) and not isinstance(bare, str) else [bare]
    if not items:
        raise InvalidTariff("", "there is no tariff in the document")
    return [_read_tariff(Node(item, InvalidTariff).members(), version) for item in items]


def report(bill: Bill) -> dict[str, object]:
    """Turn a bill into JSON-ready totals, volumes, lines and explanation."""
    metered, billed = bill.metered, bill.billed
    vat_unknown = any(tariff.vat_unknown for tariff in bill.tariffs)
    subtotals = {f"total_{category}_cost": price for category, price in bill.subtotals.items()}
    return {
        "currency": bill.currency,
        **{
            name: _amounts(each, vat_unknown)
            for name, each in ({"total_cost": bill.total_cost} | subtotals).items()
        },
        "total_energy": money.plain(metered.energy_kwh),
        "total_time": money.plain(money.fine_hours(bill.total_time_s)),
        "total_parking_time": money.plain(metered.parking_h),
        "total_reservation_time": money.plain(metered.reservation_h),
        "billed_energy_kwh": money.plain(billed.energy_kwh),
        "billed_time_h": money.plain(billed.time_h),
        "billed_parking_time_h": money.plain(billed.parking_h),
        "billed_reservation_time_h": money.plain(billed.reservation_h),
        "lines": bill.breakdown(),
        "explanation": bill.explanation(),
    }


def _amounts(amount: Price, vat_unknown: bool) -> dict[str, object]:
    """Show an amount with and without VAT, and before and after all taxes.

    The two pairs differ only for a tariff that names no VAT at all: no VAT is applicable then (mod_tariffs
    #PriceComponent), but other taxes may come on top.
    """
    short = rounded(amount)
    before, after = _text(short.before_taxes), _text(short.after_taxes)
    taxes = [
        {"name": each.name, "percentage": _rate(each.percentage), "amount": money.amount_text(each.amount)}
        for each in short.taxes
    ]
    incl_vat = before if after is None and not vat_unknown else after
    return {
        "excl_vat": before,
        "incl_vat": incl_vat,
        "before_taxes": before,
        "after_taxes": after,
        "taxes": taxes,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else money.amount_text(amount)


def _rate(percentage: Decimal | None) -> str | None:
    return None if percentage is None else money.plain(percentage)


def _unwrap(document: object, key: str) -> object:
    """Take `data` out of an OCPI envelope; a bare object has the key itself."""
    if isinstance(document, Mapping) and key not in document and document.get("data") is not None:
        return document["data"]
    return document


def _read_tariff(data: Mapping[str, object], version: str | None) -> Tariff:
    return Tariff.from_ocpi(data, version or version_of_tariff(data))


def _matched(
    usage: Usage, tariffs: list[Tariff], cdr: Mapping[str, object], version: str | None, notes: list[str]
) -> tuple[Usage, list[Tariff]]:
    """Bring the tariffs given and those that the periods name together.

    One tariff given and none of its name in the CDR: the question is what the session costs with that tariff. Some
    periods name others: the CDR's own copies price those.
    """
    given = {tariff.id.casefold() for tariff in tariffs}
    named = {period.tariff_id for period in usage.periods if period.tariff_id is not None}
    missing = sorted(name for name in named if name.casefold() not in given)
    if not missing:
        return usage, tariffs
    if len(missing) == len(named) and len(tariffs) == 1:
        notes.append(f"The CDR names tariff {', '.join(missing)}; priced with the tariff given instead.")
        periods = tuple(replace(period, tariff_id=None) for period in usage.periods)
        return replace(usage, periods=periods), tariffs
    embedded = {tariff.id.casefold(): tariff for tariff in _embedded(cdr, version)}
    unknown = [name for name in missing if name.casefold() not in embedded]
    if unknown:
        raise CannotPrice(f"the CDR names tariff {unknown[0]!r}, which neither it nor the tariff file holds")
    notes.append(f"Tariff {', '.join(missing)} was taken from the CDR itself.")
    return usage, [*tariffs, *(embedded[name.casefold()] for name in missing)]


def _embedded(cdr: Mapping[str, object], version: str | None) -> list[Tariff]:
    tariffs = Node(cdr, InvalidUsage).get("tariffs")
    return [_read_tariff(item.members(), version) for item in tariffs.items()] if tariffs else []
