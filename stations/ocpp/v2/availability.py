"""StatusNotification and ChangeAvailability (G01, G03, G04)."""

from datetime import datetime

from stations import readings
from stations.models import Command, ConnectorStatus, Evse
from stations.ocpp import outcomes
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import topology, values
from stations.services import availability
from stations.services.ingest import StatusFact

FINER = frozenset(status.value for status in values.STATES.values())


def status_notification(link: Link, incoming: Incoming) -> Payload:
    """Note what a connector says it is; `Occupied` says nothing new while its transaction says more (G01.FR.01)."""
    payload = incoming.payload
    evse_id = topology.evse_id(link, int(payload["evseId"]), int(payload["connectorId"]))
    at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    incoming.flags += flags
    word = values.status(payload["connectorStatus"])
    if word != payload["connectorStatus"]:
        incoming.flags.append("unknown_status")
    if not evse_id:
        incoming.flags.append("impossible_connector")
        return {}

    say(link, incoming, evse_id, int(payload["connectorId"]), word, at=at)

    return {}


def say(link: Link, incoming: Incoming, evse_id: int, connector: int, word: str, *, at: datetime) -> None:
    """Note what a connector says it is, unless its transaction says more than `Occupied` (G01.FR.01)."""
    known = link.statuses.get((evse_id, connector))
    is_told_better = (
        word == ConnectorStatus.OCCUPIED and known is not None and known.status in FINER
        and any(s.evse_id == evse_id and s.ended_at is None for s in link.sessions.values())
    )  # fmt: skip
    if not is_told_better:
        note(link, incoming, evse_id, connector, word, at=at)


def note(link: Link, incoming: Incoming, evse_id: int, connector: int, word: str, *, at: datetime) -> None:
    """Add a connector's status to the facts; an unchanged word is not repeated."""
    known = link.statuses.get((evse_id, connector))
    if known is not None and known.status == word:
        return
    fact = StatusFact(
        station_id=link.station_id,
        epoch=link.epoch,
        evse_id=evse_id,
        connector_number=connector,
        status=word,
        error_code="",
        vendor_error_code="",
        info="",
        at=at,
        received_at=incoming.received_at,
    )
    link.statuses[evse_id, connector] = fact
    incoming.facts.statuses.append(fact)


def write_change(*, evse: Evse | None, is_operative: bool, connector: int = 0) -> tuple[str, Payload]:
    """Write ChangeAvailability: of a connector, an EVSE, or without one of the whole station (G03, G04)."""
    payload: Payload = {"operationalStatus": "Operative" if is_operative else "Inoperative"}
    if evse is not None:
        payload["evse"] = {"id": evse.number} | ({"connectorId": connector} if connector else {})
    return "ChangeAvailability", payload


def change_availability(command: Command, answer: Payload | None) -> None:
    """Keep what is wanted and what the station said to it; `Scheduled` is done when its transactions have ended."""
    place = command.payload.get("evse") or {}
    number = place.get("id") or 0  # EVSE 0 is the station
    evse = Evse.objects.filter(station=command.station, number=number).first() if number else None
    if number and evse is None:
        return
    if command.status == Command.Status.CANCELLED:
        availability.taken_back(command)
        return
    state = outcomes.of_availability(command, answer)

    availability.answered(
        command,
        evse=evse,
        connector=int(place.get("connectorId") or 0) if number else 0,
        is_operative=command.payload["operationalStatus"] == "Operative",
        state=state,
    )
