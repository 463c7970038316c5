"""TransactionEvent (block E): what is plain rides in the group commit, all else is looked at closely.

Plain are an Updated that follows the last event of a transaction that this socket knows, a Started with a token, a
place and a register, and the Ended of a transaction of which this socket saw every event.
"""

from datetime import datetime
from typing import Any

from stations import readings
from stations.models import ChargingSession, Command, ConnectorStatus
from stations.models.locations import new_uid
from stations.ocpp import link as links
from stations.ocpp.link import KnownSession, Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.sampling import oddities, store, store_samples
from stations.ocpp.v2 import availability, payments, topology, values
from stations.ports import Decision
from stations.services import authorization, limits, transactions
from stations.services.ingest import EventRow, Facts, StartFact, StopFact
from stations.services.station_costs import SHOWS_COST
from stations.services.transactions import Said

CLOSER = frozenset({"operationMode", "tariffId", "transactionLimit"})  # in transactionInfo: kept elsewhere
STARTED, UPDATED, ENDED = "Started", "Updated", "Ended"
LOCAL = "Local"  # an omitted stoppedReason
# Kinds of limits against TransactionLimitType; energies are Wh in both.
LIMITS = {"energy": "maxEnergy", "time": "maxTime", "cost": "maxCost", "soc": "maxSoC"}


def prepare(link: Link, incoming: Incoming) -> bool:
    """Let a Started or Ended ride in the group commit when the link alone tells that nothing is odd about it."""
    payload = incoming.payload
    kind = payload.get("eventType")
    if kind == UPDATED or incoming.flags or payload.get("offline"):
        return False
    return _prepare_start(link, incoming) if kind == STARTED else _prepare_end(link, incoming)


def finish(link: Link, incoming: Incoming) -> Payload | None:
    """Answer what was stored; None when its session or its token takes a closer look."""
    facts, done = incoming.facts, incoming.facts.done
    if done is None or facts.event is None:
        return None
    if facts.start is not None:
        known = link.begin(facts.start, done.session_id)
        known.connector_number, known.next_seq_no = facts.start.connector_number, facts.event.seq_no + 1
        found = _readings(incoming).readings
        incoming.later = Facts()
        store_samples(incoming.later, done.session_id, known.evse_id, found)
    elif facts.stop is not None:
        link.sessions[facts.stop.transaction_id].ended_at = facts.stop.ended_at
        if not facts.stop.id_token:
            return {}
        if not done.token_status:
            return None
    status = authorization.status_at(done.token_status, done.expires_at)
    decision = Decision(status=status, expires_at=done.expires_at, group_id=done.group_id)

    return {"idTokenInfo": values.id_token_info(decision)}


def _prepare_start(link: Link, incoming: Incoming) -> bool:
    payload = incoming.payload
    token, evse = payload.get("idToken") or {}, payload.get("evse") or {}
    place = int(evse.get("id") or 0), int(evse.get("connectorId") or 1)
    transaction_id = str((payload.get("transactionInfo") or {}).get("transactionId") or "")
    at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    parsed = _readings(incoming)
    begin_wh = readings.latest([r for r in parsed.readings if r.context == transactions.BEGIN]).energy_wh
    uid = values.id_token(token).strip()
    if (
        flags
        or parsed.faults
        or not transaction_id
        or transaction_id in link.sessions
        or not uid
        or token.get("type") in authorization.BY_STATION
        or payload.get("reservationId")  # it ends a reservation
        or not CLOSER.isdisjoint(payload.get("transactionInfo") or ())
        or "costDetails" in payload
        or place not in link.connectors
        or begin_wh is None
        or any(reading.raw or reading.flags for reading in parsed.readings)
    ):
        return False
    incoming.facts.start = StartFact(
        uid=new_uid(),
        station_id=link.station_id,
        evse_id=link.evses[place[0]],
        connector_number=place[1],
        transaction_id=transaction_id,
        start_key=transactions.start_key(transaction_id),
        id_token=uid,
        reservation_id=str(payload.get("reservationId") or ""),
        started_at=at,
        meter_start_wh=begin_wh,
        at=incoming.received_at,
    )
    incoming.facts.event = _row(link, incoming, link.evses[place[0]], place[1], at)
    _show_state_at(link, incoming, link.evses[place[0]], place[1], at)
    return True


