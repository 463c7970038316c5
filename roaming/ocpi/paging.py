"""Pages of lists: OCPI's offset and limit outside, keys inside, so that the last page costs what the first does.

OCPI 2.2.1 transport_and_format#Pagination. Objects come in the order of their creation. Our own `next` link carries
the last key as `after`; a client that counts offsets by itself is served too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet

from roaming import wire
from roaming.ocpi.envelope import INVALID, Refusal

MAX_OFFSET = 10_000_000
COUNT_KEPT_S = 60  # seconds: a crawl asks for the same count at each page


@dataclass(frozen=True, slots=True)
class Window:
    """What the client asks for."""

    date_from: datetime | None
    date_to: datetime | None
    offset: int
    limit: int
    after: int | None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Window":
        """Read the query; raises Refusal 2001. A limit above ours is lowered, not refused."""
        limit = _whole(query, "limit", least=1)
        return cls(
            date_from=_moment(query, "date_from"),
            date_to=_moment(query, "date_to"),
            offset=_whole(query, "offset", least=0) or 0,
            limit=min(limit or settings.OCPI_PAGE_LIMIT, settings.OCPI_PAGE_LIMIT),
            after=_whole(query, "after", least=0),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page and the headers that belong to it."""

    rows: Sequence[Any]
    headers: dict[str, str]


def page(rows: QuerySet[Any], window: Window, *, url: str, scope: str) -> Page:
    """Cut one page out of rows that are filtered already; `scope` tells whose count this is."""
    ordered = rows.order_by("pk")
    if window.after is not None:
        found = list(ordered.filter(pk__gt=window.after)[: window.limit + 1])
    else:
        found = list(ordered[window.offset : window.offset + window.limit + 1])
    total = _total(rows, window, scope)
    shown = found[: window.limit]
    headers = {"X-Total-Count": str(total), "X-Limit": str(settings.OCPI_PAGE_LIMIT)}
    if len(found) > window.limit:
        headers["Link"] = f'<{url}?{urlencode(_next(window, shown[-1].pk))}>; rel="next"'
    return Page(shown, headers)


def _total(rows: QuerySet[Any], window: Window, scope: str) -> int:
    key = f"ocpi count {scope} {window.date_from} {window.date_to}".replace(" ", "_")
    found: int | None = cache.get(key) if window.after is not None or window.offset else None
    if found is None:
        found = rows.order_by().count()
        cache.set(key, found, COUNT_KEPT_S)
    return found


def _next(window: Window, last_key: int) -> dict[str, str]:
    """Return the query of the next page, with every filter of this one."""
    query: dict[str, str] = {}
    for name in ("date_from", "date_to"):
        moment: datetime | None = getattr(window, name)
        if moment is not None:
            query[name] = moment.isoformat().replace("+00:00", "Z")
    query |= {"offset": str(window.offset + window.limit), "limit": str(window.limit), "after": str(last_key)}
    return query


def _whole(query: Mapping[str, str], name: str, *, least: int) -> int | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    if not text.isascii() or not text.isdigit() or int(text[:20]) < least:
        raise Refusal(INVALID, f"{name} must be a whole number of at least {least}")
    number = int(text[:20])
    if name == "offset" and number > MAX_OFFSET:
        raise Refusal(INVALID, f"{name} is too large")
    return number


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    try:
        return wire.read_moment(text)
    except ValueError as error:
        raise Refusal(INVALID, f"{name} is not an OCPI DateTime") from error
