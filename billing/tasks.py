"""Billing work: fetch, call one service. Ids in, rows remember; every task may run twice."""

from celery import shared_task

from billing.services import (
    cdrs,
    jobs,
    payments,
    receipts,
    refunds,
    settlements,
    snapshots,
    station_tariffs,
)
from cpo.lib.tasks import RowsTask

SWEEP_LIMIT = 5000  # sessions that one sweep hands out
SWEEP_TTL_S = 10  # what no worker took by the next sweep is handed out again then, not twice


@shared_task(base=RowsTask, poisoned=staticmethod(jobs.postpone))
def bill_sessions(session_ids: list[int]) -> None:
    """Write the CDRs of ended sessions."""
    cdrs.bill(session_ids)


@shared_task(base=RowsTask, poisoned=staticmethod(snapshots.give_up))
def snapshot_sessions(session_ids: list[int]) -> None:
    """Freeze what sessions look like at their start."""
    snapshots.ensure(snapshots.read(session_ids))


@shared_task
def sweep_unbilled() -> int:
    """Find sessions that no nudge brought: after a crash, a lost broker, a failed try."""
    ids = jobs.due(SWEEP_LIMIT)
    for chunk in jobs.chunks(ids):
        bill_sessions.apply_async([chunk], expires=SWEEP_TTL_S)
    return len(ids)


@shared_task
def compare_station_costs() -> int:
    """Compare what stations calculated with our bills."""
    return station_tariffs.compare()


@shared_task
def retry_after_tariff_change(tariff_ids: list[int]) -> None:
    """Try again what a tariff could not price before it was repaired."""
    for chunk in jobs.chunks(jobs.waiting_for(tariff_ids)):
        bill_sessions.delay(chunk)


@shared_task(base=RowsTask, poisoned=staticmethod(payments.postpone))
def advance_payments(payment_ids: list[int]) -> None:
    """Bring payments as far as they can be brought now."""
    payments.advance(payment_ids)


@shared_task
def look_at_payments(payment_ids: list[int]) -> None:
    """Look at payments now, although nothing is due: a driver has come back from the payment service."""
    payments.advance(payments.wake_these(payment_ids))


@shared_task
def advance_payments_at(station_ids: list[int]) -> None:
    """Look at payments that wait for these stations to start."""
    for station_id in station_ids:
        payments.advance(payments.wake_station(station_id))


@shared_task
def settle_sessions(session_ids: list[int]) -> None:
    """Take the money for sessions whose CDR is new; compare what was taken with one that was corrected."""
    payments.advance(payments.wake(session_ids=session_ids))
    payments.advance(settlements.take_over(session_ids))
    payments.compare(session_ids)
    settlements.again(session_ids)
    settlements.compare()


@shared_task
def work_refunds(refund_ids: list[int]) -> None:
    """Have money given back."""
    refunds.work(refund_ids)


@shared_task
def sweep_payments() -> int:
    """Find payments, refunds and receipts that no nudge brought: after a crash, a lost broker, a silent provider."""
    ids = payments.due()
    for payment_id in ids:
        advance_payments.apply_async([[payment_id]], expires=SWEEP_TTL_S)
    for payment_id in receipts.to_mail():
        mail_receipt.apply_async([payment_id], expires=SWEEP_TTL_S)
    return len(ids) + refunds.work(refunds.waiting())


@shared_task
def sweep_settlements() -> int:
    """Compare settlements and corrected CDRs that no nudge brought; tell of sessions that nobody settled."""
    payments.compare(payments.uncompared())
    payments.advance(settlements.take_over(settlements.left_to_us()))
    return settlements.compare() + settlements.unsettled()


@shared_task
def mail_receipt(payment_id: int) -> None:
    """Send one receipt."""
    receipts.mail(payment_id)
