"""Sessions whose charger will never end them: found by rules, closed with their last good reading.

A rule is a pure function of what is known about an open session; it says when the session was over and why, or
nothing. The sweep judges every open session; each is locked and judged again before it is closed, because a reading
or a stop may have come in between. What a rule got wrong is put right when the real stop arrives (`endings`).

A station of 2.x that is there is asked first (GetTransactionStatus): what it says counts more than any rule.

No session is closed while its station is offline (it may be charging, and tells later) until a long limit, nor while
its connector says that a car is there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from cpo.lib import clock
from stations.models import ChargingSession, Command, ConnectorStatus, ReviewItem
from stations.services import endings, review, transactions
from stations.services.errors import NotOpen

log = structlog.get_logger(__name__)
BY = "rule"  # flag `closed_by:rule`
BELIEVED = timedelta(hours=1)  # a station's word that its transaction still runs
# A car is there, or the station says so.
IN_USE = frozenset(
    {
        ConnectorStatus.CHARGING,
        ConnectorStatus.SUSPENDED_EV,
        ConnectorStatus.SUSPENDED_EVSE,
        ConnectorStatus.FINISHING,
        ConnectorStatus.OCCUPIED,
        ConnectorStatus.PREPARING,
    }
)


class OpenSession(NamedTuple):
    """What is known about an open session. Times of the charger's own clock say so; others are ours."""

    id: int
    station_id: int
    started_at: datetime  # charger's
    created_at: datetime  # when the start reached us
    last_reading_at: datetime | None  # charger's
    status: str  # of the connector; '' when nobody knows it
    status_at: datetime | None  # charger's
    status_heard_at: datetime | None  # when it last became another one, or was edited
    is_online: bool
    online_changed_at: datetime | None  # when it came or went
    booted_at: datetime | None
    is_removed: bool
    next_started_at: datetime | None  # charger's: the session that began after this one on the same EVSE
    next_created_at: datetime | None
    next_is_metered: bool

    @property
    def last_sign_at(self) -> datetime:
        """When we last had a reason to believe in it."""
        return max(self.created_at, self.last_reading_at or self.created_at)

    @property
    def heard_since(self) -> datetime:
        """Since when silence means something: a station that has just come back is still emptying its queue."""
        return max(self.last_sign_at, self.online_changed_at or self.last_sign_at)

    @property
    def last_known_at(self) -> datetime:
        """The charger's time of its last reading, else of its start."""
        return max(self.started_at, self.last_reading_at or self.started_at)


class Limits(NamedTuple):
    """Seconds of the rules; 0 turns a rule off."""

    next_start_s: int
    available_s: int
    boot_s: int
    silent_s: int
    offline_s: int
    long_s: int


class Over(NamedTuple):
    """A rule's word: the session was over at `ended_at`. With `is_certain` False an operator is asked instead."""

    rule: str
    reason: str
    ended_at: datetime
    is_certain: bool = True


Rule = Callable[[OpenSession, Limits, datetime], Over | None]


