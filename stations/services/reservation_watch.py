"""What stations do with reservations by themselves: use, release, expiry (OCPP 1.6 sections 4.8, 4.9 and 5.13).

Open reservations are looked at when something happened at their station, and by a sweep.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from cpo.lib import clock
from stations.models import ChargingSession, ConnectorStatus, Reservation, StatusChange
from stations.services import reservations

Status = Reservation.Status
SETTLE = timedelta(seconds=10)  # a status may come before the start that explains it
STATUSES_READ = 50  # of an EVSE since the reservation, newest first
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
    sessions = ChargingSession.objects.filter(
        station_id=reservation.station_id, created_at__gte=since, reservation=None
    ).select_related("token").order_by("id")  # fmt: skip
    for session in sessions[:ROWS_AT_ONCE]:
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
    if reservation.evse_id is None:
        station = reservation.station
        is_new = station.status_at is not None and station.status_at >= since
        return station.status.lower() if is_new and station.status in OUT else ""
    others = ChargingSession.objects.filter(
        evse_id=reservation.evse_id, created_at__gte=since, reservation=None
    )
    if others.exists():
        return "another driver charges there"
    statuses = list(
        StatusChange.objects.filter(evse_id=reservation.evse_id, received_at__gte=since)
        .order_by("-at", "-id")
        .values_list("status", "received_at")[:STATUSES_READ]
    )
    if not statuses:
        return ""
    last, received_at = statuses[0]
    if last in OUT:
        return last.lower()
    has_settled = received_at <= clock.now() - SETTLE
    was_held = any(status == ConnectorStatus.RESERVED for status, _ in statuses)
    booted_at = reservation.station.last_boot_at
    is_lost = booted_at is not None and since <= booted_at <= received_at
    if last == ConnectorStatus.AVAILABLE and has_settled and (was_held or is_lost):
        return "lost at a restart" if is_lost else "released by the station"
    return ""
