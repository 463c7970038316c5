"""What stations measured and reported during sessions: register, power, current, connector statuses.

Each kind is one query for any number of sessions; it costs by the number of their own rows only, since every session
is looked up by the key of its table within its own time span.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db import connection

from billing.curve import Series
from stations.models import ChargingSession, ReadingKind
from stations.readings.energy import LOCATIONS, PHASE_GROUPS

REGISTER = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
CURRENT = "Current.Import"
EXPORT = "Energy.Active.Export.Register"
_ZERO = Decimal(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class Measured:
    """The rows of one session in the order of time. Register in Wh, power in W, current in A over all phases.

    `exported_wh` is what the vehicle fed back, by a register of its own: no part of the session's energy.
    """

    register: Series = field(default_factory=list)
    power: Series = field(default_factory=list)
    current: Series = field(default_factory=list)
    statuses: list[tuple[datetime, str]] = field(default_factory=list)  # the last before the start first
    exported_wh: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class Span:
    """A session and the time that counts."""

    session: ChargingSession
    end: datetime


def read(spans: Sequence[Span], *, besides: Iterable[str] = ()) -> dict[int, Measured]:
    """Return by session id what was measured: the register, and what else (POWER, CURRENT) a price depends on."""
    found = {span.session.pk: Measured() for span in spans}
    kinds = ReadingKind.objects.filter(measurand__in=[REGISTER, EXPORT, *besides]).in_bulk()
    rows: dict[tuple[int, str], list[tuple[datetime, ReadingKind, Decimal]]] = defaultdict(list)
    for session_id, at, kind_id, value in _samples(spans, list(kinds)):
        rows[session_id, kinds[kind_id].measurand].append((at, kinds[kind_id], value))
    for session_id, measured in found.items():
        measured.register = _total(rows[session_id, REGISTER])
        measured.power = _total(rows[session_id, POWER])
        measured.current = _total(rows[session_id, CURRENT])
        measured.exported_wh = _rises(_total(rows[session_id, EXPORT]))
    for session_id, at, status in _statuses(spans):
        found[session_id].statuses.append((at, status))
    return found


def _total(rows: Sequence[tuple[datetime, ReadingKind, Decimal]]) -> Series:
    """Reduce samples to one value per moment, by the rule of `stations.readings`: the best location, a total
    before phases; phases are added up where all of them were read.
    """
    for location in LOCATIONS:
        for phases in PHASE_GROUPS:
            found: dict[datetime, dict[str, Decimal]] = defaultdict(dict)
            for at, kind, value in rows:
                if kind.location == location and kind.phase in phases:
                    found[at][kind.phase] = value
            if found:
                most = max(map(len, found.values()))
                return sorted((at, sum(v.values(), _ZERO)) for at, v in found.items() if len(v) == most)
    return []


def _rises(register: Series) -> Decimal:
    """Sum the rises of a register up: one that falls was reset, and counts on from there."""
    values = [value for _, value in register]
    return sum((new - old for old, new in pairwise(values) if new > old), _ZERO)


# Instants come as milliseconds, as OCPI has room for no more; the driver's timestamps cost ten times as much.
SAMPLES = """
select m.session_id, floor(extract(epoch from m.sampled_at) * 1000)::bigint, m.kind_id, m.value
from unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) as wanted (session_id, first_at, last_at)
cross join lateral (
    select s.session_id, s.sampled_at, s.kind_id, s.value
    from stations_metersample s
    where s.session_id = wanted.session_id
      and s.sampled_at between wanted.first_at and wanted.last_at
      and s.sampled_at between %s and %s
      and s.kind_id = any(%s)
) m
order by m.session_id, m.sampled_at, m.kind_id
"""


def _samples(spans: Sequence[Span], kind_ids: list[int]) -> list[tuple[int, datetime, int, Decimal]]:
    """Read samples; the bounds of the whole batch let the planner skip the partitions of other months."""
    firsts, lasts = [s.session.started_at for s in spans], [s.end for s in spans]
    with connection.cursor() as cursor:
        ids = [s.session.pk for s in spans]
        cursor.execute(SAMPLES, [ids, firsts, lasts, min(firsts), max(lasts), kind_ids])
        return [(pk, _EPOCH + ms * _MILLISECOND, kind, value) for pk, ms, kind, value in cursor.fetchall()]


STATUSES = """
select wanted.session_id, floor(extract(epoch from c.at) * 1000)::bigint, c.status
from unnest(%s::bigint[], %s::bigint[], %s::integer[], %s::timestamptz[], %s::timestamptz[])
    as wanted (session_id, evse_id, connector_number, first_at, last_at)
cross join lateral (
    (
        select at, status from stations_statuschange
        where evse_id = wanted.evse_id and connector_number = wanted.connector_number and at <= wanted.first_at
        order by at desc limit 1
    )
    union all
    select at, status from stations_statuschange
    where evse_id = wanted.evse_id and connector_number = wanted.connector_number
      and at > wanted.first_at and at <= wanted.last_at
) c
order by wanted.session_id, c.at
"""


def _statuses(spans: Sequence[Span]) -> list[tuple[int, datetime, str]]:
    """Read the statuses of each session's connector: the one at its start, and every change until its end."""
    sessions = [span.session for span in spans]
    columns: list[Any] = [
        [s.pk for s in sessions],
        [s.evse_id for s in sessions],
        [s.connector_number for s in sessions],
        [s.started_at for s in sessions],
        [span.end for span in spans],
    ]
    with connection.cursor() as cursor:
        cursor.execute(STATUSES, columns)
        return [(pk, _EPOCH + ms * _MILLISECOND, status) for pk, ms, status in cursor.fetchall()]
