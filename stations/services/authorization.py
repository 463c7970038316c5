"""Id tokens and the decision whether one may charge (OCPP 2.1 block C, 1.6 sections 3.5 and 4.1).

A decision has two parts. `identify` finds the token and says what its status, expiry, group and places come to;
`within_limits` counts the sessions that run. Most tokens have no limits (`is_restricted` is false) and cost nothing
more than their own row.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from cpo.lib import clock, database, events
from stations import contract_ids, ports, token_matching
from stations.events import TokenChanged
from stations.models import (
    ChargingStation,
    DirectPayment,
    IdToken,
    LocalListMark,
    Location,
    Operator,
    UnknownToken,
)
from stations.ports import Decision
from stations.services import caches, unknown_tokens
from stations.services.errors import InvalidToken

FIELDS = [field.attname for field in IdToken._meta.concrete_fields]
_FIND = f"""
select {", ".join(FIELDS)} from stations_idtoken
where upper(uid) = upper(%s) and country_code {{}} ''
order by (status = 'Accepted' and (expires_at is null or expires_at > %s)) desc, id desc limit 1
"""  # noqa: S608 - names of columns
OWN, FOREIGN = _FIND.format("="), _FIND.format("<>")

# What may have been cut off after as many characters as the presented uid has.
LONGER = """
select distinct on (upper(uid)) uid from stations_idtoken
where upper(left(uid, 16)) = upper(left(%s, 16)) and length(uid) > 16 and length(uid) > length(%s)
    and upper(left(uid, length(%s))) = upper(%s)
limit 2
"""

RESTRICTIONS = """
select t.max_sessions, coalesce(g.uid, ''), coalesce(g.status, 'Accepted'), g.max_sessions,
    (not exists (select from stations_idtoken_locations l where l.idtoken_id = t.id)
        and not exists (select from stations_idtoken_operators o where o.idtoken_id = t.id))
    or exists (select from stations_idtoken_locations l where l.idtoken_id = t.id and l.location_id = %s)
    or exists (select from stations_idtoken_operators o join stations_location p on p.operator_id = o.operator_id
               where o.idtoken_id = t.id and p.id = %s)
from stations_idtoken t
left join stations_tokengroup g on upper(g.uid) = upper(t.group_id) and t.country_code = '' and t.group_id <> ''
where t.id = %s
"""

# Sessions that were refused do not count: their station ends them.
RUNNING = """
select count(*) filter (where s.token_id = %s), count(*)
from stations_chargingsession s
where s.status = 'active' and s.authorization_status = 'Accepted'
    and (s.token_id = %s or s.token_id in (
        select id from stations_idtoken where upper(group_id) = upper(%s) and group_id <> '' and country_code = ''))
    and not (s.station_id = %s and (%s or s.start_key = %s or s.started_at = %s))
"""

RESTRICT = """
update stations_idtoken t set is_restricted = r.value from (
    select t.id, t.max_sessions is not null or t.charging_priority is not null
        or exists (select from stations_idtoken_locations l where l.idtoken_id = t.id)
        or exists (select from stations_idtoken_operators o where o.idtoken_id = t.id)
        or (t.country_code = '' and exists (
            select from stations_tokengroup g where upper(g.uid) = upper(t.group_id)
                and (g.status <> 'Accepted' or g.max_sessions is not null))) as value
    from stations_idtoken t where {}
) r where t.id = r.id and t.is_restricted <> r.value
"""
DIRECT_PAYMENT = "DirectPayment"
BY_STATION = frozenset({"NoAuthorization", DIRECT_PAYMENT})
CONTRACT = "eMAID"
UID_LENGTH = 36  # characters (OCPI CiString(36))
OF_EVERYBODY = frozenset({"max_sessions", "charging_priority"})  # partners' tokens have them too
LIMITING = OF_EVERYBODY | {"group_id"}  # fields that may make a token a restricted one


class Starting(NamedTuple):
    """What tells a start from another one: its business key, and when the station says that it began."""

    key: str
    started_at: datetime


class Restrictions(NamedTuple):
    """What a restricted token is bound to. A group without a row of its own binds nobody."""

    max_sessions: int | None
    group_id: str
    group_status: str
    group_max_sessions: int | None
    is_place_allowed: bool


def find(uid: str, *, own: bool) -> IdToken | None:
    """Return the token with this uid without regard to case: our own drivers' or the partners'.

    Of several with one uid, the usable one comes first, then the newest.
    """
    rows = database.prepared(OWN if own else FOREIGN, [uid, clock.now()])
    return IdToken.from_db("default", FIELDS, rows[0]) if rows else None


def known(uid: str) -> IdToken | None:
    """Return the token with this uid, our own driver's before a partner's."""
    return find(uid, own=True) or find(uid, own=False)


def status_of(token: IdToken) -> str:
    """Return the AuthorizationStatus of a stored token at this moment."""
    return status_at(token.status, token.expires_at)


def status_at(status: str, expires_at: datetime | None) -> str:
    """Return the AuthorizationStatus of a token with this stored status and expiry, at this moment."""
    is_expired = expires_at is not None and expires_at <= clock.now()
    return "Expired" if status == IdToken.Status.ACCEPTED and is_expired else status


def told_until(status: str, expires_at: datetime | None) -> datetime | None:
    """Return until when a station may keep a decision in its cache (1.6 section 7.27 expiryDate); None: for ever.

    An accepted token is asked for again after OCPP_TOKEN_CACHE_S at the latest, so that one which is blocked later
    does not charge offline for ever.
    """
    if status != "Accepted" or not settings.OCPP_TOKEN_CACHE_S:
        return expires_at
    horizon = clock.now() + timedelta(seconds=settings.OCPP_TOKEN_CACHE_S)
    return min(expires_at, horizon) if expires_at else horizon


def local_token(uid: str, *, station: ChargingStation) -> Decision | None:
    """Decide about our own drivers' tokens; None when the token is not ours."""
    token = find(uid, own=True)
    if token is None:
        return None
    return Decision(
        status=status_of(token), token=token, expires_at=token.expires_at, group_id=token.group_id
    )


