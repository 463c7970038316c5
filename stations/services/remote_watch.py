"""What came of remote control: the session, its end, the boot; and when nothing came, why (field note 16)."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from cpo.lib import clock, events
from stations.events import RemoteRequestChanged
from stations.models import (
    ChargingSession,
    Connector,
    ConnectorStatus,
    RemoteRequest,
    TransactionEvent,
)
from stations.services import authorization

Kind, State, Reason = RemoteRequest.Kind, RemoteRequest.State, RemoteRequest.Reason
FIRST_MESSAGES = timedelta(
    seconds=60
)  # what a station says of its time offline it says soon after it is back
PATIENCE = timedelta(days=1)  # an outcome is awaited of a station that is away
LOOK_BACK = timedelta(days=2)  # so far behind may the clock of a station be whose sessions are looked for
ROWS_AT_ONCE = 500  # of one sweep

# What a connector's status says about a session that did not begin there.
BY_STATUS: dict[str, str] = {
    ConnectorStatus.AVAILABLE: Reason.NO_CAR,
    ConnectorStatus.CHARGING: Reason.OCCUPIED,
    ConnectorStatus.FAULTED: Reason.FAULTED,
    ConnectorStatus.FINISHING: Reason.OCCUPIED,
    ConnectorStatus.OCCUPIED: Reason.OCCUPIED,
    ConnectorStatus.RESERVED: Reason.RESERVED,
    ConnectorStatus.SUSPENDED_EV: Reason.OCCUPIED,
    ConnectorStatus.SUSPENDED_EVSE: Reason.OCCUPIED,
    ConnectorStatus.UNAVAILABLE: Reason.OUT_OF_SERVICE,
}


def follow_up(station_ids: Iterable[int] | None = None) -> int:
    """Look at requests (of these stations; None: of all) whose outcome is awaited; return how many have one now."""
    rows = RemoteRequest.objects.filter(state__in=RemoteRequest.OPEN)
    if station_ids is not None:
        rows = rows.filter(station_id__in=list(station_ids))
    return sum(
        _look_at(pk) for pk in list(rows.order_by("due_at").values_list("pk", flat=True)[:ROWS_AT_ONCE])
    )


@transaction.atomic(savepoint=False)
def _look_at(pk: int) -> bool:
    rows = RemoteRequest.objects.select_for_update(skip_locked=True, of=("self",))
    request = rows.select_related("station", "command", "evse", "session").filter(pk=pk).first()
    return request is not None and request.state in RemoteRequest.OPEN and settle(request)


def settle(request: RemoteRequest) -> bool:
    """Write down the outcome if there is one, in the caller's transaction; True when it is final."""
    if _is_done(request):
        return True
    now = clock.now()
    if request.due_at is None or request.due_at > now:
        if not _came_back_without(request):
            return False
        _end(request, State.FAILED, Reason.OFFLINE)
    elif not request.station.is_online and request.reason != Reason.OFFLINE:
        request.state, request.reason, request.due_at = State.UNKNOWN, Reason.OFFLINE, now + PATIENCE
        _save(request)
        return False
    elif request.state == State.UNKNOWN:
        _end(request, State.FAILED, request.reason or Reason.NO_ANSWER)
    else:
        _end(request, State.FAILED, _why(request))
    return True


def why_refused(request: RemoteRequest) -> str:
    """Say what we know of why the station said no; empty when nothing speaks for it."""
    if request.kind == Kind.STOP:
        return Reason.SESSION_UNKNOWN
    if request.kind == Kind.RESET:
        return ""
    found = _by_connector(request)
    return "" if found in (Reason.NO_CAR, Reason.NOT_STARTED) else found


def _is_done(request: RemoteRequest) -> bool:
    if request.kind == Kind.START:
        return _has_started(request)
    if request.kind == Kind.STOP:
        if request.session is None:
            return False
        request.session.refresh_from_db(fields=["status"])
        done = request.session.status == ChargingSession.Status.ENDED
    else:
        asked_at, boot_at = request.command.sent_at, request.station.last_boot_at
        done = asked_at is not None and boot_at is not None and boot_at >= asked_at
    if done:
        _end(request, State.SUCCEEDED)
    return done


