"""Cost in TransactionEvent, CostUpdated (block I); what 2.1 adds to transactions besides."""

from decimal import Decimal

from stations import readings
from stations.models import ChargingSession
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import transactions, values
from stations.services import station_costs, v2x
from stations.services.station_costs import SHOWS_COST

ENDED = "Ended"


def transaction_event(link: Link, incoming: Incoming) -> Payload:
    """Answer the end of a transaction with its total cost, if the station shows it (I03.FR.02); tell what is new."""
    has_news = _has_news(link, incoming)
    answer = transactions.transaction_event(link, incoming)
    return answer | _news(link, incoming, has_news=has_news) | _total(link, incoming)


def transaction_event_21(link: Link, incoming: Incoming) -> Payload:
    """The same for 2.1: keep what the station says about mode, tariff and cost (I12.FR.01, Q)."""
    has_news = _has_news(link, incoming)
    answer = transactions.transaction_event_with_limits(link, incoming)
    answer |= _news(link, incoming, has_news=has_news)
    payload = incoming.payload
    info = payload["transactionInfo"]
    mode, tariff, details = info.get("operationMode"), info.get("tariffId"), payload.get("costDetails")
    if mode or tariff or details:
        session = _session(link, incoming)
        at, _ = readings.parse_timestamp(payload.get("timestamp"), received_at=incoming.received_at)
        if mode:
            v2x.told(session, mode=mode, at=at)
        if tariff or details:
            is_final = payload["eventType"] == ENDED
            station_costs.told_by_station(
                session, tariff_id=str(tariff or ""), details=details, is_final=is_final
            )

    return answer | _total(link, incoming, may_be_ad_hoc=True)


def write_cost_updated(*, transaction_id: str, total: Decimal) -> tuple[str, Payload]:
    """Write CostUpdated (I02)."""
    return "CostUpdated", {"transactionId": transaction_id, "totalCost": total}


def _has_news(link: Link, incoming: Incoming) -> bool:
    """Tell whether something waits to be told with this answer; asked before the event renews the link's view."""
    known = link.sessions.get(str(incoming.payload["transactionInfo"].get("transactionId") or "")[:36])
    return known is not None and known.has_news


def _news(link: Link, incoming: Incoming, *, has_news: bool) -> Payload:
    """Write what the driver shall read (I06.FR.02); not to an event of the past."""
    if not has_news or incoming.payload["eventType"] == ENDED or incoming.payload.get("offline"):
        return {}
    told = station_costs.news(_session(link, incoming))
    return {} if told is None else {"updatedPersonalMessage": values.content(*told)}


def _total(link: Link, incoming: Incoming, *, may_be_ad_hoc: bool = False) -> Payload:
    """Give the total that the driver is shown, or that his payment is settled with or released by (C20.FR.03)."""
    is_shown = bool(link.quirks.get(SHOWS_COST))
    if incoming.payload["eventType"] != ENDED or not (is_shown or may_be_ad_hoc):
        return {}
    session = _session(link, incoming)
    if not (is_shown or session.is_ad_hoc):
        return {}
    total = station_costs.total(session)
    if total is None and session.is_ad_hoc and not session.energy_wh:
        total = Decimal(0)
    return {} if total is None else {"totalCost": total}


def _session(link: Link, incoming: Incoming) -> ChargingSession:
    transaction_id = str(incoming.payload["transactionInfo"].get("transactionId") or "")[:36]
    rows = ChargingSession.objects.select_related("station__location", "evse", "token")
    return rows.get(station=link.station_id, transaction_id=transaction_id)
