"""MeterValues outside of transactions (J01)."""

from stations import readings
from stations.ocpp.link import KnownSession, Lacking, Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.sampling import oddities, store
from stations.ocpp.v2 import topology
from stations.services import signed_readings, transactions


def meter_values(link: Link, incoming: Incoming) -> Payload:
    """Store the samples of an EVSE, or of the main meter (EVSE 0), with the session that they fall into (J01.FR.18)."""
    payload = incoming.payload
    evse_id = topology.evse_id(link, int(payload["evseId"]))
    parsed = readings.parse_v2_meter_values(payload["meterValue"], received_at=incoming.received_at)
    moments = [reading.sampled_at for reading in parsed.readings]
    session = link.session_of(evse_id, max(moments)) if evse_id and moments else None
    if not incoming.is_kept and any(reading.raw for reading in parsed.readings):
        raise Lacking(lambda: _keep(link, incoming, session, evse_id, parsed))
    incoming.flags += oddities(parsed)
    if parsed.readings:
        store(link, incoming.facts, session, evse_id, parsed.readings)

    return {}


def _keep(
    link: Link,
    incoming: Incoming,
    session: KnownSession | None,
    evse_id: int,
    parsed: readings.ParsedReadings,
) -> None:
    """Store signed values as they are, in the careful lane (J01.FR.21); the handler is called again afterwards."""
    signed_readings.keep(
        link.station,
        transactions.signed(parsed.readings),
        session_id=session.id if session else None,
        received_at=incoming.received_at,
        evse_id=evse_id,
    )
    incoming.is_kept = True
