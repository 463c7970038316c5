"""Plain makers of tariffs and sessions: Ada's station, Amsterdam time, a Monday morning."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.tariff import ChargingPeriod, Tariff, Usage

START = datetime(2025, 3, 10, 9, 0, tzinfo=UTC)  # Monday, 10:00 in Amsterdam
ZONE = "Europe/Amsterdam"


def component(kind="ENERGY", price="0.50", vat="20", step_size=1, **more):
    given = {"type": kind, "price": price, "vat": vat, "step_size": step_size, **more}
    return {key: value for key, value in given.items() if value is not None}


def element(*components, **restrictions):
    document = {"price_components": list(components or [component()])}
    return document | ({"restrictions": restrictions} if restrictions else {})


def document(*elements, **more):
    return {
        "country_code": "NL",
        "party_id": "ADA",
        "id": "T1",
        "currency": "EUR",
        "tax_included": "NO",
        "elements": list(elements or [element()]),
        "last_updated": "2025-01-01T00:00:00Z",
        **more,
    }


def tariff(*elements, **more):
    return Tariff.from_ocpi(document(*elements, **more))


def period(minutes=60, after=0, start=START, **volumes):
    """Make a period that starts `after` minutes into the session."""
    begin = start + timedelta(minutes=after)
    return ChargingPeriod(begin, begin + timedelta(minutes=minutes), **volumes)


def energy(kwh, minutes=60, after=0, **more):
    return period(minutes, after, energy_kwh=Decimal(kwh), **more)


def usage(*periods, zone=ZONE, reservation=None):
    periods = periods or (energy("10"),)
    return Usage(periods[0].start, periods[-1].end, zone, periods, reservation)
