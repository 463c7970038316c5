"""Group commit: store the facts of many messages in one transaction (docs/adr, PERFORMANCE.md).

The fast lane's handlers collect `Facts`; one writer per process hands lists of them to `store`. Each statement is
constant SQL over binary arrays in one psycopg pipeline with one commit; this costs a few microseconds a row where an
ORM transaction costs a thousand. Constraints make every statement harmless when a message is repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg

from cpo.lib import events
from stations.events import (
    FramesStored,
    MonitoringChanged,
    SessionEnded,
    SessionStarted,
    SessionsUpdated,
    StatusesChanged,
)


class FrameRow(NamedTuple):
    """A row of the journal; `text` is already redacted."""

    at: datetime
    station_id: int
    epoch: int
    direction: str
    message_type: int
    message_id: str
    action: str
    text: str
    verdict: str


# What a sample measures, in the words of `ReadingKind`: measurand, phase, location, context, unit. A plain tuple, like
# `Sample`: half a dozen of each are made for every MeterValues.
Kind = tuple[str, str, str, str, str]

# One reading in base units: session id (0: outside any session), sampled at, kind, EVSE id (0: the main meter), value.
Sample = tuple[int, datetime, Kind, int, Decimal]


class SessionMeter(NamedTuple):
    """What a session's meter says now: totals for the session's row. Wh, W, percent."""

    session_id: int
    station_id: int
    register_wh: Decimal | None
    energy_wh: Decimal | None
    power_w: Decimal | None
    soc_percent: Decimal | None
    at: datetime


class StatusFact(NamedTuple):
    """What a connector says it is; `evse_id` 0 means the station as a whole."""

    station_id: int
    epoch: int
    evse_id: int
    connector_number: int
    status: str
    error_code: str
    vendor_error_code: str
    info: str
    at: datetime
    received_at: datetime


class StartFact(NamedTuple):
    """A start about which nothing is odd; it becomes a session if its token is an accepted one of our own drivers."""

    uid: str
    station_id: int
    evse_id: int
    connector_number: int
    transaction_id: str
    start_key: str
    id_token: str
    reservation_id: str
    started_at: datetime
    meter_start_wh: Decimal
    at: datetime


class StopFact(NamedTuple):
    """A stop about which nothing is odd: its session is open, and the socket counted its energy."""

    station_id: int
    transaction_id: str
    ended_at: datetime
    reason: str
    id_token: str
    meter_stop_wh: Decimal | None
    register_wh: Decimal | None
    energy_wh: Decimal
    at: datetime


class EventRow(NamedTuple):
    """A row of `TransactionEvent`: what a 2.x station said about a transaction, readings aside."""

    station_id: int
    transaction_id: str
    seq_no: int
    at: datetime
    received_at: datetime
    type: str
    trigger: str
    charging_state: str
    is_offline: bool
    evse_id: int
    connector_number: int
    id_token: str
    stop_reason: str
    remote_start_id: int | None
    reservation_id: str


class DeviceEventRow(NamedTuple):
    """A row of `DeviceEvent`; with a `stream_id` its variable is that of the stream's monitor."""

    station_id: int
    event_id: int
    at: datetime
    received_at: datetime
    trigger: str
    origin: str
    component: str
    component_instance: str
    evse_number: int
    connector_number: int
    name: str
    instance: str
    value: str
    severity: int | None
    is_cleared: bool
    monitor_id: int | None
    cause: int | None
    tech_code: str
    tech_info: str
    transaction_id: str
    stream_id: int | None = None


class StreamMark(NamedTuple):
    """A message of an event stream came; so many values are still to come."""

    station_id: int
    stream_id: int
    pending: int
    at: datetime


class Done(NamedTuple):
    """What came of a start or stop: the session, and the own token that was presented (status '' for none)."""

    session_id: int
    token_status: str
    expires_at: datetime | None
    group_id: str


