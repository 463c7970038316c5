"""StartTransaction and StopTransaction (OCPP 1.6 sections 4.8 and 4.10)."""

from decimal import Decimal, InvalidOperation
from typing import Any

from stations import readings
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import topology, values
from stations.ocpp.v16.metering import oddities
from stations.services import authorization, metering, sessions
from stations.services.ingest import Sample

DEFAULT_REASON = "Local"  # section 6.49: an omitted reason means Local


def start_transaction(link: Link, incoming: Incoming) -> Payload:
    """Store the start, whatever is decided about its token, and give it our transaction id."""
    payload = incoming.payload
    started_at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    incoming.flags += flags
    key = sessions.start_key(
        payload.get("connectorId"), payload.get("idTag"), payload.get("timestamp"),
        payload.get("meterStart"), payload.get("reservationId"),
    )  # fmt: skip

    session, decision, is_new = sessions.start(
        link.station,
        facts=sessions.Start(
            evse_id=topology.ensured_evse_id(link, int(payload.get("connectorId") or 1)),
            connector_number=topology.CONNECTOR,
            id_token=str(payload.get("idTag") or ""),
            started_at=started_at,
            meter_start_wh=_wh(payload.get("meterStart")),
            key=key,
            reservation_id=str(payload.get("reservationId") or ""),
            flags=tuple(flags),
        ),
    )
    link.remember(session).is_complete |= is_new

    return {"transactionId": int(session.transaction_id), "idTagInfo": values.id_tag_info(decision)}


def stop_transaction(link: Link, incoming: Incoming) -> Payload:
    """Store the end with its transaction data. Always answered; a stop that fits no session is work for an operator."""
    payload = incoming.payload
    ended_at, flags = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
    parsed = readings.parse_v16_meter_values(
        payload.get("transactionData") or [], received_at=incoming.received_at
    )
    incoming.flags += [*flags, *oddities(parsed)]
    id_tag = str(payload.get("idTag") or "")

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
                Sample(0, reading.sampled_at, metering.kind_of(reading), 0, reading.value)
                for reading in parsed.readings
            ),
            metered=known.register.result(meter_stop_wh) if known and known.is_complete else None,
            flags=tuple(flags),
        ),
    )
    if session_id is None:
        incoming.flags.append("unmatched_stop")
    elif known is not None:
        known.ended_at = max(ended_at, known.started_at)
    else:
        link.stale = True  # it ended a session that this socket did not know by that number
    if not id_tag:
        return {}
    decision = authorization.authorize(id_tag, station=link.station)

    return {"idTagInfo": values.id_tag_info(decision)}


def _wh(value: Any) -> Decimal | None:
    """Read a register in Wh; a missing or unreadable one is missing, never zero."""
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal("1e15") else None
