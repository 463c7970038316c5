"""Turns events into nudges for the outbox. Runs in threads of the chargers' hot path: no SQL, no network here."""

from billing.events import CdrIssued, TariffChanged
from cpo.lib import events, nudge
from stations.events import (
    LocationChanged,
    SessionChanged,
    SessionEnded,
    SessionStarted,
    SessionsUpdated,
    StationChanged,
    StationConnected,
    StationDisconnected,
    StatusesChanged,
)

READINGS_DELAY_S = 5.0  # a running session is pushed every OCPI_SESSION_PUSH_S at most: readings may gather


def session_changed(event: SessionStarted | SessionEnded | SessionChanged) -> None:
    nudge.task("roaming.tasks.mark_sessions", event.session_id)


def sessions_updated(event: SessionsUpdated) -> None:
    for session_id in event.session_ids:
        nudge.task("roaming.tasks.mark_running_sessions", session_id, delay_s=READINGS_DELAY_S)


def statuses_changed(event: StatusesChanged) -> None:
    for evse_id in event.evse_ids:
        nudge.task("roaming.tasks.mark_evses", evse_id)
    if not event.evse_ids:  # the station as a whole said something
        for station_id in event.station_ids:
            nudge.task("roaming.tasks.mark_stations", station_id)


def station_changed(event: StationConnected | StationDisconnected | StationChanged) -> None:
    nudge.task("roaming.tasks.mark_stations", event.station_id)


def location_changed(event: LocationChanged) -> None:
    nudge.task("roaming.tasks.mark_locations", event.location_id)


def tariff_changed(event: TariffChanged) -> None:
    nudge.task("roaming.tasks.mark_tariffs", event.tariff_id)


def cdr_issued(event: CdrIssued) -> None:
    nudge.task("roaming.tasks.mark_cdrs", event.cdr_id)


events.subscribe(SessionStarted)(session_changed)
events.subscribe(SessionEnded)(session_changed)
events.subscribe(SessionChanged)(session_changed)
events.subscribe(SessionsUpdated)(sessions_updated)
events.subscribe(StatusesChanged)(statuses_changed)
events.subscribe(StationConnected)(station_changed)
events.subscribe(StationDisconnected)(station_changed)
events.subscribe(StationChanged)(station_changed)
events.subscribe(LocationChanged)(location_changed)
events.subscribe(TariffChanged)(tariff_changed)
events.subscribe(CdrIssued)(cdr_issued)
