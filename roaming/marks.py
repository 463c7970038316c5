"""Which partner does not know the present state of which object: the writing half of the outbox.

Marking is a function of rows, so a nudge and a sweep do the same thing and may both do it: an object's version is the
instant of its `last_updated`; a row of the outbox is due when it is behind. Each function marks objects of one module
(all of them with `ids=None`, or those of one connection) and returns the connections that have something new.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.db.models import Manager, Q

from billing.models import Cdr, Tariff
from cpo.lib import clock
from roaming import wire
from roaming.models import Connection, Push
from roaming.visibility import VisibleTo
from stations.models import ChargingSession, Connector, Evse, Location

# `%(ids)s` null means all. `on conflict`: a row on its way keeps its state, its sender looks again when it returns.
_UPSERT = """
insert into roaming_push (connection_id, module, object_key, object_id, parent_key, party, state, dirty_version,
                          acked_version, is_final, sent_digest, tries, next_try_at, marked_at, last_error, remote_url)
{select}
on conflict (connection_id, module, object_key) do update
set dirty_version = excluded.dirty_version, object_id = excluded.object_id, is_final = excluded.is_final,
    state = case when roaming_push.state in ('sent', 'failed') then roaming_push.state else 'due' end,
    tries = case when roaming_push.state in ('sent', 'failed') then roaming_push.tries else 0 end,
    next_try_at = case
        when roaming_push.state in ('sent', 'failed') then roaming_push.next_try_at
        when roaming_push.state = 'due' then least(roaming_push.next_try_at, {next_try})
        else {next_try} end,
    marked_at = excluded.marked_at
where excluded.dirty_version > roaming_push.dirty_version
returning connection_id
"""

_LOCATIONS = """
select c.id, 'locations', l.uid, l.id, '', '', 'due', (extract(epoch from l.last_updated) * 1000000)::bigint,
       0, false, '', 0, %(now)s::timestamptz, %(now)s::timestamptz, '', ''
from stations_location l cross join roaming_connection c
where c.status = 'registered' and 'locations' = any(c.push_modules)
  and (%(connection)s::bigint is null or c.id = %(connection)s) and (%(ids)s::bigint[] is null or l.id = any(%(ids)s))
  and (l.publish or exists (select 1 from roaming_push p where p.connection_id = c.id and p.module = 'locations'
                            and p.object_key = l.uid and p.acked_version > 0))
"""

_EVSES = """
select c.id, 'locations', l.uid || '/' || e.uid, e.id, l.uid, '', 'due',
       (extract(epoch from greatest(e.last_updated, st.online_changed_at,
            case when st.status_at <= %(now)s then st.status_at end,
            (select max(k.last_updated) from stations_connector k where k.evse_id = e.id))) * 1000000)::bigint,
       0, false, '', 0, %(now)s::timestamptz, %(now)s::timestamptz, '', ''
from stations_evse e
join stations_chargingstation st on st.id = e.station_id
join stations_location l on l.id = st.location_id and l.publish
cross join roaming_connection c
where c.status = 'registered' and 'locations' = any(c.push_modules)
  and (%(connection)s::bigint is null or c.id = %(connection)s) and (%(ids)s::bigint[] is null or e.id = any(%(ids)s))
"""

_SESSIONS = """
select distinct on (c.id, s.id) c.id, 'sessions', s.uid, s.id, '', s.party, 'due',
       (extract(epoch from s.last_updated) * 1000000)::bigint, 0, s.status = 'ended', '', 0,
       %(now)s::timestamptz, %(now)s::timestamptz, '', ''
from stations_chargingsession s
join roaming_remoteparty p on p.key = s.party and p.is_active and p.role = 'EMSP'
join roaming_connection c on c.id = p.connection_id
where s.party <> '' and s.authorization_status = 'Accepted'
  and c.status = 'registered' and 'sessions' = any(c.push_modules)
  and (%(connection)s::bigint is null or c.id = %(connection)s) and s.id = any(%(ids)s)
"""
# A running session is pushed at most every so often; its first and its last word go at once.
_SESSION_NEXT = """
case when excluded.is_final then excluded.next_try_at
     else greatest(excluded.next_try_at, roaming_push.sent_at + %(session_push)s::interval) end
