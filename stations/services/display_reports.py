"""What a station says lies on its display, in parts (OCPP 2.1 O03, O04), and how that differs from what was wished."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet

from cpo.lib import clock, events
from stations.events import DisplayMessagesChanged
from stations.models import ChargingStation, Command, DisplayMessage, DisplayReport
from stations.services import display_rows, variable_rows
from stations.services.display_rows import Message

State, Drift, Report = DisplayMessage.State, DisplayMessage.Drift, DisplayReport.State
SUBJECT = "display_report:"
QUIET = timedelta(minutes=5)  # a report of which nothing came for so long is over
MESSAGES_AT_MOST = 500  # of one station that are kept


class Told(NamedTuple):
    """A message as a station tells it."""

    message_id: int
    message: Message


@transaction.atomic(savepoint=False)
def take_part(
    station_id: int, *, request_id: int, is_last: bool, told: Sequence[Told]
) -> DisplayReport | None:
    """Store one part of a report; None for one that nobody asked for, which is stored all the same (O03.FR.02)."""
    variable_rows.lock(station_id)
    rows = {row.message_id: row for row in DisplayMessage.objects.filter(station=station_id)}
    for one in told:
        row = rows.get(one.message_id)
        if row is None and len(rows) >= MESSAGES_AT_MOST:
            continue
        rows[one.message_id] = _keep(station_id, row, one)
    report = _rows(station_id).filter(pk=request_id).first()
    if report is not None:
        report.seen = sorted({*report.seen, *(one.message_id for one in told)})
        report.state, report.heard_at = Report.RECEIVING, clock.now()
        if is_last:
            _end(report, Report.COMPLETE)
        report.save()
    events.publish(DisplayMessagesChanged(station_id))
    return report


@transaction.atomic(savepoint=False)
def answered(command: Command, *, state: str) -> None:
    """Take what the station said to the question: the parts follow, nothing fits (O03.FR.06, O04.FR.02), or silence."""
    kind, _, number = command.subject.partition(":")
    if f"{kind}:" != SUBJECT or not number.isdigit():
        return
    report = _rows(command.station_id).filter(pk=int(number)).first()
    if report is None or report.state not in (Report.ASKED, Report.UNANSWERED):
        return  # the first part was faster than the answer
    variable_rows.lock(command.station_id)
    if state == Report.RECEIVING:
        report.state, report.heard_at = state, clock.now()
    else:
        _end(report, state)
    report.save()
    events.publish(DisplayMessagesChanged(command.station_id))


def sweep() -> int:
    """Call reports incomplete of which nothing came for a while; return how many."""
    horizon = clock.now() - QUIET
    rows = DisplayReport.objects.filter(state=Report.RECEIVING, asked_at__lt=horizon)
    late = rows.filter(Q(heard_at=None) | Q(heard_at__lt=horizon))
    stations = set(late.values_list("station_id", flat=True)[:500])
    count = late.filter(station__in=stations).update(state=Report.INCOMPLETE, ended_at=clock.now())
    for station_id in stations:
        events.publish(DisplayMessagesChanged(station_id))
    return count


def newest(station: ChargingStation) -> DisplayReport | None:
    """Give the last question to a station."""
    return DisplayReport.objects.filter(station=station).order_by("-pk").first()


def _keep(station_id: int, row: DisplayMessage | None, told: Told) -> DisplayMessage:
    now, document = clock.now(), told.message.document()
    if row is None:
        row = DisplayMessage(
            station_id=station_id, message_id=told.message_id, is_ours=False, state=State.ACCEPTED,
            created_at=now, changed_at=now,
        )  # fmt: skip
    if not row.is_ours:
        display_rows.wish(row, told.message)
    is_same = same(document, display_rows.wished(row).document())
    if row.is_ours and is_same and row.state in (State.UNKNOWN, State.REFUSED):
        row.state, row.reason = State.ACCEPTED, ""
    row.shown, row.reported_at = document, now
    row.drift = _drift(row, is_same)
    row.save()
    return row


def _drift(row: DisplayMessage, is_same: bool) -> str:
    if not row.is_ours:
        return Drift.UNASKED
    if row.state == State.GONE:
        return Drift.STILL_THERE
    return "" if is_same or row.state in (State.WANTED, State.REFUSED) else Drift.DIFFERENT


def same(told: dict[str, Any], wished: dict[str, Any]) -> bool:
    """Tell whether a station shows what was wished. One that knows a single text per message tells a single one."""
    texts = [list(one["contents"]) for one in (told, wished)]
    is_text = texts[0] == texts[1] or (len(texts[0]) == 1 and texts[0] == texts[1][:1])
    return is_text and all(told[name] == wished[name] for name in wished if name != "contents")


def _end(report: DisplayReport, state: str) -> None:
    """Close a report; of what it was about, what it did not name is not there."""
    report.state, report.ended_at = state, clock.now()
    if state not in (Report.COMPLETE, Report.EMPTY):
        return
    rows = DisplayMessage.objects.filter(
        station=report.station_id, shown__isnull=False, changed_at__lt=report.asked_at
    )
    if report.message_ids:
        rows = rows.filter(message_id__in=report.message_ids)
    if report.priority:
        rows = rows.filter(shown__priority=report.priority)
    if report.when:
        rows = rows.filter(shown__when=report.when)
    unseen = rows.exclude(message_id__in=report.seen)
    now = clock.now()
    unseen.filter(Q(is_ours=False) | Q(state=State.GONE)).update(
        state=State.GONE, shown=None, drift="", reported_at=now
    )
    unseen.exclude(state=State.GONE).update(shown=None, drift=Drift.MISSING, reported_at=now)


def _rows(station_id: int) -> "QuerySet[DisplayReport]":
    return DisplayReport.objects.select_for_update().filter(station=station_id)
