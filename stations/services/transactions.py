"""Transactions of OCPP 2.x: a charging session as a function of the set of its events (block E).

Events may come doubled, late, with gaps and in any order: each is kept under its business key, and after each the
session is what the set says. What billing has taken over already is corrected by `endings.changed`. (An Updated in
order, about which nothing is odd, is stored by `ingest`.)
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import psycopg
from django.db import connection, transaction
from django.db.models import F

from cpo.lib import clock, events
from stations import readings
from stations.events import SessionStarted
from stations.models import ChargingSession, ChargingStation, Evse, TransactionEvent
from stations.ports import Decision
from stations.readings import Reading
from stations.services import (
    authorization,
    endings,
    ingest,
    keys,
    metering,
    provisioning,
    requests,
    reservations,
    sessions,
    signed_readings,
)
from stations.services.commands import AUTOMATIC
from stations.services.errors import StationsError
from stations.services.ingest import EventRow

LOCK_SPACE = 0x0CB2  # first half of the advisory lock of a transaction; the second is a hash of its id
Status, Type = ChargingSession.Status, TransactionEvent.Type
NOBODY_YET = "Unknown"  # authorization status of a session to which no token was shown
BEGIN, END = "Transaction.Begin", "Transaction.End"
EVSE_UNKNOWN, EVENTS_MISSING, START_MISSING = "evse_unknown", "events_missing", "start_missing"
DEFAULT_REASON = "Local"  # an omitted stoppedReason means Local


def start_key(transaction_id: str) -> str:
    """Return the business key of a transaction's start: the station's own id of it."""
    return keys.of("2", transaction_id)


@dataclass(frozen=True, slots=True)
class Said:
    """What one TransactionEvent says: its row, the kind of its token, its readings, what was odd about it."""

    row: EventRow
    id_token_type: str | None = None  # None: it shows no token
    found: tuple[Reading, ...] = ()
    flags: tuple[str, ...] = ()
    is_stored: bool = False  # its row is there already, by the group commit, without effect on a session


class Taken(NamedTuple):
    """What came of an event. `decision` is about the token that it shows; `is_new` is False for a repetition."""

    session: ChargingSession
    decision: Decision | None
    is_new: bool


@transaction.atomic(savepoint=False)
def take(station: ChargingStation, *, said: Said) -> Taken:
    """Store an event with its readings and bring the session up to what all its events say.

    Never refuses an event: authorization decides only what is answered (E01.FR.12, E03.FR.06, E04).
    """
    row = said.row
    _lock(row)
    session = _find(row)
    if session is not None and _is_reused(session, row):
        _set_aside(session)
        session = None
    is_new = _store(row) or said.is_stored
    rows = _events(row)
    is_first = session is None
    if session is None:
        session = _begin(station, rows, said)
    decision = _decide(station, session, rows, said)
    if is_new or is_first:
        _meter(session, said)
        _settle(session, rows, said, is_first=is_first)
    return Taken(session, decision, is_new)


def missing(rows: list[TransactionEvent]) -> int:
    """Return how many sequence numbers between the first and the last event are not there (E01.FR.07)."""
    numbers = {row.seq_no for row in rows}
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


def told(session: ChargingSession, *, messages_in_queue: bool, ongoing: bool | None) -> None:
    """Take a station's GetTransactionStatus answer (E14): it may know nothing more of a transaction that we think runs.

    A transaction that is over and of which nothing waits will never end by itself: it ends with its last good reading.
    """
    if ongoing is False and not messages_in_queue and session.status == Status.ACTIVE:
        endings.close(session, reason="Other", by="transaction_status")


def _lock(row: EventRow) -> None:
    number = zlib.crc32(f"{row.station_id}:{row.transaction_id}".encode()) - 2**31
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, number])


def _find(row: EventRow) -> ChargingSession | None:
    found = ChargingSession.objects.select_for_update(of=("self",)).select_related("station", "token")
    return found.filter(station_id=row.station_id, transaction_id=row.transaction_id).first()


def _store(row: EventRow) -> bool:
    """Insert the event; False when it was there."""
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(ingest.EVENTS, [[value] for value in row])
        return bool(cursor.rowcount)


def _events(row: EventRow) -> list[TransactionEvent]:
    found = TransactionEvent.objects.filter(station_id=row.station_id, transaction_id=row.transaction_id)
    return list(found.order_by("seq_no", "at"))


def _is_reused(session: ChargingSession, row: EventRow) -> bool:
    """Tell whether a station gives the id of a transaction that is over to another one."""
    return (
        row.type == Type.STARTED
        and session.status == Status.ENDED
        and session.ended_at is not None
        and row.at > session.ended_at
    )


def _set_aside(session: ChargingSession) -> None:
    """Give the older transaction of that id another name, its events too."""
    old, new = session.transaction_id, f"{session.transaction_id[:20]}~{session.pk}"[:36]
    TransactionEvent.objects.filter(station_id=session.station_id, transaction_id=old).update(
        transaction_id=new
    )
    session.transaction_id, session.start_key = new, start_key(new)
    session.last_updated = clock.now()
    session.save(update_fields=["transaction_id", "start_key", "last_updated"])


def _begin(station: ChargingStation, rows: list[TransactionEvent], said: Said) -> ChargingSession:
    """Make the session at the first event that arrives, whichever that is."""
    now = clock.now()
    evse_id = _evse_of(rows)
    flags = [] if evse_id else [EVSE_UNKNOWN]
    session = ChargingSession.objects.create(
        station=station,
        evse_id=evse_id or _any_evse(station),
        transaction_id=said.row.transaction_id,
        start_key=start_key(said.row.transaction_id),
        id_token="",
        authorization_status=NOBODY_YET,
        started_at=rows[0].at,
        flags=flags,
        created_at=now,
        last_updated=now,
    )
    session.station = station
    return session


def _decide(
    station: ChargingStation, session: ChargingSession, rows: list[TransactionEvent], said: Said
) -> Decision | None:
    """Decide about the token that the event shows; the first token of the transaction becomes the session's."""
    if said.id_token_type is None:
        return None
    decision = authorization.identify_as(said.id_token_type, said.row.id_token, station=station)
    first = next((row for row in rows if row.id_token), None)
    is_its_own = first is None or (first.seq_no, first.at) == (said.row.seq_no, said.row.at)
    if not is_its_own:
        return authorization.within_limits(decision, station=station)
    starting = authorization.Starting(session.start_key, session.started_at)
    decision = authorization.within_limits(decision, station=station, starting=starting)
    session.id_token, session.token, session.party = said.row.id_token, decision.token, decision.party
    session.authorization_status = decision.status
    session.authorization_reference = decision.authorization_reference
    session.auth_method = decision.auth_method
    worries = ["unauthorised"] if decision.status != "Accepted" else []
    kept = [word for word in session.flags if word != "unauthorised"]
    session.flags = list(dict.fromkeys([*kept, *decision.flags, *worries]))
    session.needs_review = session.needs_review or bool(worries)
    if worries:
        sessions.raise_unauthorised(station, session)
    return decision


