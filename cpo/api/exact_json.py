"""JSON in and out without loss: decimals stay decimals, and what PostgreSQL could not store is refused at the door."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

MAX_DEPTH = 32  # levels of nesting in a body
MAX_NUMBER_LENGTH = 40  # characters of one number


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = "The body is too large."
    default_code = "body_too_large"


class ExactJSONParser(BaseParser):
    """Reads a JSON body with `Decimal` for fractions. Raises ParseError (400) or BodyTooLarge (413)."""

    media_type = "application/json"
    fraction: Any = Decimal

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Any = None) -> Any:
        """Return the parsed body."""
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooLarge
        try:
            parsed = json.loads(
                body, parse_float=self._fraction, parse_int=_whole, parse_constant=_refuse_constant
            )
            _check(parsed, 0)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not usable JSON: {error}"[:300]) from error
        return parsed

    @classmethod
    def _fraction(cls, text: str) -> Any:
        number = Decimal(_short(text))
        if number and not -20 <= number.adjusted() <= 20:
            raise ValueError("a number is out of range")
        return cls.fraction(text)


class OcppJSONParser(ExactJSONParser):
    """The same with binary fractions, as the OCPP codec and a JSON column take them."""

    fraction = float


def _short(text: str) -> str:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError("a number is too long")
    return text


def _whole(text: str) -> int:
    return int(_short(text))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _check(value: Any, depth: int) -> None:
    """Refuse what would only fail later: deep nesting, NUL (PostgreSQL), lone surrogates (UTF-8)."""
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise ValueError("a text holds the character NUL")
    elif isinstance(value, dict):
        for key, member in value.items():
            _check(key, depth)
            _check(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth + 1)


class ExactJSONRenderer(BaseRenderer):
    """Writes JSON with `Decimal` as the number that it is: 12345 or 12345.5, never 12345.500000001."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Return the bytes; nothing for an answer without content."""
        return b"" if data is None else orjson.dumps(data, default=_default, option=orjson.OPT_UTC_Z)


def number(value: Decimal) -> int | Decimal:
    """Give a decimal without trailing zeros, as an int when it has no fraction."""
    return int(value) if value == value.to_integral_value() else value.normalize()


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        short = number(value)
        return short if isinstance(short, int) else orjson.Fragment(f"{short:f}".encode())
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | memoryview):
        raise TypeError("bytes have no place in JSON")
    return str(value)