def _prepare_end(link: Link, incoming: Incoming) -> bool:
    payload = incoming.payload
    info = payload.get("transactionInfo") or {}
    known = link.sessions.get(info.get("transactionId") or "")
    if (
        known is None
        or not known.is_complete
        or known.ended_at is not None
        or payload.get("seqNo") != known.next_seq_no
        or not _is_at(link, known, payload.get("evse"))
        or not CLOSER.isdisjoint(info)
        or "costDetails" in payload
        or link.quirks.get(SHOWS_COST)
        or known.is_ad_hoc
    ):
        return False
    at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    parsed = _readings(incoming)
    if flags or parsed.faults or at < known.started_at or any(r.raw or r.flags for r in parsed.readings):
        return False
    register = known.register
    for reading in parsed.readings:
        register = register.step(reading) if reading.unit == "Wh" else register
    end_wh = readings.latest([r for r in parsed.readings if r.context == transactions.END]).energy_wh
    metered = register.result(end_wh)
    if metered.flags or end_wh is None:
        return False
    known.register, known.next_seq_no = register, int(payload["seqNo"]) + 1
    store_samples(incoming.facts, known.id, known.evse_id, parsed.readings)
    incoming.facts.stop = StopFact(
        station_id=link.station_id,
        transaction_id=known.transaction_id,
        ended_at=at,
        reason=str(info.get("stoppedReason") or LOCAL)[:40],
        id_token=values.id_token(payload.get("idToken")).strip()[:255],
        meter_stop_wh=end_wh,
        register_wh=metered.stop_wh,
        energy_wh=metered.energy_wh,
        at=incoming.received_at,
    )
    incoming.facts.event = _row(link, incoming, known.evse_id, 0, at)
    _show_state(link, incoming, known, at)
    return True


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
        or known.has_news
        or not CLOSER.isdisjoint(info)
        or "costDetails" in payload
        or payload.get("seqNo") != known.next_seq_no
        or not _is_at(link, known, payload.get("evse"))
    ):
        return None
    at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    parsed = readings.parse_v2_meter_values(payload.get("meterValue") or [], received_at=incoming.received_at)
    if (
        any(reading.raw or reading.context == transactions.BEGIN for reading in parsed.readings)
        or parsed.signed
    ):
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
            is_stored=incoming.is_journalled,
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


def transaction_event_with_limits(link: Link, incoming: Incoming) -> Payload:
    """The same for 2.1, where station and CSMS tell each other the limits of a transaction (E16)."""
    answer = transaction_event(link, incoming)
    payload = incoming.payload
    info = payload["transactionInfo"]
    session = ChargingSession.objects.get(
        station_id=link.station_id, transaction_id=str(info.get("transactionId") or "")[:36]
    )
    if info.get("transactionLimit"):
        limits.kept_by_station(session, _limits(info["transactionLimit"]))
    payments.in_transaction(link, incoming, session)
    if payload["eventType"] == ENDED or payload.get("offline"):
        return answer  # too late, or not yet the first possible answer (E16.FR.18)
    news = limits.tell(session)

    return answer | (
        {"transactionLimit": {LIMITS[kind]: value for kind, value in news.items()}} if news else {}
    )


def _limits(told: dict[str, Any]) -> dict[str, Any]:
    return {kind: told[name] for kind, name in LIMITS.items() if name in told}


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
    """Tell whether an event says nothing new about where its transaction is."""
    return not evse or known.is_placed and link.evses.get(evse.get("id") or 0) == known.evse_id


def _readings(incoming: Incoming) -> readings.ParsedReadings:
    return readings.parse_v2_meter_values(
        incoming.payload.get("meterValue") or [], received_at=incoming.received_at
    )


def _show_state(link: Link, incoming: Incoming, known: KnownSession, at: datetime) -> None:
    """Let the connector show what its transaction says, unless that is older than the transaction."""
    connector = int((incoming.payload.get("evse") or {}).get("connectorId") or known.connector_number)
    if at >= known.started_at:
        _show_state_at(link, incoming, known.evse_id, connector, at)


def _show_state_at(link: Link, incoming: Incoming, evse_id: int, connector: int, at: datetime) -> None:
    """The same for a place; a transaction that is over leaves its connector Finishing until the cable is pulled."""
    payload = incoming.payload
    state = (payload.get("transactionInfo") or {}).get("chargingState")
    if payload["eventType"] == ENDED:
        word = ConnectorStatus.FINISHING if state == "EVConnected" else None
    else:
        word = values.STATES.get(state or "")
    if word is not None:
        availability.note(link, incoming, evse_id, connector, word.value, at=at)


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
