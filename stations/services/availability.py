"""Availability: what operators want EVSEs and stations to be, and whether they are (OCPP 2.1 G03, 1.6 section 5.2).

A wish is kept after it took effect: a station must keep it over a restart, so another status later is drift, which is
shown. Nothing is sent by itself.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from cpo.lib import clock, events
from stations.events import AvailabilityChanged
from stations.models import AvailabilityWish, ChargingStation, Command, Connector, ConnectorStatus, Evse
from stations.services import awaited, requests
from stations.services.errors import InvalidPayload

State = AvailabilityWish.State
AWAITED_S = 86_400  # seconds in which a scheduled change is followed up at once; later the sweep finds it
UNSAID = frozenset({ConnectorStatus.UNKNOWN.value, ConnectorStatus.FAULTED.value})  # these tell neither


@transaction.atomic(savepoint=False)
def change(
    station: ChargingStation,
    *,
    is_operative: bool,
    evse: Evse | None = None,
    connector: int = 0,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> Command:
    """Ask the station to put an EVSE, one connector of it, or all of it, into or out of service, and keep the wish.

    Raise `InvalidPayload` for what the station does not have or cannot be asked for, and what `requests.queue` raises.
    """
    if evse is not None and evse.station_id != station.pk:
        raise InvalidPayload("evse", "belongs to another station")
    if connector and (evse is None or not evse.connectors.filter(number=connector).exists()):
        raise InvalidPayload("connector", "the EVSE has no such connector")
    facts: dict[str, Any] = {"evse": evse, "is_operative": is_operative}
    command = requests.queue(
        station,
        "change_availability",
        facts=facts | ({"connector": connector} if connector else {}),
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )
    _wish(command, evse=evse, connector=connector, is_operative=is_operative, state=State.REQUESTED)
    return command


@transaction.atomic(savepoint=False)
def answered(
    command: Command, *, evse: Evse | None, connector: int = 0, is_operative: bool, state: str
) -> None:
    """Take what the station said to a change; of two changes the newer one counts, whichever is answered last."""
    wish = AvailabilityWish.objects.filter(
        station=command.station, evse=evse, connector_number=connector
    ).first()
    if wish is not None and wish.command_id is not None and wish.command_id > command.pk:
        return
    wish = _wish(command, evse=evse, connector=connector, is_operative=is_operative, state=state)
    if state in AvailabilityWish.OPEN:
        awaited.expect(command.station_id, for_s=AWAITED_S)
        _settle(wish)


def taken_back(command: Command) -> None:
    """Forget the wish of a command that was cancelled before it was sent."""
    for wish in AvailabilityWish.objects.filter(command=command, state=State.REQUESTED):
        forget(wish)


def follow_up(station_ids: Iterable[int] | None = None) -> int:
    """Look whether wishes on their way (at these stations; None: at all) are in force; return how many are now."""
    rows = AvailabilityWish.objects.filter(state__in=AvailabilityWish.OPEN)
    if station_ids is not None:
        rows = rows.filter(station_id__in=list(station_ids))
    return sum(_look_at(pk) for pk in list(rows.order_by("pk").values_list("pk", flat=True)[:500]))


def of_station(station: ChargingStation) -> list[AvailabilityWish]:
    """Return the station's wishes, each with `is_drifting`: it was in force once, and the status says otherwise now."""
    wishes = list(
        AvailabilityWish.objects.filter(station=station)
        .select_related("evse")
        .order_by("evse__number", "connector_number")
    )
    for wish in wishes:
        wish.is_drifting = wish.state == State.IN_FORCE and is_as_wished(wish) is False  # type: ignore[attr-defined]
    return wishes


def with_wishes(connectors: QuerySet[Connector]) -> QuerySet[Connector]:
    """Annotate connectors with `is_wished_operative`: for them alone, their EVSE, the whole station, else None."""
    wishes = AvailabilityWish.objects.filter(
        Q(evse=OuterRef("evse")) | Q(evse=None),
        Q(connector_number=OuterRef("number")) | Q(connector_number=0),
        station=OuterRef("evse__station"),
    ).order_by(F("evse").desc(nulls_last=True), "-connector_number")
    return connectors.annotate(is_wished_operative=Subquery(wishes.values("is_operative")[:1]))


def is_as_wished(wish: AvailabilityWish) -> bool | None:
    """Compare with what the station's connectors say they are; None while they say nothing about it."""
    connectors = Connector.objects.filter(evse__station_id=wish.station_id, evse__is_removed=False)
    if wish.evse_id is not None:
        connectors = connectors.filter(evse_id=wish.evse_id)
    if wish.connector_number:
        connectors = connectors.filter(number=wish.connector_number)
    said = set(connectors.values_list("status", flat=True)) - UNSAID
    if not said:
        return None
    out = ConnectorStatus.UNAVAILABLE.value
    return out not in said if wish.is_operative else said == {out}


@transaction.atomic(savepoint=False)
def forget(wish: AvailabilityWish) -> None:
    """Want nothing any more of this EVSE or station; nothing is sent."""
    station_id = wish.station_id
    wish.delete()
    events.publish(AvailabilityChanged(station_id))


@transaction.atomic(savepoint=False)
def _look_at(pk: int) -> bool:
    wish = AvailabilityWish.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    return wish is not None and wish.state in AvailabilityWish.OPEN and _settle(wish)


def _settle(wish: AvailabilityWish) -> bool:
    if not is_as_wished(wish):
        return False
    wish.state, wish.in_force_at = State.IN_FORCE, clock.now()
    wish.save(update_fields=["state", "in_force_at"])
    events.publish(AvailabilityChanged(wish.station_id))
    return True


def _wish(
    command: Command, *, evse: Evse | None, connector: int, is_operative: bool, state: str
) -> AvailabilityWish:
    """Write the wish; one for the whole takes the place of those for its parts."""
    wishes = AvailabilityWish.objects.filter(station=command.station)
    if evse is None:
        wishes.filter(evse__isnull=False).delete()
    elif not connector:
        wishes.filter(evse=evse, connector_number__gt=0).delete()
    wish, _ = AvailabilityWish.objects.update_or_create(
        station=command.station,
        evse=evse,
        connector_number=connector,
        defaults={
            "is_operative": is_operative,
            "state": state,
            "command": command,
            "requested_by": command.requested_by,
            "wished_at": command.created_at,
            "in_force_at": None,
        },
    )
    events.publish(AvailabilityChanged(command.station_id))
    return wish
