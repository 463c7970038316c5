"""Billing work: fetch, call one service. Ids in, rows remember; every task may run twice."""

from celery import shared_task

from billing.services import cdrs, jobs, snapshots, station_tariffs
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
