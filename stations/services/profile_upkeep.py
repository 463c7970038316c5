"""Keep wished charging profiles in force: after a boot, after a reconnect, until they end (field notes, quirk 25).

The standard lets profiles survive a reboot (1.6 errata 3.37); stations often forget them, so they are sent again. The
sweeps are the guarantee; `after_boot` is only faster. Each looks at a bounded number of rows.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Exists, ExpressionWrapper, F, IntegerField, OuterRef, Q, QuerySet

from cpo.lib import clock
from stations.charging_profiles import Purpose
from stations.models import ChargingSession, ChargingStation, Command, InstalledProfile
from stations.services import (
    charging_needs,
    commands,
    composite_schedules,
    profile_rows,
    profile_shapes,
    smart_charging,
)
from stations.services.errors import StationsError

log = structlog.get_logger(__name__)

State = InstalledProfile.State
AT_ONCE = 200  # rows of one kind in one sweep
BY_US = "smart charging"
SETTLE = timedelta(minutes=1)  # a station that just booted is told by `after_boot`


@transaction.atomic(savepoint=False)
def after_boot(station: ChargingStation) -> int:
    """Send again what must hold, except for transactions: whether they survived is not known yet. Return how many."""
    rows = InstalledProfile.objects.select_for_update(of=["self"]).select_related(
        "station__location", "session"
    )
    wished = rows.filter(station=station, is_wanted=True, state__in=[*profile_rows.ON_STATION, State.WANTED])
    count = 0
    for row in wished.exclude(purpose=Purpose.TX).order_by("stack_level", "id"):
        if not _is_under_way(row):
            count += _send_again(row)
    return count


def sweep() -> int:
    """Do what is due; return how many rows were touched."""
    return end_over() + give_to_new() + retry() + charging_needs.sweep()


def recheck() -> int:
    """Look at what was confirmed on another connection, before a boot or with another clock; return how many rows."""
    return _after_absence() + _after_clock_change()


def end_over() -> int:
    """Mirror what has ended: validity over, transaction over (1.6 section 3.13.1); let what was set aside come back."""
    now = clock.now()
    over = _live().filter(Q(valid_to__lte=now) | Q(session__status=ChargingSession.Status.ENDED))
    count = _each(over, _end)
    return count + _each(_live().filter(state=State.DISPLACED, is_wanted=True), _come_back)


def give_to_new() -> int:
    """Give transactions that have begun their copy of what stands for each (1.6 section 5.16.1)."""
    place = ExpressionWrapper(OuterRef("evse_number"), output_field=IntegerField())
    here = ChargingSession.objects.active().filter(station=OuterRef("station")).annotate(place=place)
    given = InstalledProfile.objects.filter(parent=OuterRef(OuterRef("pk")), session=OuterRef("pk"))
    lacking = here.filter(Q(place=0) | Q(place=F("evse__number"))).filter(~Exists(given))
    rows = _live().filter(state=State.STANDING, is_wanted=True, station__is_online=True)
    return _each(rows.filter(Exists(lacking)), _give)


def retry() -> int:
    """Send again what waits for its station or was never answered, and clear what was not cleared."""
    now = clock.now()
    due = _live().filter(Q(next_try_at=None) | Q(next_try_at__lte=now), station__is_online=True)
    due = due.filter(tries__lt=profile_rows.TRIES)
    lost = due.filter(is_wanted=True, state__in=[State.WANTED, State.UNKNOWN])
    stale = due.filter(is_wanted=False, on_station__isnull=False, state__in=profile_rows.ON_STATION)
    count = _each(lost, _retry)
    stale = stale.exclude(source__startswith=profile_rows.FOUND)  # what others put there is not ours to clear
    return count + _each(stale.exclude(source=profile_rows.BY_HAND), _clear)


def _after_absence() -> int:
    """After a boot send again, after a mere reconnect ask whether it is still in force."""
    rows = _live().filter(state=State.INSTALLED, is_wanted=True, station__is_online=True)
    booted = rows.exclude(boot_count=F("station__boot_count")).filter(
        station__last_boot_at__lt=clock.now() - SETTLE
    )
    returned = rows.exclude(epoch=F("station__epoch")).filter(boot_count=F("station__boot_count"))
    return _each(booted, _after_reboot) + _each(returned, _verify)


def _after_clock_change() -> int:
    """Lay wall-clock profiles again where the site's clocks have changed (summer time)."""
    count = 0
    rows = _live().filter(state=State.INSTALLED, is_wanted=True, utc_offset_s__isnull=False)
    offsets: dict[Any, int] = {}
    now = clock.now()
    for row in (
        rows.filter(station__is_online=True).select_related("station__location").iterator(chunk_size=500)
    ):
        zone = profile_shapes.zone_of(row.station)
        if zone.key not in offsets:
            offsets[zone.key] = _offset(now, zone)
        if offsets[zone.key] != row.utc_offset_s:
            count += _each(_live().filter(pk=row.pk), _send_again)
    return count