"""

# With each CDR come those before it (the credit that it follows, the CDR that was credited): a partner gets them in
# this order, because a new CDR may only be sent after its predecessor's credit (OCPI 2.2.1 mod_cdrs, Credit CDRs).
_CDRS = """
select distinct on (c.id, d.id) c.id, 'cdrs', d.uid, d.id, coalesce(before.uid, ''), d.party, 'due',
       (extract(epoch from d.created_at) * 1000000)::bigint, 0, true, '', 0,
       %(now)s::timestamptz, %(now)s::timestamptz, '', ''
from (
    with recursive wanted as (
        select id, follows_id, credit_reference_id from billing_cdr where id = any(%(ids)s)
        union
        select b.id, b.follows_id, b.credit_reference_id
        from wanted w join billing_cdr b on b.id in (w.follows_id, w.credit_reference_id)
    )
    select id from wanted
) wanted
join billing_cdr d on d.id = wanted.id
left join billing_cdr before on before.id = coalesce(d.follows_id, d.credit_reference_id)
join roaming_remoteparty p on p.key = d.party and p.is_active and p.role = 'EMSP'
join roaming_connection c on c.id = p.connection_id
where d.party <> '' and c.status = 'registered' and 'cdrs' = any(c.push_modules)
  and (%(connection)s::bigint is null or c.id = %(connection)s)
  and not exists (select 1 from roaming_push q where q.module = 'cdrs' and q.object_id = d.id
                  and (q.connection_id = c.id or q.state = 'acked'))
"""

_NEXT = "excluded.next_try_at"


def locations(ids: Iterable[int] | None = None, *, connection: Connection | None = None) -> set[int]:
    """Mark locations: their own data, statuses excepted."""
    return _upsert(_LOCATIONS, ids, connection)


def evses(ids: Iterable[int] | None = None, *, connection: Connection | None = None) -> set[int]:
    """Mark EVSEs: their status."""
    return _upsert(_EVSES, ids, connection)


def sessions(ids: Iterable[int], *, connection: Connection | None = None) -> set[int]:
    """Mark sessions of partners' drivers."""
    return _upsert(_SESSIONS, ids, connection, next_try=_SESSION_NEXT)


def cdrs(ids: Iterable[int], *, connection: Connection | None = None) -> set[int]:
    """Mark CDRs of partners' drivers that nobody has acknowledged yet."""
    return _upsert(_CDRS, ids, connection)


def tariffs() -> set[int]:
    """Mark the tariffs whose state at a partner is behind: changed, new, or gone. They are few: all are compared."""
    changed = set()
    for connection in Connection.objects.registered().filter(push_modules__contains=["tariffs"]):
        if _compare_tariffs(connection):
            changed.add(connection.pk)
    return changed


def sweep_network(connections: Iterable[Connection]) -> set[int]:
    """Mark locations and EVSEs that changed since these connections were last looked through."""
    started = clock.now()
    connections = list(connections)
    since = min((c.network_swept_at or EPOCH for c in connections), default=started) - NETWORK_OVERLAP
    changed = set(Evse.objects.filter(_changed_since(since)).order_by().values_list("pk", flat=True))
    found = evses(changed) if changed else set()
    fresh = list(Location.objects.filter(last_updated__gte=since).values_list("pk", flat=True))
    found |= locations(fresh) if fresh else set()
    Connection.objects.filter(pk__in=[c.pk for c in connections]).update(network_swept_at=started)
    return found


def sweep_sessions(connection: Connection) -> set[int]:
    """Mark sessions that no nudge brought here: new ones by id, unfinished ones by their row in the outbox."""
    fresh, watermark = _beyond(ChargingSession.objects, connection, connection.session_watermark)
    rows = Push.objects.filter(connection=connection, module="sessions")
    late = rows.filter(is_final=True, acked_at__gte=clock.now() - LATE_CHANGES)
    ids = {*fresh, *rows.filter(is_final=False).values_list("object_id", flat=True)}
    ids |= set(late.values_list("object_id", flat=True))
    found = sessions(ids, connection=connection) if ids else set()
    Connection.objects.filter(pk=connection.pk).update(session_watermark=watermark)
    return found


