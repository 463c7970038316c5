"""Reservations with their whole life (OCPP 2.1 block H, 1.6 sections 3.11, 5.1 and 5.13).

What the station says counts; what it does by itself (use, release, expiry) is mirrored: by its start message where that
names the reservation (`use`), else by its sessions and statuses (`reservation_watch`).
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from cpo.lib import clock, events
from stations.events import ReservationChanged
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    Evse,
    IdToken,
    Reservation,
)
from stations.services import authorization, awaited, commands, requests
from stations.services.errors import InvalidReservation, NotOpen, StationOffline

Status = Reservation.Status
LONGEST = timedelta(days=7)  # a reservation holds an EVSE at most that long from now


class Reserved(NamedTuple):
    """A reservation and the command that carries it to the station."""

    reservation: Reservation
    command: Command


@transaction.atomic(savepoint=False)
def reserve(
    station: ChargingStation,
    *,
    id_token: str,
    expires_at: datetime,
    evse: Evse | None = None,
    connector_type: str = "",
    id_token_type: str = "RFID",  # noqa: S107 - a type of token
    group_id: str | None = None,
    replaces: Reservation | None = None,
    party: str = "",
    external_id: str = "",
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> Reserved:
    """Ask the station to hold an EVSE (None: any) for a token until `expires_at`, in place of `replaces` if given.

    `group_id` None takes the group of the token that we know. The station's answer changes the row (`answered`).
    Raise `InvalidReservation` (in the past, longer than a week, an EVSE of another station), `NotOpen` when
    `replaces` is over, and what `requests.queue` raises. A command that waits dies with its reservation.
    """
    now = clock.now()
    if expires_at <= now:
        raise InvalidReservation("expires_at", "is in the past")
    if expires_at > now + LONGEST:
        raise InvalidReservation("expires_at", f"is more than {LONGEST.days} days away")
    if evse is not None and evse.station_id != station.pk:
        raise InvalidReservation("evse", "belongs to another station")
    if not id_token.strip():
        raise InvalidReservation("id_token", "is empty")
    if not station.is_online and not queue_offline:
        raise StationOffline(f"{station.identity} is not connected")
    facts: dict[str, Any] = {
        "evse": evse,
        "connector_type": connector_type,
        "id_token": id_token.strip(),
        "id_token_type": id_token_type,
        "group_id": _group_of(id_token) if group_id is None else group_id,
        "expires_at": expires_at,
        "requested_by": requested_by[:100],
    }
    if replaces is not None:
        reservation = _replace(replaces, facts, now)
    else:
        reservation = _make(station, facts | {"party": party, "external_id": external_id}, now)
    command = requests.queue(
        station,
        "reserve",
        facts={"reservation": reservation},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        ttl_s=_ttl_s(expires_at - now, queue_offline=queue_offline),
        subject=subject(reservation),
    )
    _publish(reservation)
    return Reserved(reservation, command)


@transaction.atomic(savepoint=False)
def cancel(
    reservation: Reservation, *, requested_by: str = "", user: Any = None, queue_offline: bool = False
) -> Command:
    """Take a reservation back: at the station, or before it was sent; return the command that did or will.

    Raise `NotOpen` when it is over already, and what `requests.queue` raises.
    """
    reservation = _locked(pk=reservation.pk)
    if not reservation.is_open:
        raise NotOpen(f"the reservation is already {reservation.get_status_display().lower()}")
    waiting = Command.objects.filter(
        subject=subject(reservation), status=Command.Status.QUEUED
    ).order_by("-id")  # fmt: skip
    unsent = waiting.first()
    if unsent is not None and reservation.status == Status.REQUESTED and reservation.previous is None:
        return commands.cancel(unsent, by=requested_by)  # its outcome closes the row
    left = reservation.expires_at - clock.now()
    return requests.queue(
        reservation.station,
        "cancel_reservation",
        facts={"reservation": reservation},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        ttl_s=_ttl_s(left, queue_offline=queue_offline),
        subject=subject(reservation),
    )


@transaction.atomic(savepoint=False)
def answered(
    station: ChargingStation,
    *,
    number: int,
    status: str,
    reason: str = "",
    facts: dict[str, Any] | None = None,
) -> Reservation | None:
    """Take what came of asking for a reservation: `reserved`, `refused`, `unknown`, `cancelled` or `expired` (unsent).

    A late answer counts as long as nothing newer is known. A number that we did not give (a command that somebody
    wrote by hand) makes a row of its own from `facts` when the station holds it now.
    """
    reservation = _locked(station=station, number=number)
    now = clock.now()
    if reservation is None:
        if status != Status.RESERVED or facts is None or facts["expires_at"] is None:
            return None
        reservation = Reservation(station=station, number=number, created_at=now, last_updated=now, **facts)
        reservation.save()
    if reservation.status == Status.CANCELLED and status == Status.RESERVED:
        _cancel_again(reservation)
    if not reservation.is_open and not _is_unsure(reservation):
        return reservation
    previous, reservation.previous = reservation.previous, None
    reservation.status, reservation.reason = status, reason[:40]
    if status == Status.RESERVED:
        reservation.reserved_at, reservation.ended_at = now, None
        if reservation.expires_at <= now:
            reservation.status, reservation.ended_at = Status.EXPIRED, reservation.expires_at
    elif status == Status.UNKNOWN:
        reservation.previous = previous
    elif previous is not None:
        _restore(reservation, previous, reason=reason)  # the change was refused: what held before still holds
    else:
        reservation.ended_at = now
    save(reservation)
    _expect(reservation)
    return reservation


@transaction.atomic(savepoint=False)
def cancel_answered(station: ChargingStation, *, number: int, is_cancelled: bool | None) -> None:
    """Take the answer to a cancellation; False: the station knows no such reservation, None: no answer.

    What the station does not know is gone, whatever became of it.
    """
    reservation = _locked(station=station, number=number)
    if reservation is None or not reservation.is_open:
        return
    if is_cancelled is None:
        reservation.reason = "cancellation unanswered"
    else:
        reservation.status, reservation.ended_at = Status.CANCELLED, clock.now()
        reservation.reason = "" if is_cancelled else "unknown to the station"
    save(reservation)


@transaction.atomic(savepoint=False)
def use(session: ChargingSession, *, number: str) -> Reservation | None:
    """Bind the reservation that the session's start named (1.6 section 4.8); None when there is no such one of ours.

    The station knows best: it counts even where we took the reservation for expired or removed, for its message may
    be older than it looks. A number that was used before is a station's slip.
    """
    if not number.isdecimal() or len(number) > 10:
        return None
    reservation = _locked(station=session.station, number=int(number))
    if reservation is None or reservation.session_id is not None or reservation.status == Status.REFUSED:
        return None
    return bind(reservation, session)


@transaction.atomic(savepoint=False)
def released(station: ChargingStation, *, number: int, status: str, reason: str = "") -> bool:
    """Take a station's word that a reservation is over: `expired` or `removed` (OCPP 2.1 H04); False if it is not ours.

    What is over already, by use or otherwise, stays as it is.
    """
    reservation = _locked(station=station, number=number)
    if reservation is None:
        return False
    if not reservation.is_open:
        return True
    reservation.status, reservation.reason, reservation.previous = status, reason[:40], None
    reservation.ended_at = clock.now()
    save(reservation)
    return True


def subject(reservation: Reservation) -> str:
    """Return what commands about it name as their subject."""
    return f"reservation:{reservation.pk}"


def open_at(station: ChargingStation) -> list[Reservation]:
    """Return what the station holds or may hold, the first to expire first."""
    rows = Reservation.objects.filter(station=station, status__in=Reservation.OPEN)
    return list(rows.select_related("evse").order_by("expires_at"))


# --- inside


def bind(reservation: Reservation, session: ChargingSession) -> Reservation:
    """Note the session that used it, in the caller's transaction."""
    reservation.status, reservation.reason, reservation.previous = Status.USED, "", None
    reservation.session, reservation.ended_at = session, clock.now()
    if reservation.evse_id is not None and reservation.evse_id != session.evse_id:
        reservation.reason = "used at another EVSE"
    save(reservation)
    return reservation


