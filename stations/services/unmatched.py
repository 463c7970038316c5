"""Stops for transactions that we never started: kept, and matched when their session is found (1.6 section 4.10).

A charger that charged offline may say 0, -1 or a number of its own, and a queue may deliver a stop before its start
(field notes, quirk 3; cases T3 and T4). A stop is matched only when exactly one session fits it by station, token,
register and time; everything else is an operator's decision (`merge`).
"""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q, QuerySet

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, ReviewItem, SignedReading, UnmatchedStop
from stations.services import endings, keys, review
from stations.services.endings import Stop
from stations.services.errors import DoesNotFit
from stations.services.ingest import Sample

AUTOMATIC_FOR = timedelta(days=30)  # an older stop is matched by hand only
LONGEST = timedelta(days=90)  # a session that began earlier is no candidate
AT_ONCE = 200
Status = ChargingSession.Status


def take(station: ChargingStation, *, facts: Stop) -> int | None:
    """Keep a stop that names no transaction of ours; return the session that it ends, None while none is found.

    Said again, it is the same row and has no further effect. Runs in the caller's transaction.
    """
    stop, is_new = UnmatchedStop.objects.select_for_update().get_or_create(
        key=keys.of(
            station.pk, facts.key or keys.of(facts.transaction_id, facts.ended_at, facts.meter_stop_wh)
        ),
        defaults=_columns(station, facts),
    )
    if stop.session_id is not None:
        return stop.session_id
    if is_new:
        session = _only_fit(stop, lock=True)
        if session is not None:
            _apply(stop, session, by=endings.BY_STATION)
            return session.pk
    _raise(stop)
    return None


def match(station_ids: list[int] | None = None) -> int:
    """Match waiting stops (of these stations) whose session has turned up meanwhile; return how many were matched.

    Idempotent, and safe beside a stop or a start that arrives at this moment: the stop's row is locked first.
    """
    waiting = UnmatchedStop.objects.waiting().filter(received_at__gte=clock.now() - AUTOMATIC_FOR)
    if station_ids is not None:
        waiting = waiting.filter(station__in=station_ids)
    rows = waiting.order_by("ended_at").values_list("pk", flat=True)[:AT_ONCE]
    return sum(_match_one(pk) for pk in rows)


@transaction.atomic
def merge(stop: UnmatchedStop, session: ChargingSession, *, by: str) -> ChargingSession:
    """Let an operator say which session a stop has ended.

    Raises DoesNotFit when the stop is matched already, or the session is of another station, began after the stop
    or was ended by a stop of its own.
    """
    stop = UnmatchedStop.objects.select_for_update(of=("self",)).get(pk=stop.pk)
    if stop.matched_at is not None:
        raise DoesNotFit("this stop has been matched already")
    locked = candidates(stop).select_for_update(of=("self",)).filter(pk=session.pk).first()
    if locked is None:
        raise DoesNotFit("this session cannot have been ended by that stop")
    _apply(stop, locked, by=by)
    return locked


def candidates(stop: UnmatchedStop) -> QuerySet[ChargingSession]:
    """Give the sessions that a stop may have ended: open ones, and those that we closed ourselves, newest first."""
    began = Q(started_at__gte=stop.ended_at - LONGEST, started_at__lte=stop.ended_at)
    is_open = Q(status=Status.ACTIVE) | Q(flags__contains=[endings.ESTIMATED])
    found = ChargingSession.objects.filter(began, is_open, station=stop.station_id)
    return found.select_related("station", "evse").order_by("-started_at", "-id")


@transaction.atomic
def _match_one(pk: int) -> bool:
    stop = (
        UnmatchedStop.objects.select_for_update(of=("self",), skip_locked=True)
        .waiting()
        .filter(pk=pk)
        .first()
    )
    session = _only_fit(stop, lock=True) if stop is not None else None
    if stop is None or session is None:
        return False
    _apply(stop, session, by=endings.BY_STATION)
    return True


def _only_fit(stop: UnmatchedStop, *, lock: bool) -> ChargingSession | None:
    """Return the only session that the stop fits, None when there is none or several.

    A positive number may be another system's: it ends only a session whose start came later than the stop.
    """
    found = candidates(stop)
    if stop.transaction_id.isdigit() and int(stop.transaction_id) > 0:
        found = found.filter(created_at__gte=stop.received_at)
    if stop.id_token:
        found = found.filter(id_token__iexact=stop.id_token)
    fitting = [session for session in (found.select_for_update(of=("self",)) if lock else found)[:20]]
    fitting = [session for session in fitting if _fits_register(session, stop.meter_stop_wh)]
    open_ones = [session for session in fitting if session.status == Status.ACTIVE]
    chosen = open_ones or fitting
    return chosen[0] if len(chosen) == 1 else None


def _fits_register(session: ChargingSession, meter_stop_wh: Decimal | None) -> bool:
    """Tell whether the register can have gone on to there; one that is not known fits."""
    return meter_stop_wh is None or (session.register_wh or Decimal(0)) <= meter_stop_wh


def _apply(stop: UnmatchedStop, session: ChargingSession, *, by: str) -> None:
    """End (or correct) the session with the stop's figures, and remember that it did."""
    now = clock.now()
    endings.take(session, facts=_facts(stop))
    stop.session, stop.matched_at, stop.matched_by = session, now, by[:100]
    stop.save(update_fields=["session", "matched_at", "matched_by"])
    SignedReading.objects.filter(station=stop.station_id, session=None, received_at=stop.received_at).update(
        session=session, evse=session.evse_id
    )
    if stop.item is not None and stop.item.resolved_at is None:
        review.resolve(stop.item, by=by, resolution=f"it ended session {session.uid}")


def _columns(station: ChargingStation, facts: Stop) -> dict[str, object]:
    return {
        "station": station,
        "transaction_id": facts.transaction_id[:36],
        "id_token": facts.id_token[:255],
        "ended_at": facts.ended_at,
        "received_at": facts.received_at,
        "meter_stop_wh": facts.meter_stop_wh,
        "reason": facts.reason[:40],
        "flags": list(facts.flags),
        "readings": [[at.isoformat(), list(kind), str(value)] for _, at, kind, _, value in facts.samples],
    }


def _facts(stop: UnmatchedStop) -> Stop:
    samples: tuple[Sample, ...] = tuple(
        (0, datetime.fromisoformat(at), tuple(kind), 0, Decimal(value)) for at, kind, value in stop.readings
    )
    return Stop(
        transaction_id=stop.transaction_id,
        ended_at=stop.ended_at,
        meter_stop_wh=stop.meter_stop_wh,
        reason=stop.reason,
        id_token=stop.id_token,
        samples=samples,
        flags=tuple(stop.flags),
        key=stop.key,
        received_at=stop.received_at,
    )


def _raise(stop: UnmatchedStop) -> None:
    """Tell an operator; said again, the item counts up."""
    item = review.raise_item(
        ReviewItem.Kind.UNMATCHED_STOP,
        key=f"stop:{stop.key}",
        summary=f"{stop.station.identity} stopped transaction {stop.transaction_id}, which nobody started",
        station=stop.station,
        facts=endings.stop_facts(_facts(stop)),
    )
    if stop.item_id is None:
        stop.item = item
        stop.save(update_fields=["item"])
