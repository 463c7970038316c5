"""Pages of a list, newest first, by key: the last page costs what the first one does, and nothing is counted."""

import re
from datetime import UTC, datetime
from typing import Any

from django.db.models import CompositePrimaryKey, DateTimeField
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000  # rows in a page
MICROSECONDS = 1_000_000
_CURSOR = re.compile(
    r"([on])((?:0|[1-9][0-9]{0,17})(?:\.(?:0|[1-9][0-9]{0,17})){0,3})"
)  # older or newer than this key


class NewestFirst(BasePagination):
    """Pages by descending primary key. `limit` is the size of a page, `cursor` comes from `next` and `previous`.

    A cursor is a letter and the numbers of a key (moments in microseconds): the key of a partitioned table has several.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page in one query; raise ValidationError for an unusable limit or cursor."""
        self.url = request.build_absolute_uri()
        size, newer, key = limit_of(request), False, None
        if text := request.query_params.get("cursor"):
            newer, key = text.startswith("n"), _read(text, queryset.model)
        if key is not None:
            queryset = queryset.filter(pk__gt=key) if newer else queryset.filter(pk__lt=key)
        rows = list(queryset.order_by("pk" if newer else "-pk")[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if newer:
            rows.reverse()
        self.has_older = bool(rows) and (newer or more)
        self.has_newer = bool(rows) and (more if newer else key is not None)
        self.rows = rows
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        """Wrap the rows with the links to the neighbouring pages."""
        older = (
            replace_query_param(self.url, "cursor", f"o{_write(self.rows[-1].pk)}")
            if self.has_older
            else None
        )
        newer = (
            replace_query_param(self.url, "cursor", f"n{_write(self.rows[0].pk)}") if self.has_newer else None
        )
        return Response({"next": older, "previous": newer, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the page in OpenAPI."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "The page of older rows; null on the last page."},
                "previous": {**link, "description": "The page of newer rows; null on the first page."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the query parameters in OpenAPI."""
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": limit},
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
        ]


def limit_of(request: Request) -> int:
    """Read `limit`: rows in a page, at most MAX_LIMIT; raise ValidationError when it is no positive number."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValidationError({"limit": [f"A whole number from 1 to {MAX_LIMIT}."]})
    return min(int(text), MAX_LIMIT)


def _write(key: Any) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    return ".".join(str(_microseconds(part) if isinstance(part, datetime) else part) for part in parts)


def _read(text: str, model: Any) -> Any:
    cursor = _CURSOR.fullmatch(text)
    pk = model._meta.pk
    fields = pk.fields if isinstance(pk, CompositePrimaryKey) else [pk]
    numbers = [int(part) for part in cursor[2].split(".")] if cursor else []
    if len(numbers) != len(fields):
        raise ValidationError({"cursor": ["Use the cursor of a next or previous link."]})
    try:
        parts = [
            _moment(n) if isinstance(f, DateTimeField) else n for f, n in zip(fields, numbers, strict=True)
        ]
    except (OverflowError, ValueError) as error:
        raise ValidationError({"cursor": ["Use the cursor of a next or previous link."]}) from error
    return tuple(parts) if len(parts) > 1 else parts[0]


def _microseconds(moment: datetime) -> int:
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * MICROSECONDS + moment.microsecond


def _moment(microseconds: int) -> datetime:
    seconds, rest = divmod(microseconds, MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
