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
OFFSET_KEPT_S = 300  # seconds in which the next offset of a crawl finds its key
TOTAL_KEPT_S = 86_400  # seconds until even a growing list is counted anew
UNSETTLED_KEYS = 1000


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


def page(rows: QuerySet[Any], window: Window, *, url: str, scope: str, only_grows: bool = False) -> Page:
    """Cut one page out of rows that are filtered already; `scope` tells whose list this is.

    `only_grows`: rows are never changed or deleted, so an unfiltered count needs to look at new ones only.
    """
    scope = f"ocpi {scope} {window.date_from} {window.date_to}".replace(" ", "_")
    ordered = rows.order_by("pk")
    after = window.after if window.after is not None else cache.get(f"{scope}_at_{window.offset}")
    if after is not None:
        found = list(ordered.filter(pk__gt=after)[: window.limit + 1])
    else:
        found = list(ordered[window.offset : window.offset + window.limit + 1])
    is_whole = window.date_from is None and window.date_to is None
    total = _growing_total(rows, scope) if only_grows and is_whole else _total(rows, window, scope)
    shown = found[: window.limit]
    headers = {"X-Total-Count": str(total), "X-Limit": str(settings.OCPI_PAGE_LIMIT)}
    if len(found) > window.limit:
        headers["Link"] = f'<{url}?{urlencode(_next(window, shown[-1].pk))}>; rel="next"'
        if window.after is None:  # for those who go on by counting offsets
            cache.set(f"{scope}_at_{window.offset + window.limit}", shown[-1].pk, OFFSET_KEPT_S)
    return Page(shown, headers)


def _total(rows: QuerySet[Any], window: Window, scope: str) -> int:
    """Count the rows; on the later pages of a crawl, as counted at its beginning."""
    found: int | None = cache.get(f"{scope}_count") if window.after is not None or window.offset else None
    if found is None:
        found = rows.order_by().count()
        cache.set(f"{scope}_count", found, COUNT_KEPT_S)
    return found


def _growing_total(rows: QuerySet[Any], scope: str) -> int:
    """Count rows that only become more: what was counted stays, new keys are added.

    The newest keys are counted each time, because a smaller one may be committed later.
    """
    counted, limit = cache.get(f"{scope}_grown") or (0, 0)
    newest = rows.model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
    settled = newest - UNSETTLED_KEYS
    if settled > limit:
        counted += rows.order_by().filter(pk__gt=limit, pk__lte=settled).count()
        limit = settled
        cache.set(f"{scope}_grown", (counted, limit), TOTAL_KEPT_S)
    return int(counted) + rows.order_by().filter(pk__gt=limit).count()


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
