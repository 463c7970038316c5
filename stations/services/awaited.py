"""What is awaited of stations: a session after a remote start, a status after a change, the use of a reservation.

Rows say what is awaited, and a sweep looks at them. This process remembers only which stations there is something to
look for, so that a start or a status of such a one is followed up at once and of all others costs nothing.
"""

import time

from cpo.lib import events, nudge
from stations.events import SessionEnded, SessionStarted, StationChanged, StatusesChanged

TASK = "stations.tasks.follow_up"
_until: dict[int, float] = {}  # station id -> moment of the monotonic clock


def expect(station_id: int, *, for_s: float) -> None:
    """Look at this station's sessions, statuses and boots for so many seconds; a hint, the rows are the truth."""
    if len(_until) > 1000:
        _forget_old()
    _until[station_id] = max(_until.get(station_id, 0.0), time.monotonic() + for_s)


def _follow_up(station_id: int) -> None:
    if _until[station_id] > time.monotonic():
        nudge.task(TASK, station_id)
    else:
        _until.pop(station_id, None)


@events.subscribe(SessionStarted)
@events.subscribe(SessionEnded)
@events.subscribe(StationChanged)
def station_event(event: SessionStarted | SessionEnded | StationChanged) -> None:
    """Follow up what this may have brought."""
    if event.station_id in _until:
        _follow_up(event.station_id)


@events.subscribe(StatusesChanged)
def statuses_changed(event: StatusesChanged) -> None:
    """Follow up stations of the batch of which something is awaited."""
    if _until and not event.station_ids.isdisjoint(_until):
        for station_id in event.station_ids & _until.keys():
            _follow_up(station_id)


def _forget_old() -> None:
    now = time.monotonic()
    for station_id in [number for number, until in list(_until.items()) if until <= now]:
        _until.pop(station_id, None)
