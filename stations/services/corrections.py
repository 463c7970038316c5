"""What changes an ended session: closing values that come after the stop, and an operator's word.

Once billing has taken a session over, a late reading changes nothing by itself (case T5): it is attached, and an
operator decides. What an operator corrects is billed anew: the CDR is credited and replaced.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from stations import readings
from stations.models import ChargingSession, ReviewItem
from stations.readings.words import REGISTER
from stations.services import endings, metering, review
from stations.services.errors import ImplausibleEnergy, NotEnded

CLOSING = "closing_values"  # flag: the final reading came after the stop
CONTEXT_END = "Transaction.End"
MOST_WH = Decimal(10) ** 12
SETTLED = (ReviewItem.Kind.ODD_READINGS, ReviewItem.Kind.STALE_SESSION, ReviewItem.Kind.BILLING_FAILED)


@transaction.atomic
def correct(session: ChargingSession, *, energy_wh: Decimal, reason: str, by: str) -> ChargingSession:
    """Set the energy (Wh) of an ended session by hand; it is billed so, whatever its readings say.

    Raises NotEnded for a running session, ImplausibleEnergy for a negative or impossible figure.
    """
    session = _locked(session.pk)
    if session.status != endings.Status.ENDED or session.ended_at is None:
        raise NotEnded("the session still runs")
    if not energy_wh.is_finite() or not 0 <= energy_wh < MOST_WH:
        raise ImplausibleEnergy(f"a session cannot have {energy_wh} Wh")
    before = session.energy_wh, session.ended_at
    session.energy_wh = energy_wh.quantize(Decimal("0.0001"))
    session.needs_review = False
    kept = (
        word for word in session.flags if word != endings.ESTIMATED and not word.startswith("corrected_by:")
    )
    session.flags = [*kept, f"corrected_by:{by}"[:60]]
    endings.changed(session, before=before, by=by, reason=reason)
    for item in ReviewItem.objects.filter(session=session, resolved_at=None, kind__in=SETTLED):
        review.resolve(item, by=by, resolution=f"energy corrected: {reason}")
    return session


def are_closing(found: Sequence[readings.Reading]) -> bool:
    """Tell whether readings hold the register at the end of a transaction (context Transaction.End)."""
    return any(r.context == CONTEXT_END and r.measurand == REGISTER and r.unit == "Wh" for r in found)


@transaction.atomic(savepoint=False)
def close_with(session_id: int, *, found: Sequence[readings.Reading]) -> bool:
    """Take closing values of an ended session into its figures, once; return whether they were.

    They count while the grace after the stop lasts, when the stop had no register or a smaller one, and as long as
    billing has not taken the session over. Else they are attached and told to an operator. Said again: no effect.
    """
    session = _locked(session_id)
    closing = [r for r in found if r.context == CONTEXT_END]
    register_wh = readings.latest(closing).energy_wh
    if session.status != endings.Status.ENDED or session.ended_at is None or register_wh is None:
        return False
    metering.add(session, samples=[(0, r.sampled_at, metering.kind_of(r), 0, r.value) for r in found])
    if register_wh == session.meter_stop_wh or endings.is_only_estimated(session):
        return False
    grace = timedelta(seconds=settings.OCPP_STOP_GRACE_S)
    is_in_time = all(r.sampled_at <= session.ended_at + grace for r in closing)
    floor_wh = session.meter_stop_wh if session.meter_stop_wh is not None else session.register_wh
    is_new = CLOSING not in session.flags and not any(w.startswith("corrected_by:") for w in session.flags)
    if not is_in_time or not is_new or session.billed_at is not None or register_wh < (floor_wh or 0):
        _tell(session, register_wh)
        return False
    _take(session, register_wh)
    return True


def _take(session: ChargingSession, register_wh: Decimal) -> None:
    assert session.ended_at is not None
    before = session.energy_wh, session.ended_at
    ended_at, session.ended_at = session.ended_at, None  # all readings count
    result = metering.energy(session, meter_stop_wh=register_wh)
    session.ended_at = ended_at
    session.meter_stop_wh = session.register_wh = register_wh
    session.energy_wh = result.energy_wh
    session.flags = list(dict.fromkeys([*session.flags, *result.flags, CLOSING]))
    session.needs_review = session.needs_review or bool(set(result.flags) & metering.SUSPICIOUS)
    endings.changed(
        session, before=before, by=endings.BY_STATION, reason="closing values came after the stop"
    )


def _tell(session: ChargingSession, register_wh: Decimal) -> None:
    """Raise the item about closing values that change nothing by themselves."""
    review.raise_item(
        ReviewItem.Kind.ODD_READINGS,
        key=f"closing:{session.pk}:{register_wh:f}",
        summary=f"{session.station.identity}: a final reading of {register_wh:f} Wh came after the stop",
        station=session.station,
        session=session,
        facts={
            "register_wh": f"{register_wh:f}",
            "meter_stop_wh": None if session.meter_stop_wh is None else f"{session.meter_stop_wh:f}",
            "energy_wh": f"{session.energy_wh:f}",
        },
    )


def _locked(session_id: int) -> ChargingSession:
    rows = ChargingSession.objects.select_for_update(of=("self",)).select_related("station")
    return rows.get(pk=session_id)
