"""Authorize and ClearCache (OCPP 1.6 sections 4.1 and 5.4)."""

from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import values
from stations.services import authorization


def authorize(link: Link, incoming: Incoming) -> Payload:
    """Say whether the token may charge here, for how long that may be kept, and to which group it belongs."""
    decision = authorization.authorize(values.id_tag(incoming.payload["idTag"]), station=link.station)
    incoming.flags += decision.flags

    return {"idTagInfo": values.id_tag_info(decision)}


def write_clear_cache() -> tuple[str, Payload]:
    """Write ClearCache; a station without a cache says Rejected (errata 3.23)."""
    return "ClearCache", {}
