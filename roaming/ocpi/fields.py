"""OCPI's types as serializer fields: lenient with what partners send, exact in what we send.

OCPI 2.2.1 types. Reading puts small faults right (numbers as strings, `"true"`, lower-case enumerations) and notes it
in `context["warnings"]`, which the exchange log shows. Writing leaves out what is empty.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.encoding import force_str
from rest_framework import serializers

from roaming import wire

EMPTY: tuple[Any, ...] = (None, "", [], {})


class Document(serializers.Serializer[Any]):
    """An OCPI object: unknown members are ignored when read, empty ones left out when written."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {
            name: value for name, value in super().to_representation(instance).items() if value not in EMPTY
        }

    def to_internal_value(self, data: Any) -> Any:
        """Read an object; null is the same as absent (OCPI 2.2.1 transport_and_format#PUT)."""
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if value is not None}
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """string(n): a number is taken by its digits; too long is refused."""

    def __init__(self, max_length: int, **options: Any) -> None:
        options.setdefault("allow_blank", True)
        super().__init__(max_length=max_length, **options)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, int | Decimal) and not isinstance(data, bool):
            warn(self, "number instead of string")
            data = force_str(data)
        return super().to_internal_value(data)


class CiString(Text):
    """CiString(n): printable ASCII; the case is kept, comparison ignores it."""

    def __init__(self, max_length: int, **options: Any) -> None:
        super().__init__(max_length, **{"allow_blank": False, **options})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not (text.isascii() and text.isprintable()):
            raise serializers.ValidationError("only printable ASCII is allowed")
        return text


class Code(CiString):
    """A country code or party id: exactly n characters, upper case inside."""

    def __init__(self, length: int, **options: Any) -> None:
        super().__init__(length, min_length=length, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if "*" in text or "/" in text:
            raise serializers.ValidationError("not a code")
        return text.upper()


class Word(CiString):
    """A value of an enumeration. Closed ones refuse unknown words, open ones keep them."""

    def __init__(
        self, words: Iterable[str], *, is_open: bool = False, max_length: int = 36, **options: Any
    ) -> None:
        self._words, self._is_open = frozenset(words), is_open
        super().__init__(max_length, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text in self._words:
            return text
        if text.upper() in self._words:
            warn(self, f"{text} instead of {text.upper()}")
            return text.upper()
        if not self._is_open:
            raise serializers.ValidationError(f"{text[:40]} is not one of {', '.join(sorted(self._words))}")
        warn(self, f"unknown value {text}")
        return text


class Flag(serializers.Field[bool, Any, bool, Any]):
    """boolean: `"true"`, `1` and the like are put right."""

    WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

    def to_internal_value(self, data: Any) -> bool:
        if isinstance(data, bool):
            return data
        found = self.WORDS.get(str(data).strip().lower())
        if found is None:
            raise serializers.ValidationError("must be true or false")
        warn(self, f"{data!r} instead of a boolean")
        return found

    def to_representation(self, value: bool) -> bool:
        return bool(value)


class Moment(serializers.Field[datetime, Any, Any, Any]):
    """DateTime: UTC, `Z` or nothing; the renderer writes it."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            return wire.read_moment(data)
        except ValueError as error:
            raise serializers.ValidationError("not an OCPI DateTime") from error

    def to_representation(self, value: datetime) -> datetime:
        return value


class Json(serializers.Field[Any, Any, Any, Any]):
    """A stored OCPI shape, handed on as it is; floats of a JSON column become exact decimals."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("must be an object")
        return data

    def to_representation(self, value: Any) -> Any:
        return exact(value)


def exact(value: Any) -> Any:
    """Turn floats into the decimals that they were written as."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exact(member) for member in value]
    return value


def warn(field: serializers.Field[Any, Any, Any, Any], text: str) -> None:
    """Note that something was put right while reading."""
    warnings: list[str] = field.context.get("warnings", [])
    warnings.append(f"{field.field_name}: {text}")
