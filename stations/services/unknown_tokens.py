"""Tokens that were shown and that nobody knows: kept for the operator, bounded in number (1.6 section 4.1)."""

from datetime import timedelta

from django.db import transaction

from cpo.lib import clock, database, events
from stations.events import UnknownTokenShown
from stations.models import ChargingStation, UnknownToken

OF_A_STATION = 200  # rows that one station may bring; more is somebody who tries numbers
ALTOGETHER = 10_000
KEPT = timedelta(days=90)  # since it was shown last

COLLECT = """
insert into stations_unknowntoken (uid, count, station_id, first_at, last_at, is_ignored)
select %s, 1, %s, %s, %s, false
where exists (select from stations_unknowntoken where upper(uid) = upper(%s))
    or ((select count(*) from stations_unknowntoken where station_id = %s) < %s
        and (select count(*) from stations_unknowntoken) < %s)
on conflict (upper(uid)) do update
set count = stations_unknowntoken.count + 1, station_id = excluded.station_id, last_at = excluded.last_at
returning id
"""


def collect(uid: str, *, station: ChargingStation) -> None:
    """Count a presentation of an unknown token; beyond the bounds nothing is kept. One statement."""
    now = clock.now()
    uid = uid[:255]
    kept = database.prepared(COLLECT, [uid, station.pk, now, now, uid, station.pk, OF_A_STATION, ALTOGETHER])
    if kept:
        events.publish(UnknownTokenShown(station.pk))


@transaction.atomic(savepoint=False)
def ignore(unknown: UnknownToken, *, is_ignored: bool = True) -> UnknownToken:
    """Hide it from the list, or show it again; its presentations are still counted."""
    unknown.is_ignored = is_ignored
    unknown.save(update_fields=["is_ignored"])
    events.publish(UnknownTokenShown(unknown.station_id or 0))
    return unknown


def forget() -> int:
    """Drop what was not shown for a long time; return how many."""
    return UnknownToken.objects.filter(last_at__lt=clock.now() - KEPT).delete()[0]
