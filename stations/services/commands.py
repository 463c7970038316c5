"""Commands: rows with a status, an expiry and a result (the outbox towards chargers).

`queue` writes the row and wakes whoever holds the socket; `claim`, `answered`, `failed` and `timed_out` are the
sender's. Nothing is refused from cached state: whether a connector can be unlocked, the station decides. Whatever
becomes of a command, the handler that the action's route names hears of it in the same transaction (`_tell`).
"""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils.module_loading import import_string

from cpo.lib import clock, events, keyring, redact
from stations.events import CommandChanged
from stations.models import ChargingStation, Command
from stations.services import guarded_commands, password_changes, review, sealed, wake
from stations.services.errors import InvalidPayload, NotOpen, StationOffline, UnknownAction
from stations.services.guarded_keys import without_secrets

log = structlog.get_logger(__name__)

Status = Command.Status
LONGEST_CALL = timedelta(minutes=15)
_OTHER_VERSION = (
    "it was asked for in the words of another version; the station speaks OCPP {version} now: {error}"
)
AUTOMATIC = -10  # priority of what nobody asked for: it lets an operator's command pass


@cache
def _checker() -> Callable[[str, str, dict[str, Any]], None]:
    function: Callable[[str, str, dict[str, Any]], None] = import_string(settings.COMMAND_CHECK)
    return function


@cache
def _listener() -> Callable[[Command, dict[str, Any] | None], None]:
    function: Callable[[Command, dict[str, Any] | None], None] = import_string(settings.COMMAND_OUTCOME)
    return function


@transaction.atomic(savepoint=False)
def queue(
    station: ChargingStation,
    *,
    action: str,
    payload: dict[str, Any],
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    ttl_s: int | None = None,
    priority: int = 0,
    subject: str = "",
) -> Command:
    """Write a command for the station and wake its sender; of those that wait, the highest `priority` goes first.

    `subject` names the row that it is about, for the handler of its outcome and for the pages of that row.
    Raise `UnknownAction` or `InvalidPayload` when the station's version has no such request, `StationOffline` when it
    is not connected and `queue_offline` is false. It expires unsent after `ttl_s` seconds (by default
    OCPP_COMMAND_TTL_S, or OCPP_QUEUED_COMMAND_TTL_S when it may wait for the station).
    """
    _checker()(station.ocpp_version, action, payload)
    guarded_commands.check(station, action, payload)
    if not station.is_online and not queue_offline:
        raise StationOffline(f"{station.identity} is not connected")
    payload, subject = password_changes.adopted(
        station, action, payload, subject=subject, requested_by=requested_by
    )
    if ttl_s is None:
        ttl_s = settings.OCPP_QUEUED_COMMAND_TTL_S if queue_offline else settings.OCPP_COMMAND_TTL_S
    now = clock.now()
    command = Command.objects.create(
        station=station,
        action=action,
        payload=payload,
        requested_by=requested_by[:100],
        user=user,
        created_at=now,
        expires_at=now + timedelta(seconds=ttl_s),
        priority=priority,
        subject=subject,
    )
    wake.command(station.pk)
    _publish(command)
    return command


@transaction.atomic(savepoint=False)
def claim(station_id: int, *, epoch: int, is_asked_for: bool = False) -> Command | None:
    """Take the first waiting command for the owner of this epoch's socket and mark it sent; None if none waits.

    With `is_asked_for`, automatic ones go on waiting. What the version that the station speaks now has no words for has
    failed: it came back with another one since.
    """
    version = (
        ChargingStation.objects.filter(pk=station_id, epoch=epoch)
        .values_list("ocpp_version", flat=True)
        .first()
    )
    if version is None:
        return None
    waiting = Command.objects.select_for_update(skip_locked=True).filter(
        station_id=station_id, status=Status.QUEUED, expires_at__gt=clock.now()
    )
    if is_asked_for:
        waiting = waiting.filter(priority__gte=0)
    while (command := waiting.order_by("-priority", "id").first()) is not None:
        command.status = Status.SENT
        command.sent_at = clock.now()
        command.sent_epoch = epoch
        command.save(update_fields=["status", "sent_at", "sent_epoch"])
        _publish(command)
        readable = _readable(command)
        if readable is not None and _fits(readable, version):
            return readable
    return None


