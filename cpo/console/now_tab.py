"""The first tab of a station's page: its connectors, their sessions, the curves and what it is."""

from typing import Any

from cpo.console.bills import BILLS
from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.models import ChargingSession

RECENT = 8  # sessions that ended


def show(seen: Seen) -> Shown:
    """Give the live parts of the tab."""
    places = {(connector.evse_id, connector.number) for connector in seen.connectors}
    by_place = {_place(session, places): session for session in seen.running}
    pairs = [
        (connector, by_place.get((connector.evse_id, connector.number))) for connector in seen.connectors
    ]
    return Shown(
        {
            "connectors": Part("console/_station_connectors.html", lambda: {"pairs": pairs}),
            "charts": Part("console/_station_charts.html", dict),
            "recent": Part("console/_station_recent.html", lambda: _recent(seen)),
        }
    )


def _place(session: ChargingSession, places: set[tuple[int, int]]) -> tuple[int, int]:
    """Return the EVSE and connector of a session; the first connector where the station did not say which."""
    evse = session.evse_id or 0
    place = evse, session.connector_number
    return place if place in places else min((known for known in places if known[0] == evse), default=place)


def _recent(seen: Seen) -> dict[str, Any]:
    ended = ChargingSession.objects.ended().filter(station=seen.station).select_related("evse")
    return {"recent": list(ended.prefetch_related(BILLS).order_by("-id")[:RECENT])}
