"""Sessions that could not be billed: why, when they are tried again, and who must look."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import transaction

from billing.errors import Held, Implausible
from billing.models import BillingJob
from cpo.lib import clock, metrics
from stations.models import ChargingSession, ReviewItem
from stations.services import review

FIRST_RETRY_S = 60  # doubled with every try
LAST_RETRY_S = 6 * 3600
SETTLE_S = 5  # a session that ended this lately has its nudge on the way
IDS_AT_ONCE = 100  # sessions in one task


def fail(session: ChargingSession, reason: Exception) -> None:
    """Note that a session was not billed; it is tried again later, unless it is held."""
    now = clock.now()
    job, _ = BillingJob.objects.get_or_create(
        session=session, defaults={"state": BillingJob.State.FAILED, "created_at": now, "last_updated": now}
    )
    is_held = isinstance(reason, Held)
    job.tries += 1
    job.state = BillingJob.State.HELD if is_held else BillingJob.State.FAILED
    delay_s = min(FIRST_RETRY_S * 2 ** min(job.tries - 1, 16), LAST_RETRY_S)
    job.next_try_at = None if is_held else now + timedelta(seconds=delay_s)
    job.last_error = str(reason)[:255] or type(reason).__name__
    job.last_updated = now
    job.save(update_fields=["state", "tries", "next_try_at", "last_error", "last_updated"])
    metrics.cdrs.add("held" if is_held else "failed")
    if isinstance(reason, Implausible):
        doubt(session, job.last_error)
    elif not is_held:  # energy without authorisation has an item of its own already
        tell(session, job.last_error)


def tell(session: ChargingSession, reason: str) -> None:
    """Raise the item that tells an operator what is wrong with this session's bill."""
    review.raise_item(
        ReviewItem.Kind.BILLING_FAILED,
        key=_key(session.pk),
        summary=f"Session {session.uid} at {session.station.identity}: {reason}",
        station=session.station,
        session=session,
        facts={"reason": reason},
    )


def doubt(session: ChargingSession, reason: str) -> None:
    """Raise the item that asks an operator whether this energy can be."""
    review.raise_item(
        ReviewItem.Kind.ODD_READINGS,
        key=f"implausible:{session.pk}",
        summary=f"Not billed: session at {session.station.identity}, {reason}",
        station=session.station,
        session=session,
        facts={"energy_wh": f"{session.energy_wh:f}", "reason": reason},
    )


def finish(session_ids: Sequence[int]) -> None:
    """Close jobs and items of sessions that have been billed after all."""
    if not session_ids:
        return
    jobs = BillingJob.objects.filter(session__in=session_ids).exclude(state=BillingJob.State.DONE)
    if not jobs.update(state=BillingJob.State.DONE, next_try_at=None, last_updated=clock.now()):
        return
    for item in ReviewItem.objects.filter(key__in=[_key(pk) for pk in session_ids], resolved_at=None):
        review.resolve(item, by="billing", resolution="billed")


@transaction.atomic
def postpone(session_id: int, error: Exception) -> None:
    """Note a session whose billing broke in a way nobody foresaw, so that it holds up nobody else."""
    session = ChargingSession.objects.select_related("station").get(pk=session_id)
    ChargingSession.objects.filter(pk=session_id, billed_at=None).update(billed_at=clock.now())
    fail(session, error)


def due(limit: int) -> list[int]:
    """Return the sessions that should be billed now: ended and never tried, then failed ones whose time has come.

    Both come from partial indexes, so history costs nothing.
    """
    now = clock.now()
    settled = now - timedelta(seconds=SETTLE_S)
    fresh = ChargingSession.objects.unbilled().filter(last_updated__lte=settled).order_by("pk")
    ids = list(fresh.values_list("pk", flat=True)[:limit])
    again = BillingJob.objects.due(now).values_list("session_id", flat=True)
    return [*ids, *again[: limit - len(ids)]]


def waiting_for(tariff_ids: Iterable[int]) -> list[int]:
    """Return the failed sessions that these tariffs were to price."""
    failed = BillingJob.objects.filter(state=BillingJob.State.FAILED)
    rows = failed.filter(session__snapshot__tariff_version__tariff__in=list(tariff_ids))
    return list(rows.order_by("pk").values_list("session_id", flat=True))


def chunks(ids: Sequence[int]) -> Iterable[list[int]]:
    """Cut ids into the work of single tasks."""
    return (list(ids[start : start + IDS_AT_ONCE]) for start in range(0, len(ids), IDS_AT_ONCE))


def _key(session_id: int) -> str:
    return f"billing failed:{session_id}"
