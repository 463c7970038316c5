"""Authorize (block C)."""

from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import values
from stations.ports import Decision
from stations.services import authorization
from stations.services.transactions import NO_AUTHORIZATION


def authorize(link: Link, incoming: Incoming) -> Payload:
    """Say whether the token may charge here, for how long that may be kept, and to which group it belongs (C01)."""
    token = incoming.payload["idToken"]
    if token.get("type") == NO_AUTHORIZATION:
        decision = Decision(status="Accepted")
    else:
        decision = authorization.authorize(values.id_token(token), station=link.station)
    incoming.flags += decision.flags

    return {"idTokenInfo": values.id_token_info(decision)}


def write_clear_cache() -> tuple[str, Payload]:
    """Write ClearCache (C11)."""
    return "ClearCache", {}
