"""Which tariff applies where and when: OCPI 2.3.0 mod_tariffs#Tariff, for many sessions or connectors at once.

The most specific place wins (connector, EVSE, location, operator); within a place a tariff of the session's type
comes before one for every session; among equals the newest assignment. Everything is judged at session start.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Q

from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.tariff import model
from stations.models import ChargingSession, Connector, IdToken, Location
from stations.services import locations

EVERY_SESSION = ""
PLACES = ("connector", "evse", "location", "operator")  # most specific first
Place = tuple[str, int]
Window = tuple[datetime | None, datetime | None]
AD_HOC_TOKENS = frozenset({"AD_HOC_USER"})


def types_of(session: ChargingSession) -> tuple[str, ...]:
    """Give the OCPI tariff types that fit the session, best first; '' is a tariff for every session."""
    return types_of_token(session.token, is_ad_hoc=session.is_ad_hoc)


def types_of_token(token: IdToken | None, *, is_ad_hoc: bool = False) -> tuple[str, ...]:
    """The same for a token that may begin a session, or for a payment of its own."""
    has_such_token = token is not None and token.type in AD_HOC_TOKENS
    is_ad_hoc = has_such_token or is_ad_hoc
    kind = model.TariffType.AD_HOC_PAYMENT if is_ad_hoc else model.TariffType.REGULAR
    return (kind, EVERY_SESSION)


def versions(sessions: Sequence[ChargingSession]) -> dict[int, TariffVersion]:
    """Return by session id the tariff version that applied at its start; sessions without a tariff are missing.

    Four queries for any number of sessions, if they were read with station, location and token.
    """
    only = _fallback(session.station.location for session in sessions)
    places = {
        session.pk: _places(connector, session.evse_id, session.station.location, only)
        for session, connector in _connectors(sessions)
    }
    standing = _assignments(place for found in places.values() for place in found)
    candidates = {
        session.pk: list(_candidates(places[session.pk], standing, session.started_at, types_of(session)))
        for session in sessions
    }
    pairs = [(tariff.pk, s.started_at) for s in sessions for tariff in candidates[s.pk]]
    at_the_time = _versions_at(pairs)
    chosen: dict[int, TariffVersion] = {}
    for session in sessions:
        found = (at_the_time.get((tariff.pk, session.started_at)) for tariff in candidates[session.pk])
        valid = (version for version in found if version and is_valid(version, session.started_at))
        version = next(valid, None)
        if version is not None:
            chosen[session.pk] = version
    return chosen


def of_connectors(connectors: Sequence[Connector], *, at: datetime) -> dict[int, list[Tariff]]:
    """Return by connector id the tariffs that a session starting now may get: of each type, the most specific.

    Read the connectors with `evse__station__location`.
    """
    only = _fallback(connector.evse.station.location for connector in connectors)
    places = {
        connector.pk: _places(connector.pk, connector.evse_id, connector.evse.station.location, only)
        for connector in connectors
    }
    standing = _assignments(place for found in places.values() for place in found)
    types = (EVERY_SESSION, *model.TariffType)
    return {
        pk: [t for kind in types if (t := next(_candidates(found, standing, at, (kind,)), None)) is not None]
        for pk, found in places.items()
    }


def of_token(
    connectors: Sequence[Connector], token: IdToken | None, *, at: datetime
) -> dict[int, TariffVersion]:
    """Return by connector id the version that a session of this token starting now would get.

    Read the connectors with `evse__station__location`; those without a tariff are missing.
    """
    only = _fallback(connector.evse.station.location for connector in connectors)
    places = {c.pk: _places(c.pk, c.evse_id, c.evse.station.location, only) for c in connectors}
    standing = _assignments(place for found in places.values() for place in found)
    types = types_of_token(token)
    candidates = {pk: list(_candidates(found, standing, at, types)) for pk, found in places.items()}
    now = _versions_at([(tariff.pk, at) for found in candidates.values() for tariff in found])
    chosen: dict[int, TariffVersion] = {}
    for pk, tariffs in candidates.items():
        versions = (now.get((tariff.pk, at)) for tariff in tariffs)
        version = next((v for v in versions if v is not None and is_valid(v, at)), None)
        if version is not None:
            chosen[pk] = version
    return chosen


@lru_cache(maxsize=4096)
def _parsed(version_id: int, data: "_ById") -> model.Tariff:
    return model.Tariff.from_ocpi(data.value)


class _ById:
    """Hands a document to a cache that must not hash it: versions are immutable, so their id stands for it."""

    __slots__ = ("value",)

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById)


def parsed(version: TariffVersion) -> model.Tariff:
    """Return the version as the engine wants it; parsed and compiled once per process."""
    return _parsed(version.pk, _ById(version.data))


def is_valid(version: TariffVersion, at: datetime) -> bool:
    """Tell whether the tariff's own validity includes this moment (start inclusive, end exclusive)."""
    tariff = parsed(version)
    begun = tariff.start_date_time is None or tariff.start_date_time <= at
    return begun and (tariff.end_date_time is None or at < tariff.end_date_time)