def _meter(session: ChargingSession, said: Said) -> None:
    if not said.found:
        return
    metering.add(session, samples=[(0, r.sampled_at, metering.kind_of(r), 0, r.value) for r in said.found])
    found = signed(said.found)
    if found:
        signed_readings.keep(
            session.station,
            found,
            session_id=session.pk,
            received_at=said.row.received_at,
            evse_id=session.evse_id,
        )


def signed(found: Sequence[readings.Reading]) -> list[readings.SignedReading]:
    """Give the signed forms of readings that have one beside the number (J01.FR.21)."""
    return [
        readings.SignedReading(r.sampled_at, r.measurand, r.phase, r.location, r.context, r.raw, r.flags)
        for r in found
        if r.raw
    ]


def _settle(session: ChargingSession, rows: list[TransactionEvent], said: Said, *, is_first: bool) -> None:
    """Set what the set of events says: where, since when, from which register, up to where."""
    was_somewhere = EVSE_UNKNOWN not in session.flags and not is_first
    before = session.energy_wh, session.ended_at or session.started_at
    started = next((row for row in rows if row.type == Type.STARTED), None)
    ended = next((row for row in reversed(rows) if row.type == Type.ENDED), None)
    session.started_at = started.at if started else min(row.at for row in rows)
    session.evse_id = _evse_of(rows) or session.evse_id
    session.connector_number = next(
        (row.connector_number for row in rows if row.connector_number), session.connector_number
    )
    session.reservation_id = next(
        (row.reservation_id for row in rows if row.reservation_id), session.reservation_id
    )
    begin_wh = _register(said.found, BEGIN)
    if begin_wh is not None:
        session.meter_start_wh = begin_wh
    session.flags = _flags(session, rows, said, started=started, ended=ended)
    session.last_updated = clock.now()
    session.save()
    if said.row.reservation_id:
        reservations.use(session, number=said.row.reservation_id)
    if not was_somewhere and (EVSE_UNKNOWN not in session.flags or ended is not None):
        events.publish(SessionStarted(session.pk, session.station_id))
    if session.status == Status.ACTIVE and ended is None:
        _update(session, said)
    elif ended is not None and (session.status == Status.ACTIVE or endings.is_only_estimated(session)):
        _end(session, ended, rows, said)
    else:
        _correct(session, said, before=before)


