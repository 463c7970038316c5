"""Snapshots: location, EVSE, connector, token and tariff as they were at session start (OCPI 2.3.0 mod_cdrs#CDR)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import structlog

from billing.models import SessionSnapshot, Tariff, TariffVersion
from billing.services import choice
from billing.tariff import wire
from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Connector, Evse, IdToken, Location, Operator
from stations.services import locations

log = structlog.get_logger(__name__)
_DEGREE = Decimal("1E-6")  # OCPI GeoLocation: five to seven decimals
NO_ZONE = "UTC"  # of a station without a location
_USED = frozenset({"id", "identity", "location"})
_UNUSED = tuple(f.name for f in ChargingStation._meta.concrete_fields if f.name not in _USED)
Shape = dict[str, Any]


def ensure(sessions: Sequence[ChargingSession]) -> dict[int, SessionSnapshot]:
    """Return the snapshot of each session by its id, and make those that are missing.

    One made late holds today's location, but the tariff that was valid at the start. Safe to run twice at once:
    the first row stays.
    """
    found = _stored(session.pk for session in sessions)
    found = _without_early(found, sessions)
    missing = [session.pk for session in sessions if session.pk not in found]
    if missing:
        SessionSnapshot.objects.bulk_create(_build(_whole(missing)), ignore_conflicts=True)
        found |= _stored(missing)
    return found


def _without_early(
    found: dict[int, SessionSnapshot], sessions: Sequence[ChargingSession]
) -> dict[int, SessionSnapshot]:
    """Drop the snapshots of sessions that began without a token and have one now: it decides about the tariff.

    A station may begin a transaction with the cable, and somebody pays or shows a card a minute later (C18, E02).
    """
    early = [
        found[s.pk].pk for s in sessions if s.pk in found and s.id_token and not found[s.pk].token.get("uid")
    ]
    if early:
        SessionSnapshot.objects.filter(pk__in=early).delete()
    return {pk: row for pk, row in found.items() if row.pk not in early}


def read(ids: Iterable[int]) -> list[ChargingSession]:
    """Read sessions with what their prices and CDRs need, in one query; the rest is in their snapshots."""
    rows = ChargingSession.objects.filter(pk__in=list(ids)).order_by("pk").select_related("station")
    return list(rows.defer(*(f"station__{name}" for name in _UNUSED)))


def _whole(ids: Iterable[int]) -> list[ChargingSession]:
    """Read sessions with everything that is frozen."""
    rows = ChargingSession.objects.filter(pk__in=list(ids)).order_by("pk")
    return list(rows.select_related("station__location__operator", "evse", "token"))


def give_up(session_id: int, error: Exception) -> None:
    """Leave a session without a snapshot for now: billing makes it late, and tells what is wrong then."""
    log.warning("no snapshot", session_id=session_id, error=type(error).__name__)


def _stored(ids: Iterable[int]) -> dict[int, SessionSnapshot]:
    rows = SessionSnapshot.objects.filter(session__in=list(ids))
    return {row.session_id: row for row in rows.prefetch_related("operator", "tariff_version__tariff")}


def _build(sessions: Sequence[ChargingSession]) -> list[SessionSnapshot]:
    tariffs = choice.versions(sessions)
    connectors = _connectors(sessions)
    only = locations.only_operator() if any(s.station.location is None for s in sessions) else None
    return [
        _snapshot(s, connectors.get((s.evse_id, s.connector_number)), tariffs.get(s.pk), only)
        for s in sessions
    ]


def _snapshot(
    session: ChargingSession,
    connector: Connector | None,
    version: TariffVersion | None,
    only: Operator | None,
) -> SessionSnapshot:
    location = session.station.location
    operator = location.operator if location else only
    return SessionSnapshot(
        session=session,
        operator=operator,
        tariff_version=version,
        time_zone=location.time_zone if location else NO_ZONE,
        location=location_shape(location) if location else {},
        evse=evse_shape(session.evse),
        connector=connector_shape(connector, version.tariff if version else None) if connector else {},
        token=token_shape(session, operator),
        created_at=clock.now(),
    )


def _connectors(sessions: Sequence[ChargingSession]) -> dict[tuple[int, int], Connector]:
    rows = Connector.objects.filter(evse__in={session.evse_id for session in sessions}).order_by()
    return {(row.evse_id, row.number): row for row in rows}


def location_shape(location: Location) -> Shape:
    """Write a location without its EVSEs (OCPI 2.3.0 mod_locations#Location)."""
    operator = location.operator
    return _filled(
        country_code=operator.country_code,
        party_id=operator.party_id,
        id=location.uid,
        publish=location.publish,
        name=location.name,
        address=location.address,
        city=location.city,
        postal_code=location.postal_code,
        state=location.state,
        country=location.country,
        coordinates={
            "latitude": f"{Decimal(location.latitude).quantize(_DEGREE):f}",
            "longitude": f"{Decimal(location.longitude).quantize(_DEGREE):f}",
        },
        parking_type=location.parking_type,
        operator={"name": operator.name},
        facilities=location.facilities,
        time_zone=location.time_zone,
        opening_times=location.opening_times,
        energy_mix=location.energy_mix,
        last_updated=wire.write_moment(location.last_updated),
    )


def evse_shape(evse: Evse) -> Shape:
    """Write an EVSE without its connectors, in use by this session (OCPI 2.3.0 mod_locations#EVSE)."""
    return _filled(
        uid=evse.uid,
        evse_id=evse.evse_id,
        status="CHARGING",
        capabilities=evse.capabilities,
        physical_reference=evse.physical_reference,
        last_updated=wire.write_moment(evse.last_updated),
    )


def connector_shape(connector: Connector, tariff: Tariff | None) -> Shape:
    """Write a connector with the tariff of this session (OCPI 2.3.0 mod_locations#Connector)."""
    return _filled(
        id=str(connector.number),
        standard=connector.standard,
        format=connector.format,
        power_type=connector.power_type,
        max_voltage=connector.max_voltage_v,
        max_amperage=connector.max_amperage_a,
        max_electric_power=connector.max_power_w,
        tariff_ids=[tariff.uid] if tariff else [],
        last_updated=wire.write_moment(connector.last_updated),
    )


def token_shape(session: ChargingSession, operator: Operator | None) -> Shape:
    """Write the token that started the session (OCPI 2.3.0 mod_tokens#Token); one that we do not know by its uid.

    Our own drivers' tokens carry our own party.
    """
    kind = "AD_HOC_USER" if session.is_ad_hoc else "RFID"
    token = session.token or IdToken(uid=session.id_token[:36], type=kind)
    country_code, party_id = token.country_code, token.party_id
    if not country_code and operator is not None:
        country_code, party_id = operator.country_code, operator.party_id
    return _filled(
        country_code=country_code,
        party_id=party_id,
        uid=token.uid,
        type=token.type,
        contract_id=token.contract_id or token.uid,
        visual_number=token.visual_number,
        issuer=token.issuer,
        group_id=token.group_id,
    )


def _filled(**fields: Any) -> Shape:
    """Leave out what is empty: OCPI holds absent, null and empty for equal."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}