def authorize(uid: str, *, station: ChargingStation, type: str = "") -> Decision:
    """Answer *may this token charge here now?* An empty or unknown token is `Invalid`. `type`: see `identify_as`.

    Sessions at this very station do not count against the token's limits: the driver may have come to stop one.
    """
    return within_limits(identify_as(type, uid, station=station), station=station)


def identify_as(type: str, uid: str, *, station: ChargingStation) -> Decision:
    """Decide about a token that was presented as one of this type (OCPP 2.1 IdTokenEnumStringType), '' for any.

    For NoAuthorization (a button, a key switch) and DirectPayment (a terminal whose payment service has agreed, C18)
    the station itself has authorized: nobody is asked (C02), but a payment that was taken back charges no more. A
    contract id is known with and without its separators.
    """
    if type == DIRECT_PAYMENT and DirectPayment.objects.filter(
        station=station, id_token=uid, is_over=True, session=None
    ):
        return Decision(status="Invalid")
    if type in BY_STATION:
        return Decision(status="Accepted")
    return identify(uid, station=station, is_contract=type == CONTRACT)


def identify(
    uid: str, *, station: ChargingStation, is_collected: bool = True, is_contract: bool = False
) -> Decision:
    """Find the token that was presented and decide by its status, expiry, group and places.

    A uid that nobody knows is tried in the ways in which stations spoil uids; what matched is told by the decision's
    `flags`. Unknown ones are kept for the operator, unless `is_collected` is false.
    """
    presented = token_matching.clean(uid)
    if not presented.uid:
        return ports.UNKNOWN_TOKEN
    decision = ports.authorize(presented.uid, station=station)
    flags = presented.flags
    if decision is ports.UNKNOWN_TOKEN and is_contract:
        decision = _contract(presented.uid, station)
    if decision is ports.UNKNOWN_TOKEN:
        decision, tolerances = _tolerantly(presented.uid, station)
        flags += tolerances
    if decision is ports.UNKNOWN_TOKEN:
        if is_collected:
            unknown_tokens.collect(presented.uid, station=station)
        return decision
    if decision.token is not None and decision.token.is_restricted and decision.status == "Accepted":
        decision = _restricted(decision, decision.token, station)
    return replace(decision, flags=flags) if flags else decision


def within_limits(
    decision: Decision, *, station: ChargingStation, starting: Starting | None = None
) -> Decision:
    """Turn the acceptance of a token that charges as often as it may already into `ConcurrentTx`.

    With `starting` inside the transaction that inserts the session: then two starts at one moment count each other.
    A start is never counted against itself, also not where the station tells it again (quirk 1), even for another
    connector.
    """
    token = decision.token
    if token is None or decision.status != "Accepted" or not token.is_restricted:
        return decision
    found = _restrictions(token, station)
    if found.max_sessions is None and found.group_max_sessions is None:
        return decision
    if starting is not None:
        _lock(token, found.group_id)
    [(mine, groups)] = database.prepared(
        RUNNING,
        [
            token.pk, token.pk, found.group_id, station.pk, starting is None,
            starting.key if starting else "", starting.started_at if starting else None,
        ],
    )  # fmt: skip
    is_full = (found.max_sessions is not None and mine >= found.max_sessions) or (
        found.group_max_sessions is not None and groups >= found.group_max_sessions
    )
    return replace(decision, status="ConcurrentTx") if is_full else decision


