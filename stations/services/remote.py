"""Remote control: start, stop and restart, each with what came of it (OCPP 2.1 E02, F01 to F03, B11, B12).

"Accepted" says only that a station will try (1.6 sections 5.11, 5.12 and 5.14). `answered` makes the row of a request
when its answer or its absence is known; `remote_watch` sees it to its outcome.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.charging_profiles import ChargingProfile
from stations.events import RemoteRequestChanged
from stations.models import ChargingSession, ChargingStation, Command, Evse, RemoteRequest, Variable
from stations.services import authorization, awaited, remote_watch, requests, smart_charging
from stations.services.errors import InvalidPayload, NotOpen

Kind, State, Reason = RemoteRequest.Kind, RemoteRequest.State, RemoteRequest.Reason
GRACE_S = 15  # seconds for the messages about what happened
CONNECTION_TIMEOUT = ("ConnectionTimeOut", "EVConnectionTimeOut")  # 1.6 and 2.x
LONGEST_S = 3600  # of a ConnectionTimeOut that is believed


def start(
    station: ChargingStation,
    *,
    id_token: str,
    id_token_type: str = "",
    evse: Evse | None = None,
    profile: ChargingProfile | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    subject: str = "",
) -> Command:
    """Ask the station to start a session for a token, at an EVSE or where it likes; raise what `queue` raises.

    `profile` is a TxProfile for the session that begins (F01.FR.08, K05); raise `UnsuitedProfile` for another. The type
    is that of the stored token unless `id_token_type` says another one.
    """
    if evse is not None and evse.station_id != station.pk:
        raise InvalidPayload("evse", "belongs to another station")
    token = authorization.known(id_token)
    fitted = None if profile is None else smart_charging.start_profile(station, profile=profile)
    return requests.queue(
        station,
        "start",
        facts={
            "evse": evse,
            "id_token": id_token,
            "id_token_type": id_token_type or (token.type if token else ""),
            "group_id": token.group_id if token else "",
        }
        | ({} if fitted is None else {"profile": fitted}),
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        subject=subject,
    )


def stop(
    session: ChargingSession, *, requested_by: str = "", user: Any = None, queue_offline: bool = False
) -> Command:
    """Ask the station to stop this session; raise `NotOpen` when it has ended, and what `queue` raises."""
    if session.status == ChargingSession.Status.ENDED:
        raise NotOpen("the session has already ended")
    return requests.queue(
        session.station,
        "stop",
        facts={"session": session},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        subject=f"session:{session.pk}",
    )


@transaction.atomic(savepoint=False)
def answered(
    command: Command,
    *,
    kind: str,
    state: str,
    reason: str = "",
    evse: Evse | None = None,
    id_token: str = "",
    session: ChargingSession | None = None,
    remote_start_id: int | None = None,
    transaction_id: str = "",
) -> RemoteRequest:
    """Take what the station said to a request: `accepted`, `unknown`, `refused`, or `failed` when it was never sent.

    `remote_start_id` is what the transaction of a start will name (F01.FR.25), `transaction_id` what the answer to it
    named (F01.FR.13): both are better than a token that fits. A late answer replaces what was known, unless the outcome
    is there already.
    """
    now = clock.now()
    request = RemoteRequest.objects.select_for_update().filter(command=command).first()
    if request is not None and request.state == State.SUCCEEDED:
        return request
    request = request or RemoteRequest(command=command, station=command.station, kind=kind)
    request.evse, request.id_token, request.session = evse, id_token[:255], session
    request.remote_start_id, request.transaction_id = remote_start_id, transaction_id[:36]
    request.state, request.reason, request.answered_at = state, reason, now
    is_open = state in RemoteRequest.OPEN
    request.due_at = _due_at(command.station, kind, now) if is_open else None
    request.ended_at = None if is_open else now
    if state == State.REFUSED and not reason:
        request.reason = remote_watch.why_refused(request)
    request.save()
    events.publish(RemoteRequestChanged(request.pk, request.station_id, request.state))
    if is_open:
        remote_watch.settle(request)  # the session may have been faster than the answer
        awaited.expect(request.station_id, for_s=LONGEST_S)
    return request


def _due_at(station: ChargingStation, kind: str, now: datetime) -> datetime:
    seconds = {Kind.STOP: settings.OCPP_REMOTE_STOP_S, Kind.RESET: settings.OCPP_RESET_S}
    if kind in seconds:
        return now + timedelta(seconds=seconds[Kind(kind)])
    return now + timedelta(seconds=_connection_timeout_s(station) + GRACE_S)


def _connection_timeout_s(station: ChargingStation) -> int:
    """Return how long the station waits for a car, in seconds: as it told itself, else by the settings."""
    told = Variable.objects.filter(station=station, name__in=CONNECTION_TIMEOUT).values_list(
        "value", flat=True
    )
    for value in told:
        if value and value.isascii() and value.isdigit() and 0 < int(value[:6]) <= LONGEST_S:
            return int(value)
    return int(settings.OCPP_REMOTE_START_S)
