"""How a session ends: by its station's stop, by our own judgement, and by a stop that comes after that judgement.

The figures of an ended session may change once more when the truth arrives: then `billed_at` is emptied in the same
transaction, so that billing looks again whatever gets lost on the way (`ChargingSession.objects.unbilled`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from cpo.lib import clock, events
from stations.events import SessionChanged, SessionEnded
from stations.models import ChargingSession, ChargingStation, ReviewItem, SessionCorrection
from stations.services import keys, metering, review, wake
from stations.services.errors import NotOpen
from stations.services.ingest import Sample

Status = ChargingSession.Status
ESTIMATED, CORRECTED = "energy_estimated", "corrected"
BY_STATION = "station"
FIGURES = (
    "status", "ended_at", "stop_reason", "stop_id_token", "meter_stop_wh", "register_wh", "energy_wh", "power_w",
    "flags", "needs_review", "billed_at", "last_updated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stop:
    """What a charger says when a session ends. `key` is made of the words as sent."""

    transaction_id: str
    ended_at: datetime
    meter_stop_wh: Decimal | None
    reason: str
    id_token: str = ""
    samples: tuple[Sample, ...] = ()  # transaction data; their session id is filled in here
    flags: tuple[str, ...] = ()
    key: str = ""
    received_at: datetime = field(default_factory=clock.now)


def take(session: ChargingSession, *, facts: Stop) -> None:
    """Let the station's stop end a session that the caller has locked.

    A repeated stop changes nothing. One for a session that we closed ourselves corrects it; one with other values
    for a session that a stop has ended is work for an operator.
    """
    if session.status == Status.ACTIVE:
        _end(session, facts)
        events.publish(SessionEnded(session.pk, session.station_id))
    elif is_only_estimated(session):
        _correct(session, facts)
    elif session.meter_stop_wh != facts.meter_stop_wh:
        _raise_second_stop(session, facts)


def is_only_estimated(session: ChargingSession) -> bool:
    """Tell whether an ended session was closed by us, and nobody has told the real figures since."""
    words = {word.partition(":")[0] for word in session.flags}
    return "closed_by" in words and not words & {CORRECTED, "corrected_by"}


@transaction.atomic(savepoint=False)
def close(
    session: ChargingSession, *, reason: str, by: str, ended_at: datetime | None = None
) -> ChargingSession:
    """End a session whose charger never said so, with its last good reading up to `ended_at`; flagged as estimated.

    Raise `NotOpen` when it has ended already. If the real stop still arrives, the session takes its figures.
    """
    session = (
        ChargingSession.objects.select_for_update(of=("self",)).select_related("station").get(pk=session.pk)
    )
    if session.status == Status.ENDED:
        raise NotOpen("the session has already ended")
    last_reading_at = max((sample.sampled_at for sample in metering.series(session)), default=None)
    last_known_at = last_reading_at or session.last_reading_at or session.started_at
    session.ended_at = max(ended_at or last_known_at, session.started_at)
    result = metering.energy(session, meter_stop_wh=None, until=session.ended_at)
    if "no_readings" not in result.flags:
        session.register_wh, session.energy_wh = result.stop_wh, result.energy_wh
    session.status = Status.ENDED
    session.stop_reason = reason[:40]
    session.meter_stop_wh = session.register_wh
    session.power_w = Decimal(0)
    session.flags = [*session.flags, ESTIMATED, f"closed_by:{by}"[:60]]
    session.last_updated = clock.now()
    session.save(update_fields=FIGURES)
    wake.changed(session.station_id)
    events.publish(SessionEnded(session.pk, session.station_id))
    return session


def changed(session: ChargingSession, *, before: tuple[Decimal, datetime], by: str, reason: str) -> None:
    """Store the new figures of an ended session with what they were `before`, and let billing look again."""
    assert session.ended_at is not None
    session.last_updated = clock.now()
    session.billed_at = None
    session.save(update_fields=FIGURES)
    SessionCorrection.objects.create(
        session=session,
        at=session.last_updated,
        by=by[:100],
        reason=reason[:255],
        energy_before_wh=before[0],
        energy_after_wh=session.energy_wh,
        ended_before=before[1],
        ended_after=session.ended_at,
    )
    events.publish(SessionChanged(session.pk, session.station_id))


def _end(session: ChargingSession, facts: Stop) -> None:
    """Take over a stop's figures: the energy is a function of everything that was metered."""
    odd = _figures(session, facts)
    session.last_updated = clock.now()
    session.save(update_fields=FIGURES)
    if odd:
        _raise_odd(session, odd)


def _figures(session: ChargingSession, facts: Stop) -> list[str]:
    """Set what a stop says about a session; return what makes no sense about it."""
    if facts.samples:
        metering.add(session, samples=facts.samples)
    session.ended_at = None  # whatever was assumed: all readings count
    result = metering.energy(session, meter_stop_wh=facts.meter_stop_wh)
    session.ended_at = facts.ended_at
    flags = dict.fromkeys([*session.flags, *facts.flags, *result.flags])
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
    return [flag for flag in result.flags if flag in metering.SUSPICIOUS]


def _correct(session: ChargingSession, facts: Stop) -> None:
    """Replace the figures of a session that we closed by those of its own stop."""
    assert session.ended_at is not None
    before = session.energy_wh, session.ended_at
    odd = _figures(session, facts)
    session.flags = [*(word for word in session.flags if word != ESTIMATED), CORRECTED]
    changed(session, before=before, by=BY_STATION, reason="the station's own stop arrived")
    if odd:
        _raise_odd(session, odd)
    for item in ReviewItem.objects.filter(key=closed_key(session), resolved_at=None):
        review.resolve(item, by=BY_STATION, resolution="its own stop arrived")


def closed_key(session: ChargingSession) -> str:
    """Return the key of the review item about a session that a rule closed."""
    return f"closed:{session.pk}"


def stop_facts(facts: Stop) -> dict[str, Any]:
    """Write a stop for a review item."""
    return {
        "transaction_id": facts.transaction_id,
        "ended_at": facts.ended_at.isoformat(),
        "meter_stop_wh": None if facts.meter_stop_wh is None else str(facts.meter_stop_wh),
        "id_token": facts.id_token,
        "reason": facts.reason,
    }


def _raise_second_stop(session: ChargingSession, facts: Stop) -> None:
    station: ChargingStation = session.station
    review.raise_item(
        ReviewItem.Kind.UNMATCHED_STOP,
        key=f"second stop:{session.pk}:{keys.of(facts.key or facts.ended_at, facts.meter_stop_wh)}",
        summary=f"{station.identity} stopped transaction {facts.transaction_id} again, with other values",
        station=station,
        session=session,
        facts=stop_facts(facts),
    )


def _raise_odd(session: ChargingSession, flags: list[str]) -> None:
    review.raise_item(
        ReviewItem.Kind.ODD_READINGS,
        key=f"readings:{session.pk}",
        summary=f"{session.station.identity}: readings of a session make no sense ({', '.join(flags)})",
        station=session.station,
        session=session,
        facts={"flags": flags, "energy_wh": str(session.energy_wh)},
    )
