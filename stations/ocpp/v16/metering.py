"""MeterValues (OCPP 1.6 section 4.7)."""

from datetime import datetime

from stations import readings
from stations.ocpp.link import KnownSession, Lacking, Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.sampling import oddities, store
from stations.ocpp.v16 import topology
from stations.services import corrections, metering, signed_readings


def meter_values(link: Link, incoming: Incoming) -> Payload:
    """Store samples with the session they belong to, found by transaction id or by connector and time."""
    payload = incoming.payload
    evse_id = topology.evse_id(link, _connector_id(link, int(payload["connectorId"])))
    parsed = readings.parse_v16_meter_values(payload["meterValue"], received_at=incoming.received_at)
    if not parsed.readings and not parsed.signed:
        incoming.flags += oddities(parsed)
        return {}
    session, remark = _session(link, incoming, evse_id, parsed)
    if parsed.signed or (session is not None and session.ended_at is not None):
        _look_closely(link, incoming, session, evse_id, parsed)
    incoming.flags += oddities(parsed)
    if remark:
        incoming.flags.append(remark)

    if parsed.readings:
        store(link, incoming.facts, session, evse_id, parsed.readings)

    return {}


def _look_closely(
    link: Link,
    incoming: Incoming,
    session: KnownSession | None,
    evse_id: int,
    parsed: readings.ParsedReadings,
) -> None:
    """Have signed values and closing values stored in the careful lane first; nothing to do for others.

    Raises Lacking; the handler is called again afterwards.
    """
    is_closing = (
        session is not None and session.ended_at is not None and corrections.are_closing(parsed.readings)
    )
    if incoming.is_kept or not (parsed.signed or is_closing):
        return

    def keep() -> None:
        session_id = session.id if session else None
        signed_readings.keep(
            link.station,
            parsed.signed,
            session_id=session_id,
            received_at=incoming.received_at,
            evse_id=evse_id,
        )
        if is_closing and session_id is not None:
            corrections.close_with(session_id, found=parsed.readings)
        incoming.is_kept = True

    raise Lacking(keep)


def _session(
    link: Link, incoming: Incoming, evse_id: int, parsed: readings.ParsedReadings
) -> tuple[KnownSession | None, str]:
    """Find the session: the transaction id's, else the EVSE's at that time (ids of 0, -1 or stale ones lie).

    The second value says what was odd about the id.
    """
    transaction_id = incoming.payload.get("transactionId")
    key = "" if transaction_id is None else str(transaction_id)
    known = link.sessions.get(key)
    if known is not None and known.ended_at is None:
        return known, ""
    moments = [r.sampled_at for r in parsed.readings] + [r.sampled_at for r in parsed.signed]
    first, last = min(moments), max(moments)
    if known is not None:
        return _newer(link, known, evse_id, last)
    if key not in ("", "0", "-1") and (key, evse_id) not in link.unknown:
        raise Lacking(lambda: _learn(link, key, evse_id, first, last))
    return link.session_of(evse_id, last) if evse_id else None, "transaction_unknown" if key else ""


def _newer(link: Link, ended: KnownSession, evse_id: int, last: datetime) -> tuple[KnownSession | None, str]:
    """Return the ended session, or the one that ran on the EVSE afterwards: then the id is a stale one (quirk 4)."""
    found = link.session_of(evse_id, last) if ended.ended_at is not None and last > ended.ended_at else None
    if found is None or found is ended:
        return ended, ""
    return found, "transaction_stale"


def _learn(link: Link, key: str, evse_id: int, first: datetime, last: datetime) -> None:
    """Look for the session in the rows (blocking); remember also that there is none."""
    session = metering.find_session(
        link.station_id, transaction_id=key, evse_id=evse_id, first_at=first, last_at=last
    )
    if session is not None and session.transaction_id == key:
        link.remember(session)
        return
    if len(link.unknown) > 100:
        link.unknown.clear()
    link.unknown.add((key, evse_id))


def _connector_id(link: Link, connector_id: int) -> int:
    """Read connector 0 as the only connector of a station that has just one; else it is the main meter."""
    return next(iter(link.evses)) if connector_id == 0 and len(link.evses) == 1 else connector_id
