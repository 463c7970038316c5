"""Requests to stations by version: what `stations.services.commands` asks for through settings.

Does a request fit the version, and who hears what became of it?
"""

from typing import Any

from stations.models import Command
from stations.ocpp import codec
from stations.ocpp.pipeline import CONTENTS
from stations.services.errors import InvalidPayload, UnknownAction

DEFAULT_VERSION = "1.6"  # of a station that never connected


def check(version: str, action: str, payload: dict[str, Any]) -> None:
    """Raise `UnknownAction` or `InvalidPayload` unless the request fits the version's schema."""
    version = version or DEFAULT_VERSION
    contents = CONTENTS[version]
    if action not in contents.outbound:
        known = ", ".join(sorted(contents.outbound))
        raise UnknownAction(
            f"OCPP {version} has no request {action!r} to a station that we offer; we offer {known}"
        )
    fault = codec.request_fault(version, action, payload)
    if fault is not None:
        raise InvalidPayload(fault.path, fault.description)


def outcome(command: Command, answer: dict[str, Any] | None) -> None:
    """Let the handler that the action's route names act on what became of a command."""
    handler = CONTENTS[command.station.ocpp_version or DEFAULT_VERSION].outbound.get(command.action)
    if handler is not None:
        handler(command, answer)


def actions(version: str) -> list[str]:
    """Return the requests that may be sent to a station of this version, in alphabetical order."""
    return sorted(CONTENTS[version or DEFAULT_VERSION].outbound)


def schema(version: str, action: str) -> dict[str, Any]:
    """Return the JSON schema of a request, from which forms are made."""
    return codec.request_schema(version or DEFAULT_VERSION, action)
