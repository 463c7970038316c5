"""What stations do with reservations by themselves: use, release, expiry (OCPP 1.6 sections 4.8, 4.9 and 5.13).

Open reservations are looked at when something happened at their station, and by a sweep.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from cpo.lib import clock
from stations.models import ChargingSession, Connector, ConnectorStatus, Reservation, StatusChange
from stations.services import reservations

Status = Reservation.Status
SETTLE = timedelta(seconds=10)  # a status may come before the start that explains it
LOOK_BACK = timedelta(days=2)  # so far behind may the clock of a station be whose sessions are looked for
ROWS_AT_ONCE = 500  # of one sweep
OUT = frozenset({ConnectorStatus.FAULTED.value, ConnectorStatus.UNAVAILABLE.value})  # these end a reservation


def follow_up(station_ids: Iterable[int] | None = None) -> int:
    """Look whether open reservations (of these stations; None: of all) were used or let go, or expired; count them."""
    open_ones = Reservation.objects.filter(status__in=Reservation.OPEN)
    if station_ids is not None:
        open_ones = open_ones.filter(station_id__in=list(station_ids))
    ids = list(open_ones.order_by("expires_at").values_list("pk", flat=True)[:ROWS_AT_ONCE])
    return sum(_look_at(pk) for pk in ids)


@transaction.atomic(savepoint=False)
def _look_at(pk: int) -> bool:
    reservation = (
        Reservation.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("station", "evse")
        .filter(pk=pk, status__in=Reservation.OPEN)
        .first()
    )
    if reservation is None:
        return False
    session = _session_of(reservation)
    if session is not None:
        reservations.bind(reservation, session)
        return True
    reason = _release(reservation)
    if reason:
        reservation.status, reservation.reason, reservation.ended_at = Status.REMOVED, reason, clock.now()
    elif reservation.expires_at <= clock.now():
        reservation.status, reservation.ended_at = Status.EXPIRED, reservation.expires_at
    else:
        return False
    reservations.save(reservation)
    return True


def _session_of(reservation: Reservation) -> ChargingSession | None:
    """Find the session that used it: it names the number, or its token or group fits at the place and in the time."""
    if reservation.status == Status.REQUESTED:
        return None
    since = reservation.reserved_at or reservation.created_at
    sessions = _sessions_since(since).filter(evse__station_id=reservation.station_id).order_by("id")
    for session in sessions.select_related("token")[:ROWS_AT_ONCE]:
        if session.reservation_id == str(reservation.number):
            return session
        at_place = reservation.evse_id is None or reservation.evse_id == session.evse_id
        if at_place and session.started_at <= reservation.expires_at and _fits(reservation, session):
            return session
    return None


def _fits(reservation: Reservation, session: ChargingSession) -> bool:
    if session.id_token.casefold() == reservation.id_token.casefold():
        return True
    group_id = session.token.group_id if session.token else ""
    return bool(group_id) and group_id.casefold() == reservation.group_id.casefold()


def _release(reservation: Reservation) -> str:
    """Say why the station no longer holds what it had accepted; empty while it does (1.6 section 5.13)."""
    if reservation.status != Status.RESERVED or reservation.reserved_at is None:
        return ""
    since = reservation.reserved_at
    evse_id = reservation.evse_id
    if evse_id is None:
        station = reservation.station
        is_new = station.status_at is not None and station.status_at >= since
        return station.status.lower() if is_new and station.status in OUT else ""
    if _sessions_since(since).filter(evse_id=evse_id).exists():
        return "another driver charges there"
    connector = Connector.objects.filter(evse_id=evse_id).order_by("-last_updated").first()
    if connector is None or connector.last_updated < since:
        return ""  # it says what it said before
    if connector.status in OUT:
        return connector.status.lower()
    has_settled = connector.last_updated <= clock.now() - SETTLE
    if connector.status != ConnectorStatus.AVAILABLE or not has_settled or not _was_held(evse_id, since):
        return ""
    booted_at = reservation.station.last_boot_at
    was_restarted = booted_at is not None and since <= booted_at <= connector.last_updated
    return "lost at a restart" if was_restarted else "released by the station"


def _was_held(evse_id: int, since: datetime) -> bool:
    """Tell whether the connector said that it is reserved, since it is."""
    changes = StatusChange.objects.filter(
        evse_id=evse_id, at__gte=since - LOOK_BACK, received_at__gte=since, status=ConnectorStatus.RESERVED
    )
    return changes.exists()


def _sessions_since(since: datetime) -> QuerySet[ChargingSession]:
    """Give sessions reported since then that used no reservation, bounded for the index of an EVSE's sessions."""
    return ChargingSession.objects.filter(
        started_at__gte=since - LOOK_BACK, created_at__gte=since, reservation=None
    )