def _has_started(request: RemoteRequest) -> bool:
    """Look for the session that the request has brought about: as the station names it, else by its token."""
    session = _named(request) or _fitting(request)
    if session is None:
        return False
    request.session = session
    if session.authorization_status == "Accepted":
        _end(request, State.SUCCEEDED)
    elif session.status == ChargingSession.Status.ACTIVE and not session.id_token:
        return False  # no token has been shown there yet
    else:
        _end(request, State.FAILED, Reason.TOKEN_REFUSED)
    return True


def _named(request: RemoteRequest) -> ChargingSession | None:
    """Find the transaction that names the id of the request, or that the answer to it named (F01, F02)."""
    sessions = ChargingSession.objects.filter(station_id=request.station_id)
    if request.remote_start_id is not None:
        since = (request.command.sent_at or request.command.created_at) - LOOK_BACK
        named = TransactionEvent.objects.filter(
            station_id=request.station_id, at__gte=since, remote_start_id=request.remote_start_id
        )
        event = named.values_list("transaction_id", flat=True).first()
        if event is not None:
            return sessions.filter(transaction_id=event).first()
    if not request.transaction_id:
        return None
    return sessions.filter(transaction_id=request.transaction_id).exclude(id_token="").first()


def _fitting(request: RemoteRequest) -> ChargingSession | None:
    """Find the session with this token, begun since the request, that no other request has brought about."""
    since = request.command.sent_at or request.command.created_at
    sessions = ChargingSession.objects.filter(
        evse__station_id=request.station_id,
        started_at__gte=since - LOOK_BACK,
        created_at__gte=since,
        id_token__iexact=request.id_token,
    ).exclude(remote_requests__kind=Kind.START)
    if request.evse_id is not None:
        sessions = sessions.filter(evse_id=request.evse_id)
    return sessions.order_by("id").first()


def _came_back_without(request: RemoteRequest) -> bool:
    """Tell whether a station that was away is back long enough to have told what happened, and did not."""
    station = request.station
    if request.reason != Reason.OFFLINE or not station.is_online or station.online_changed_at is None:
        return False
    return station.online_changed_at <= clock.now() - FIRST_MESSAGES


def _why(request: RemoteRequest) -> str:
    if request.kind == Kind.STOP:
        return Reason.NOT_STOPPED
    if request.kind == Kind.RESET:
        return Reason.NOT_RESTARTED
    return _by_connector(request)


def _by_connector(request: RemoteRequest) -> str:
    """Say why no session began, by what is known of the token and of the connector; nobody is asked for it."""
    others = ChargingSession.objects.active().filter(station_id=request.station_id)
    if request.evse_id is not None and others.filter(evse_id=request.evse_id).exists():
        return Reason.OTHER_TOKEN
    token = authorization.find(request.id_token, own=True)
    if token is not None and authorization.status_of(token) != "Accepted":
        return Reason.TOKEN_REFUSED
    connectors = Connector.objects.filter(evse__station_id=request.station_id, evse__is_removed=False)
    if request.evse_id is not None:
        connectors = connectors.filter(evse_id=request.evse_id)
    statuses = set(connectors.values_list("status", flat=True))
    reasons = {BY_STATUS.get(status, Reason.NOT_STARTED) for status in statuses}
    return reasons.pop() if len(reasons) == 1 else Reason.NOT_STARTED


def _end(request: RemoteRequest, state: str, reason: str = "") -> None:
    request.state, request.reason, request.ended_at = state, reason, clock.now()
    request.due_at = None
    _save(request)


def _save(request: RemoteRequest) -> None:
    request.save(update_fields=["state", "reason", "session", "due_at", "ended_at"])
    events.publish(RemoteRequestChanged(request.pk, request.station_id, request.state))
