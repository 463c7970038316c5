"""When the periods of a profile hold: kinds, recurrence, validity and wall clocks, laid out over a window of time.

Instants are whole seconds since 1970 in UTC; fractions of a second are cut off.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple

from stations.charging_profiles.profile import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    Recurrency,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVERY_S = {Recurrency.DAILY: 86_400, Recurrency.WEEKLY: 604_800}
STRIDE_S = 3_600  # no zone changes its offset twice within an hour


def seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


class Span(NamedTuple):
    """A period that holds from `begin` until just before `end`."""

    begin: int
    end: int
    period: ChargingSchedulePeriod
    schedule: ChargingSchedule


@dataclass(frozen=True, slots=True)
class Window:
    """The time to look at, and what anchors schedules in it: the session, the present, the station's zone."""

    begin: int
    end: int
    now: int
    zone: tzinfo
    session_start: int | None = None
    offline_since: int | None = None


class Timeline:
    """A profile laid out over a window."""

    def __init__(self, profile: ChargingProfile, window: Window, schedule_index: int = 0) -> None:
        self.profile = profile
        schedule = profile.schedules[min(schedule_index, len(profile.schedules) - 1)]
        self.spans = list(_valid(profile, window, _laid_out(profile, schedule, window)))
        self._begins = [span.begin for span in self.spans]

    def at(self, instant: int) -> Span | None:
        index = bisect_right(self._begins, instant) - 1
        return self.spans[index] if index >= 0 and instant < self.spans[index].end else None


def _valid(profile: ChargingProfile, window: Window, spans: Iterator[Span]) -> Iterator[Span]:
    """Cut away what lies outside the validity (K01.FR.36, 37) or too long after the contact broke (K01.FR.101)."""
    begin = window.begin if profile.valid_from is None else max(window.begin, seconds(profile.valid_from))
    end = window.end if profile.valid_to is None else min(window.end, seconds(profile.valid_to))
    if window.offline_since is not None and profile.max_offline_duration_s is not None:
        end = min(end, window.offline_since + profile.max_offline_duration_s)
    for span in spans:
        clipped = span._replace(begin=max(span.begin, begin), end=min(span.end, end))
        if clipped.begin < clipped.end:
            yield clipped


def _laid_out(profile: ChargingProfile, schedule: ChargingSchedule, window: Window) -> Iterator[Span]:
    every_s = (
        EVERY_S.get(profile.recurrency) if profile.recurrency and profile.kind is Kind.RECURRING else None
    )
    if schedule.use_local_time and schedule.start_schedule is not None:
        origin = seconds(schedule.start_schedule.replace(tzinfo=UTC))
        for begin, end, offset in _offsets(window):
            for span in _runs(schedule, origin, every_s, begin + offset, end + offset):
                yield span._replace(begin=span.begin - offset, end=span.end - offset)
        return
    yield from _runs(schedule, _origin(profile, schedule, window), every_s, window.begin, window.end)


def _origin(profile: ChargingProfile, schedule: ChargingSchedule, window: Window) -> int:
    """Return when a schedule starts.

    A dynamic one starts at its last update (K28.FR.05, FR.13). One without a start, relative or of OCPP 1.6
    (section 7.13), starts with the session, or now as if a session began (K08.FR.06).
    """
    if profile.kind is Kind.DYNAMIC:
        return window.now if profile.dyn_update_time is None else seconds(profile.dyn_update_time)
    if profile.kind is not Kind.RELATIVE and schedule.start_schedule is not None:
        return seconds(schedule.start_schedule)
    return window.now if window.session_start is None else window.session_start


def _runs(
    schedule: ChargingSchedule, origin: int, every_s: int | None, begin: int, end: int
) -> Iterator[Span]:
    """Lay out the runs of a schedule that touch a window; the next run, the duration and the window cut them.

    K01.FR.11, FR.12 and FR.30; OCPP 1.6 section 5.16.4: nothing runs on past its recurrence.
    """
    periods = sorted(schedule.periods, key=lambda period: period.start_period_s)
    first = max(0, (begin - origin) // every_s) if every_s else 0
    last = (end - 1 - origin) // every_s if every_s else 0
    for count in range(first, last + 1):
        start = origin + count * (every_s or 0)
        stop = end if every_s is None else min(end, start + every_s)
        stop = stop if schedule.duration_s is None else min(stop, start + schedule.duration_s)
        begins = [max(begin, start, start + period.start_period_s) for period in periods]
        for period, (span_begin, span_end) in zip(periods, pairwise([*begins, stop]), strict=True):
            if span_begin < min(span_end, stop):
                yield Span(span_begin, min(span_end, stop), period, schedule)


def _offsets(window: Window) -> Iterator[tuple[int, int, int]]:
    """Cut the window where the station's clocks change: (begin, end, offset to UTC in seconds)."""
    begin = instant = window.begin
    while instant < window.end:
        ahead = min(instant + STRIDE_S, window.end)
        if ahead == window.end or _offset(window, ahead) != _offset(window, begin):
            change = _change(window, instant, ahead)
            yield begin, change, _offset(window, begin)
            begin = ahead = change
        instant = ahead


def _change(window: Window, low: int, high: int) -> int:
    """Return the first second in (low, high] with another offset than `low`, or `high`."""
    before = _offset(window, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(window, middle) != before else (middle, high)
    return high


def _offset(window: Window, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, window.zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
