"""The history tab of a station's page: its connections, refusals, security events and changes of status."""

from itertools import pairwise
from typing import Any

from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.models import ChargingStation, HandshakeRejection, StatusChange

HISTORY = 30  # connections and status changes shown
REFUSALS = 10
SECURITY_EVENTS = 10  # the security page has all of them


def show(seen: Seen) -> Shown:
    """Give the live part of the tab."""
    return Shown({"history": Part("console/_station_history.html", lambda: _read(seen.station))})


def _read(found: ChargingStation) -> dict[str, Any]:
    changes = StatusChange.objects.filter(evse__station=found).select_related("evse")
    refusals = HandshakeRejection.objects.filter(identity=found.identity).order_by("-last_at")
    connections = list(found.connections.order_by("-epoch")[: HISTORY + 1])
    for newer, older in pairwise(connections):
        is_other = newer.subprotocol.casefold() != older.subprotocol.casefold()
        newer.came_from = older.subprotocol if is_other else ""  # type: ignore[attr-defined]
    return {
        "connections": connections[:HISTORY],
        "rejections": list(refusals[:REFUSALS]),
        "security_events": list(found.security_events.order_by("-received_at", "-id")[:SECURITY_EVENTS]),
        "changes": list(changes.order_by("-at", "-id")[:HISTORY]),
    }
