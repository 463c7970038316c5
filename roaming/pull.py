"""Pulling a partner's tokens (OCPI 2.2.1 mod_tokens#Sender Interface): the safety net under his pushes.

Follows the partner's `Link` headers where they make sense and counts offsets where they do not; ends at an empty page,
a repeated URL or a cap. One bad token spoils nothing but itself. Watermarks overlap, because clocks and commits do.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import structlog

from cpo.lib import clock
from roaming import client, partner_tokens
from roaming.models import Connection
from roaming.ocpi import envelope, versions
from roaming.visibility import VisibleTo
from stations.models import Operator

log = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=10)
PAGE_LIMIT = 500  # that we ask for; most partners give less
MAX_PAGES = 10_000
MAX_PAGE_ITEMS = 10_000
_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')


@dataclass(slots=True)
class Pulled:
    """What a pull brought. `is_complete` is false when a page failed: the watermark then stays."""

    seen: int = 0
    created: int = 0
    refused: int = 0
    pages: int = 0
    is_complete: bool = False
    faults: list[str] = field(default_factory=list)


def tokens(connection: Connection, *, full: bool = False) -> Pulled:
    """Pull the tokens that changed since the last complete pull, or all of them."""
    started = clock.now()
    result = Pulled()
    endpoint = connection.endpoint("tokens", versions.SENDER)
    Connection.objects.filter(pk=connection.pk).update(tokens_tried_at=started)
    if endpoint is None:
        return result
    since = None if full or connection.tokens_pulled_at is None else connection.tokens_pulled_at - OVERLAP
    parties = frozenset(VisibleTo(connection).parties)
    owner = _owner(connection, parties)
    for items in _pages(connection, endpoint, since, result):
        for item in items:
            _take(connection, {**owner, **item} if isinstance(item, dict) else item, parties, result)
    if result.is_complete:
        Connection.objects.filter(pk=connection.pk).update(tokens_pulled_at=started)
    log.info("tokens pulled", connection=connection.pk, seen=result.seen, created=result.created)
    return result


def _pages(
    connection: Connection, endpoint: str, since: datetime | None, result: Pulled
) -> Iterator[list[Any]]:
    """Give the pages; ends with `is_complete` set when the partner's last one was reached."""
    filters = {"date_from": since.strftime("%Y-%m-%dT%H:%M:%SZ")} if since else {}
    offset, url, asked = 0, "", set[str]()
    while result.pages < MAX_PAGES:
        url = url or _with_query(endpoint, {**filters, "offset": str(offset), "limit": str(PAGE_LIMIT)})
        if url in asked:
            result.faults.append("the partner's links go in circles")
            return
        asked.add(url)
        answer = client.call(connection, "GET", url, module="tokens", route=client.Route(sender=_sender()))
        if not answer.is_ok or not isinstance(answer.data, list):
            result.faults.append(answer.reason)
            return
        result.pages += 1
        items = answer.data[:MAX_PAGE_ITEMS]
        offset += len(items)
        yield items
        link, total = _link(answer.headers), _total(answer.headers)
        if not items or (not link and (total is None or offset >= total)):
            result.is_complete = True
            return
        url = link if link and _is_same_server(link, endpoint) else ""


def _take(connection: Connection, item: Any, parties: frozenset[str], result: Pulled) -> None:
    """Store one token; what cannot be read is counted and named."""
    result.seen += 1
    reader = versions.of(connection.version).token(data=item, context={"warnings": []})
    if not reader.is_valid():
        result.refused += 1
        if len(result.faults) < 50:
            result.faults.append(envelope.first_fault(reader.errors))
        return
    values = reader.validated_data
    party = f"{values['country_code']}*{values['party_id']}"
    if party not in parties:
        result.refused += 1
        return
    result.created += partner_tokens.save(party, values)


def _owner(connection: Connection, parties: frozenset[str]) -> dict[str, str]:
    """Return what tokens of a version lack that does not name their owner: it is the only party there."""
    if versions.of(connection.version).has_parties or len(parties) != 1:
        return {}
    country_code, _, party_id = next(iter(parties)).partition("*")
    return {"country_code": country_code, "party_id": party_id}


def _sender() -> str:
    """Return our party for the routing headers, if there is just one that it could be."""
    found = list(Operator.objects.order_by("pk")[:2])
    return str(found[0]) if len(found) == 1 else ""


def _link(headers: Mapping[str, str]) -> str:
    found = _NEXT.search(headers.get("link", ""))
    if found is None:
        return ""
    target = found[1].strip()
    return target if target.startswith(("https://", "http://")) else ""


def _total(headers: Mapping[str, str]) -> int | None:
    text = headers.get("x-total-count", "")
    return int(text) if text.isdigit() and len(text) < 12 else None


def _is_same_server(link: str, endpoint: str) -> bool:
    """A link to another server would hand our token to it."""
    one, other = urlsplit(link), urlsplit(endpoint)
    return (one.scheme, one.netloc.lower()) == (other.scheme, other.netloc.lower())


def _with_query(url: str, query: Mapping[str, str]) -> str:
    base, _, present = url.partition("?")
    return base + "?" + urlencode({**dict(parse_qsl(present)), **query})
