"""The steps of one station's local list: ask, send, rest, fail. The row is locked by whoever takes one.

    stale -> asking -> sending -> asking -> in_step        failed: tried again at `next_try_at`
                    -> in_step                             unsupported: until somebody sends the whole list

`content` is what the station has accepted; without one an update is whole. `target` and `position` are the update
under way: a station that did not answer is asked for its version, and the update goes on where that says it is.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from cpo.lib import clock, events
from stations.events import LocalListChanged
from stations.models import Command, LocalList, LocalListMark, ReviewItem
from stations.services import (
    commands,
    device_model,
    local_list_limits,
    local_list_updates,
    requests,
    review,
)
from stations.services.errors import StationsError
from stations.services.local_list_limits import BY
from stations.services.local_list_updates import Change

State = LocalList.State
ASK, SEND = "ask_local_list", "send_local_list"  # requests, in no version's words
BUSY = (State.ASKING, State.SENDING)
A_MOMENT = timedelta(seconds=3)  # until an answer that somebody else awaits is looked for
TRIES_BEFORE_REVIEW = 3
LONGEST_PAUSE_S = 86_400
ENTRIES_IN_ONE = 50  # of an update to a station that never told how many it takes


def next_step(row: LocalList) -> None:
    """Do what comes next for a list that nothing is under way for."""
    if not row.is_on and row.version == 0 and row.reported_at is None:
        rest(row)  # the station never heard of a list of ours
    elif row.is_on and not _is_ready(row):
        return
    elif row.reported_at is None:
        ask(row)
    elif row.content_id is not None and row.content_id == row.wanted_id:
        rest(row)
    else:
        begin(row)


def ask(row: LocalList) -> None:
    """Ask the station for the version of its list (1.6 section 5.10)."""
    row.reported_at = None
    command = _queue(row, ASK, {})
    if command is not None:
        row.state, row.command_uid = State.ASKING, command.uid
        save(row)


def begin(row: LocalList) -> None:
    """Begin an update: what differs, if we know what the station has and that is shorter; else the whole."""
    if row.wanted is None:  # its list is being made anew
        save(row)
        return
    row.target, row.position = row.wanted, 0
    if row.content is not None:
        changes = _changes(row)
        if not changes:  # the same entries: only what was left out differs
            row.content, row.target = row.wanted, None
            rest(row)
            return
        is_last_one = (
            row.is_on and len(changes) == 1 and not row.target.size
        )  # N10.FR.02: one entry that goes
        if len(changes) >= row.target.size and not is_last_one:
            row.content = None
    send(row)


def send(row: LocalList) -> None:
    """Send the next part of the update that has begun (1.6 section 5.15); behind the first part all are differences."""
    changes = _part(row)
    row.version = local_list_updates.next_version(row.version, row.reported_version)
    row.part = len(changes)
    is_whole = row.content is None and row.position == 0
    facts = {"version": row.version, "is_whole": is_whole, "changes": changes}
    command = _queue(row, SEND, facts)
    if command is not None:
        row.state, row.command_uid = State.SENDING, command.uid
        save(row)


def go_on(row: LocalList) -> None:
    """The part under way was accepted: send the next one, or ask for the version as the proof."""
    row.position, row.part = row.position + row.part, 0
    if row.position < len(_changes(row)):
        send(row)
        return
    row.content, row.target, row.position = row.target, None, 0
    row.sent_at = clock.now()
    ask(row)


def rest(row: LocalList) -> None:
    """Nothing to do: the station has what it shall have."""
    row.state = State.IN_STEP if row.is_on else State.OFF
    row.tries, row.problem, row.command_uid = 0, "", ""
    row.next_try_at = clock.now() + timedelta(seconds=settings.OCPP_LOCAL_LIST_CHECK_S)
    save(row)
    for item in _raised(row):
        review.resolve(item, by=BY, resolution="The list is in step.")


def start_over(row: LocalList) -> None:
    """Forget what the station may have: it gets the whole list."""
    row.content = row.target = None
    row.position = row.part = 0


def repair(row: LocalList, problem: str) -> None:
    """Send the whole list to a station that has another one: at once the first time, then after a pause."""
    start_over(row)
    if row.tries:
        fail(row, problem)
        return
    row.tries, row.problem = 1, problem
    begin(row)


def fail(row: LocalList, problem: str, *, counts: bool = True) -> None:
    """Try again after a pause that doubles with each failure; the third one is work for an operator."""
    row.tries = min(row.tries + counts, 100)
    doublings = min(max(row.tries - 1, 0), 20)
    pause_s = min(settings.OCPP_LOCAL_LIST_RETRY_S * 2**doublings, LONGEST_PAUSE_S)
    row.state, row.problem, row.command_uid = State.FAILED, problem[:255], ""
    row.next_try_at = clock.now() + timedelta(seconds=pause_s)
    save(row)
    if row.tries >= TRIES_BEFORE_REVIEW:
        _raise(row)


def give_up(row: LocalList, problem: str) -> None:
    """Leave a station alone that has no local lists."""
    start_over(row)
    row.state = State.UNSUPPORTED if row.is_on else State.OFF
    row.problem, row.command_uid, row.next_try_at = problem[:255], "", None
    save(row)


def save(row: LocalList) -> None:
    """Write the row and let its page know."""
    row.changed_at = clock.now()
    row.save(
        update_fields=[
            "state", "max_entries", "content", "target", "version", "reported_version", "reported_at", "position",
            "part", "command_uid", "tries", "next_try_at", "problem", "sent_at", "changed_at",
        ]
    )  # fmt: skip
    events.publish(LocalListChanged(row.station_id))


def _raised(row: LocalList) -> QuerySet[ReviewItem]:
    items = ReviewItem.objects.filter(kind=ReviewItem.Kind.LOCAL_LIST, station_id=row.station_id)
    return items.filter(resolved_at=None)


def _raise(row: LocalList) -> None:
    """Tell an operator, once until the list is in step again."""
    earlier = _raised(row).first()
    review.raise_item(
        ReviewItem.Kind.LOCAL_LIST,
        key=earlier.key if earlier else f"local list:{row.pk}:{clock.now().isoformat()}",
        summary=f"{row.station.identity} does not take its local list: {row.problem}",
        station=row.station,
        facts={"tries": row.tries, "version": row.version, "reported_version": row.reported_version},
    )


def _is_ready(row: LocalList) -> bool:
    """Tell whether the station's limits are known and its list is enabled, as far as it can be brought to that."""
    limits = local_list_limits.of(row.station)
    if not local_list_limits.prepare(row.station, limits):
        row.next_try_at = clock.now() + A_MOMENT
        save(row)
        return False
    if row.max_entries != limits.max_entries:
        row.max_entries, row.wanted = limits.max_entries, None  # another list: made with the next refresh
        save(row)
        LocalList.objects.filter(pk=row.pk).update(wanted=None)
        LocalListMark.objects.create()
        return False
    return True


