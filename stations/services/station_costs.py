"""Cost between a station and us: what its driver is told, what it calculated itself (OCPP 2.1 I02, I03, I12).

A station that shows cost is marked so (quirk `shows_cost`), by an operator or because it says that it can
(TariffCostCtrlr.Enabled[Cost]); all others cost no statement.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from cpo.lib import clock, events
from stations import ports
from stations.events import EnergyServicesChanged
from stations.models import ChargingSession, ChargingStation, SessionCost, StationQuirk, Variable
from stations.ports import Cost
from stations.services import commands, requests, wake
from stations.services.errors import InvalidPayload, NotOpen, StationsError

SHOWS_COST, SHOWS_TARIFF, TAKES_TARIFFS = "shows_cost", "shows_tariff", "takes_tariffs"
LONGEST_MESSAGE = 512  # characters that every version takes (MessageContentType)
AT_ONCE = 500  # sessions looked at in one sweep


def amount(cost: Cost) -> Decimal:
    """Return what a driver is told: with taxes where they are known (I02.FR.01)."""
    return cost.before_taxes if cost.after_taxes is None else cost.after_taxes


def total(session: ChargingSession) -> Decimal | None:
    """Return what the session costs by our tariffs, as its driver is told at the end; None: nobody can say (I03)."""
    cost = ports.running_cost(session)
    if cost is None:
        return None
    _note_told(session, cost)
    return amount(cost)


@transaction.atomic(savepoint=False)
def tell_driver(session: ChargingSession, text: str, *, language: str = "") -> SessionCost:
    """Let the driver of a running session read news, such as a change of price: with its next event's answer (I06).

    Raise `NotOpen` when the session has ended, `InvalidPayload` for a text that no station could show.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_MESSAGE:
        raise InvalidPayload("text", f"1 to {LONGEST_MESSAGE} characters")
    if session.status == ChargingSession.Status.ENDED:
        raise NotOpen("the session has already ended")
    row = _row(session)
    row.personal_message, row.message_language, row.is_untold = text, language[:8], True
    row.changed_at = clock.now()
    row.save(update_fields=["personal_message", "message_language", "is_untold", "changed_at"])
    wake.changed(session.station_id)
    events.publish(EnergyServicesChanged(session.station_id))
    return row


@transaction.atomic(savepoint=False)
def news(session: ChargingSession) -> tuple[str, str] | None:
    """Return, once, what the driver has not been told yet, and its language."""
    row = SessionCost.objects.select_for_update().filter(session=session, is_untold=True).first()
    if row is None:
        return None
    row.is_untold = False
    row.save(update_fields=["is_untold"])
    events.publish(EnergyServicesChanged(session.station_id))
    return row.personal_message, row.message_language


@transaction.atomic(savepoint=False)
def told_by_station(
    session: ChargingSession,
    *,
    tariff_id: str = "",
    details: dict[str, Any] | None = None,
    is_final: bool = False,
) -> SessionCost:
    """Keep by which tariff the station calculates, and what it came to (I12.FR.01); the final word stays."""
    row = _row(session)
    row.tariff_id = tariff_id[:60] or row.tariff_id
    if details is not None and (is_final or not row.is_final):
        cost = details.get("totalCost") or {}
        found = cost.get("total") or {}
        row.currency, row.details, row.is_final = str(cost.get("currency") or "")[:3], details, is_final
        row.before_taxes, row.after_taxes = _number(found.get("exclTax")), _number(found.get("inclTax"))
        failed = details.get("failureToCalculate")
        row.failure = (str(details.get("failureReason") or "no reason given")[:500]) if failed else ""
    row.changed_at = clock.now()
    row.save()
    events.publish(EnergyServicesChanged(session.station_id))
    return row


def sweep() -> int:
    """Tell stations that show cost what their running sessions cost by now; return how many were told.

    At most every OCPP_COST_INTERVAL_S seconds, only if it is another amount, only what is connected, and not one that
    calculates by a tariff of its own (I12).
    """
    if not settings.OCPP_COST_INTERVAL_S:
        return 0
    due = clock.now() - timedelta(seconds=settings.OCPP_COST_INTERVAL_S)
    rows = ChargingSession.objects.active().filter(
        Q(station_cost=None) | Q(station_cost__told_at=None) | Q(station_cost__told_at__lte=due),
        station__in=_showing(), station__is_online=True, station__ocpp_version__startswith="2.",
    ).exclude(station_cost__tariff_id__gt="")  # fmt: skip
    return sum(_tell(session) for session in rows.select_related("station", "evse", "token")[:AT_ONCE])


@transaction.atomic(savepoint=False)
def _tell(session: ChargingSession) -> bool:
    cost = ports.running_cost(session)
    if cost is None:
        return False
    row = SessionCost.objects.filter(session=session).first()
    is_news = row is None or row.told_cost != amount(cost)
    _note_told(session, cost)
    if not is_news:
        return False
    try:
        requests.queue(
            session.station, "cost_updated",
            facts={"transaction_id": session.transaction_id, "total": amount(cost)},
            ttl_s=int(max(settings.OCPP_COST_INTERVAL_S, 10)), priority=commands.AUTOMATIC,
            subject=f"session:{session.pk}",
        )  # fmt: skip
    except StationsError:  # it has just gone, or its version has no words for it
        return False
    return True


def _showing() -> Any:
    """Give the stations whose driver sees a cost: an operator says so, or they do themselves."""
    said = Variable.objects.filter(
        component__iexact="TariffCostCtrlr",
        name__iexact="Enabled",
        instance__iexact="Cost",
        value__iexact="true",
    )
    marked = StationQuirk.objects.filter(flag=SHOWS_COST, source=StationQuirk.Source.OPERATOR)
    yes, no = marked.filter(value=True), marked.filter(value=False)
    found = ChargingStation.objects.filter(Q(pk__in=said.values("station")) | Q(pk__in=yes.values("station")))
    return found.exclude(pk__in=no.values("station"))


def _note_told(session: ChargingSession, cost: Cost) -> None:
    now = clock.now()
    SessionCost.objects.update_or_create(
        session=session, defaults={"told_cost": amount(cost), "told_at": now, "changed_at": now}
    )


def _row(session: ChargingSession) -> SessionCost:
    row, _ = SessionCost.objects.select_for_update().get_or_create(
        session=session, defaults={"changed_at": clock.now()}
    )
    return row


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))
