"""A charger's idea of the time, read tolerantly.

Chargers send local time without a zone, 1970 after a dead battery, leap seconds, basic format and commas. The
receive time stands in for what cannot be true; the raw text stays in the journal.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # no OCPP before; clocks without a battery start at 1970 or 2000
MAX_AHEAD = timedelta(days=1)

_TOLERANT = re.compile(
    r"(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)"
    r"[Tt _]?(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,20}))?)?"
    r"\s?(?:[Zz]|UTC|GMT|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?)?",
    re.ASCII,
)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?", re.ASCII)


def parse_timestamp(
    text: object, *, received_at: datetime, max_ahead: timedelta = MAX_AHEAD
) -> tuple[datetime, tuple[str, ...]]:
    """Return the moment in UTC and flags that say what was odd; never raises.

    No zone is read as UTC ('timestamp_no_zone'). A moment before 2000 or more than `max_ahead` after
    `received_at` cannot be true: `received_at` is returned ('timestamp_implausible'), as it is for what cannot
    be read ('timestamp_unreadable') or is not there ('timestamp_missing').
    """
    flags: tuple[str, ...] = ()
    try:
        at = datetime.fromisoformat(text)  # type: ignore[arg-type]
        if at.tzinfo is None:
            at, flags = at.replace(tzinfo=UTC), ("timestamp_no_zone",)
        elif at.tzinfo is not UTC:
            at = at.astimezone(UTC)
    except OverflowError:
        return received_at, ("timestamp_implausible",)
    except (TypeError, ValueError):
        if text is None or text == "":
            return received_at, ("timestamp_missing",)
        found, flags = _tolerantly(str(text)[:64].strip())
        if found is None:
            return received_at, flags
        at = found
    if at < EARLIEST or at - received_at > max_ahead:
        return received_at, ("timestamp_implausible",)
    return at, flags


def _tolerantly(text: str) -> tuple[datetime | None, tuple[str, ...]]:
    """Read what the standard parser refuses; None with the reason where nothing helps."""
    if _EPOCH.fullmatch(text):
        seconds, millis = int(text[:10]), int(text[10:] or 0)
        return datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=millis), ("timestamp_epoch",)
    match = _TOLERANT.fullmatch(text)
    if match is None:
        return None, ("timestamp_unreadable",)
    second = int(match["second"] or 0)
    flags: tuple[str, ...] = ()
    try:
        at = datetime(
            int(match["year"]), int(match["month"]), int(match["day"]), int(match["hour"]),
            int(match["minute"]), min(second, 59), int((match["fraction"] or "0")[:6].ljust(6, "0")),
            _zone(match),
        )  # fmt: skip
        if second == 60:
            at, flags = at + timedelta(seconds=1), ("timestamp_leap_second",)
        at = at.astimezone(UTC)
    except OverflowError:
        return None, ("timestamp_implausible",)
    except ValueError:
        return None, ("timestamp_unreadable",)
    if second > 60:
        return None, ("timestamp_unreadable",)
    if match["sign"] is None and not text.endswith(("Z", "z", "UTC", "GMT")):
        flags = (*flags, "timestamp_no_zone")
    return at, flags


def _zone(match: re.Match[str]) -> timezone:
    """The offset; 24 hours and more are a ValueError."""
    if match["sign"] is None:
        return UTC
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return timezone(-offset if match["sign"] == "-" else offset)