def _queue(row: LocalList, request: str, facts: dict[str, Any]) -> Command | None:
    try:
        return requests.queue(
            row.station,
            request,
            facts=facts,
            requested_by=BY,
            priority=commands.AUTOMATIC,
            subject=f"local_list:{row.pk}",
        )
    except StationsError as error:  # it went away this moment, or its version has no lists
        fail(row, str(error), counts=False)
        return None


def _changes(row: LocalList) -> list[Change]:
    if row.target is None:
        return []
    if row.content is None:
        return local_list_updates.whole(row.target.entries)
    return local_list_updates.difference(row.content.entries, row.target.entries)


def _part(row: LocalList) -> list[Change]:
    """Return the next changes of the update: as many as the station takes in one request, by number and by size.

    Half of that with each further failure (1.6 section 5.15; 2.1 D01.FR.11).
    """
    limits = local_list_limits.of(row.station)
    most = max(1, (limits.entries_in_one or ENTRIES_IN_ONE) >> max(row.tries - 1, 0))
    part = _changes(row)[row.position : row.position + most]
    while limits.bytes_in_one and len(part) > 1 and _octets(row, part) > limits.bytes_in_one:
        part = part[: len(part) // 2]
    return part


def _octets(row: LocalList, part: list[Change]) -> int:
    facts = {"version": row.version, "is_whole": True, "changes": part}
    return requests.size(requests.write(row.station, SEND, facts)[1]) + device_model.FRAME_BYTES
