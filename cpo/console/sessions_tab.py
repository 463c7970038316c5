"""The sessions tab of a station's page: all its sessions, the newest first."""

from typing import Any

from cpo import access
from cpo.console.bills import BILLS
from cpo.console.paging import page
from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown


def show(seen: Seen) -> Shown:
    """Give the live part of the tab."""
    return Shown({"sessions": Part("console/_sessions.html", lambda: _read(seen))})


def _read(seen: Seen) -> dict[str, Any]:
    rows = access.sessions(seen.request.principal).filter(station=seen.station)
    rows = rows.select_related("station__location", "evse", "token").prefetch_related(BILLS)
    return {"sessions": page(rows, by=("id",), after=seen.request.GET.get("after", ""))}
