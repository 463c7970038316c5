"""MeterValues outside of transactions (J01)."""

from stations import readings
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.sampling import oddities, store
from stations.ocpp.v2 import topology


def meter_values(link: Link, incoming: Incoming) -> Payload:
    """Store the samples of an EVSE, or of the main meter (EVSE 0), with the session that they fall into (J01.FR.18)."""
    payload = incoming.payload
    evse_id = topology.evse_id(link, int(payload["evseId"]))
    parsed = readings.parse_v2_meter_values(payload["meterValue"], received_at=incoming.received_at)
    incoming.flags += oddities(parsed)
    if parsed.readings:
        last = max(reading.sampled_at for reading in parsed.readings)
        session = link.session_of(evse_id, last) if evse_id else None
        store(link, incoming.facts, session, evse_id, parsed.readings)

    return {}