def _make(station: ChargingStation, facts: dict[str, Any], now: datetime) -> Reservation:
    """Insert it with the station's next number, which somebody else may take at the same moment."""
    for _ in range(10):
        highest = Reservation.objects.filter(station=station).aggregate(highest=Max("number"))["highest"] or 0
        try:
            with transaction.atomic():
                return Reservation.objects.create(
                    station=station, number=highest + 1, created_at=now, last_updated=now, **facts
                )
        except IntegrityError as error:
            if "reservation_number" not in str(error):
                raise InvalidReservation("external_id", "is in use already") from error
    raise RuntimeError("no free reservation number")


def _replace(replaces: Reservation, facts: dict[str, Any], now: datetime) -> Reservation:
    """Take the new facts and remember the old ones until the station has answered."""
    reservation = _locked(pk=replaces.pk)
    if not reservation.is_open:
        raise NotOpen(f"the reservation is already {reservation.get_status_display().lower()}")
    if reservation.status == Status.RESERVED:
        reservation.previous = {
            "evse_id": reservation.evse_id,
            "id_token": reservation.id_token,
            "group_id": reservation.group_id,
            "expires_at": reservation.expires_at.isoformat(),
        }
    for name, value in facts.items():
        setattr(reservation, name, value)
    reservation.status, reservation.reason, reservation.last_updated = Status.REQUESTED, "", now
    reservation.save()
    return reservation