@dataclass(slots=True)
class Facts:
    """What one message leaves behind; `done` is filled in when its start or stop was stored."""

    frames: list[FrameRow] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    meters: list[SessionMeter] = field(default_factory=list)
    statuses: list[StatusFact] = field(default_factory=list)
    seen: tuple[int, datetime] | None = None  # (station id, when): worth writing down
    start: StartFact | None = None
    stop: StopFact | None = None
    event: EventRow | None = None
    device_events: Sequence[DeviceEventRow] = ()
    stream: StreamMark | None = None
    done: Done | None = None


FRAMES = """
insert into stations_frame (at, station_id, epoch, direction, message_type, message_id, action, text, verdict)
select * from unnest(%b::timestamptz[], %b::int8[], %b::int8[], %b::text[], %b::int2[],
                     %b::text[], %b::text[], %b::text[], %b::text[])
"""

SAMPLES = """
insert into stations_metersample (session_id, sampled_at, kind_id, evse_id, value)
select * from unnest(%b::int8[], %b::timestamptz[], %b::int4[], %b::int8[], %b::numeric[])
on conflict do nothing
"""

METERS = """
update stations_chargingsession s
set register_wh = coalesce(u.register_wh, s.register_wh), energy_wh = coalesce(u.energy_wh, s.energy_wh),
    power_w = coalesce(u.power_w, s.power_w), soc_percent = coalesce(u.soc_percent, s.soc_percent),
    last_reading_at = u.at, last_updated = clock_timestamp()
from unnest(%b::int8[], %b::numeric[], %b::numeric[], %b::numeric[], %b::numeric[], %b::timestamptz[])
    as u(id, register_wh, energy_wh, power_w, soc_percent, at)
where s.id = u.id and s.status = 'active' and (s.last_reading_at is null or s.last_reading_at <= u.at)
"""

CONNECTORS = """
with u as (
    select * from unnest(%b::int8[], %b::int8[], %b::int8[], %b::int4[], %b::text[], %b::text[], %b::text[],
                         %b::text[], %b::timestamptz[], %b::timestamptz[])
        as t(station_id, epoch, evse_id, number, status, error_code, vendor_error_code, info, at, received_at)
), logged as (
    insert into stations_statuschange (evse_id, connector_number, at, status, error_code, received_at)
    select evse_id, number, at, status, error_code, received_at from u where evse_id > 0
    on conflict do nothing
)
update stations_connector c
set status = u.status, error_code = u.error_code, vendor_error_code = u.vendor_error_code, status_info = u.info,
    status_at = u.at, last_updated = case when c.status <> u.status then u.received_at else c.last_updated end
from u join stations_chargingstation st on st.id = u.station_id
where c.evse_id = u.evse_id and c.number = u.number and st.epoch = u.epoch
"""

STATIONS = """
update stations_chargingstation st set status = u.status, status_at = u.at
from unnest(%b::int8[], %b::int8[], %b::text[], %b::timestamptz[]) as u(id, epoch, status, at)
where st.id = u.id and st.epoch = u.epoch
"""

EVSES = """
update stations_evse e set last_updated = u.at
from unnest(%b::int8[], %b::timestamptz[]) as u(id, at) where e.id = u.id and e.last_updated < u.at
"""

SEEN = """
update stations_chargingstation st set last_seen_at = u.at
from unnest(%b::int8[], %b::timestamptz[]) as u(id, at)
where st.id = u.id and (st.last_seen_at is null or st.last_seen_at < u.at)
"""

