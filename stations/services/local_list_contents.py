"""What local lists shall hold: the tokens that may charge at a site, as many as a station can keep (1.6 section 3.5.2).

Lists are made once per audience (site, length of tokens, size, cleared tokens), never per station: stations whose
lists are equal share one row, and a change of tokens is one comparison of digests per audience.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.module_loading import import_string

from cpo.lib import clock
from stations.models import (
    IdToken,
    LocalList,
    LocalListContent,
    LocalListMark,
    TokenGroup,
    UnlistedToken,
)

Entry = list[str]  # uid, type, expires at, group id
State = LocalList.State
LISTED = (
    "ALWAYS",
    "ALLOWED",
    "ALLOWED_OFFLINE",
)  # OCPI WhitelistType of partners' tokens that stations may keep
NOT_CARRIED = ("AD_HOC_USER", "APP_USER")  # nobody holds these to a reader
MOST_UNTOLD = 1000  # entries for a station that did not tell how many it can keep
RECENTLY = timedelta(days=90)  # over which it is looked who charged last, where a list must be cut
KEPT = timedelta(hours=1)  # a content that no list points to

SWITCH = """
update stations_locallist l set is_on = e.is_on, state = 'stale', tries = 0, next_try_at = null, wanted_id = null,
    problem = '', changed_at = %s
from (
    select l.id, case l.mode when 'on' then true when 'off' then false else coalesce(r.is_on, %s) end as is_on
    from stations_locallist l
    join stations_chargingstation st on st.id = l.station_id
    left join stations_locallistsite r on r.location_id = st.location_id
) e where l.id = e.id and l.is_on <> e.is_on
"""
BEGIN = """
insert into stations_locallist
    (station_id, mode, is_on, state, version, position, part, command_uid, tries, problem, changed_at)
select st.id, '', true, 'stale', 0, 0, 0, '', 0, '', %s
from stations_chargingstation st
left join stations_locallistsite r on r.location_id = st.location_id
where coalesce(r.is_on, %s) and not exists (select from stations_locallist l where l.station_id = st.id)
on conflict do nothing
"""
LAST_USED = """
select token_id, max(id) from stations_chargingsession
where last_updated > %s and token_id is not null group by token_id
"""


class Audience(NamedTuple):
    """Stations that get the same list."""

    location_id: int | None
    operator_id: int | None
    longest: int  # characters of a uid that they can be told
    max_entries: int | None
    without: frozenset[str] = (
        frozenset()
    )  # keys of tokens whose data were cleared from the station (N10.FR.02)


@cache
def _port(path: str) -> Callable[..., Any]:
    function: Callable[..., Any] = import_string(path)
    return function


def refresh_if_marked() -> int:
    """Make the lists anew if something that they are made of has changed; return how many shall be others now."""
    with transaction.atomic():
        if not LocalListMark.objects.all().delete()[0]:
            return 0
        return refresh()


@transaction.atomic
def refresh() -> int:
    """Make the lists anew; return how many shall be others now. Switches of sites and of the installation count too."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(SWITCH, [now, settings.OCPP_LOCAL_LIST])
        cursor.execute(BEGIN, [now, settings.OCPP_LOCAL_LIST])
    changed = _want(LocalList.objects.filter(is_on=False), _keep([], 0, 0))
    audiences = _audiences()
    tokens = _Tokens() if audiences else None
    for audience, station_ids in audiences.items():
        assert tokens is not None
        lists = LocalList.objects.filter(is_on=True, station_id__in=station_ids)
        changed += _want(lists, _keep(*tokens.of(audience)))
    _forget()
    return changed


def empty() -> LocalListContent:
    """Return the content of a list that holds nothing."""
    return _keep([], 0, 0)


def _audiences() -> dict[Audience, list[int]]:
    found: dict[Audience, list[int]] = defaultdict(list)
    rows = LocalList.objects.filter(is_on=True).values_list(
        "station_id",
        "station__location_id",
        "station__location__operator_id",
        "station__ocpp_version",
        "max_entries",
    )
    longest: dict[str, int] = {}
    unlisted = _unlisted()
    for station_id, location_id, operator_id, version, max_entries in rows:
        if version not in longest:
            longest[version] = _port(settings.ID_TOKEN_LENGTH)(version)
        without = unlisted.get(station_id, frozenset())
        audience = Audience(location_id, operator_id, longest[version], max_entries, without)
        found[audience].append(station_id)
    return found


def _unlisted() -> dict[int, frozenset[str]]:
    """Return by station the keys of the tokens that stay off its list."""
    found: dict[int, set[str]] = defaultdict(set)
    for station_id, uid in UnlistedToken.objects.values_list("station_id", "uid"):
        found[station_id].add(uid)
    return {station_id: frozenset(uids) for station_id, uids in found.items()}


