"""Local authorization lists kept in step, one per station (OCPP 1.6 sections 3.5.2, 5.10, 5.15; 2.x block D).

A station's row says what it shall have (`wanted`), what it has accepted (`content`) and what it told last
(`reported_version`). A sweep takes the next step of each list that is not where it should be; the outcome of a request
takes the one after it. What counts is the version that the station tells: after each update, each connection, each
boot and once in a while it is asked, and what differs from what we sent is repaired by the whole list.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from cpo.lib import clock
from stations.models import ChargingStation, Command, LocalList, LocalListMark, LocalListSite, Location
from stations.services import local_list_steps as steps
from stations.services.errors import NoLocalList
from stations.services.local_list_contents import empty
from stations.services.local_list_steps import BUSY, State

AT_ONCE = 100  # lists whose stations are being spoken to
Mode = LocalList.Mode


@transaction.atomic(savepoint=False)
def switch(station: ChargingStation, *, mode: str) -> LocalList:
    """Give the station a list (`on`), take it away (`off`), or let its site decide (``). It follows with the sweep.

    A list that is taken away is emptied: what a station keeps for itself would charge for ever.
    """
    row, _ = LocalList.objects.get_or_create(station=station, defaults={"changed_at": clock.now()})
    row.mode = Mode(mode)
    row.save(update_fields=["mode"])
    steps.save(row)
    LocalListMark.objects.create()
    return row


@transaction.atomic(savepoint=False)
def switch_site(location: Location, *, is_on: bool | None) -> None:
    """Give the stations of a site lists, or none; None: as the installation's setting says."""
    if is_on is None:
        LocalListSite.objects.filter(pk=location.pk).delete()
    else:
        LocalListSite.objects.update_or_create(location=location, defaults={"is_on": is_on})
    LocalListMark.objects.create()


@transaction.atomic(savepoint=False)
def send_whole(station: ChargingStation) -> LocalList:
    """Send the whole list again with the next sweep, also to a station that failed or said that it has none.

    Raise `NoLocalList` when the station shall have none.
    """
    row = _locked().filter(station=station, is_on=True).first()
    if row is None:
        raise NoLocalList(f"{station.identity} shall have no local list: switch it on first")
    steps.start_over(row)
    row.state, row.tries, row.next_try_at, row.reported_at = State.STALE, 0, None, None
    row.command_uid, row.problem = "", ""
    steps.save(row)
    return row


def sweep() -> int:
    """Take the next step of every list that waits for one and whose station is there; return how many."""
    _free_forgotten()
    room = AT_ONCE - LocalList.objects.filter(state__in=BUSY).count()
    due = list(_due().values_list("pk", flat=True)[: max(room, 0)])
    return sum(_take_up(pk) for pk in due)


@transaction.atomic(savepoint=False)
def version_told(command: Command, *, version: int) -> None:
    """Take the version that the station told: -1 means that it has no lists, 0 that its list is empty."""
    row = _row_of(command)
    if row is None or (row.state in BUSY and row.command_uid != command.uid):
        return
    row.reported_version, row.reported_at, row.command_uid = version, clock.now(), ""
    if (
        not row.is_on and row.version == 0
    ):  # a list of somebody else's at a station that shall have none of ours
        steps.save(row)
        return
    row.state = State.STALE
    if version < 0:
        steps.give_up(row, "the station says that it has no local list")
    elif row.target_id is not None and version == row.version:
        steps.go_on(row)  # what it did not answer it had taken all the same
    elif row.target_id is not None:
        steps.start_over(row)
        steps.begin(row)
    elif version == 0 and not (row.content and row.content.size):
        row.content = empty()
        steps.next_step(row)
    elif row.content_id is None:
        steps.begin(row)
    elif version == row.version:
        steps.next_step(row)
    else:
        steps.repair(row, f"the station had version {version} of its list, not {row.version}")


@transaction.atomic(savepoint=False)
def version_untold(command: Command, *, is_unsupported: bool, was_sent: bool, problem: str) -> None:
    """The question for the version came to nothing; `is_unsupported`: the station does not know it."""
    row = _row_of(command)
    if row is None or row.command_uid != command.uid:
        return
    if is_unsupported:
        steps.give_up(row, problem)
    else:
        steps.fail(row, problem, counts=was_sent)


