"""Local clocks: time zones, and the instants at which a clock shows a time of day or jumps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .errors import InvalidUsage

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def zone(name: str) -> ZoneInfo:
    """Return an IANA time zone; raises InvalidUsage."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as fault:  # not found, a folder of zones, not even a name
        raise InvalidUsage("time_zone", f"{name[:40]!r} is not an IANA time zone") from fault


def instants(start: datetime, end: datetime, zone: ZoneInfo, clocks: Sequence[time]) -> Iterator[datetime]:
    """Yield the instants of a session at which a local clock shows one of the times, or jumps.

    A jump (start or end of daylight saving) is always a border: it can skip a time of day or show it twice.
    """
    left = start
    while clocks and left < end:
        right = min(end, left + _DAY)
        offset = _offset(left, zone)
        jumps = _offset(right, zone) != offset
        if jumps:
            right = _jump(left, right, zone)
        for shown in _shown(left + offset, right + offset, clocks):
            yield shown - offset
        left = right
        if jumps:
            yield left


def _shown(left: datetime, right: datetime, clocks: Sequence[time]) -> Iterator[datetime]:
    """Yield when a clock that does not jump shows the times, between two instants at most a day apart."""
    day, first, last = left.date(), left.time(), right.time()
    if right.date() == day:
        for clock in clocks:
            if first <= clock < last:
                yield datetime.combine(day, clock, UTC)
        return
    for clock in clocks:
        if first <= clock:
            yield datetime.combine(day, clock, UTC)
        if clock < last:
            yield datetime.combine(right.date(), clock, UTC)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _jump(left: datetime, right: datetime, zone: ZoneInfo) -> datetime:
    """Find the second at which the offset changes between two instants."""
    offset = _offset(left, zone)
    early, late = left.replace(microsecond=0), right
    while late - early > _SECOND:
        middle = early + _SECOND * ((late - early) // _SECOND // 2)
        if _offset(middle, zone) == offset:
            early = middle
        else:
            late = middle
    return min(late.replace(microsecond=0), right)
