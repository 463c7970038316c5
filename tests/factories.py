"""Rows for tests: plain functions with keyword defaults. Ada's station, Bo's token, partner NL*ABC."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.models import Tariff
from billing.services import tariffs
from cpo.lib import clock
from stations.models import (
    ChargingSession,
    ChargingStation,
    Connector,
    Evse,
    IdToken,
    Location,
    MeterSample,
    Operator,
    ReadingKind,
    StatusChange,
)
from stations.services import provisioning

_numbers = itertools.count(1)
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def operator(country_code: str = "NL", party_id: str = "OPN", **fields: Any) -> Operator:
    """Own party NL*OPN; the same one when it is there."""
    fields.setdefault("name", "Ada's chargers")
    found, _ = Operator.objects.get_or_create(country_code=country_code, party_id=party_id, defaults=fields)
    return found


def location(operator_row: Operator | None = None, **fields: Any) -> Location:
    """Ada's depot in Amsterdam."""
    fields.setdefault("name", "Depot")
    fields.setdefault("city", "Amsterdam")
    fields.setdefault("last_updated", clock.now())
    return Location.objects.create(operator=operator_row or operator(), **fields)


def station(identity: str | None = None, *, connectors: int = 1, **fields: Any) -> ChargingStation:
    """Ada's station at a new location, with EVSEs 1, 2, … of one connector each; `location=None` for none."""
    if "location" not in fields:
        fields["location"] = location()
    fields.setdefault("name", "Ada")
    made = ChargingStation.objects.create(identity=identity or f"ADA-{next(_numbers)}", **fields)
    for number in range(1, connectors + 1):
        provisioning.ensure_connector(made, number=number)
    return made


def evse(station_row: ChargingStation | None = None, number: int = 1) -> Evse:
    """The station's EVSE with this number."""
    return (station_row or station()).evses.get(number=number)


def connector(station_row: ChargingStation | None = None, number: int = 1) -> Connector:
    """The connector of the station's EVSE with this number."""
    return evse(station_row, number).connectors.get()


def token(uid: str = "BO-1", **fields: Any) -> IdToken:
    """Bo's RFID card, ours unless `country_code` and `party_id` say whose."""
    fields.setdefault("last_updated", clock.now())
    return IdToken.objects.create(uid=uid, **fields)


def session(station_row: ChargingStation | None = None, *, number: int = 1, **fields: Any) -> ChargingSession:
    """A session that runs since NOON with Bo's token; `ended=True`: one hour and 12,345.5 Wh later it ended."""
    charger = station_row or station()
    n = next(_numbers)
    values: dict[str, Any] = {
        "transaction_id": str(n),
        "start_key": f"start-{n}",
        "id_token": "BO-1",
        "started_at": NOON,
        "meter_start_wh": Decimal(1000),
        "created_at": clock.now(),
        "last_updated": clock.now(),
    }
    if fields.pop("ended", False):
        values |= {
            "status": ChargingSession.Status.ENDED,
            "ended_at": NOON + timedelta(hours=1),
            "meter_stop_wh": Decimal("13345.5"),
            "energy_wh": Decimal("12345.5"),
            "stop_reason": "Local",
        }
    return ChargingSession.objects.create(station=charger, evse=evse(charger, number), **values | fields)


def samples(
    session_row: ChargingSession,
    *readings: tuple[float, str],
    measurand: str = "Energy.Active.Import.Register",
    unit: str = "Wh",
    **kind: Any,
) -> None:
    """Readings of a session: (minutes since its start, value in the base unit)."""
    words = {"phase": "", "location": "Outlet", "context": "Sample.Periodic"} | kind
    found, _ = ReadingKind.objects.get_or_create(measurand=measurand, unit=unit, **words)
    MeterSample.objects.bulk_create(
        MeterSample(
            session_id=session_row.pk,
            sampled_at=session_row.started_at + timedelta(minutes=minutes),
            kind_id=found.pk,
            evse_id=session_row.evse_id,
            value=Decimal(value),
        )
        for minutes, value in readings
    )


def statuses(session_row: ChargingSession, *changes: tuple[float, str]) -> None:
    """What the session's connector became: (minutes since the session's start, status)."""
    for minutes, status in changes:
        at = session_row.started_at + timedelta(minutes=minutes)
        StatusChange.objects.create(
            evse=session_row.evse,
            connector_number=session_row.connector_number,
            at=at,
            status=status,
            received_at=at,
        )


def tariff_data(*elements: dict[str, Any], uid: str = "AC", **fields: Any) -> dict[str, Any]:
    """An OCPI 2.3.0 tariff: 0.25 EUR per kWh and 21 % VAT unless elements are given."""
    energy = {"price_components": [{"type": "ENERGY", "price": "0.25", "vat": "21", "step_size": 1}]}
    return {
        "country_code": "NL",
        "party_id": "OPN",
        "id": uid,
        "currency": "EUR",
        "tax_included": "NO",
        "elements": list(elements) or [energy],
        "last_updated": "2025-01-01T00:00:00Z",
    } | fields


def element(kind: str, price: str, *, step_size: int = 1, **restrictions: Any) -> dict[str, Any]:
    """A tariff element with one price component and 21 % VAT."""
    component = {"type": kind, "price": price, "vat": "21", "step_size": step_size}
    return {"price_components": [component]} | ({"restrictions": restrictions} if restrictions else {})


def tariff(*elements: dict[str, Any], at: Location | None = None, **fields: Any) -> Tariff:
    """A tariff of NL*OPN, assigned to the location if one is given."""
    operator()
    saved = tariffs.save(tariff_data(*elements, **fields))
    if at is not None:
        tariffs.assign(saved, location=at)
    return saved