@transaction.atomic(savepoint=False)
def update_accepted(command: Command) -> None:
    """The station took what it was sent, perhaps later than we waited for it."""
    row = _row_of(command)
    if row is None:
        return
    if row.command_uid == command.uid and row.target_id is not None:
        row.command_uid, row.reported_version = "", row.version
        steps.go_on(row)
    elif row.state not in BUSY:
        _look_again(row)  # not ours, or not awaited any more: what it has now its version will tell


@transaction.atomic(savepoint=False)
def update_refused(command: Command, *, is_mismatch: bool, problem: str) -> None:
    """The station did not take the update (1.6 section 5.15): it gets the whole list.

    At once after a difference that did not fit, after a pause when the whole was refused.
    """
    row = _row_of(command)
    if row is None or row.command_uid != command.uid or row.target_id is None:
        return
    was_whole = row.content_id is None
    steps.start_over(row)
    if is_mismatch:
        row.reported_at = None  # its version is another than we think
    if was_whole or row.tries:
        steps.fail(row, problem)
        return
    row.tries, row.problem, row.state = 1, problem[:255], State.STALE
    if is_mismatch:
        steps.ask(row)
    else:
        steps.begin(row)


@transaction.atomic(savepoint=False)
def update_unsupported(command: Command, *, problem: str) -> None:
    """The station says that it has no local lists: it is left alone."""
    row = _row_of(command)
    if row is not None and row.command_uid == command.uid:
        steps.give_up(row, problem)


@transaction.atomic(savepoint=False)
def update_unanswered(command: Command, *, was_sent: bool, problem: str) -> None:
    """Nobody knows whether the station took the update: its version will tell, after a pause."""
    row = _row_of(command)
    if row is None or row.command_uid != command.uid:
        return
    row.reported_at = None
    awaited = row.command_uid
    steps.fail(row, problem, counts=was_sent)
    row.command_uid = awaited  # its answer may still come
    steps.save(row)


def _row_of(command: Command) -> LocalList | None:
    """Return the station's list, locked; None if it has none."""
    return _locked().filter(station_id=command.station_id).first()


def _locked(**options: Any) -> Any:
    """Give lists with what belongs to them, locked; entries are read where they are needed."""
    rows = LocalList.objects.select_for_update(of=("self",), **options)
    return rows.select_related("station", "wanted", "content", "target").defer(
        "wanted__entries", "content__entries", "target__entries"
    )


def _look_again(row: LocalList) -> None:
    if row.state == State.IN_STEP:
        row.state, row.reported_at, row.next_try_at = State.STALE, None, None
        steps.save(row)


def _due() -> Any:
    """Give the lists whose turn it is: something to do, or a version to ask for."""
    is_time = Q(next_try_at=None) | Q(next_try_at__lte=clock.now())
    is_waiting = Q(state__in=[State.STALE, State.FAILED, State.IN_STEP])
    is_back = Q(reported_at__lt=F("station__online_changed_at")) | Q(
        reported_at__lt=F("station__last_boot_at")
    )
    lists = LocalList.objects.filter(station__is_online=True, wanted__isnull=False)
    return lists.filter((is_time & is_waiting) | (is_back & Q(state=State.IN_STEP))).order_by(
        "next_try_at", "pk"
    )


def _free_forgotten() -> None:
    """Take up again what waits for the outcome of a command that is over: its handler must have failed."""
    running = Command.objects.filter(
        uid=OuterRef("command_uid"), status__in=[Command.Status.QUEUED, Command.Status.SENT]
    )
    horizon = clock.now() - timedelta(seconds=settings.OCPP_CALL_TIMEOUT_S)
    LocalList.objects.filter(~Exists(running), state__in=BUSY, changed_at__lt=horizon).update(
        state=State.STALE, content=None, target=None, reported_at=None, command_uid=""
    )


@transaction.atomic
def _take_up(pk: int) -> bool:
    row = _locked(skip_locked=True).filter(pk=pk).exclude(state__in=BUSY).first()
    if row is None:
        return False
    if row.state == State.IN_STEP:
        row.reported_at = None  # its time has come: does the station still have what it accepted?
    steps.next_step(row)
    return True