def _want(lists: Any, content: LocalListContent) -> int:
    """Let the lists be this one from now on; those that were in step go to work."""
    others = lists.exclude(wanted=content) | lists.filter(wanted=None)
    others.filter(state__in=[State.IN_STEP, State.OFF]).update(state=State.STALE, next_try_at=None)
    return int(others.update(wanted=content, changed_at=clock.now()))


def _keep(entries: list[Entry], left_out: int, too_long: int) -> LocalListContent:
    """Return the row with this content, made if there is none."""
    text = json.dumps([entries, left_out, too_long], separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
    content, _ = LocalListContent.objects.defer("entries").get_or_create(
        digest=digest,
        defaults={
            "entries": entries,
            "size": len(entries),
            "left_out": left_out,
            "too_long": too_long,
            "made_at": clock.now(),
        },
    )
    return content


def _forget() -> None:
    """Drop contents that no list points to any more."""
    used = LocalList.objects.filter(
        Q(wanted=OuterRef("pk")) | Q(content=OuterRef("pk")) | Q(target=OuterRef("pk"))
    )
    LocalListContent.objects.filter(~Exists(used), made_at__lt=clock.now() - KEPT).delete()


class _Token(NamedTuple):
    id: int
    key: str  # its uid without regard to case
    entry: Entry
    is_own: bool
    is_restricted: bool


class _Tokens:
    """The tokens that may be on lists at all, read once for all audiences."""

    def __init__(self) -> None:
        self._tokens = list(_listed())
        restricted = [token.id for token in self._tokens if token.is_restricted]
        self._locations = _places(IdToken.locations.through, "location_id", restricted)
        self._operators = _places(IdToken.operators.through, "operator_id", restricted)
        self._last_used: dict[int, int] | None = None

    def of(self, audience: Audience) -> tuple[list[Entry], int, int]:
        """Return the entries of an audience's list, how many did not fit, and how many uids are too long."""
        here = [token for token in self._tokens if self._may(token, audience)]
        once = {token.key: token for token in sorted(here, key=lambda each: (each.is_own, each.id))}
        fitting = [token for token in once.values() if len(token.entry[0]) <= audience.longest]
        too_long, left_out = len(once) - len(fitting), 0
        room = MOST_UNTOLD if audience.max_entries is None else audience.max_entries
        if len(fitting) > room:
            left_out = len(fitting) - room
            fitting = sorted(fitting, key=self._recency, reverse=True)[:room]
        return [token.entry for token in sorted(fitting, key=lambda each: each.key)], left_out, too_long

    def _may(self, token: _Token, audience: Audience) -> bool:
        if token.key in audience.without:
            return False
        if not token.is_restricted:
            return True
        locations, operators = self._locations[token.id], self._operators[token.id]
        if not locations and not operators:
            return True
        return audience.location_id in locations or audience.operator_id in operators

    def _recency(self, token: _Token) -> tuple[int, int]:
        if self._last_used is None:
            with connection.cursor() as cursor:
                cursor.execute(LAST_USED, [clock.now() - RECENTLY])
                self._last_used = dict(cursor.fetchall())
        return self._last_used.get(token.id, 0), token.id


def _listed() -> Iterable[_Token]:
    """Give own tokens and those of partners that may be kept by stations, all of them accepted."""
    blocked = {
        uid.upper()
        for uid in TokenGroup.objects.filter(status=TokenGroup.Status.BLOCKED).values_list("uid", flat=True)
    }
    parties = _port(settings.LOCAL_LIST_PARTIES)()
    rows = (
        IdToken.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=clock.now()), status=IdToken.Status.ACCEPTED
        )
        .filter(Q(country_code="") | Q(whitelist__in=LISTED))
        .exclude(type__in=NOT_CARRIED)
        .values_list(
            "id", "uid", "type", "expires_at", "group_id", "is_restricted", "country_code", "party_id"
        )
    )
    for id_, uid, type_, expires_at, group_id, is_restricted, country_code, party_id in rows.iterator(5000):
        if country_code and f"{country_code}*{party_id}".upper() not in parties:
            continue
        if not country_code and group_id.upper() in blocked:
            continue
        expires = expires_at.isoformat(timespec="seconds") if expires_at else ""
        yield _Token(id_, uid.upper(), [uid, type_, expires, group_id], not country_code, is_restricted)


def _places(through: Any, column: str, token_ids: list[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    rows = through.objects.filter(idtoken_id__in=token_ids).values_list("idtoken_id", F(column))
    for token_id, place in rows:
        found[token_id].add(place)
    return found
