"""Charging sessions: start, stop, close (OCPP 2.1 block E, 1.6 sections 4.8 and 4.10).

A record from a charger is always stored and answered; authorization decides the answer, never the storing. Starts and
stops are idempotent by their business key, so a repeated message has one effect and gets the same answer.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from cpo.lib import clock, database, events
from stations.events import SessionStarted
from stations.models import ChargingSession, ChargingStation, ReviewItem
from stations.ports import Decision
from stations.services import authorization, endings, keys, review, unmatched
from stations.services.endings import Stop, close

__all__ = ["Start", "Started", "Stop", "close", "new_transaction_id", "start", "start_key", "stop"]
Status = ChargingSession.Status
start_key = keys.of
CLOCK_STANDS_STILL = frozenset({"timestamp_implausible", "timestamp_missing", "timestamp_unreadable"})
OLDEST = timedelta(days=30)  # no queue holds a start for longer: then its clock lies


@dataclass(frozen=True, slots=True)
class Start:
    """What a charger says when a session starts. `started_at` is corrected; `key` is made of the words as sent."""

    evse_id: int
    connector_number: int
    id_token: str
    started_at: datetime
    meter_start_wh: Decimal | None
    key: str
    reservation_id: str = ""
    flags: tuple[str, ...] = ()
    may_have_stopped: bool = False  # a stop came that fits nothing yet: it may be this one's


def new_transaction_id() -> str:
    """Return a random number of 31 bits: OCPP 1.6 wants an integer, and nobody should guess it."""
    return str(secrets.randbelow(2**31 - 1) + 1)


INSERT = """
insert into stations_chargingsession
    (uid, station_id, evse_id, connector_number, transaction_id, start_key, id_token, token_id, party,
     authorization_status, authorization_reference, auth_method, reservation_id, status, started_at, stop_reason,
     stop_id_token, meter_start_wh, register_wh, energy_wh, needs_review, flags, created_at, last_updated)
values (gen_random_uuid()::text, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'active', %s, '', '', %s, %s, 0, %s,
        %s::jsonb, %s, %s)
