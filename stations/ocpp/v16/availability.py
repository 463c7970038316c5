"""StatusNotification and ChangeAvailability (OCPP 1.6 sections 4.9 and 5.2)."""

from stations import readings
from stations.models import Command, Evse
from stations.ocpp import outcomes
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import topology, values
from stations.services import availability
from stations.services.ingest import StatusFact

WHOLE_STATION = 0


def status_notification(link: Link, incoming: Incoming) -> Payload:
    """Note what a connector, or the station as a whole (connector 0), says it is. An unchanged word is not repeated."""
    payload = incoming.payload
    connector_id = int(payload["connectorId"])
    evse_id = topology.evse_id(link, connector_id)
    at = incoming.received_at
    if payload.get("timestamp"):
        at, flags = readings.parse_timestamp(payload["timestamp"], received_at=incoming.received_at)
        incoming.flags += flags
    word = values.status(payload["status"])
    if word != payload["status"]:
        incoming.flags.append("unknown_status")
    if connector_id < 0 or (connector_id and not evse_id):
        incoming.flags.append("impossible_connector")
        return {}

    fact = StatusFact(
        station_id=link.station_id,
        epoch=link.epoch,
        evse_id=evse_id,
        connector_number=topology.CONNECTOR if evse_id else 0,
        status=word,
        error_code=_error(payload.get("errorCode")),
        vendor_error_code=str(payload.get("vendorErrorCode") or "")[:255],
        info=str(payload.get("info") or "")[:255],
        at=at,
        received_at=incoming.received_at,
    )
    known = link.statuses.get((evse_id, fact.connector_number))
    if known is None or known[4:8] != fact[4:8]:
        link.statuses[evse_id, fact.connector_number] = fact
        incoming.facts.statuses.append(fact)

    return {}


def write_change(*, evse: Evse | None, is_operative: bool, connector: int = 0) -> tuple[str, Payload]:
    """Write ChangeAvailability; connector 0 is the whole station. An EVSE of 1.6 is its one connector."""
    return "ChangeAvailability", {
        "connectorId": evse.number if evse else WHOLE_STATION,
        "type": "Operative" if is_operative else "Inoperative",
    }


def change_availability(command: Command, answer: Payload | None) -> None:
    """Keep what is wanted and what the station said to it."""
    number = command.payload["connectorId"]
    evse = Evse.objects.filter(station=command.station, number=number).first()
    if number and evse is None:
        return
    if command.status == Command.Status.CANCELLED:
        availability.taken_back(command)
        return
    state = outcomes.of_availability(command, answer)

    availability.answered(
        command, evse=evse, is_operative=command.payload["type"] == "Operative", state=state
    )


def _error(word: str | None) -> str:
    return "" if word in (None, "NoError") else str(word)[:64]
