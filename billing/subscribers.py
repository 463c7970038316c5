"""Turns events into nudges: workers do the work, sweeps find what a lost nudge forgot."""

from billing.events import CdrIssued, TariffChanged
from cpo.lib import events, nudge
from stations.events import RemoteRequestChanged, SessionChanged, SessionEnded, SessionStarted


@events.subscribe(SessionStarted)
def freeze(event: SessionStarted) -> None:
    nudge.task("billing.tasks.snapshot_sessions", event.session_id)


@events.subscribe(SessionEnded)
def bill(event: SessionEnded) -> None:
    nudge.task("billing.tasks.bill_sessions", event.session_id)


@events.subscribe(SessionChanged)
def look_again(event: SessionChanged) -> None:
    nudge.task("billing.tasks.bill_sessions", event.session_id)


@events.subscribe(TariffChanged)
def retry(event: TariffChanged) -> None:
    nudge.task("billing.tasks.retry_after_tariff_change", event.tariff_id)


@events.subscribe(CdrIssued)
def settle(event: CdrIssued) -> None:
    if event.session_id is not None:
        nudge.task("billing.tasks.settle_sessions", event.session_id)


@events.subscribe(RemoteRequestChanged)
def look_for_start(event: RemoteRequestChanged) -> None:
    nudge.task("billing.tasks.advance_payments_at", event.station_id)
