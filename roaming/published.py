"""What partners see of an EVSE: its OCPI status, and when that or anything about it last changed.

OCPP 1.6 and 2.x connector statuses -> OCPI 2.3.0 mod_locations#Status. A station that is offline has no known status.
"""

from collections.abc import Collection
from datetime import datetime

from stations.models import ChargingStation, Evse, Location
from stations.models.locations import ConnectorStatus

AVAILABLE, CHARGING, INOPERATIVE, OUTOFORDER, REMOVED, RESERVED, UNKNOWN = (
    "AVAILABLE", "CHARGING", "INOPERATIVE", "OUTOFORDER", "REMOVED", "RESERVED", "UNKNOWN",
)  # fmt: skip

OF_CONNECTOR: dict[str, str] = {
    ConnectorStatus.AVAILABLE: AVAILABLE,
    ConnectorStatus.PREPARING: CHARGING,  # a cable is in: nobody else can start here
    ConnectorStatus.CHARGING: CHARGING,
    ConnectorStatus.SUSPENDED_EV: CHARGING,
    ConnectorStatus.SUSPENDED_EVSE: CHARGING,
    ConnectorStatus.FINISHING: CHARGING,
    ConnectorStatus.OCCUPIED: CHARGING,
    ConnectorStatus.RESERVED: RESERVED,
    ConnectorStatus.UNAVAILABLE: INOPERATIVE,
    ConnectorStatus.FAULTED: OUTOFORDER,
    ConnectorStatus.UNKNOWN: UNKNOWN,
}
BUSY = (CHARGING, RESERVED)  # one connector in use takes the whole EVSE
IDLE = (AVAILABLE, UNKNOWN, INOPERATIVE, OUTOFORDER)  # the best of the others counts


def evse_status(evse: Evse) -> str:
    """Return the OCPI status; read the EVSE with `station` and `connectors`."""
    if evse.is_removed:
        return REMOVED
    if not evse.station.is_online:
        return UNKNOWN
    words: Collection[str] = {OF_CONNECTOR.get(c.status, UNKNOWN) for c in evse.connectors.all()}
    status = next((word for word in (*BUSY, *IDLE) if word in words), UNKNOWN)
    whole = OF_CONNECTOR.get(evse.station.status, UNKNOWN)
    if status == AVAILABLE and whole in (INOPERATIVE, OUTOFORDER):
        return whole
    return status


def evse_changed_at(evse: Evse) -> datetime:
    """Return OCPI's `last_updated`: of the EVSE, its connectors, or its station's coming and going."""
    moments = [evse.last_updated, *(c.last_updated for c in evse.connectors.all())]
    if evse.station.online_changed_at is not None:
        moments.append(evse.station.online_changed_at)
    return max(moments)


def location_changed_at(location: Location) -> datetime:
    """Return OCPI's `last_updated`: of the location or any EVSE in it."""
    return max([location.last_updated, *(evse_changed_at(evse) for evse in evses(location))])


def evses(location: Location) -> list[Evse]:
    """Return the EVSEs of a location that was read with its stations; those without connectors cannot be told."""
    return [evse for station in location.stations.all() for evse in station_evses(station)]


def station_evses(station: ChargingStation) -> list[Evse]:
    """Return the EVSEs of a station that have connectors."""
    return [evse for evse in station.evses.all() if evse.connectors.all()]