@transaction.atomic(savepoint=False)
def answered(uid: str, *, station_id: int, result: dict[str, Any], fault: str = "") -> Command | None:
    """Store the station's CALLRESULT; after the timeout it is kept and marked late. None: no such open command.

    `fault` says how the answer breaks the action's schema: then the command failed, with the answer kept.
    """
    command = _awaiting(uid, station_id=station_id)
    if command is None:
        return None
    command.result = without_secrets(result)
    command.error_description = fault[:255]
    return _finish(command, Status.FAILED if fault else Status.ANSWERED, answer=None if fault else result)


@transaction.atomic(savepoint=False)
def failed(uid: str, *, station_id: int, code: str, description: str, details: Any = None) -> Command | None:
    """Store the station's CALLERROR; after the timeout it is kept and marked late."""
    command = _awaiting(uid, station_id=station_id)
    if command is None:
        return None
    command.error_code = code[:64]
    command.error_description = description[:255]
    command.result = details if isinstance(details, dict) and details else None
    return _finish(command, Status.FAILED)


@transaction.atomic(savepoint=False)
def timed_out(uid: str, *, station_id: int, reason: str) -> None:
    """Close a sent command without an answer: it is not repeated, for nobody knows whether the station obeyed."""
    command = _awaiting(uid, station_id=station_id)
    if command is None or command.status != Status.SENT:
        return
    command.status = Status.TIMED_OUT
    command.error_description = reason[:255]
    _tell(command, None)
    command.payload = redact.payload(command.payload)
    command.save(update_fields=["status", "payload", "error_description"])
    _publish(command)


@transaction.atomic(savepoint=False)
def put_back(uid: str, *, epoch: int) -> None:
    """Let a claimed command wait again: its socket was gone before it was written to."""
    put = Command.objects.filter(uid=uid, status=Status.SENT, sent_epoch=epoch).update(
        status=Status.QUEUED, sent_at=None, sent_epoch=None
    )
    if put:
        command = Command.objects.get(uid=uid)
        wake.command(command.station_id)
        _publish(command)


def connection_lost(station_id: int, *, epoch: int) -> None:
    """Close what was sent over a connection that has ended."""
    for command in Command.objects.filter(station_id=station_id, status=Status.SENT, sent_epoch=epoch):
        timed_out(command.uid, station_id=station_id, reason="the connection ended before an answer")


@transaction.atomic(savepoint=False)
def cancel(command: Command, *, by: str) -> Command:
    """Take back a command that was not sent yet; raise `NotOpen` when it was."""
    command = Command.objects.select_for_update().get(pk=command.pk)
    if command.status != Status.QUEUED:
        raise NotOpen(f"the command is already {command.get_status_display()}")
    command.status = Status.CANCELLED
    command.error_description = f"cancelled by {by}"[:255]
    _tell(command, None)
    command.payload = redact.payload(command.payload)
    command.save(update_fields=["status", "payload", "error_description"])
    _publish(command)
    return command


