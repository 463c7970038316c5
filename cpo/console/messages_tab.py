"""The messages tab of a station's page: requests with their answers, the newest first."""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from cpo.console import frames
from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.models import ChargingStation
from stations.ocpp import outbound, pipeline


def show(seen: Seen) -> Shown:
    """Give the live part of the tab, filtered by action, and the actions to choose from."""
    before = _moment(seen.request.GET.get("before", ""))
    action = seen.request.GET.get("action", "")

    def read() -> dict[str, Any]:
        rows, more = frames.exchanges(seen.station, before=before, action=action)
        return {"exchanges": rows, "more": more, "before": before, "action": action}

    parts = {"messages": Part("console/_station_messages.html", read)}
    return Shown(parts, lambda: {"actions": known_actions(seen.station)})


def known_actions(found: ChargingStation) -> list[str]:
    """Return the actions by which the log can be filtered."""
    contents = pipeline.CONTENTS[found.ocpp_version or outbound.DEFAULT_VERSION]
    return sorted({*contents.inbound, *contents.outbound})


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
