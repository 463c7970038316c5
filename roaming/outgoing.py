"""What is sent for a row of the outbox: built from the current rows, through the partner's own visibility.

OCPI 2.2.1 receiver interfaces: locations PUT, EVSE status PATCH, tariffs PUT and DELETE, sessions PUT (never PATCH:
appended charging periods would double), CDRs POST.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from roaming import client, documents, profiles, published, visibility, wire
from roaming.models import Connection, Push
from roaming.ocpi import versions
from roaming.visibility import VisibleTo
from stations.models import Location


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to a partner. No `method`: there is nothing to tell him."""

    method: str = ""
    url: str = ""
    body: Any = None
    route: client.Route = client.Route()

    @property
    def digest(self) -> str:
        """Return a digest of the content without its time: the same content need not be sent twice."""
        if self.body is None:
            return self.method
        content = {name: value for name, value in self.body.items() if name != "last_updated"}
        return hashlib.blake2b(self.method.encode() + wire.dumps(content), digest_size=16).hexdigest()


NOTHING = Outgoing()


class CannotSend(Exception):
    """The object cannot be told to this partner; a human has to look."""


def build(push: Push, connection: Connection) -> Outgoing:
    """Return the request for a row; raises CannotSend."""
    endpoint = connection.endpoint(push.module, versions.RECEIVER)
    if endpoint is None:
        raise CannotSend(f"the partner has no {push.module} receiver any more")
    builder = _BUILDERS[push.module]
    return builder(push, VisibleTo(connection), _Address(connection, endpoint))


@dataclass(frozen=True, slots=True)
class _Address:
    """Where objects of one module go at one partner."""

    connection: Connection
    endpoint: str

    @property
    def version(self) -> versions.Version:
        return versions.of(self.connection.version)

    def url(self, *parts: str) -> str:
        slash = profiles.of(self.connection.profile).joins_with_slash
        return client.join(self.endpoint, *parts, slash=slash) if parts else self.endpoint

    def route(self, operator: Any, party: str = "") -> client.Route:
        """Return from whom to whom: the driver's party, else the platform's only one (hub: itself)."""
        if not party:
            role = "HUB" if self.connection.is_hub else "EMSP"
            keys = [p.key for p in self.connection.parties.all() if p.is_active and p.role == role]
            party = keys[0] if len(keys) == 1 else ""
        return client.Route(sender=str(operator), receiver=party)


def _location(push: Push, visible: VisibleTo, address: _Address) -> Outgoing:
    if push.parent_key:
        return _evse(push, visible, address)
    row = visibility.whole(visible.locations()).filter(pk=push.object_id).first()
    if row is None:
        return _hidden(push, address)
    operator = row.operator
    return Outgoing(
        "PUT",
        address.url(operator.country_code, operator.party_id, row.uid),
        documents.locations([row], address.version)[0],
        address.route(operator),
    )


def _hidden(push: Push, address: _Address) -> Outgoing:
    """Tell a partner who knows a location that it is not to be shown any more (OCPI has no DELETE for it)."""
    row = visibility.whole(Location.objects.select_related("operator")).filter(pk=push.object_id).first()
    if row is None or not push.acked_version:
        return NOTHING
    operator = row.operator
    url = address.url(operator.country_code, operator.party_id, row.uid)
    method, body = documents.hidden(row, address.version)
    return Outgoing(method, url, body, address.route(operator))


def _evse(push: Push, visible: VisibleTo, address: _Address) -> Outgoing:
    row = visible.evses().filter(pk=push.object_id).first()
    if row is None or not address.version.evse.connectors_of(row):
        return NOTHING
    location = row.station.location
    if location is None or location.uid != push.parent_key:
        return NOTHING  # it was moved: the locations' own rows tell
    operator = location.operator
    body = {"status": published.evse_status(row), "last_updated": published.evse_changed_at(row)}
    url = address.url(operator.country_code, operator.party_id, location.uid, row.uid)
    return Outgoing("PATCH", url, body, address.route(operator))


def _tariff(push: Push, visible: VisibleTo, address: _Address) -> Outgoing:
    owner, _, uid = push.object_key.partition("/")
    url = address.url(*owner.split("*"), uid)
    row = visible.tariffs().filter(pk=push.object_id).first()
    if row is None:
        return Outgoing("DELETE", url, None, address.route(owner)) if push.acked_version else NOTHING
    found = documents.tariffs([row], address.version)
    if not found:
        raise CannotSend(f"OCPI {address.version.number} cannot express this tariff")
    return Outgoing("PUT", url, found[0], address.route(owner))


def _session(push: Push, visible: VisibleTo, address: _Address) -> Outgoing:
    row = visible.sessions().filter(pk=push.object_id).first()
    location = row.station.location if row else None
    if row is None or location is None:
        return NOTHING
    operator = location.operator
    return Outgoing(
        "PUT",
        address.url(operator.country_code, operator.party_id, row.uid),
        documents.sessions([row], address.version)[0],
        address.route(operator, row.party),
    )


def _cdr(push: Push, visible: VisibleTo, address: _Address) -> Outgoing:
    row = visible.cdrs().filter(pk=push.object_id).first()
    if row is None:
        return NOTHING
    if row.is_credit and not address.version.has_credits:
        raise CannotSend(f"OCPI {address.version.number} has no credit CDRs: agree with the partner on paper")
    body = documents.cdrs([row], address.version)[0]
    return Outgoing("POST", address.url(), body, address.route(row.operator, row.party))


_BUILDERS: dict[str, Callable[[Push, VisibleTo, _Address], Outgoing]] = {
    "locations": _location,
    "tariffs": _tariff,
    "sessions": _session,
    "cdrs": _cdr,
}
