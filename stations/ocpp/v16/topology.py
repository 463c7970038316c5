"""The bridge between connectors of 1.6 and EVSEs: connector N is EVSE N with one connector; 0 is the whole station."""

from stations.ocpp.link import Lacking, Link, load
from stations.services import provisioning

MAX_CONNECTORS = 100  # a station that names a higher number is confused; it gets no EVSE for it
CONNECTOR = 1  # the only connector of a 1.6 EVSE


def evse_id(link: Link, connector_id: int) -> int:
    """Return the row id of the connector's EVSE; 0 for the whole station and for numbers that cannot be.

    A connector that the station never had is made in the careful lane first (`Lacking`).
    """
    if connector_id <= 0 or connector_id > MAX_CONNECTORS:
        return 0
    found = link.evses.get(connector_id)
    if found is None:
        raise Lacking(lambda: make(link, connector_id))
    return found


def make(link: Link, connector_id: int) -> None:
    """Make the connector and take it into the link (blocking)."""
    provisioning.ensure_connector(link.station, number=connector_id)
    load(link)


def ensured_evse_id(link: Link, connector_id: int) -> int:
    """Return the EVSE's row id from inside the careful lane; a number that cannot be counts as connector 1."""
    number = connector_id if 0 < connector_id <= MAX_CONNECTORS else 1
    if number not in link.evses:
        make(link, number)
    return link.evses[number]