def validity(tariff: Tariff) -> Window:
    """Return the own validity of a tariff's newest version."""
    newest = tariff.versions.order_by("-number").first()
    if newest is None:
        return None, None
    data = parsed(newest)
    return data.start_date_time, data.end_date_time


def overlap(one: Window, other: Window) -> bool:
    """Tell whether two half-open windows share a moment; None is open on that side."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return (one[0] or first) < (other[1] or last) and (other[0] or first) < (one[1] or last)


def as_json(value: Any) -> Any:
    """Turn decimals into strings, everywhere inside: JSON numbers would come back as floats."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return {key: as_json(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(member) for member in value]
    return value


def _connectors(sessions: Iterable[ChargingSession]) -> list[tuple[ChargingSession, int | None]]:
    """Pair each session with the id of its connector's row."""
    sessions = list(sessions)
    rows = Connector.objects.filter(evse__in={s.evse_id for s in sessions}).order_by()
    ids = {(evse, number): pk for pk, evse, number in rows.values_list("pk", "evse_id", "number")}
    return [(session, ids.get((session.evse_id, session.connector_number))) for session in sessions]


def _fallback(places: Iterable[Location | None]) -> int | None:
    """Give the operator of stations without a location: our only one, if there is just one."""
    only = locations.only_operator() if any(location is None for location in places) else None
    return only.pk if only else None


def _places(
    connector_id: int | None, evse_id: int, location: Location | None, only_operator: int | None
) -> tuple[Place, ...]:
    at_location = (None, only_operator) if location is None else (location.pk, location.operator_id)
    found = zip(PLACES, (connector_id, evse_id, *at_location), strict=True)
    return tuple((kind, pk) for kind, pk in found if pk is not None)


def _assignments(places: Iterable[Place]) -> dict[Place, list[TariffAssignment]]:
    """Return all assignments of these places, newest first."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for kind, pk in places:
        wanted[kind].add(pk)
    condition = Q()
    for kind, ids in wanted.items():
        condition |= Q(**{f"{kind}__in": ids})
    found: dict[Place, list[TariffAssignment]] = defaultdict(list)
    if condition:
        rows = (
            TariffAssignment.objects.filter(condition).select_related("tariff").order_by("-valid_from", "-pk")
        )
        for row in rows:
            kind = next(kind for kind in PLACES if getattr(row, f"{kind}_id") is not None)
            found[kind, getattr(row, f"{kind}_id")].append(row)
    return found


def _candidates(
    places: Iterable[Place], standing: dict[Place, list[TariffAssignment]], at: datetime, types: Sequence[str]
) -> Iterator[Tariff]:
    """Give the tariffs that were assigned at this moment, best first."""
    for place in places:
        for kind in types:
            for row in standing.get(place, ()):
                if (
                    row.tariff.type == kind
                    and row.valid_from <= at
                    and (row.valid_until is None or at < row.valid_until)
                ):
                    yield row.tariff


NEWEST_AT = """
select distinct wanted.tariff_id, wanted.at, found.id
from unnest(%s::bigint[], %s::timestamptz[]) as wanted (tariff_id, at)
cross join lateral (
    select id from billing_tariffversion v
    where v.tariff_id = wanted.tariff_id and v.valid_from <= wanted.at
    order by v.valid_from desc, v.number desc limit 1
) found
"""


def _versions_at(pairs: Sequence[tuple[int, datetime]]) -> dict[tuple[int, datetime], TariffVersion]:
    """Return for (tariff id, moment) the version of that moment."""
    if not pairs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_AT, [[tariff for tariff, _ in pairs], [at for _, at in pairs]])
        rows = cursor.fetchall()
    found = TariffVersion.objects.select_related("tariff").in_bulk([pk for _, _, pk in rows])
    return {(tariff, at): found[pk] for tariff, at, pk in rows}
