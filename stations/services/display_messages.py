"""Messages on the displays of stations: written, replaced, cleared, read back (OCPP 2.1 block O).

A row keeps what an operator wishes and what lies on the station as far as anybody knows; a report of the station tells
where the two differ. What a station says about its display (DisplayMessageCtrlr) is looked at before it is asked.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from cpo.lib import clock, events
from stations.events import DisplayMessagesChanged
from stations.models import ChargingSession, ChargingStation, Command, DisplayMessage, DisplayReport
from stations.services import display_limits, display_rows, requests, variable_rows
from stations.services.display_limits import Limits
from stations.services.display_reports import SUBJECT as REPORT_SUBJECT
from stations.services.display_rows import Message
from stations.services.errors import InvalidPayload, NotDisplayable, NotOpen, StationsError

State, Drift, Priority = DisplayMessage.State, DisplayMessage.Drift, DisplayMessage.Priority
SUBJECT = "display:"
CONTENTS_AT_MOST = 5  # the main one and four more (MessageInfoType.messageExtra)
LARGEST_ID = 2**31 - 1


class Asked(NamedTuple):
    """A message and the command that carries it."""

    message: DisplayMessage
    command: Command


class Outcome(NamedTuple):
    """What came of a message for one of several stations: asked, or why not."""

    station: ChargingStation
    asked: Asked | None
    fault: str = ""


# --- asking


@transaction.atomic(savepoint=False)
def put(
    station: ChargingStation,
    message: Message,
    *,
    message_id: int | None = None,
    batch: str = "",
    anyway: bool = False,
    requested_by: str = "",
    **options: Any,
) -> Asked:
    """Queue SetDisplayMessage (O01, O02); with the id of one that lies there it takes its place (O06).

    Raise `NotDisplayable` for what the station says it cannot show, unless `anyway`; `InvalidPayload` for what no
    station can; and what `requests.queue` raises.
    """
    _check(station, message)
    variable_rows.lock(station.pk)
    rows = DisplayMessage.objects.filter(station=station)
    row = rows.filter(message_id=message_id).first() if message_id is not None else None
    if not anyway:
        is_new = row is None or row.shown is None
        display_limits.check(station, message.document(), is_new=is_new)
        _check_transaction(station, message)
    now = clock.now()
    if row is None:
        number = message_id if message_id is not None else _next_id(rows)
        row = DisplayMessage(station=station, message_id=number, created_at=now)
    display_rows.wish(row, message)
    row.batch, row.is_ours = batch, True
    row.state, row.reason, row.drift = State.WANTED, "", ""
    row.requested_by, row.changed_at = requested_by[:100], now
    row.save()
    command = requests.queue(
        station, "display_message", facts={"message_id": row.message_id, "message": message},
        requested_by=requested_by, subject=f"{SUBJECT}{row.message_id}", **options,
    )  # fmt: skip
    _publish(station.pk)
    return Asked(row, command)


def put_at(
    stations: Iterable[ChargingStation], message: Message, *, anyway: bool = False, **options: Any
) -> list[Outcome]:
    """Write a message for each of these stations; one that cannot have it does not keep the others from it."""
    batch, found = str(uuid.uuid4()), []
    for station in stations:
        try:
            with transaction.atomic():
                asked = put(station, message, batch=batch, anyway=anyway, **options)
            found.append(Outcome(station, asked))
        except StationsError as error:
            found.append(Outcome(station, None, str(error)))
    return found


def put_again(row: DisplayMessage, **options: Any) -> Asked:
    """Send a message as it was wished once more, under its own id."""
    return put(
        row.station,
        display_rows.wished(row),
        message_id=row.message_id,
        batch=row.batch,
        anyway=True,
        **options,
    )


@transaction.atomic(savepoint=False)
def clear(station: ChargingStation, message_id: int, *, requested_by: str = "", **options: Any) -> Command:
    """Queue ClearDisplayMessage (O05)."""
    return requests.queue(
        station, "clear_display_message", facts={"message_id": message_id}, requested_by=requested_by,
        subject=f"{SUBJECT}{message_id}", **options,
    )  # fmt: skip


def clear_batch(batch: str, *, stations: "QuerySet[ChargingStation]", **options: Any) -> list[Outcome]:
    """Queue ClearDisplayMessage at those of these stations that have what was written for several at once."""
    rows = DisplayMessage.objects.filter(batch=batch, station__in=stations).exclude(state=State.GONE)
    found = []
    for row in rows.exclude(batch="").select_related("station").order_by("station__identity"):
        try:
            with transaction.atomic():
                found.append(Outcome(row.station, Asked(row, clear(row.station, row.message_id, **options))))
        except StationsError as error:
            found.append(Outcome(row.station, None, str(error)))
    return found


@transaction.atomic(savepoint=False)
def read(
    station: ChargingStation,
    *,
    message_ids: Sequence[int] = (),
    priority: str = "",
    when: str = "",
    requested_by: str = "",
    **options: Any,
) -> Command:
    """Queue GetDisplayMessages: of all (O03), or of these ids, this priority, this state (O04)."""
    report = DisplayReport.objects.create(
        station=station, message_ids=list(message_ids), priority=priority, when=when,
        requested_by=requested_by[:100], asked_at=clock.now(),
    )  # fmt: skip
    facts = {"request_id": report.pk, "message_ids": list(message_ids), "priority": priority, "when": when}
    return requests.queue(
        station, "display_report", facts=facts, requested_by=requested_by,
        subject=f"{REPORT_SUBJECT}{report.pk}", **options,
    )  # fmt: skip


# --- what came back


@transaction.atomic(savepoint=False)
def was_put(
    station: ChargingStation, message_id: int, message: Message, *, state: str, reason: str = ""
) -> DisplayMessage:
    """Take what became of a message (SetDisplayMessageResponse), also of one that was written as a bare command.

    An accepted one that is always in front takes the place of the others there (O01.FR.16, O02.FR.18).
    """
    variable_rows.lock(station.pk)
    rows = DisplayMessage.objects.filter(station=station)
    row = rows.filter(message_id=message_id).first()
    now = clock.now()
    if row is None:
        row = DisplayMessage(station=station, message_id=message_id, created_at=now)
        display_rows.wish(row, message)
    is_newest = display_rows.wished(row).document() == message.document()
    if state == State.ACCEPTED:
        row.shown = message.document()
        if message.priority == Priority.ALWAYS_FRONT:
            others = rows.filter(priority=Priority.ALWAYS_FRONT, state=State.ACCEPTED).exclude(pk=row.pk)
            others.filter(display=row.display, display_evse=row.display_evse).update(
                state=State.GONE, reason="replaced", shown=None, drift="", changed_at=now
            )
    if is_newest:
        row.state, row.reason, row.drift = state, reason[:64], ""
    row.changed_at = now
    row.save()
    _publish(station.pk)
    return row


@transaction.atomic(savepoint=False)
def was_cleared(station: ChargingStation, message_id: int, *, reason: str = "") -> None:
    """Note that the station has no such message any more, or never had (O05.FR.01, O05.FR.02)."""
    DisplayMessage.objects.filter(station=station, message_id=message_id).update(
        state=State.GONE, reason=reason[:64], shown=None, drift="", changed_at=clock.now()
    )
    _publish(station.pk)


@transaction.atomic(savepoint=False)
def was_not_cleared(station: ChargingStation, message_id: int, *, reason: str) -> None:
    """Keep why a message is still there (O05.FR.03)."""
    rows = DisplayMessage.objects.filter(station=station, message_id=message_id)
    rows.update(reason=reason[:64], changed_at=clock.now())
    _publish(station.pk)


# --- at the right time


def sweep() -> int:
    """Note what stations remove by themselves: what is over, and what was for a session (O01.FR.07, O02.FR.02)."""
    now = clock.now()
    standing = DisplayMessage.objects.exclude(state__in=[State.GONE, State.WANTED])
    over = Q(ends_at__lte=now)
    runs = ChargingSession.objects.active().values("station_id", "transaction_id")
    found = list(standing.filter(over).values_list("pk", "station_id")[:500])
    of_sessions = list(
        standing.exclude(transaction_id="").values_list("pk", "station_id", "transaction_id")[:500]
    )
    running = {
        (row["station_id"], row["transaction_id"])
        for row in runs.filter(station__in={station_id for _, station_id, _ in of_sessions})
    } if of_sessions else set()  # fmt: skip
    found += [(pk, station_id) for pk, station_id, key in of_sessions if (station_id, key) not in running]
    DisplayMessage.objects.filter(pk__in=[pk for pk, _ in found]).update(
        state=State.GONE, reason="over", shown=None, drift="", changed_at=now
    )
    for station_id in {station_id for _, station_id in found}:
        _publish(station_id)
    return len(found)


# --- reading


def limits(station: ChargingStation) -> Limits:
    """Give what the station says its display can do."""
    return display_limits.of(station)


def _check(station: ChargingStation, message: Message) -> None:
    """Refuse what no display can show."""
    if not message.contents or not all(one.content.strip() for one in message.contents):
        raise InvalidPayload("contents", "a message needs a text")
    if len(message.contents) > CONTENTS_AT_MOST:
        raise InvalidPayload("contents", f"at most {CONTENTS_AT_MOST} languages or formats")
    if message.starts_at and message.ends_at and message.ends_at <= message.starts_at:
        raise InvalidPayload("ends_at", "must be after the start")
    if message.ends_at and message.ends_at <= clock.now():
        raise InvalidPayload("ends_at", "lies in the past")


def _check_transaction(station: ChargingStation, message: Message) -> None:
    """Refuse a message for a session that is over: its station would not know it any more (O02.FR.01)."""
    if not message.transaction_id:
        return
    session = ChargingSession.objects.filter(station=station, transaction_id=message.transaction_id).first()
    if session is None:
        raise NotDisplayable("no session at this station has this transaction id")
    if session.status == ChargingSession.Status.ENDED:
        raise NotOpen("the session has already ended")


def _next_id(rows: "QuerySet[DisplayMessage]") -> int:
    """Give an id that no message of the station ever had."""
    last = rows.filter(message_id__lt=LARGEST_ID).aggregate(last=Max("message_id"))["last"]
    return max(0, last or 0) + 1


def _publish(station_id: int) -> None:
    events.publish(DisplayMessagesChanged(station_id))
