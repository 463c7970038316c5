"""The commands tab of a station's page: what was sent, and the form of every command of its version."""

from typing import Any

from cpo import access
from cpo.console import command_forms
from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.models import ChargingSession, ChargingStation, Connector
from stations.services import availability

COMMANDS = 25  # shown
FIRST = "TriggerMessage"  # chosen while nobody chose


def show(seen: Seen) -> Shown:
    """Give the live parts of the tab, and the form of the action that was chosen."""
    version = seen.station.ocpp_version
    available = command_forms.actions(version)
    action = seen.request.GET.get("action", "")
    action = action if action in available else FIRST
    parts = {
        "commands": Part("console/_station_commands.html", lambda: _read(seen)),
        "wishes": Part(
            "console/_station_wishes.html", lambda: {"wishes": availability.of_station(seen.station)}
        ),
    }

    def beside() -> dict[str, Any]:
        initial = command_forms.initial_from(seen.request.GET.dict(), version, action)
        form = form_of(seen.station, action, seen.connectors, seen.running)
        return {
            "form": form(initial=initial),
            "actions": available,
            "action": action,
            "action_words": command_forms.words(version, action),
        }

    return Shown(parts, beside)


def _read(seen: Seen) -> dict[str, Any]:
    recent = access.commands(seen.request.principal).filter(station=seen.station).order_by("-id")
    return {"commands": list(recent.select_related("remote__session")[:COMMANDS])}


def form_of(
    found: ChargingStation, action: str, connectors: list[Connector], running: list[ChargingSession]
) -> type[command_forms.CommandForm]:
    """Return the form of an action with this station's connectors and running sessions as choices."""
    numbers = sorted({connector.evse.number for connector in connectors})
    return command_forms.form_class(
        found.ocpp_version,
        action,
        connectors=[(number, str(number)) for number in numbers],
        plugs=[(number, str(number)) for number in sorted({connector.number for connector in connectors})],
        running=[
            (s.transaction_id, f"{s.transaction_id} · {s.id_token} · connector {s.evse.number}")
            for s in running
        ],
    )