# The token decides as `authorization.local_token` would: the newest accepted one with this uid, not expired. A start
# whose token is anything else or a restricted one, or which was stored before, gives no row: the careful lane looks.
STARTS = """
with u as (
    select * from unnest(%b::text[], %b::int8[], %b::int8[], %b::int4[], %b::text[], %b::text[], %b::text[], %b::text[],
                         %b::timestamptz[], %b::numeric[], %b::timestamptz[])
        as t(uid, station_id, evse_id, connector_number, transaction_id, start_key, id_token, reservation_id,
             started_at, meter_start_wh, at)
), token as (
    select u.uid, t.id, t.expires_at, t.group_id
    from u cross join lateral (
        select id, expires_at, group_id, is_restricted from stations_idtoken
        where upper(stations_idtoken.uid) = upper(u.id_token) and country_code = '' and status = 'Accepted'
            and (expires_at is null or expires_at > u.at)
        order by id desc limit 1
    ) t
    where not t.is_restricted
), made as (
    insert into stations_chargingsession
        (uid, station_id, evse_id, connector_number, transaction_id, start_key, id_token, token_id, party,
         authorization_status, authorization_reference, auth_method, reservation_id, status, started_at, stop_reason,
         stop_id_token, meter_start_wh, register_wh, energy_wh, needs_review, flags, created_at, last_updated)
    select u.uid, u.station_id, u.evse_id, u.connector_number, u.transaction_id, u.start_key, u.id_token, token.id, '',
           'Accepted', '', 'WHITELIST', u.reservation_id, 'active', u.started_at, '',
           '', u.meter_start_wh, u.meter_start_wh, 0, false, '[]', u.at, u.at
    from u join token using (uid)
    on conflict do nothing
    returning uid, id
)
select made.uid, made.id, 'Accepted', token.expires_at, token.group_id from made join token using (uid)
"""

STOPS = """
update stations_chargingsession s
set status = 'ended', ended_at = u.ended_at, stop_reason = u.reason, stop_id_token = u.id_token,
    meter_stop_wh = u.meter_stop_wh, register_wh = coalesce(u.register_wh, s.register_wh), energy_wh = u.energy_wh,
    power_w = 0, last_updated = u.at
from unnest(%b::int8[], %b::text[], %b::timestamptz[], %b::text[], %b::text[], %b::numeric[], %b::numeric[],
            %b::numeric[], %b::timestamptz[])
     as u(station_id, transaction_id, ended_at, reason, id_token, meter_stop_wh, register_wh, energy_wh, at)
left join lateral (
    select status, expires_at, group_id, is_restricted from stations_idtoken t
    where upper(t.uid) = upper(u.id_token) and t.country_code = ''
    order by (t.status = 'Accepted') desc, id desc limit 1
) token on u.id_token <> ''
where s.station_id = u.station_id and s.transaction_id = u.transaction_id and s.status = 'active'
    and s.flags = '[]' and s.started_at <= u.ended_at
returning s.station_id, s.transaction_id, s.id,
    case when token.is_restricted then '' else coalesce(token.status, '') end, token.expires_at,
    coalesce(token.group_id, '')
"""

EVENTS = """
insert into stations_transactionevent
    (station_id, transaction_id, seq_no, at, received_at, type, trigger, charging_state, is_offline, evse_id,
     connector_number, id_token, stop_reason, remote_start_id, reservation_id)
select * from unnest(%b::int8[], %b::text[], %b::int4[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[],
                     %b::text[], %b::bool[], %b::int8[], %b::int4[], %b::text[], %b::text[], %b::int8[], %b::text[])
on conflict do nothing
"""

# What a monitor knows of its variable and its severity, the message need not say.
DEVICE_EVENTS = """
insert into stations_deviceevent
    (station_id, event_id, at, received_at, trigger, origin, component, component_instance, evse_number,
     connector_number, name, instance, value, severity, is_cleared, monitor_id, cause, tech_code, tech_info,
     transaction_id)
select u.station_id, u.event_id, u.at, u.received_at, u.trigger, coalesce(nullif(u.origin, ''), m.origin, ''),
    coalesce(nullif(u.component, ''), m.component, ''),
    coalesce(nullif(u.component_instance, ''), case when u.component = '' then m.component_instance end, ''),
    case when u.component = '' then coalesce(m.evse_number, 0) else u.evse_number end,
    case when u.component = '' then coalesce(m.connector_number, 0) else u.connector_number end,
    coalesce(nullif(u.name, ''), m.name, ''),
    coalesce(nullif(u.instance, ''), case when u.component = '' then m.instance end, ''),
    u.value, coalesce(u.severity, m.severity), u.is_cleared, coalesce(u.monitor_id, s.monitor_id), u.cause,
    u.tech_code, u.tech_info, u.transaction_id
from unnest(%b::int8[], %b::int8[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[], %b::text[],
            %b::text[], %b::int4[], %b::int4[], %b::text[], %b::text[], %b::text[], %b::int2[], %b::bool[],
            %b::int8[], %b::int8[], %b::text[], %b::text[], %b::text[], %b::int8[])
    as u(station_id, event_id, at, received_at, trigger, origin, component, component_instance, evse_number,
         connector_number, name, instance, value, severity, is_cleared, monitor_id, cause, tech_code, tech_info,
         transaction_id, stream_id)
left join stations_eventstream s on s.station_id = u.station_id and s.stream_id = u.stream_id
left join stations_variablemonitor m
    on m.station_id = u.station_id and m.monitor_id = coalesce(u.monitor_id, s.monitor_id)
on conflict do nothing
"""