def wait(command: Command, *, timeout_s: float) -> Command:
    """Look at the row until it has an outcome or the time is up; return it as it then stands."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.01
    command.refresh_from_db()
    while command.is_open and time.monotonic() < deadline:
        if not connection.in_atomic_block:
            connection.close()  # back to the pool: many may wait at once, and the sender needs one
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.25)
        command.refresh_from_db()
    return command


def expire() -> int:
    """Expire what was never sent in time and time out what was sent by a process that died; return how many."""
    now = clock.now()
    count = 0
    with transaction.atomic():
        late = Command.objects.select_for_update(skip_locked=True).filter(
            status=Status.QUEUED, expires_at__lte=now
        )
        for command in late[:1000]:
            command.status = Status.EXPIRED
            command.error_description = "the station did not connect in time"
            _tell(command, None)
            command.payload = redact.payload(command.payload)
            command.save(update_fields=["status", "payload", "error_description"])
            _publish(command)
            count += 1
    horizon = now - timedelta(seconds=settings.OCPP_CALL_TIMEOUT_S + 30)
    sent = Command.objects.filter(status=Status.SENT, sent_at__lt=horizon)
    # A socket that is still there times its commands out itself: some stations are given more time (call_timeout_s).
    is_watched = Q(
        station__is_online=True, station__epoch=F("sent_epoch"), sent_at__gte=horizon - LONGEST_CALL
    )
    for command in sent.exclude(is_watched)[:1000]:
        timed_out(command.uid, station_id=command.station_id, reason="no answer, and the sender is gone")
        count += 1
    return count


def stations_with_queue(station_ids: list[int]) -> list[int]:
    """Return which of these stations have a command waiting."""
    waiting = Command.objects.filter(station_id__in=station_ids, status=Status.QUEUED)
    return list(waiting.values_list("station_id", flat=True).distinct())


def _fits(command: Command, version: str) -> bool:
    """Tell whether the version takes the command; one that it does not take has failed unsent."""
    try:
        _checker()(version, command.action, command.payload)
    except (UnknownAction, InvalidPayload) as error:
        command.refresh_from_db()
        command.error_description = _OTHER_VERSION.format(version=version, error=error)[:255]
        command.sent_at = None
        command.save(update_fields=["sent_at"])
        _finish(command, Status.FAILED)
        return False
    return True


def _readable(command: Command) -> Command | None:
    """Give a claimed command with its secrets as they go over the wire; the row keeps them sealed."""
    try:
        command.payload = sealed.opened(command.payload)
    except keyring.UnreadableSecret:
        command.refresh_from_db()
        command.error_description = "its secret was encrypted with a FIELD_KEY that is gone"
        command.sent_at = None
        command.save(update_fields=["sent_at"])
        _finish(command, Status.FAILED)
        return None
    return command


def _awaiting(uid: str, *, station_id: int) -> Command | None:
    return (
        Command.objects.select_for_update()
        .filter(uid=uid, station_id=station_id, status__in=[Status.SENT, Status.TIMED_OUT], answered_at=None)
        .first()
    )


def _finish(command: Command, status: str, *, answer: dict[str, Any] | None = None) -> Command:
    command.answered_at = clock.now()
    if command.status == Status.TIMED_OUT:
        command.answered_late = True  # the status stays: whoever waited was told so
    else:
        command.status = status
    _tell(command, answer)
    command.payload = redact.payload(
        command.payload
    )  # it has been sent: a secret in it is not needed any more
    command.save(
        update_fields=[
            "status", "payload", "result", "error_code", "error_description", "answered_at", "answered_late",
        ]
    )  # fmt: skip
    _publish(command)
    return command


def _tell(command: Command, answer: dict[str, Any] | None) -> None:
    """Let the action's handler act on an outcome; its own failure costs neither the outcome nor the answer.

    `answer` is None when there is none that can be read: failed, timed out, expired, cancelled. The payload is still
    as it was sent, secrets included.
    """
    try:
        with transaction.atomic():
            _listener()(command, answer)
    except DatabaseError:
        raise  # the database is away or another transaction was faster: the whole outcome is stored again
    except Exception:
        log.exception("outcome of a command not acted upon", action=command.action)
        review.raise_item(
            "command_outcome",
            key=f"outcome:{command.uid}",
            summary=f"What {command.action} came to could not be acted upon",
            station=command.station,
            facts={"command": command.uid, "status": command.status},
        )


def _publish(command: Command) -> None:
    events.publish(CommandChanged(command.pk, command.station_id, command.status))
