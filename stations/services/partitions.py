"""Parts of the bulk tables: frames by day, samples and events by month; made ahead, dropped in time.

What lies outside every part (a late sample of last year) goes to the default part, so that nothing is ever refused. A
part whose range already has rows in the default part is made by moving them.
"""

from datetime import UTC, date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction

from cpo.lib import clock

log = structlog.get_logger(__name__)
DAYS_AHEAD = 7
MONTHS_AHEAD = 2
LOCK = 0x0CB1  # advisory lock: one process maintains at a time


def maintain() -> None:
    """Make the parts of the coming days and months; drop frames and device events after JOURNAL_RETENTION_DAYS."""
    today = clock.now().astimezone(UTC).date()
    for offset in range(-1, DAYS_AHEAD):
        day = today + timedelta(days=offset)
        _make("stations_frame", f"d{day:%Y%m%d}", "at", day, day + timedelta(days=1))
    month = today.replace(day=1)
    for _ in range(MONTHS_AHEAD + 1):
        following = (month + timedelta(days=32)).replace(day=1)
        _make("stations_metersample", f"m{month:%Y%m}", "sampled_at", month, following)
        _make("stations_transactionevent", f"m{month:%Y%m}", "at", month, following)
        _make("stations_deviceevent", f"m{month:%Y%m}", "at", month, following)
        month = following
    outdated = today - timedelta(days=settings.JOURNAL_RETENTION_DAYS)
    _drop_frames_before(outdated)
    _drop_events_before(outdated)


def is_ready() -> bool:
    """True when the bulk tables exist (a migration may have gone backwards)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select to_regclass('stations_frame'), to_regclass('stations_metersample'), "
            "to_regclass('stations_transactionevent'), to_regclass('stations_deviceevent')"
        )
        return None not in cursor.fetchone()


def parts(table: str) -> list[str]:
    """Return the names of a table's parts, the default one too."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass order by 1",
            [table],
        )
        return [name for (name,) in cursor.fetchall()]


@transaction.atomic(savepoint=False)
def _make(table: str, suffix: str, column: str, first: date, after: date) -> None:
    name = f"{table}_{suffix}"
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass(%s)", [name])
        if cursor.fetchone()[0] is not None:
            return
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("select to_regclass(%s)", [name])
        if cursor.fetchone()[0] is not None:
            return
        bounds = [_instant(first), _instant(after)]
        cursor.execute(f"create table {name} (like {table} including defaults including constraints)")
        cursor.execute(
            f"with moved as (delete from {table}_default where {column} >= %s and {column} < %s returning *) "  # noqa: S608
            f"insert into {name} select * from moved",
            bounds,
        )
        cursor.execute(f"alter table {table} attach partition {name} for values from (%s) to (%s)", bounds)
    log.debug("partition made", part=name)


def _drop_frames_before(day: date) -> None:
    oldest = f"stations_frame_d{day:%Y%m%d}"
    for name in parts("stations_frame"):
        if name.startswith("stations_frame_d2") and name < oldest:
            with connection.cursor() as cursor:
                cursor.execute(f"drop table {name}")
            log.info("partition dropped", part=name)
    with connection.cursor() as cursor:
        cursor.execute("delete from stations_frame_default where at < %s", [_instant(day)])


def _drop_events_before(day: date) -> None:
    """Drop whole months of device events; what a station dated wrongly goes with the default part's rows."""
    oldest = f"stations_deviceevent_m{day:%Y%m}"
    with connection.cursor() as cursor:
        for name in parts("stations_deviceevent"):
            if name.startswith("stations_deviceevent_m2") and name < oldest:
                cursor.execute(f"drop table {name}")
                log.info("partition dropped", part=name)
        cursor.execute("delete from stations_deviceevent_default where at < %s", [_instant(day)])


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