@transaction.atomic(savepoint=False)
def save_token(
    uid: str,
    *,
    type: str = "RFID",
    country_code: str = "",
    party_id: str = "",
    locations: Iterable[Location] | None = None,
    operators: Iterable[Operator] | None = None,
    **fields: Any,
) -> tuple[IdToken, bool]:
    """Create or change a token; its key is (uid, type, party), case aside. Return it and whether it is new.

    With `locations` or `operators` it charges only there; what is None stays as it is.
    """
    fields.setdefault("last_updated", clock.now())
    key = {
        "uid__iexact": uid,
        "type": type,
        "country_code__iexact": country_code,
        "party_id__iexact": party_id,
    }
    token = IdToken.objects.select_for_update().filter(**key).first()
    created = token is None
    if token is None:
        token, created = IdToken.objects.get_or_create(
            uid=uid, type=type, country_code=country_code, party_id=party_id, defaults=fields
        )
    if not created:
        was_accepted = token.status == IdToken.Status.ACCEPTED
        for name, value in fields.items():
            setattr(token, name, value)
        token.save(update_fields=list(fields))
        if was_accepted and token.status != IdToken.Status.ACCEPTED:
            caches.forget(token)
    if locations is not None:
        token.locations.set(locations)
    if operators is not None:
        token.operators.set(operators)
    is_limited = locations is not None or operators is not None or not OF_EVERYBODY.isdisjoint(fields)
    if is_limited or (not country_code and LIMITING & fields.keys()):
        _restrict(token)
    if created:
        UnknownToken.objects.filter(uid__iexact=uid).delete()
    changed(token.pk)
    return token, created


@transaction.atomic(savepoint=False)
def accept_unknown(unknown: UnknownToken, **fields: Any) -> IdToken:
    """Make a token of our own drivers of one that nobody knew; raise `InvalidToken` if it cannot be one."""
    if len(unknown.uid) > UID_LENGTH:
        raise InvalidToken(f"a token has at most {UID_LENGTH} characters")
    token, _ = save_token(unknown.uid, **fields)
    return token


@transaction.atomic(savepoint=False)
def delete_token(token: IdToken) -> None:
    """Forget a token; sessions keep the uid that was presented."""
    token_id = token.pk
    token.delete()
    changed(token_id)


def restrict_group(group_id: str) -> None:
    """Mark the tokens of a group that has changed as restricted, or as free."""
    with connection.cursor() as cursor:
        cursor.execute(RESTRICT.format("upper(t.group_id) = upper(%s) and t.group_id <> ''"), [group_id])


def changed(token_id: int) -> None:
    """Tell that a token is another one now, or gone: local lists are made anew (the mark), pages are read again."""
    LocalListMark.objects.create()
    events.publish(TokenChanged(token_id))


def _restrict(token: IdToken) -> None:
    with connection.cursor() as cursor:
        cursor.execute(RESTRICT.format("t.id = %s"), [token.pk])
    token.refresh_from_db(fields=["is_restricted"])


def _contract(uid: str, station: ChargingStation) -> Decision:
    for spelling in contract_ids.spellings(uid):
        decision = ports.authorize(spelling, station=station)
        if decision is not ports.UNKNOWN_TOKEN:
            return decision
    return ports.UNKNOWN_TOKEN


def _tolerantly(uid: str, station: ChargingStation) -> tuple[Decision, tuple[str, ...]]:
    """Try other spellings of an unknown uid, then longer ones of which it is the beginning."""
    for reading in token_matching.spellings(uid, is_byte_order_tried=settings.OCPP_TOKEN_BYTE_ORDER):
        decision = ports.authorize(reading.uid, station=station)
        if decision is not ports.UNKNOWN_TOKEN:
            return decision, reading.flags
    if token_matching.may_be_cut_off(uid):
        longer = database.prepared(LONGER, [uid, uid, uid, uid])
        if len(longer) == 1:  # two would be a guess
            return ports.authorize(longer[0][0], station=station), ("token_truncated",)
    return ports.UNKNOWN_TOKEN, ()


def _restrictions(token: IdToken, station: ChargingStation) -> Restrictions:
    rows = database.prepared(RESTRICTIONS, [station.location_id, station.location_id, token.pk])
    return Restrictions(*rows[0]) if rows else Restrictions(None, "", "Accepted", None, True)


def _restricted(decision: Decision, token: IdToken, station: ChargingStation) -> Decision:
    found = _restrictions(token, station)
    if found.group_status != "Accepted":
        return replace(decision, status=found.group_status)
    return decision if found.is_place_allowed else replace(decision, status="NotAtThisLocation")


def _lock(token: IdToken, group_id: str) -> None:
    """Hold off other starts with this token or group until this one is committed."""
    if group_id:
        database.prepared(
            "select 1 from stations_tokengroup where upper(uid) = upper(%s) for no key update", [group_id]
        )
    database.prepared("select 1 from stations_idtoken where id = %s for no key update", [token.pk])
