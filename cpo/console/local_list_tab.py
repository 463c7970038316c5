"""The local list tab of a station's page: what it has, what it shall have, and what is on it."""

from typing import Any

from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingStation, LocalList
from stations.services import local_list_limits

SHOWN = 200  # entries


def parts(found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""
    return {"local_list": Part("console/_station_local_list.html", lambda: _read(found))}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them."""
    return lambda: {"modes": LocalList.Mode.choices}


def _read(found: ChargingStation) -> dict[str, Any]:
    row = LocalList.objects.filter(station=found).select_related("wanted", "content").first()
    entries = row.wanted.entries if row is not None and row.wanted is not None else []
    return {
        "list": row,
        "limits": local_list_limits.of(found),
        "entries": [
            dict(zip(("uid", "type", "expires_at", "group"), e, strict=True)) for e in entries[:SHOWN]
        ],
        "more": max(len(entries) - SHOWN, 0),
    }