STREAMS = """
update stations_eventstream s set pending = u.pending, last_at = u.at
from unnest(%b::int8[], %b::int8[], %b::int4[], %b::timestamptz[]) as u(station_id, stream_id, pending, at)
where s.station_id = u.station_id and s.stream_id = u.stream_id
"""

KIND = """
with made as (
    insert into stations_readingkind (measurand, phase, location, context, unit) values (%s, %s, %s, %s, %s)
    on conflict (measurand, phase, location, context, unit) do nothing returning id
)
select id from made union all
select id from stations_readingkind where (measurand, phase, location, context, unit) = (%s, %s, %s, %s, %s) limit 1
"""

_kinds: dict[Kind, int] = {}  # ids of committed reading kinds; the table only grows, so it is never stale
MAX_KINDS = 5000  # a hostile station could invent words without end; the rest becomes measurand 'Other'


def store(conn: psycopg.Connection[Any], batch: Sequence[Facts]) -> None:
    """Commit the facts of the batch in one transaction, all or nothing. Events follow from `announce`.

    `conn` is in autocommit mode. Raise `psycopg.Error` when nothing was stored; the connection must then be dropped.
    """
    for facts in batch:
        for sample in facts.samples:
            if sample[2] not in _kinds:
                _intern(conn, sample[2])
    starts = [facts for facts in batch if facts.start is not None]
    stops = [facts for facts in batch if facts.stop is not None]
    with conn.cursor() as cursor, conn.cursor() as started, conn.cursor() as stopped:
        with conn.pipeline():  # up to its Sync a pipeline is one transaction
            if starts:
                started.execute(
                    STARTS, _columns([facts.start for facts in starts if facts.start is not None])
                )
            write(cursor, batch)
            if stops:
                stopped.execute(STOPS, _columns([facts.stop for facts in stops if facts.stop is not None]))
        _fill_in(starts, stops, started, stopped)


def _fill_in(
    starts: list[Facts], stops: list[Facts], started: psycopg.Cursor[Any], stopped: psycopg.Cursor[Any]
) -> None:
    """Tell each start and stop what came of it."""
    if starts:
        sessions = {uid: Done(*rest) for uid, *rest in started.fetchall()}
        for facts in starts:
            facts.done = sessions.get(facts.start.uid) if facts.start else None
    if stops:
        ended = {
            (station_id, transaction_id): Done(*rest)
            for station_id, transaction_id, *rest in stopped.fetchall()
        }
        for facts in stops:
            facts.done = ended.get((facts.stop.station_id, facts.stop.transaction_id)) if facts.stop else None


