"""Charging sessions: start, stop, close (OCPP 2.1 block E, 1.6 sections 4.8 and 4.10).

A record from a charger is always stored and answered; authorization decides the answer, never the storing. Starts and
stops are idempotent by their business key, so a repeated message has one effect and gets the same answer.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from cpo.lib import clock, database, events
from stations.events import SessionEnded, SessionStarted
from stations.models import ChargingSession, ChargingStation, ReviewItem
from stations.ports import Decision
from stations.services import authorization, metering, review, wake
from stations.services.errors import NotOpen
from stations.services.ingest import Sample

Status = ChargingSession.Status


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


@dataclass(frozen=True, slots=True)
class Stop:
    """What a charger says when a session ends."""

    transaction_id: str
    ended_at: datetime
    meter_stop_wh: Decimal | None
    reason: str
    id_token: str = ""
    samples: tuple[Sample, ...] = ()  # transaction data; their session id is filled in here
    flags: tuple[str, ...] = ()


def start_key(*words: object) -> str:
    """Return the business key of a start: a digest of the words as the charger sent them."""
    text = "\x1f".join("" if word is None else str(word) for word in words)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


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
    decision = authorization.authorize(facts.id_token, station=station)
    if decision.status == "Accepted":
        return _insert(station, facts, decision)  # one statement, which is its own transaction
    with transaction.atomic(savepoint=False):
        started = _insert(station, facts, decision)
        if started.decision.status != "Accepted":
            _raise_unauthorised(station, started.session)
        return started


def _insert(station: ChargingStation, facts: Start, decision: Decision) -> Started:
    """Insert the session, or find the one that this very start made before."""
    now = clock.now()
    flags = [*facts.flags, *([] if decision.status == "Accepted" else ["unauthorised"])]
    for _ in range(5):
        transaction_id = new_transaction_id()
        rows = database.prepared(
            INSERT,
            [
                station.pk, facts.evse_id, facts.connector_number, transaction_id, facts.key, facts.id_token[:255],
                decision.token.pk if decision.token else None, decision.party, decision.status,
                decision.authorization_reference, decision.auth_method, facts.reservation_id[:36], facts.started_at,
                facts.meter_start_wh, facts.meter_start_wh, bool(flags), json.dumps(flags), now, now,
            ],
        )  # fmt: skip
        if rows:
            break
        repeated = ChargingSession.objects.filter(station=station, start_key=facts.key).first()
        if repeated is not None:  # else the random number was taken
            return Started(repeated, _decision_of(repeated), is_new=False)
    else:
        raise RuntimeError("no free transaction id")
    session = ChargingSession(
        pk=rows[0][0], station=station, evse_id=facts.evse_id, connector_number=facts.connector_number,
        transaction_id=transaction_id, start_key=facts.key, id_token=facts.id_token, token=decision.token,
        party=decision.party, authorization_status=decision.status, started_at=facts.started_at,
        meter_start_wh=facts.meter_start_wh, register_wh=facts.meter_start_wh, energy_wh=Decimal(0), flags=flags,
    )  # fmt: skip
    events.publish(SessionStarted(session.pk, station.pk))
    return Started(session, decision, is_new=True)


@transaction.atomic(savepoint=False)
def stop(station: ChargingStation, *, facts: Stop) -> int | None:
    """Store the end of a session and return its id; None when no session fits, which then is work for an operator.

    A repeated stop changes nothing. A stop with an id that we never gave (-1, 0) is matched with the station's only
    open session that its token and register fit. (A stop about which nothing is odd is stored by `ingest`.)
    """
    session = _by_transaction(station.pk, facts.transaction_id) or _match(station, facts)
    if session is None:
        _raise_unmatched(station, facts)
        return None
    if session.status == Status.ENDED:
        if not _is_same_stop(session, facts):
            _raise_second_stop(station, session, facts)
        return session.pk
    if facts.samples:
        metering.add(session, samples=facts.samples)
    result = metering.energy(session, meter_stop_wh=facts.meter_stop_wh)
    flags = dict.fromkeys([*session.flags, *facts.flags, *result.flags])
    session.ended_at = facts.ended_at
    if facts.ended_at < session.started_at:
        session.ended_at = max(session.started_at, session.last_reading_at or session.started_at)
        flags["stop_before_start"] = None
    if session.transaction_id != facts.transaction_id:
        flags["matched_stop"] = None
    session.status = Status.ENDED
    session.stop_reason = facts.reason[:40]
    session.stop_id_token = facts.id_token[:255]
    session.meter_stop_wh = facts.meter_stop_wh
    session.register_wh = result.stop_wh if result.stop_wh is not None else session.register_wh
    session.energy_wh = result.energy_wh
    session.power_w = Decimal(0)
    session.flags = list(flags)
    session.needs_review = session.needs_review or bool(flags.keys() & metering.SUSPICIOUS)
    session.last_updated = clock.now()
    session.save(
        update_fields=[
            "status", "ended_at", "stop_reason", "stop_id_token", "meter_stop_wh", "register_wh", "energy_wh",
            "power_w", "flags", "needs_review", "last_updated",
        ]
    )  # fmt: skip
    if set(result.flags) & metering.SUSPICIOUS:
        _raise_odd(station, session, result.flags)
    events.publish(SessionEnded(session.pk, station.pk))
    return session.pk


@transaction.atomic(savepoint=False)
def close(
    session: ChargingSession, *, reason: str, by: str, ended_at: datetime | None = None
) -> ChargingSession:
    """End a session whose charger never said so, with its last good reading; flagged as estimated.

    Raise `NotOpen` when it has ended already. If the real stop still arrives, it raises a review item.
    """
    session = ChargingSession.objects.select_for_update().select_related("station").get(pk=session.pk)
    if session.status == Status.ENDED:
        raise NotOpen("the session has already ended")
    result = metering.energy(session, meter_stop_wh=None)
    session.status = Status.ENDED
    session.ended_at = max(ended_at or session.last_reading_at or session.started_at, session.started_at)
    session.stop_reason = reason[:40]
    session.meter_stop_wh = session.register_wh
    session.energy_wh = result.energy_wh
    session.power_w = Decimal(0)
    session.flags = [*session.flags, "energy_estimated", f"closed_by:{by}"[:60]]
    session.last_updated = clock.now()
    session.save(
        update_fields=[
            "status", "ended_at", "stop_reason", "meter_stop_wh", "energy_wh", "power_w", "flags", "last_updated",
        ]
    )  # fmt: skip
    wake.changed(session.station_id)
    events.publish(SessionEnded(session.pk, session.station_id))
    return session


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


def _by_transaction(station_id: int, transaction_id: str) -> ChargingSession | None:
    return (
        ChargingSession.objects.select_for_update()
        .filter(station_id=station_id, transaction_id=transaction_id)
        .first()
    )


def _match(station: ChargingStation, facts: Stop) -> ChargingSession | None:
    """Find the session that a stop without our transaction id must mean; None when that would be a guess.

    A charger that started offline and never got our answer says -1 or 0. A positive number that we did not give is
    somebody else's: it never ends a session of ours.
    """
    if facts.transaction_id.isdigit() and int(facts.transaction_id) > 0:
        return None
    candidates = list(
        ChargingSession.objects.select_for_update()
        .active()
        .filter(station=station, started_at__lte=facts.ended_at)
        .order_by("id")[:20]
    )
    if facts.id_token:
        candidates = [c for c in candidates if c.id_token.upper() == facts.id_token.upper()]
    if facts.meter_stop_wh is not None:
        candidates = [c for c in candidates if (c.register_wh or Decimal(0)) <= facts.meter_stop_wh]
    return candidates[0] if len(candidates) == 1 else None


def _is_same_stop(session: ChargingSession, facts: Stop) -> bool:
    return session.meter_stop_wh == facts.meter_stop_wh and not any(
        word.startswith("closed_by:") for word in session.flags
    )


def _raise_unmatched(station: ChargingStation, facts: Stop) -> None:
    review.raise_item(
        ReviewItem.Kind.UNMATCHED_STOP,
        key=f"stop:{station.pk}:{start_key(facts.transaction_id, facts.ended_at, facts.meter_stop_wh)}",
        summary=f"{station.identity} stopped transaction {facts.transaction_id}, which nobody started",
        station=station,
        facts=_stop_facts(facts),
    )


def _raise_second_stop(station: ChargingStation, session: ChargingSession, facts: Stop) -> None:
    review.raise_item(
        ReviewItem.Kind.UNMATCHED_STOP,
        key=f"second stop:{session.pk}:{start_key(facts.ended_at, facts.meter_stop_wh)}",
        summary=f"{station.identity} stopped transaction {facts.transaction_id} again, with other values",
        station=station,
        session=session,
        facts=_stop_facts(facts),
    )


def _stop_facts(facts: Stop) -> dict[str, Any]:
    return {
        "transaction_id": facts.transaction_id,
        "ended_at": facts.ended_at.isoformat(),
        "meter_stop_wh": None if facts.meter_stop_wh is None else str(facts.meter_stop_wh),
        "id_token": facts.id_token,
        "reason": facts.reason,
    }


def _raise_unauthorised(station: ChargingStation, session: ChargingSession) -> None:
    review.raise_item(
        ReviewItem.Kind.UNAUTHORISED_ENERGY,
        key=f"unauthorised:{session.pk}",
        summary=f"{station.identity} charges with token {session.id_token}: {session.authorization_status}",
        station=station,
        session=session,
        facts={"id_token": session.id_token, "status": session.authorization_status},
    )


def _raise_odd(station: ChargingStation, session: ChargingSession, flags: tuple[str, ...]) -> None:
    review.raise_item(
        ReviewItem.Kind.ODD_READINGS,
        key=f"readings:{session.pk}",
        summary=f"{station.identity}: readings of a session make no sense ({', '.join(flags)})",
        station=station,
        session=session,
        facts={"flags": list(flags), "energy_wh": str(session.energy_wh)},
    )
