"""Read JSON leniently, and name the path of whatever cannot be read.

Numbers may come as Decimal, int or string (a float is taken by its shortest text); `null` and absent are equal
(OCPI 2.3.0 transport_and_format, cardinality `?`). Every reader raises the error class that the root was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import NoReturn, TypeVar

from .errors import FaultAt

E = TypeVar("E", bound=StrEnum)

MAX_DIGITS_BEFORE_POINT = 12  # a thousand billion of anything is a fault of the sender
MAX_DIGITS_AFTER_POINT = 15
_DATE_TIME = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?"
)


class Node:
    """A value in a JSON document that knows where it stands."""

    __slots__ = ("error", "path", "value")

    def __init__(self, value: object, error: type[FaultAt], path: str = "") -> None:
        self.value = value
        self.error = error
        self.path = path

    def fail(self, reason: str) -> NoReturn:
        raise self.error(self.path, reason)

    def get(self, key: str) -> Node | None:
        """Return the member, or None where it is absent or null."""
        value = self.members().get(key)
        return None if value is None else self._child(key, value)

    def need(self, key: str) -> Node:
        """Return the member, or fail at its path."""
        return self.get(key) or self._child(key, None).fail("is required")

    def members(self) -> Mapping[str, object]:
        if not isinstance(self.value, Mapping):
            self.fail("must be an object")
        return self.value

    def items(self) -> Iterator[Node]:
        """Walk a list."""
        if isinstance(self.value, str) or not isinstance(self.value, Sequence):
            self.fail("must be a list")
        for index, value in enumerate(self.value):
            yield Node(value, self.error, f"{self.path}[{index}]")

    def list(self, key: str) -> Iterator[Node]:
        """Walk a list that may be left out."""
        member = self.get(key)
        return member.items() if member else iter(())

    def optional_text(self, key: str) -> str | None:
        member = self.get(key)
        return member.text() if member else None

    def optional_moment(self, key: str) -> datetime | None:
        member = self.get(key)
        return member.moment() if member else None

    def text(self) -> str:
        """Return a string; numbers are taken by their digits, as some senders write ids without quotes."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        if not isinstance(self.value, str):
            self.fail("must be a string")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail("must be true or false")
        return self.value

    def number(self) -> Decimal:
        """Return a finite decimal of sane size."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | str | Decimal | float):
            self.fail("must be a number")
        try:
            number = Decimal(str(self.value).strip())
        except InvalidOperation:
            self.fail(f"{str(self.value)[:40]!r} is not a number")
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int):
            self.fail("must be a finite number")
        if number.adjusted() >= MAX_DIGITS_BEFORE_POINT and number:
            self.fail("is too large")
        if exponent < -MAX_DIGITS_AFTER_POINT:
            self.fail(f"has more than {MAX_DIGITS_AFTER_POINT} decimals")
        return number if exponent <= 0 else number.quantize(Decimal(1))

    def not_negative(self) -> Decimal:
        number = self.number()
        if number < 0:
            self.fail("must not be negative")
        return number

    def integer(self) -> int:
        """Return a whole number that is not negative."""
        number = self.not_negative()
        if number != number.to_integral_value():
            self.fail("must be a whole number")
        return int(number)

    def choice(self, kind: type[E]) -> E:
        """Return a member of an enumeration."""
        text = self.text()
        try:
            return kind(text)
        except ValueError:
            self.fail(f"{text[:40]!r} is not one of {', '.join(kind)}")

    def moment(self) -> datetime:
        """Return an aware UTC time; OCPI times without a zone are UTC (OCPI 2.3.0 types#DateTime)."""
        text = self.text().strip()
        if not _DATE_TIME.fullmatch(text):
            self.fail(f"{text[:40]!r} is not an RFC 3339 date and time")
        try:
            day, clock = re.split("[Tt ]", text, maxsplit=1)
            year, month, number = day.split("-")
            clock = clock.upper().replace(",", ".")
            parsed = datetime.fromisoformat(f"{year}-{int(month):02}-{int(number):02}T{clock}")
            return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text[:40]!r} is not an RFC 3339 date and time")

    def _child(self, key: str, value: object) -> Node:
        return Node(value, self.error, f"{self.path}.{key}" if self.path else key)


def write_moment(moment: datetime) -> str:
    """Write UTC with `Z`; fractions only where there are any."""
    utc = moment.astimezone(UTC)
    text = utc.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{utc.microsecond:06}".rstrip("0") + "Z" if utc.microsecond else text + "Z"


def without_empty(document: dict[str, object]) -> dict[str, object]:
    """Leave out what is not set: OCPI reads null, empty and absent alike."""
    return {key: value for key, value in document.items() if value is not None and value not in ([], {})}