def write(cursor: psycopg.Cursor[Any], batch: Sequence[Facts]) -> None:
    """Execute the statements for the batch inside the caller's transaction; kinds must be interned."""
    frames = [row for facts in batch for row in facts.frames]
    if frames:
        cursor.execute(FRAMES, _columns(frames))
    samples = [row for facts in batch for row in facts.samples]
    if samples:
        write_samples(cursor, samples)
    happened = [facts.event for facts in batch if facts.event is not None]
    if happened:
        cursor.execute(EVENTS, _columns(happened))
    told = [row for facts in batch for row in facts.device_events]
    if told:
        write_device_events(cursor, told)
    marks = {(mark.station_id, mark.stream_id): mark for facts in batch if (mark := facts.stream) is not None}
    if marks:
        cursor.execute(STREAMS, _columns(sorted(marks.values())))
    meters = list({meter.session_id: meter for facts in batch for meter in facts.meters}.values())
    if meters:
        columns = list(zip(*sorted(meters), strict=True))
        cursor.execute(METERS, [list(columns[index]) for index in (0, 2, 3, 4, 5, 6)])
    _write_statuses(cursor, [status for facts in batch for status in facts.statuses])
    seen = dict(facts.seen for facts in batch if facts.seen is not None)
    if seen:
        ordered = sorted(seen.items())
        cursor.execute(SEEN, _columns(ordered))


def write_device_events(cursor: psycopg.Cursor[Any], told: Sequence[DeviceEventRow]) -> None:
    """Insert events of device models; those that are there already stay as they are."""
    cursor.execute(DEVICE_EVENTS, _columns(told))


def write_samples(cursor: psycopg.Cursor[Any], samples: Sequence[Sample]) -> None:
    """Insert samples; those that are there already stay as they are."""
    ids = {kind: _kinds.get(kind) or _intern(cursor.connection, kind) for kind in {row[2] for row in samples}}
    rows = [(session_id, at, ids[kind], evse_id, value) for session_id, at, kind, evse_id, value in samples]
    cursor.execute(SAMPLES, _columns(rows))


def announce(batch: Sequence[Facts]) -> None:
    """Publish one event of each sort for a batch that is committed."""
    meters = [meter for facts in batch for meter in facts.meters]
    if meters:
        events.deliver(
            SessionsUpdated(
                frozenset(meter.session_id for meter in meters),
                frozenset(meter.station_id for meter in meters),
            )
        )
    statuses = [status for facts in batch for status in facts.statuses]
    if statuses:
        events.deliver(
            StatusesChanged(
                frozenset(status.evse_id for status in statuses if status.evse_id),
                frozenset(status.station_id for status in statuses),
            )
        )
    for station_id in {row.station_id for facts in batch for row in facts.device_events}:
        events.deliver(MonitoringChanged(station_id))
    for facts in batch:
        if facts.done is not None and facts.start is not None:
            events.deliver(SessionStarted(facts.done.session_id, facts.start.station_id))
        elif facts.done is not None and facts.stop is not None:
            events.deliver(SessionEnded(facts.done.session_id, facts.stop.station_id))
    events.deliver(FramesStored(frozenset(row.station_id for facts in batch for row in facts.frames)))


def _write_statuses(cursor: psycopg.Cursor[Any], statuses: list[StatusFact]) -> None:
    if not statuses:
        return
    # Of several for one connector the last word counts; the log keeps each of them.
    latest = {(status.evse_id, status.connector_number, status.station_id): status for status in statuses}
    earlier = [status for status in statuses if status is not latest[status[2], status[3], status[0]]]
    if earlier:
        _write_statuses(cursor, earlier)
    children = sorted(status for status in latest.values() if status.evse_id)
    if children:
        cursor.execute(CONNECTORS, _columns(children))
        cursor.execute(EVSES, [[s.evse_id for s in children], [s.received_at for s in children]])
    whole = sorted(status for status in latest.values() if not status.evse_id)
    if whole:
        cursor.execute(
            STATIONS,
            [
                [s.station_id for s in whole],
                [s.epoch for s in whole],
                [s.status for s in whole],
                [s.at for s in whole],
            ],
        )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _intern(conn: psycopg.Connection[Any], kind: Kind) -> int:
    wanted = kind
    if len(_kinds) >= MAX_KINDS:
        wanted = ("Other", "", "", "", "")
    with conn.cursor() as cursor:
        for _ in range(3):
            row = cursor.execute(KIND, [*wanted, *wanted]).fetchone()
            if row is not None:
                if conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                    _kinds[kind] = row[0]  # inside a transaction it may yet be rolled back
                return int(row[0])
    raise psycopg.OperationalError("a reading kind could not be interned")
