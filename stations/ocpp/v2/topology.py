"""EVSEs and connectors of 2.x stations -> rows. EVSE 0 is the station as a whole."""

from typing import Any

from stations.ocpp.link import Lacking, Link, load
from stations.services import provisioning

MAX_EVSES = 1000  # a station that names a higher number is confused; it gets no row for it
MAX_CONNECTORS = 100


def evse_id(link: Link, number: int, connector: int = 1) -> int:
    """Return the row id of an EVSE; 0 for the whole station and for numbers that cannot be.

    An EVSE or connector that is new is made in the careful lane first (`Lacking`).
    """
    if not 0 < number <= MAX_EVSES or not 0 < connector <= MAX_CONNECTORS:
        return 0
    if (number, connector) not in link.connectors:
        raise Lacking(lambda: make(link, number, connector))
    return link.evses[number]


def make(link: Link, number: int, connector: int) -> None:
    """Make the connector if it is new and take it into the link (blocking)."""
    provisioning.ensure_connector(link.station, number=number, connector=connector)
    link.connectors.add((number, connector))
    if number not in link.evses:
        load(link)


def ensured(link: Link, evse: dict[str, Any] | None) -> tuple[int, int]:
    """Return (row id, connector number) of an EVSEType from inside the careful lane; zeros for what is not told."""
    number, connector = int((evse or {}).get("id") or 0), int((evse or {}).get("connectorId") or 0)
    if not 0 < number <= MAX_EVSES or not 0 <= connector <= MAX_CONNECTORS:
        return 0, 0
    if number not in link.evses or (connector and (number, connector) not in link.connectors):
        make(link, number, connector or 1)
    return link.evses[number], connector
