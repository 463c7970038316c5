"""Keyset paging: the next page starts after the last row seen, so that page 1,000 costs what page 1 costs."""

from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

ROWS = 50  # rows on a page
SEPARATOR = "~"  # between the values of a cursor; in no identity (OCPP identifierString) and no number


@dataclass(slots=True)
class Page:
    """Rows of one page. `after` and `is_first` make the links; there is no count, which would read every row."""

    rows: list[Any] = field(default_factory=list)
    after: str = ""
    is_first: bool = True

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def page(
    rows: QuerySet[Any], *, by: tuple[str, ...], after: str = "", newest_first: bool = True, size: int = ROWS
) -> Page:
    """Return the rows that come after the cursor in the order `by`, whose last field must be unique.

    A cursor that nobody gave out shows the first page.
    """
    values = after.split(SEPARATOR) if after else []
    if len(values) == len(by):
        rows = _later(rows, by, values, newest_first=newest_first)
    ordered = rows.order_by(*(f"-{name}" if newest_first else name for name in by))
    found = list(ordered[: size + 1])
    shown = found[:size]
    cursor = SEPARATOR.join(_text(getattr(shown[-1], name)) for name in by) if len(found) > size else ""
    return Page(rows=shown, after=cursor, is_first=not values)


def _later(
    rows: QuerySet[Any], by: tuple[str, ...], values: list[str], *, newest_first: bool
) -> QuerySet[Any]:
    try:
        clean = [
            rows.model._meta.get_field(name).to_python(value) for name, value in zip(by, values, strict=True)
        ]
    except ValidationError:
        return rows
    lookup = TupleLessThan if newest_first else TupleGreaterThan
    return rows.filter(lookup(Tuple(*(F(name) for name in by)), tuple(clean)))


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
