"""May a partner's token charge? From the list that the partner keeps here, or by asking him now.

OCPI 2.2.1 mod_tokens#WhitelistType, #Real-time authorization:

    whitelist        partner can be asked      partner cannot be asked
    ALWAYS           our list                  our list
    ALLOWED          our list                  our list
    ALLOWED_OFFLINE  his answer                our list
    NEVER            his answer                refused

His answer is asked within OCPI_AUTHORIZE_S, because a driver stands at the charger; it is kept for a minute, so that
the start after the authorization asks nobody again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Q

from cpo.lib import clock
from roaming import client, partner_tokens
from roaming.models import Connection, RemoteParty
from roaming.ocpi import versions
from stations.models import ChargingStation, IdToken
from stations.ports import Decision
from stations.services import authorization

KEPT_S = 60  # seconds that an answer counts
Whitelist = IdToken.Whitelist
# mod_tokens#AllowedType -> OCPP 1.6 AuthorizationStatus
ALLOWED = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "EXPIRED": "Expired",
    "NO_CREDIT": "Blocked",
    "NOT_ALLOWED": "Blocked",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a partner answered, as it is kept. `status` is an OCPP 1.6 AuthorizationStatus."""

    status: str
    reference: str = ""


def partner_token(uid: str, *, station: ChargingStation) -> Decision | None:
    """Decide about a partner's token; None when no registered partner owns it."""
    found = _find(uid)
    if found is None:
        return None
    token, connection = found
    party = f"{token.country_code}*{token.party_id}"
    if token.whitelist in (Whitelist.ALWAYS, Whitelist.ALLOWED):
        return _from_list(token, party)
    verdict = _ask(token, connection, station)
    if verdict is not None:
        return Decision(
            status=verdict.status,
            token=token,
            expires_at=token.expires_at,
            group_id=token.group_id,
            auth_method="AUTH_REQUEST",
            authorization_reference=verdict.reference,
            party=party,
        )
    if token.whitelist == Whitelist.ALLOWED_OFFLINE:
        return _from_list(token, party)
    return Decision(status="Invalid", token=token, group_id=token.group_id, party=party)


def listed_parties() -> frozenset[str]:
    """Return the partners ('NL*ABC') whose tokens may be in local lists: those we are connected with."""
    parties = RemoteParty.objects.of_drivers().filter(connection__status="registered")
    return frozenset(key.upper() for key in parties.values_list("key", flat=True))


def _find(uid: str) -> tuple[IdToken, Connection] | None:
    """Return the partner's token with this uid and the connection that it came by; a usable one first."""
    candidates = list(IdToken.objects.filter(uid__iexact=uid).exclude(country_code="").order_by("-pk")[:10])
    if not candidates:
        return None
    keys = {f"{token.country_code}*{token.party_id}".upper() for token in candidates}
    parties = RemoteParty.objects.of_drivers().filter(key__in=keys, connection__status="registered")
    by_key = {party.key: party.connection for party in parties.select_related("connection")}
    owned = [t for t in candidates if f"{t.country_code}*{t.party_id}".upper() in by_key]
    if not owned:
        return None
    token = min(owned, key=lambda each: each.status != IdToken.Status.ACCEPTED)
    return token, by_key[f"{token.country_code}*{token.party_id}".upper()]


def _from_list(token: IdToken, party: str) -> Decision:
    return Decision(
        status=authorization.status_of(token),
        token=token,
        expires_at=token.expires_at,
        group_id=token.group_id,
        party=party,
    )


def _ask(token: IdToken, connection: Connection, station: ChargingStation) -> Verdict | None:
    """Ask the partner in real time; None when he cannot be asked or does not answer."""
    endpoint = connection.endpoint("tokens", versions.SENDER)
    if endpoint is None or not _may_ask(connection, clock.now()):
        return None
    key = f"ocpi verdict {token.pk} {station.location_id}".replace(" ", "_")
    kept: Verdict | None = cache.get(key)
    if kept is not None:
        return kept
    url = client.join(endpoint, token.uid, "authorize") + f"?type={token.type}"
    location = station.location
    answer = client.call(
        connection,
        "POST",
        url,
        module="tokens",
        body=_place(station) if location else {},
        route=client.Route(
            sender=str(location.operator) if location else "",
            receiver=f"{token.country_code}*{token.party_id}",
        ),
        object_key=token.uid,
        timeout_s=settings.OCPI_AUTHORIZE_S,
    )
    verdict = _verdict(answer, token, connection)
    if verdict is not None:
        cache.set(key, verdict, KEPT_S)
    return verdict


def _may_ask(connection: Connection, moment: datetime) -> bool:
    """Tell whether there is hope: a partner in trouble would only make the driver wait."""
    return connection.suspended_at is None and (connection.retry_at is None or connection.retry_at <= moment)


def _place(station: ChargingStation) -> dict[str, Any]:
    """Write mod_tokens#LocationReferences: the location, and the EVSEs of the station."""
    location = station.location
    evses = list(station.evses.filter(Q(is_removed=False)).values_list("uid", flat=True)[:50])
    return {"location_id": location.uid if location else ""} | ({"evse_uids": evses} if evses else {})


def _verdict(answer: client.Answer, token: IdToken, connection: Connection) -> Verdict | None:
    if answer.http_status == 404 or answer.status_code == 2004:
        return Verdict("Invalid")
    if not answer.is_ok or not isinstance(answer.data, dict):
        return None
    status = ALLOWED.get(str(answer.data.get("allowed", "")).upper())
    if status is None:
        return None
    _refresh(answer.data.get("token"), token, connection)
    return Verdict(status, str(answer.data.get("authorization_reference") or "")[:36])


def _refresh(data: Any, token: IdToken, connection: Connection) -> None:
    """Take the token object of the answer into our list, if it is the one that we asked for."""
    reader = versions.of(connection.version).token(data=data, context={"warnings": []})
    if not isinstance(data, dict) or not reader.is_valid():
        return
    values = reader.validated_data
    same = (values["uid"].upper(), values["country_code"], values["party_id"], values["type"])
    if same == (token.uid.upper(), token.country_code, token.party_id, token.type):
        partner_tokens.save(f"{token.country_code}*{token.party_id}", values)
