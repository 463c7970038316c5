"""From one list to another: the whole of it, or what differs (OCPP 1.6 section 5.15, UpdateType)."""

from collections.abc import Sequence
from typing import NamedTuple

Entry = Sequence[str]  # uid, type, expires at (ISO 8601) or '', group id
LAST_VERSION = 2**31 - 1  # an integer of a station may have 32 bits


class Change(NamedTuple):
    """One member of an update: a token as it shall be on the list, or one that goes."""

    uid: str
    type: str
    expires_at: str = ""
    group_id: str = ""
    is_removed: bool = False


def whole(entries: Sequence[Entry]) -> list[Change]:
    """Return the members of an update that replaces everything."""
    return [_change(entry) for entry in entries]


def difference(before: Sequence[Entry], after: Sequence[Entry]) -> list[Change]:
    """Return what must be said of a list to make another one of it; tokens that go come first and make room."""
    old = {entry[0].upper(): list(entry) for entry in before}
    new = {entry[0].upper(): list(entry) for entry in after}
    gone = [Change(entry[0], entry[1], is_removed=True) for key, entry in old.items() if key not in new]
    return gone + [_change(entry) for key, entry in new.items() if old.get(key) != entry]


def _change(entry: Entry) -> Change:
    uid, kind, expires_at, group_id = entry
    return Change(uid, kind, expires_at, group_id)


def next_version(*known: int | None) -> int:
    """Return a number that is greater than all of these; never -1 or 0, which mean something else (errata 3.52)."""
    following = max([0, *(number for number in known if number is not None)]) + 1
    return following if following <= LAST_VERSION else 1
