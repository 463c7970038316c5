"""Steps that roaming tests share: a network, a driver who charges, a partner who registers and is told."""

import uuid
from decimal import Decimal
from typing import Any

from billing.models import Cdr
from billing.services import cdrs
from roaming import marks, push, registration
from roaming.models import Connection
from stations.models import ChargingSession, ChargingStation, Connector
from stations.services import authorization
from tests import factories
from tests.emsp import Partner


def register(url: str, partner: Partner) -> Partner:
    """Let a partner register at the platform with a fresh token A."""
    _, token_a = registration.issue_token_a(partner.name)
    partner.register(f"{url}/ocpi/versions", token_a)
    return partner


def connection_of(partner: Partner) -> Connection:
    """Return the platform's row for a partner."""
    return Connection.objects.get(name=partner.name)


def network(*, connectors: int = 1, publish: bool = True, **fields: Any) -> ChargingStation:
    """Ada's station at a published depot, online and available, with a tariff."""
    place = factories.location(
        publish=publish,
        address="Dok 1",
        latitude=Decimal("52.3702160"),
        longitude=Decimal("-4.8951680"),
        **fields,
    )
    charger = factories.station(location=place, connectors=connectors, is_online=True)
    Connector.objects.filter(evse__station=charger).update(status="Available")
    for evse in charger.evses.all():
        evse.evse_id = f"NL*OPN*E{charger.pk}*{evse.number}"
        evse.save()
    factories.tariff(at=place, uid=f"T{place.pk}")
    return charger


def drive(
    charger: ChargingStation, party: str = "NL*ABC", *, uid: str = "EMP-1", ended: bool = False, **fields: Any
) -> ChargingSession:
    """A driver of that party charges; `ended`: for an hour, 12.3455 kWh."""
    country_code, _, party_id = party.partition("*")
    token, _ = authorization.save_token(
        uid,
        country_code=country_code,
        party_id=party_id,
        contract_id=f"{country_code}-{party_id}-{uid}",
        issuer="e",
    )
    session = factories.session(
        charger, ended=ended, id_token=uid, token=token, party=party, start_key=uuid.uuid4().hex, **fields
    )
    factories.samples(session, (0, "1000"), (30, "7000"), *([(60, "13345.5")] if ended else []))
    return session


def bill(session: ChargingSession) -> Cdr:
    """The CDR of an ended session."""
    return cdrs.issue(session)


def send(partner: Partner) -> Connection:
    """Do for a partner what worker and beat do: sweep, mark, send, until nothing is due."""
    connection = connection_of(partner)
    tasks_of(connection)
    push.deliver(connection.pk)
    connection.refresh_from_db()
    return connection


def tasks_of(connection: Connection) -> None:
    """Mark what is new for one connection, as the sweep does."""
    marks.sweep_network([connection])
    marks.tariffs()
    marks.sweep_sessions(connection)
    marks.sweep_cdrs(connection)
    connection.refresh_from_db()
