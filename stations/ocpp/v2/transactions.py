"""TransactionEvent (block E): an Updated in order is answered from the link, all else is looked at closely."""

from datetime import datetime
from typing import Any

from stations import readings
from stations.models import ChargingSession, Command, ConnectorStatus
from stations.ocpp import link as links
from stations.ocpp.link import KnownSession, Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.sampling import oddities, store
from stations.ocpp.v2 import availability, topology, values
from stations.services import transactions
from stations.services.ingest import EventRow
from stations.services.transactions import Said

UPDATED, ENDED = "Updated", "Ended"


def quick(link: Link, incoming: Incoming) -> Payload | None:
    """Answer an Updated that follows the last event of a transaction that this socket knows; None for any other."""
    payload = incoming.payload
    info = payload.get("transactionInfo") or {}
    known = link.sessions.get(info.get("transactionId") or "")
    if (
        known is None
        or payload.get("eventType") != UPDATED
        or "idToken" in payload
        or known.ended_at is not None
        or payload.get("seqNo") != known.next_seq_no
        or not _is_at(link, known, payload.get("evse"))
    ):
        return None
    at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    parsed = readings.parse_v2_meter_values(payload.get("meterValue") or [], received_at=incoming.received_at)
    if any(reading.raw for reading in parsed.readings) or parsed.signed:
        return None
    incoming.flags += [*flags, *oddities(parsed)]
    known.next_seq_no = int(payload["seqNo"]) + 1
    incoming.facts.event = _row(link, incoming, known.evse_id, 0, at)
    if parsed.readings:
        store(link, incoming.facts, known, known.evse_id, parsed.readings)
    _show_state(link, incoming, known, at)

    return {}


def transaction_event(link: Link, incoming: Incoming) -> Payload:
    """Store the event, whatever is decided about the token that it shows, and answer about the token."""
    payload = incoming.payload
    evse_id, connector = topology.ensured(link, payload.get("evse"))
    at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    parsed = readings.parse_v2_meter_values(payload.get("meterValue") or [], received_at=incoming.received_at)
    incoming.flags += [*flags, *oddities(parsed)]
    row = _row(link, incoming, evse_id, connector, at)

    token = payload.get("idToken")
    taken = transactions.take(
        link.station,
        said=Said(
            row=row,
            id_token_type=str(token.get("type") or "") if isinstance(token, dict) else None,
            found=tuple(parsed.readings),
            flags=flags,
        ),
    )
    if not taken.is_new:
        incoming.flags.append("repeated_event")
    known = links.known_session(taken.session)
    before = link.sessions.get(row.transaction_id)
    known.next_seq_no = max(row.seq_no + 1, before.next_seq_no if before else 0)
    link.sessions[row.transaction_id] = known
    link.forget_old()
    _show_state(link, incoming, known, at)

    if taken.decision is None:
        return {}
    incoming.flags += taken.decision.flags
    return {"idTokenInfo": values.id_token_info(taken.decision)}


def _row(link: Link, incoming: Incoming, evse_id: int, connector: int, at: datetime) -> EventRow:
    payload = incoming.payload
    info = payload.get("transactionInfo") or {}
    return EventRow(
        station_id=link.station_id,
        transaction_id=str(info.get("transactionId") or "")[:36],
        seq_no=int(payload.get("seqNo") or 0),
        at=at,
        received_at=incoming.received_at,
        type=str(payload["eventType"]),
        trigger=str(payload.get("triggerReason") or "")[:50],
        charging_state=str(info.get("chargingState") or "")[:20],
        is_offline=bool(payload.get("offline")),
        evse_id=evse_id,
        connector_number=connector,
        id_token=values.id_token(payload.get("idToken"))[:255],
        stop_reason=str(info.get("stoppedReason") or "")[:40],
        remote_start_id=info.get("remoteStartId"),
        reservation_id=str(payload.get("reservationId") or "")[:36],
    )


def _is_at(link: Link, known: KnownSession, evse: dict[str, Any] | None) -> bool:
    return not evse or link.evses.get(evse.get("id") or 0) == known.evse_id


def _show_state(link: Link, incoming: Incoming, known: KnownSession, at: datetime) -> None:
    """Let the connector show what its transaction says; a closed one is Finishing until the cable is pulled."""
    payload = incoming.payload
    state = (payload.get("transactionInfo") or {}).get("chargingState")
    if payload["eventType"] == ENDED:
        word = ConnectorStatus.FINISHING if state == "EVConnected" else None
    else:
        word = values.STATES.get(state or "")
    if word is None or not at >= known.started_at:
        return
    connector = int((payload.get("evse") or {}).get("connectorId") or known.connector_number)
    availability.note(link, incoming, known.evse_id, connector, word.value, at=at)


def write_status(*, transaction_id: str) -> tuple[str, Payload]:
    """Ask whether messages of a transaction wait, and whether it still runs (E14)."""
    return "GetTransactionStatus", {"transactionId": transaction_id}


def get_transaction_status(command: Command, answer: Payload | None) -> None:
    """Take what the station says of the transaction that it was asked about (E14.FR.01 to E14.FR.06)."""
    session = ChargingSession.objects.filter(
        station=command.station, transaction_id=command.payload.get("transactionId") or ""
    ).first()
    if answer is None or session is None:
        return
    transactions.told(
        session,
        messages_in_queue=bool(answer.get("messagesInQueue")),
        ongoing=answer.get("ongoingIndicator"),
    )
