"""Read and write single members of the wire, tolerant of how chargers and operators spell them.

A reader turns a JSON value into ours or raises InvalidProfile with the path below it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from stations.charging_profiles.profile import InvalidProfile

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)
MAX_LENGTH = 30  # of a number as text: hostile ones cost time, and no limit has more digits
MAX_MAGNITUDE = 12  # digits before the point


def optional(wire: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T | None:
    """Read a member that may be missing or null."""
    value = wire.get(name)
    return None if value is None else _below(name, read, value)


def required(wire: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T:
    value = optional(wire, name, read)
    if value is None:
        raise InvalidProfile(name, "is required")
    return value


def items(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Read a list; a lone value stands for a list of one, as between OCPP 1.6 and 2.x."""

    def read_all(value: Any) -> tuple[T, ...]:
        values = value if isinstance(value, list) else [value]
        return tuple(_below(f"[{index}]", read, each) for index, each in enumerate(values))

    return read_all


def _below(name: str, read: Callable[[Any], T], value: Any) -> T:
    try:
        return read(value)
    except InvalidProfile as error:
        dot = "" if error.path.startswith("[") or not error.path else "."
        raise InvalidProfile(f"{name}{dot}{error.path}", error.message) from None


def an_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidProfile("", "is not an object")
    return value


def number(value: Any) -> Decimal:
    """Read a JSON number, or its text with a point or a comma, exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise InvalidProfile("", "is not a number")
    try:
        found = Decimal(value) if isinstance(value, int) else Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        raise InvalidProfile("", "is not a number") from None
    if not found.is_finite() or found.adjusted() >= MAX_MAGNITUDE or len(str(found)) > MAX_LENGTH:
        raise InvalidProfile("", "is out of range")
    return found


def integer(value: Any) -> int:
    found = number(value)
    if found != found.to_integral_value():
        raise InvalidProfile("", "is not a whole number")
    return int(found)


def flag(value: Any) -> bool:
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise InvalidProfile("", "is neither true nor false")
    return found


def text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidProfile("", "is not a text")
    return str(value)


def word(kind: type[W], **aliases: W) -> Callable[[Any], W]:
    """Read a word of an enumeration in any case, or another name of it."""
    words = {member.value.lower(): member for member in kind}
    words |= {name.lower(): member for name, member in aliases.items()}

    def read(value: Any) -> W:
        found = words.get(str(value).strip().lower())
        if found is None:
            raise InvalidProfile("", f"is no {kind.__name__}")
        return found

    return read


def moment(value: Any) -> datetime:
    """Read a time into UTC; one without a zone is UTC."""
    found = _time(value)
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        raise InvalidProfile("", "is out of range") from None


def wall_clock(value: Any) -> datetime:
    """Read a time and disregard its zone (K01.FR.90)."""
    return _time(value).replace(tzinfo=UTC)


def _time(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidProfile("", "is not a time") from None


def written(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def present(**members: Any) -> dict[str, Any]:
    """Keep the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}