def _flags(
    session: ChargingSession,
    rows: list[TransactionEvent],
    said: Said,
    *,
    started: TransactionEvent | None,
    ended: TransactionEvent | None,
) -> list[str]:
    """Return the session's flags with those that the set of events decides about set anew."""
    decided = {
        EVSE_UNKNOWN: not _evse_of(rows),
        START_MISSING: started is None and ended is not None,
        EVENTS_MISSING: ended is not None and missing(rows) > 0,
    }
    kept = [word for word in [*session.flags, *said.flags] if word not in decided]
    return list(dict.fromkeys([*kept, *(word for word, holds in decided.items() if holds)]))


def _update(session: ChargingSession, said: Said) -> None:
    """Bring the row of a running session up to its readings."""
    if not said.found:
        return
    result = metering.energy(session, meter_stop_wh=None)
    point = readings.latest(said.found)
    at = max(r.sampled_at for r in said.found)
    newest = ChargingSession.objects.filter(pk=session.pk)
    if "no_readings" not in result.flags:
        newest.update(register_wh=result.stop_wh, energy_wh=result.energy_wh)
    is_newest = session.last_reading_at is None or session.last_reading_at <= at
    if is_newest:
        newest.update(last_reading_at=at)
    if is_newest and point.power_w is not None:
        newest.update(power_w=point.power_w)
    if is_newest and point.soc_percent is not None:
        newest.update(soc_percent=point.soc_percent)
    session.refresh_from_db(fields=["register_wh", "energy_wh", "last_reading_at", "power_w", "soc_percent"])


def _end(session: ChargingSession, ended: TransactionEvent, rows: list[TransactionEvent], said: Said) -> None:
    stop_token = ended.id_token or next(
        (row.id_token for row in reversed(rows) if row.id_token and row.trigger == "StopAuthorized"), ""
    )
    facts = endings.Stop(
        transaction_id=session.transaction_id,
        ended_at=ended.at,
        meter_stop_wh=_register(said.found, END) if said.row.type == Type.ENDED else None,
        reason=ended.stop_reason or DEFAULT_REASON,
        id_token=stop_token,
        key=f"{ended.seq_no}",
        received_at=ended.received_at,
    )
    endings.take(session, facts=facts)
    if session.authorization_status == NOBODY_YET:
        _judge_tokenless(session)
    if EVENTS_MISSING in session.flags or START_MISSING in session.flags:
        ask(session)


def _judge_tokenless(session: ChargingSession) -> None:
    """A session to which nobody showed a token: nothing to pay, or energy without a right to it."""
    if session.energy_wh > 0:
        session.flags = list(dict.fromkeys([*session.flags, "unauthorised"]))
        session.needs_review = True
        session.authorization_status = "Invalid"
        sessions.raise_unauthorised(session.station, session)
    else:
        session.authorization_status = "Accepted"
    session.save(update_fields=["authorization_status", "flags", "needs_review"])


def ask(session: ChargingSession, *, why: str = "missing events") -> bool:
    """Ask the station whether messages of the transaction still wait and whether it runs (E14).

    Return False when it cannot be asked: its version has no words for it.
    """
    facts = {"transaction_id": session.transaction_id}
    try:
        requests.queue(
            session.station,
            "transaction_status",
            facts=facts,
            requested_by=why,
            priority=AUTOMATIC,
            queue_offline=True,
            subject=f"session:{session.pk}",
        )
    except StationsError:
        return False
    return True


def _correct(session: ChargingSession, said: Said, *, before: tuple[Decimal, datetime]) -> None:
    """Take what came after the end into the figures; billing looks again if they changed."""
    if any(word.startswith("corrected_by:") for word in session.flags):
        return  # an operator's word stands
    result = metering.energy(session, meter_stop_wh=session.meter_stop_wh)
    if "no_readings" not in result.flags:
        session.energy_wh = result.energy_wh
    kept = [word for word in session.flags if not metering.is_about_energy(word)]
    session.flags = list(dict.fromkeys([*kept, *result.flags]))
    if (session.energy_wh, session.ended_at or session.started_at) != before:
        endings.changed(session, before=before, by=endings.BY_STATION, reason="events came after the end")
    else:
        session.save(update_fields=["flags"])


def _register(found: tuple[Reading, ...], context: str) -> Decimal | None:
    """Return the register (Wh) that was read at the begin or the end."""
    return readings.latest([r for r in found if r.context == context]).energy_wh


def _evse_of(rows: list[TransactionEvent]) -> int:
    return next((row.evse_id for row in rows if row.evse_id), 0)


def _any_evse(station: ChargingStation) -> int:
    """Return the station's first EVSE, made if it has none: where a transaction is until it says so itself."""
    first = Evse.objects.filter(station=station).order_by(F("number")).first()
    return first.pk if first else provisioning.ensure_connector(station, number=1).evse_id
