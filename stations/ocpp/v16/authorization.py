"""Authorize (OCPP 1.6 section 4.1)."""

from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import values
from stations.services import authorization


def authorize(link: Link, incoming: Incoming) -> Payload:
    """Say whether the token may charge here."""
    decision = authorization.authorize(incoming.payload["idTag"], station=link.station)

    return {"idTagInfo": values.id_tag_info(decision)}