on conflict do nothing
returning id
"""


class Started(NamedTuple):
    """What came of a start: the session, what was decided about its token, whether it is new."""

    session: ChargingSession
    decision: Decision
    is_new: bool


def start(station: ChargingStation, *, facts: Start) -> Started:
    """Store the start of a session and return it with the decision about its token.

    A repeated start returns the session that it started, with the decision that was taken then. The transaction id is
    ours: a random 31-bit number, unique for the station (OCPP 1.6 wants an integer; nobody should guess it).
    """
    started = _start(station, facts)
    if started.is_new and facts.may_have_stopped and unmatched.match([station.pk]):
        started.session.refresh_from_db()
    return started


def _start(station: ChargingStation, facts: Start) -> Started:
    decision = authorization.identify(facts.id_token, station=station)
    is_limited = decision.token is not None and decision.token.is_restricted
    if decision.status == "Accepted" and not is_limited:
        return _insert(station, facts, decision)  # one statement, which is its own transaction
    with transaction.atomic(savepoint=False):
        starting = authorization.Starting(facts.key, facts.started_at)
        decision = authorization.within_limits(decision, station=station, starting=starting)
        started = _insert(station, facts, decision)
        if started.decision.status != "Accepted":
            raise_unauthorised(station, started.session)
        return started


def _insert(station: ChargingStation, facts: Start, decision: Decision) -> Started:
    """Insert the session, or find the one that this very start made before."""
    now = clock.now()
    worries = [*facts.flags, *([] if decision.status == "Accepted" else ["unauthorised"])]
    flags = [*worries, *decision.flags]
    key = facts.key
    for _ in range(5):
        transaction_id = new_transaction_id()
        rows = database.prepared(
            INSERT,
            [
                station.pk, facts.evse_id, facts.connector_number, transaction_id, key, facts.id_token.strip()[:255],
                decision.token.pk if decision.token else None, decision.party, decision.status,
                decision.authorization_reference, decision.auth_method, facts.reservation_id[:36], facts.started_at,
                facts.meter_start_wh, facts.meter_start_wh, bool(worries), json.dumps(flags), now, now,
            ],
        )  # fmt: skip
        if rows:
            break
        repeated = _by_key(station, facts)
        if repeated is not None and _is_another(facts, repeated):
            key = f"{facts.key}:{repeated.pk}"
        elif repeated is not None:  # else the random number was taken
            return Started(repeated, _decision_of(repeated), is_new=False)
    else:
        raise RuntimeError("no free transaction id")
    session = ChargingSession(
        pk=rows[0][0], station=station, evse_id=facts.evse_id, connector_number=facts.connector_number,
        transaction_id=transaction_id, start_key=key, id_token=facts.id_token.strip(), token=decision.token,
        party=decision.party, authorization_status=decision.status, started_at=facts.started_at,
        meter_start_wh=facts.meter_start_wh, register_wh=facts.meter_start_wh, energy_wh=Decimal(0), flags=flags,
    )  # fmt: skip
    events.publish(SessionStarted(session.pk, station.pk))
    return Started(session, decision, is_new=True)


@transaction.atomic(savepoint=False)
def stop(station: ChargingStation, *, facts: Stop) -> int | None:
    """Store the end of a session and return its id; None when no session fits, which then is work for an operator.

    A repeated stop changes nothing. A stop with an id that we never gave (-1, 0) is kept and matched, now or later,
    with the only session that it fits. (A stop about which nothing is odd is stored by `ingest`.)
    """
    session = _by_transaction(station.pk, facts.transaction_id)
    if session is None:
        return unmatched.take(station, facts=facts)
    endings.take(session, facts=facts)
    return session.pk


def _decision_of(session: ChargingSession) -> Decision:
    """Return the decision that a repeated start must be answered with: the one of the first time."""
    token = session.token
    return Decision(
        status=session.authorization_status,
        token=token,
        expires_at=token.expires_at if token else None,
        group_id=token.group_id if token else "",
        party=session.party,
    )


def _by_key(station: ChargingStation, facts: Start) -> ChargingSession | None:
    """Return the session that these very words started; the newest of several where a clock stands still."""
    found = ChargingSession.objects.filter(station=station)
    if _is_clock_doubtful(facts):
        return found.filter(start_key__startswith=facts.key).order_by("-id").first()
    return found.filter(start_key=facts.key).first()


def _is_another(facts: Start, known: ChargingSession) -> bool:
    """Tell a new start from a repeated one where the same words prove nothing: the charger's clock stands still.

    A charger confirms its start before it sends the stop, so a start after that stop is another one. With a clock
    that works, the same words are the same start whenever they come.
    """
    is_over = known.status == Status.ENDED and not endings.is_only_estimated(known)
    return is_over and _is_clock_doubtful(facts)


def _is_clock_doubtful(facts: Start) -> bool:
    return not CLOCK_STANDS_STILL.isdisjoint(facts.flags) or clock.now() - facts.started_at > OLDEST


def _by_transaction(station_id: int, transaction_id: str) -> ChargingSession | None:
    return (
        ChargingSession.objects.select_for_update()
        .filter(station_id=station_id, transaction_id=transaction_id)
        .first()
    )


def raise_unauthorised(station: ChargingStation, session: ChargingSession) -> None:
    """Tell an operator that a session runs without a right to it."""
    review.raise_item(
        ReviewItem.Kind.UNAUTHORISED_ENERGY,
        key=f"unauthorised:{session.pk}",
        summary=f"{station.identity} charges with token {session.id_token}: {session.authorization_status}",
        station=station,
        session=session,
        facts={"id_token": session.id_token, "status": session.authorization_status},
    )