def _offset(now: datetime, zone: Any) -> int:
    offset = now.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds())


def _live() -> QuerySet[InstalledProfile]:
    return InstalledProfile.objects.filter(state__in=InstalledProfile.LIVE)


def _each(rows: QuerySet[InstalledProfile], act: Any) -> int:
    """Act on each row in a transaction of its own, with the row locked; one that fails does not stop the others."""
    count = 0
    for pk in list(rows.order_by("id").values_list("pk", flat=True)[:AT_ONCE]):
        try:
            with transaction.atomic():
                row = (
                    rows.select_for_update(of=["self"], skip_locked=True)
                    .select_related("station__location", "session", "parent")
                    .filter(pk=pk)
                    .first()
                )
                if row is not None:
                    count += bool(act(row))
        except StationsError as error:
            InstalledProfile.objects.filter(pk=pk).update(
                detail=str(error)[:255], tries=F("tries") + 1, next_try_at=clock.now() + SETTLE
            )
            log.info("charging profile not kept up", profile=pk, error=type(error).__name__)
    return count


def _end(row: InstalledProfile) -> bool:
    """A TxProfile goes by itself, a default that stood for one does not."""
    profile_rows.take_back(row, by=BY_US)
    outlives = row.purpose != Purpose.TX and row.on_station is not None
    is_expired = row.valid_to is not None and row.valid_to <= clock.now()
    if outlives and not is_expired and row.is_wanted:
        smart_charging.clear(row, requested_by=BY_US, keep_offline=True, priority=commands.AUTOMATIC)
        return True
    if outlives and not is_expired:
        return False  # it is being cleared
    row.on_station = None
    row.save(update_fields=["on_station"])
    profile_rows.move(row, State.ENDED)
    return True


def _come_back(row: InstalledProfile) -> bool:
    """Wish again what was set aside, once nothing is in its place any more."""
    wished = row.profile
    in_place = InstalledProfile.objects.filter(
        station=row.station, purpose=row.purpose, stack_level=wished["stackLevel"], evse_number=row.evse_number,
        state__in=[*profile_rows.ON_STATION, State.WANTED],
    ).exclude(pk=row.pk)  # fmt: skip
    if in_place.exists():
        return False
    row.answers, row.next_try_at = [], None
    row.save(update_fields=["answers", "next_try_at"])
    profile_rows.move(row, State.WANTED)
    return True


def _give(row: InstalledProfile) -> bool:
    given = [smart_charging.give(row, session) for session in profile_rows.running_for(row)]
    return any(part is not None for part in given)


def _retry(row: InstalledProfile) -> bool:
    return not _is_under_way(row) and _send_again(row)


def _send_again(row: InstalledProfile) -> bool:
    row.answers = []
    row.save(update_fields=["answers"])
    smart_charging.send(row, requested_by=BY_US, queue_offline=True, priority=commands.AUTOMATIC)
    return True


def _clear(row: InstalledProfile) -> bool:
    if _is_under_way(row):
        return False
    tries = row.tries
    smart_charging.clear(row, requested_by=BY_US, keep_offline=True, priority=commands.AUTOMATIC)
    InstalledProfile.objects.filter(pk=row.pk).update(tries=tries)
    return True


def _after_reboot(row: InstalledProfile) -> bool:
    if row.purpose == Purpose.TX:  # does its transaction go on?
        last = row.session.last_reading_at if row.session else None
        if last is None or row.station.last_boot_at is None or last < row.station.last_boot_at:
            return False
    return not _is_under_way(row) and _send_again(row)


def _verify(row: InstalledProfile) -> bool:
    if _is_under_way(row):
        return False
    if composite_schedules.verify(row) is None:
        row.epoch = row.station.epoch
        row.save(update_fields=["epoch"])
    return True


def _is_under_way(row: InstalledProfile) -> bool:
    """Tell whether a command about it waits or is out."""
    open_ = [Command.Status.QUEUED, Command.Status.SENT]
    return Command.objects.filter(subject=profile_rows.subject(row), status__in=open_).exists()