def sweep_cdrs(connection: Connection) -> set[int]:
    """Mark CDRs that have no row in the outbox: the ledger is compared from the watermark on, by index."""
    fresh, watermark = _beyond(Cdr.objects, connection, connection.cdr_watermark)
    found = cdrs(fresh, connection=connection) if fresh else set()
    Connection.objects.filter(pk=connection.pk).update(cdr_watermark=watermark)
    return found


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NETWORK_OVERLAP = timedelta(minutes=10)  # a row's time may be this much older than its commit
LATE_CHANGES = timedelta(hours=1)  # in which a change after the end of a session is still looked for
OVERLAP_ROWS = 1000  # ids below the watermark that are compared again: they may have been committed late
ROWS_AT_ONCE = 5000


def _beyond(rows: Manager[Any], connection: Connection, watermark: int) -> tuple[list[int], int]:
    """Return the ids of the partner's rows above a watermark, and the watermark that follows."""
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    parties = list(VisibleTo(connection).parties)
    mine = rows.filter(party__in=parties, pk__gt=watermark - OVERLAP_ROWS).order_by("pk")
    found = list(mine.values_list("pk", flat=True)[:ROWS_AT_ONCE])
    return found, found[-1] if len(found) == ROWS_AT_ONCE else max(newest, watermark)


def _changed_since(moment: datetime) -> Q:
    return (
        Q(last_updated__gte=moment)
        | Q(station__online_changed_at__gte=moment)
        | Q(station__status_at__gte=moment)
        | Q(pk__in=Connector.objects.filter(last_updated__gte=moment).values("evse"))
    )


def _upsert(
    select: str, ids: Iterable[int] | None, connection: Connection | None, *, next_try: str = _NEXT
) -> set[int]:
    values: dict[str, Any] = {
        "ids": None if ids is None else list(ids),
        "connection": connection.pk if connection else None,
        "now": clock.now(),
        "session_push": timedelta(seconds=settings.OCPI_SESSION_PUSH_S),
    }
    with database.cursor() as cursor:
        cursor.execute(_UPSERT.format(select=select, next_try=next_try), values)
        return {row[0] for row in cursor.fetchall()}


def _compare_tariffs(connection: Connection) -> bool:
    """Compare what the partner may see with what he was told; `is_final` on a row: he was told that it is gone."""
    now = clock.now()
    visible = {t.pk: t for t in VisibleTo(connection).tariffs()}
    told = {p.object_id: p for p in Push.objects.filter(connection=connection, module="tariffs")}
    changed = [_new_tariff(connection, t) for pk, t in visible.items() if pk not in told]
    for pk, push in told.items():
        tariff = visible.get(pk)
        version = wire.micros(tariff.last_updated) if tariff else push.dirty_version
        if tariff is not None and push.is_final:
            version = max(version, wire.micros(now))
        if tariff is None and not push.is_final:
            version = max(wire.micros(now), push.dirty_version + 1)
        if version > push.dirty_version or (tariff is None) is not push.is_final:
            changed.append(_redo(push, version=max(version, push.dirty_version + 1), is_final=tariff is None))
    return any(changed)


def _new_tariff(connection: Connection, tariff: Tariff) -> bool:
    now = clock.now()
    _, created = Push.objects.get_or_create(
        connection=connection,
        module="tariffs",
        object_key=f"{tariff.operator}/{tariff.uid}",
        defaults={
            "object_id": tariff.pk,
            "dirty_version": wire.micros(tariff.last_updated),
            "next_try_at": now,
            "marked_at": now,
        },
    )
    return created


def _redo(push: Push, *, version: int, is_final: bool) -> bool:
    """Make a row due again, unless it is on its way or waits after a failure."""
    now = clock.now()
    rows = Push.objects.filter(pk=push.pk, dirty_version__lt=version)
    idle = rows.exclude(state__in=["sent", "failed"]).update(
        dirty_version=version, is_final=is_final, state="due", tries=0, next_try_at=now, marked_at=now
    )
    busy = rows.filter(state__in=["sent", "failed"]).update(
        dirty_version=version, is_final=is_final, marked_at=now
    )
    return bool(idle or busy)