def next_start(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """A later session began on the same EVSE: the older one is over, at the latest when that one began.

    The grace lets a queue deliver the old stop late. Readings of its own after that moment, while the other has none,
    say that it is the other start that came to nothing.
    """
    if not limits.next_start_s or it.next_started_at is None or it.next_created_at is None:
        return None
    if now - it.next_created_at < timedelta(seconds=limits.next_start_s):
        return None
    if it.last_known_at > it.next_started_at and not it.next_is_metered:
        return None
    return Over("next_start", "the next session started", min(it.last_known_at, it.next_started_at))


def available(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """The connector has been Available for longer than the grace, since after the start (quirk 18: never at once)."""
    heard = it.status_heard_at
    if not limits.available_s or not it.is_online or it.status != ConnectorStatus.AVAILABLE or heard is None:
        return None
    if heard <= it.created_at or now - max(heard, it.heard_since) < timedelta(seconds=limits.available_s):
        return None
    left_at = min(max(it.status_at or it.last_known_at, it.last_known_at), now)
    return Over("available", "the connector became available", left_at)


def boot(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """The station booted after the last sign of the session and did not resume it; its connector is free."""
    if (
        not limits.boot_s
        or not it.is_online
        or it.status != ConnectorStatus.AVAILABLE
        or it.booted_at is None
    ):
        return None
    if it.booted_at <= it.last_sign_at or now - it.booted_at < timedelta(seconds=limits.boot_s):
        return None
    return Over("boot", "the station restarted without it", it.last_known_at)


def silent(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """No reading for hours although the station is there. A car that is said to be there is an operator's question."""
    if not limits.silent_s or not it.is_online or now - it.heard_since < timedelta(seconds=limits.silent_s):
        return None
    return Over("silent", "no reading for too long", it.last_known_at, is_certain=it.status not in IN_USE)


def offline(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """The station has been away for so long that it will not tell any more."""
    if not limits.offline_s or it.is_online or now - it.heard_since < timedelta(seconds=limits.offline_s):
        return None
    return Over("offline", "the station stayed away", it.last_known_at)


def removed(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """The EVSE was removed from the network."""
    if not it.is_removed or now - it.last_sign_at < timedelta(seconds=limits.available_s):
        return None
    return Over("removed", "the connector was removed", it.last_known_at)


def long(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """It runs for days and says so: possible (case T9), but worth a look."""
    if not limits.long_s or now - it.created_at < timedelta(seconds=limits.long_s):
        return None
    return Over("long", "open for days", it.last_known_at, is_certain=False)


RULES: tuple[Rule, ...] = (next_start, removed, available, boot, silent, offline, long)


def judge(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
    """Return the word of the first rule that is certain, else of the first that has a question."""
    words = [word for rule in RULES if (word := rule(it, limits, now)) is not None]
    return next((word for word in words if word.is_certain), words[0] if words else None)


@dataclass(slots=True)
class Swept:
    """What a sweep did."""

    closed: int = 0
    questions: int = 0


def sweep() -> Swept:
    """Judge all open sessions: close those that are over, raise what an operator must decide."""
    now, found, done = clock.now(), limits(), Swept()
    questions: list[tuple[OpenSession, Over]] = []
    for it in _read():
        word = judge(it, found, now)
        if word is None:
            continue
        if not word.is_certain:
            questions.append((it, word))
            continue
        try:
            done.closed += _close(it.id)
        except (DatabaseError, ArithmeticError, ValueError):
            log.exception("session not closed", session=it.id, rule=word.rule)
    done.questions = _ask(questions)
    _settle()
    return done


def limits() -> Limits:
    """Return the limits of settings."""
    return Limits(
        next_start_s=settings.OCPP_ZOMBIE_NEXT_START_S,
        available_s=settings.OCPP_ZOMBIE_AVAILABLE_S,
        boot_s=settings.OCPP_ZOMBIE_BOOT_S,
        silent_s=settings.OCPP_ZOMBIE_SILENT_S,
        offline_s=settings.OCPP_ZOMBIE_OFFLINE_S,
        long_s=settings.OCPP_ZOMBIE_LONG_S,
    )


@transaction.atomic
def _close(session_id: int) -> bool:
    """Close a session that, locked, is still judged to be over; whoever else holds it now knows better."""
    open_ones = ChargingSession.objects.active().select_for_update(of=("self",), skip_locked=True)
    session = open_ones.select_related("station").filter(pk=session_id).first()
    facts = _read(session_id)
    word = judge(facts[0], limits(), clock.now()) if session is not None and facts else None
    if session is None or word is None or not word.is_certain:
        return False
    if facts[0].is_online and not facts[0].is_removed and _is_asked(session):
        return False
    try:
        closed = endings.close(session, reason=word.reason, by=BY, ended_at=word.ended_at)
    except NotOpen:
        return False
    if closed.energy_wh:
        _tell(closed, word)
    return True


def _is_asked(session: ChargingSession) -> bool:
    """Ask the station whether the transaction still runs (OCPP 2.1 E14), and give it time; False: the rule decides.

    Its answer closes the session (`transactions.told`), or says that it runs on or that more is to come.
    """
    asked = Command.objects.filter(station_id=session.station_id, subject=f"session:{session.pk}")
    last = asked.filter(requested_by=BY).order_by("-id").first()
    if last is not None and last.is_open:
        return True
    was_answered = last is not None and last.status == Command.Status.ANSWERED
    if last is None or (was_answered and last.created_at < clock.now() - BELIEVED):
        return transactions.ask(session, why=BY)
    return was_answered


def _tell(session: ChargingSession, word: Over) -> None:
    """Show an operator what was estimated: he may know better. Resolved by itself when the real stop arrives."""
    review.raise_item(
        ReviewItem.Kind.STALE_SESSION,
        key=endings.closed_key(session),
        summary=f"{session.station.identity}: closed with {session.energy_wh:f} Wh, {word.reason}",
        station=session.station,
        session=session,
        facts={
            "rule": word.rule,
            "ended_at": word.ended_at.isoformat(),
            "energy_wh": f"{session.energy_wh:f}",
            "register_wh": None if session.register_wh is None else f"{session.register_wh:f}",
        },
    )


def _ask(questions: Sequence[tuple[OpenSession, Over]]) -> int:
    """Raise one item for each question that was not asked before."""
    keys = {f"{word.rule}:{it.id}": (it, word) for it, word in questions}
    asked = set(ReviewItem.objects.filter(key__in=list(keys)).values_list("key", flat=True))
    new = {key: pair for key, pair in keys.items() if key not in asked}
    rows = ChargingSession.objects.select_related("station").in_bulk([it.id for it, _ in new.values()])
    for key, (it, word) in new.items():
        session = rows[it.id]
        review.raise_item(
            ReviewItem.Kind.STALE_SESSION,
            key=key,
            summary=f"{session.station.identity}: a session is still open, {word.reason}",
            station=session.station,
            session=session,
            facts={"rule": word.rule, "last_sign_at": it.last_sign_at.isoformat(), "connector": it.status},
        )
    return len(new)


def _settle() -> None:
    """Resolve questions about sessions that have ended meanwhile."""
    asked = ReviewItem.objects.filter(
        kind=ReviewItem.Kind.STALE_SESSION, resolved_at=None, session__status=endings.Status.ENDED
    )
    for item in asked.exclude(key__startswith="closed:"):
        review.resolve(item, by="sweep", resolution="the session has ended")


READ = """
select s.id, s.station_id, s.started_at, s.created_at, s.last_reading_at,
       coalesce(c.status, ''), c.status_at, c.last_updated,
       st.is_online, st.online_changed_at, st.last_boot_at, e.is_removed,
       n.started_at, n.created_at, coalesce(n.is_metered, false)
from stations_chargingsession s
join stations_chargingstation st on st.id = s.station_id
join stations_evse e on e.id = s.evse_id
left join stations_connector c on c.evse_id = s.evse_id and c.number = s.connector_number
left join lateral (
    select x.started_at, x.created_at, x.last_reading_at is not null as is_metered
    from stations_chargingsession x
    where x.evse_id = s.evse_id and x.started_at >= s.started_at and (x.started_at, x.id) > (s.started_at, s.id)
    order by x.started_at, x.id limit 1
) n on true
where s.status = 'active' and (%s::bigint is null or s.id = %s)
"""


def _read(session_id: int | None = None) -> list[OpenSession]:
    """Read all open sessions, or one, with everything that the rules ask about."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [session_id, session_id])
        return [OpenSession(*row) for row in cursor.fetchall()]
