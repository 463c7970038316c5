"""JSON as OCPI wants it: exact decimals as numbers, UTC with `Z`; and what comes in, bounded before it is used.

OCPI 2.2.1 types#number, types#DateTime; hostile documents: depth, nodes, NaN, huge integers, NUL and lone surrogates.
"""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 24
MAX_NODES = 200_000
LARGEST = 10**18
_DATE_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?([Zz]|[ +-]\d{2}:?\d{2})?"
)


class BadDocument(ValueError):
    """The bytes are not a JSON document that we would store; the text says why."""


class NotAMoment(ValueError):
    """The text is no date and time of RFC 3339, or none of this calendar."""


def dumps(value: Any, *, fractions: bool = True) -> bytes:
    """Write compact JSON: Decimal as number without exponent, datetime in UTC with milliseconds and `Z`.

    Without `fractions` instants are cut to whole seconds (OCPI 2.1.1 types#DateTime).
    """
    writer = _write if fractions else _write_whole
    return orjson.dumps(value, default=writer, option=orjson.OPT_PASSTHROUGH_DATETIME)


def loads(raw: bytes) -> Any:
    """Read JSON with numbers as Decimal; raises BadDocument."""
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadDocument("not valid JSON") from error
    _check(value)
    return value


def write_number(number: Decimal) -> str:
    """Write a decimal as JSON number, without exponent and trailing zeros."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def write_moment(moment: datetime) -> str:
    """Write an instant in UTC with `Z`; milliseconds when there are any, so that 25 characters are enough."""
    utc = moment.astimezone(UTC)
    text = utc.strftime("%Y-%m-%dT%H:%M:%S")
    millis = utc.microsecond // 1000
    return f"{text}.{millis:03}Z" if millis else text + "Z"


def read_moment(text: object) -> datetime:
    """Read an instant; no zone means UTC, and a `+` that became a space in a query is put right. Raises NotAMoment."""
    found = _DATE_TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise NotAMoment("not an RFC 3339 date and time")
    year, month, day, clock, fraction, zone = found.groups()
    stamp = f"{year}-{int(month):02}-{int(day):02}T{clock}.{(fraction or '0')[:6]:0<6}"
    if len(clock) == 5:
        stamp = f"{year}-{int(month):02}-{int(day):02}T{clock}:00.{(fraction or '0')[:6]:0<6}"
    offset = "+00:00" if zone is None or zone in "Zz" else zone.replace(" ", "+")
    try:
        return datetime.fromisoformat(stamp + offset).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotAMoment("not in the calendar") from error


def micros(moment: datetime) -> int:
    """Return an instant as microseconds since 1970: the version of an object in the outbox."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _write(value: object) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(write_number(value))
    if isinstance(value, datetime):
        return write_moment(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _write_whole(value: object) -> Any:
    return _write(value.replace(microsecond=0) if isinstance(value, datetime) else value)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _check(document: Any) -> None:
    """Walk the document without recursion: what PostgreSQL could not store is refused here, in one place."""
    stack: list[tuple[Any, int]] = [(document, 1)]
    nodes = 0
    while stack:
        value, depth = stack.pop()
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise BadDocument("nested too deeply or too large")
        if isinstance(value, dict):
            stack.extend((key, depth + 1) for key in value)
            stack.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            stack.extend((item, depth + 1) for item in value)
        elif isinstance(value, str):
            _check_text(value)
        elif isinstance(value, Decimal | int) and not -LARGEST < value < LARGEST:
            raise BadDocument("number too large")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise BadDocument("NUL in a string")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadDocument("half a character in a string") from error
