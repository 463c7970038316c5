"""StartTransaction and StopTransaction (OCPP 1.6 sections 4.8 and 4.10)."""

from decimal import Decimal, InvalidOperation
from typing import Any

from stations import readings
from stations.models.locations import new_uid
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.sampling import oddities
from stations.ocpp.v16 import topology, values
from stations.ports import Decision
from stations.services import authorization, metering, reservations, sessions, signed_readings
from stations.services.ingest import Done, StartFact, StopFact

DEFAULT_REASON = "Local"  # section 6.49: an omitted reason means Local


def prepare_start(link: Link, incoming: Incoming) -> bool:
    """Let a start ride in the group commit when it names a known connector, a register and a sound time."""
    payload = incoming.payload
    started_at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    evse_id = link.evses.get(payload.get("connectorId") or 0)
    meter_start_wh = _wh(payload.get("meterStart"))
    id_token = values.id_tag(payload.get("idTag"))
    is_odd = not id_token or id_token != id_token.strip() or link.orphans
    if flags or incoming.flags or evse_id is None or meter_start_wh is None or is_odd:
        return False
    if payload.get("reservationId"):
        return False  # it ends a reservation
    incoming.facts.start = StartFact(
        uid=new_uid(),
        station_id=link.station_id,
        evse_id=evse_id,
        connector_number=topology.CONNECTOR,
        transaction_id=sessions.new_transaction_id(),
        start_key=_start_key(payload),
        id_token=id_token,
        reservation_id=str(payload.get("reservationId") or ""),
        started_at=started_at,
        meter_start_wh=meter_start_wh,
        at=incoming.received_at,
    )
    return True


def finish_start(link: Link, incoming: Incoming) -> Payload | None:
    """Answer a start that was stored; None when its token or a repetition takes a closer look."""
    fact, done = incoming.facts.start, incoming.facts.done
    if fact is None or done is None:
        return None
    link.begin(fact, done.session_id)

    return {"transactionId": int(fact.transaction_id), "idTagInfo": _info(done)}


def start_transaction(link: Link, incoming: Incoming) -> Payload:
    """Store the start, whatever is decided about its token, and give it our transaction id."""
    payload = incoming.payload
    started_at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    incoming.flags += flags

    session, decision, is_new = sessions.start(
        link.station,
        facts=sessions.Start(
            evse_id=topology.ensured_evse_id(link, int(payload.get("connectorId") or 1)),
            connector_number=topology.CONNECTOR,
            id_token=values.id_tag(payload.get("idTag")),
            started_at=started_at,
            meter_start_wh=_wh(payload.get("meterStart")),
            key=_start_key(payload),
            reservation_id=str(payload.get("reservationId") or ""),
            flags=tuple(flags),
            may_have_stopped=link.orphans,
        ),
    )
    link.remember(session).is_complete |= is_new
    if payload.get("reservationId"):
        reservations.use(session, number=str(payload["reservationId"]))
    incoming.flags += decision.flags

    return {"transactionId": int(session.transaction_id), "idTagInfo": values.id_tag_info(decision)}


def prepare_stop(link: Link, incoming: Incoming) -> bool:
    """Let a stop ride in the group commit when this socket counted its session's energy and nothing is odd."""
    payload = incoming.payload
    known = link.sessions.get(str(payload.get("transactionId", "")))
    if known is None or not known.is_complete or payload.get("transactionData") or incoming.flags:
        return False
    ended_at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    meter_stop_wh = _wh(payload.get("meterStop"))
    metered = known.register.result(meter_stop_wh)
    if flags or metered.flags or meter_stop_wh is None or ended_at < known.started_at:
        return False
    incoming.facts.stop = StopFact(
        station_id=link.station_id,
        transaction_id=known.transaction_id,
        ended_at=ended_at,
        reason=str(payload.get("reason") or DEFAULT_REASON)[:40],
        id_token=values.id_tag(payload.get("idTag")).strip()[:255],
        meter_stop_wh=meter_stop_wh,
        register_wh=metered.stop_wh,
        energy_wh=metered.energy_wh,
        at=incoming.received_at,
    )
    return True


def finish_stop(link: Link, incoming: Incoming) -> Payload | None:
    """Answer a stop that was stored; None when its session or its token (a partner's) takes a closer look."""
    fact, done = incoming.facts.stop, incoming.facts.done
    if fact is None or done is None:
        return None
    link.sessions[fact.transaction_id].ended_at = fact.ended_at
    if not fact.id_token:
        return {}

    return {"idTagInfo": _info(done)} if done.token_status else None


def stop_transaction(link: Link, incoming: Incoming) -> Payload:
    """Store the end with its transaction data. Always answered; a stop that fits no session is work for an operator."""
    payload = incoming.payload
    ended_at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    parsed = readings.parse_v16_meter_values(
        payload.get("transactionData") or [], received_at=incoming.received_at
    )
    incoming.flags += [*flags, *oddities(parsed)]
    id_tag = values.id_tag(payload.get("idTag")).strip()

    transaction_id = str(payload.get("transactionId", ""))
    meter_stop_wh = _wh(payload.get("meterStop"))
    known = link.sessions.get(transaction_id)

    session_id = sessions.stop(
        link.station,
        facts=sessions.Stop(
            transaction_id=transaction_id,
            ended_at=ended_at,
            meter_stop_wh=meter_stop_wh,
            reason=str(payload.get("reason") or DEFAULT_REASON),
            id_token=id_tag,
            samples=tuple(
                (0, reading.sampled_at, metering.kind_of(reading), 0, reading.value)
                for reading in parsed.readings
            ),
            flags=tuple(flags),
            key=_stop_key(payload),
            received_at=incoming.received_at,
        ),
    )
    if parsed.signed:
        signed_readings.keep(
            link.station, parsed.signed, session_id=session_id, received_at=incoming.received_at
        )
    if session_id is None:
        link.orphans = True  # its start may still come: a queue can be out of order
        incoming.flags.append("unmatched_stop")
    elif known is not None:
        known.ended_at = max(ended_at, known.started_at)
    else:
        link.stale = True  # it ended a session that this socket did not know by that number
    if not id_tag:
        return {}
    decision = authorization.identify(id_tag, station=link.station, is_collected=False)
    incoming.flags += decision.flags

    return {"idTagInfo": values.id_tag_info(decision)}


def _start_key(payload: Payload) -> str:
    """Return the business key of a start: its words as the station sent them."""
    return sessions.start_key(
        payload.get("connectorId"), payload.get("idTag"), payload.get("timestamp"),
        payload.get("meterStart"), payload.get("reservationId"),
    )  # fmt: skip


def _stop_key(payload: Payload) -> str:
    """Return the business key of a stop: its words as the station sent them."""
    return sessions.start_key(
        payload.get("transactionId"), payload.get("idTag"), payload.get("timestamp"), payload.get("meterStop"),
        payload.get("reason"),
    )  # fmt: skip


def _info(done: Done) -> dict[str, Any]:
    """Write what the group commit found about one of our own tokens as IdTagInfo."""
    status = authorization.status_at(done.token_status, done.expires_at)
    return values.id_tag_info(Decision(status=status, expires_at=done.expires_at, group_id=done.group_id))


def _wh(value: Any) -> Decimal | None:
    """Read a register in Wh; a missing or unreadable one is missing, never zero."""
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal("1e15") else None
