"""What a tab of a station's page is made of, and what the page knows before it opens one."""

from typing import NamedTuple

from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingSession, ChargingStation, Connector


class Seen(NamedTuple):
    """The request, its station, and the connectors and running sessions of a tab that asks for them."""

    request: ConsoleRequest
    station: ChargingStation
    connectors: list[Connector]
    running: list[ChargingSession]


class Shown(NamedTuple):
    """What a tab shows: its live parts, and what stands still beside them."""

    parts: dict[str, Part]
    beside: Read = dict