def _restore(reservation: Reservation, previous: dict[str, Any], *, reason: str) -> None:
    reservation.evse_id, reservation.id_token = previous["evse_id"], previous["id_token"]
    reservation.group_id = previous["group_id"]
    reservation.expires_at = datetime.fromisoformat(previous["expires_at"])
    reservation.status, reservation.reason = Status.RESERVED, f"change refused: {reason}"[:40]


def _cancel_again(reservation: Reservation) -> None:
    """Take back what the station accepted only after we had given it up: it would hold the EVSE for nobody."""
    requests.queue(
        reservation.station,
        "cancel_reservation",
        facts={"reservation": reservation},
        requested_by="accepted too late",
        queue_offline=True,
        priority=commands.AUTOMATIC,
        subject=subject(reservation),
    )


def _is_unsure(reservation: Reservation) -> bool:
    """Tell whether its end was only our guess, so that a late answer still counts."""
    return reservation.status == Status.EXPIRED and reservation.reserved_at is None


def _locked(**lookup: Any) -> Any:
    rows = Reservation.objects.select_for_update(of=("self",)).select_related("station", "evse")
    return rows.filter(**lookup).first()


def save(reservation: Reservation) -> None:
    """Write it and tell, in the caller's transaction."""
    reservation.last_updated = clock.now()
    reservation.save()
    _publish(reservation)


def _publish(reservation: Reservation) -> None:
    events.publish(ReservationChanged(reservation.pk, reservation.station_id, reservation.status))


def _expect(reservation: Reservation) -> None:
    if reservation.is_open:
        left = reservation.expires_at - clock.now()
        awaited.expect(reservation.station_id, for_s=max(left.total_seconds(), 0))


def _group_of(id_token: str) -> str:
    token: IdToken | None = authorization.find(id_token.strip(), own=True)
    return token.group_id if token is not None else ""


def _ttl_s(left: timedelta, *, queue_offline: bool) -> int | None:
    """Return how long its command may wait: not longer than the reservation lasts; None for the usual time."""
    seconds = max(int(left.total_seconds()), 1)
    usual = settings.OCPP_QUEUED_COMMAND_TTL_S if queue_offline else settings.OCPP_COMMAND_TTL_S
    return seconds if seconds < usual else None
