"""Requests to stations by version: what `stations.services.commands` asks for through settings.

How is a request said in the version, does it fit, and who hears what became of it?
"""

from typing import Any

from stations.models import Command
from stations.ocpp import codec
from stations.ocpp.pipeline import CONTENTS
from stations.ocpp.route import Passwords
from stations.services.errors import InvalidPayload, UnknownAction

DEFAULT_VERSION = "1.6"  # of a station that never connected
ID_TOKEN_LENGTHS = {"1.6": 20}  # characters of an id token in a version's words; 36 where it is not said


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
    """Let the handler that the action's route names act on what became of a command.

    What was never answered may be in the words of a version that the station spoke before.
    """
    version = command.station.ocpp_version or DEFAULT_VERSION
    if answer is None:
        version = _written_in(command, likely=version)
    handler = CONTENTS[version].outbound.get(command.action)
    if handler is not None:
        handler(command, answer)


def _written_in(command: Command, *, likely: str) -> str:
    """Return the version in whose words a command is; `likely` where it is in those of none."""

    def fits(version: str) -> bool:
        is_known = command.action in CONTENTS[version].outbound
        return is_known and codec.request_fault(version, command.action, command.payload) is None

    return next((version for version in (likely, *CONTENTS) if fits(version)), likely)


def write(version: str, request: str, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Say a request of a service (`reserve`) in a version's words: its action and payload; raise `UnknownAction`."""
    writer = CONTENTS[version or DEFAULT_VERSION].writers.get(request)
    if writer is None:
        raise UnknownAction(f"OCPP {version or DEFAULT_VERSION} has no words for {request!r}")
    return writer(**facts)


def passwords(version: str) -> Passwords:
    """Say how a version writes a station's password, and where in its requests one stands."""
    return CONTENTS[version or DEFAULT_VERSION].passwords


def id_token_length(version: str) -> int:
    """Return how many characters an id token can have in this version's words."""
    return ID_TOKEN_LENGTHS.get(version or DEFAULT_VERSION, 36)


def actions(version: str) -> list[str]:
    """Return the requests that may be sent to a station of this version, in alphabetical order."""
    return sorted(CONTENTS[version or DEFAULT_VERSION].outbound)


def schema(version: str, action: str) -> dict[str, Any]:
    """Return the JSON schema of a request, from which forms are made."""
    return codec.request_schema(version or DEFAULT_VERSION, action)


def log_kinds(version: str) -> frozenset[str]:
    """Return the logs that a station of this version can be asked for."""
    found = schema(version, "GetLog")
    kind = found["properties"]["logType"]
    if "$ref" in kind:
        kind = found["definitions"][kind["$ref"].rpartition("/")[2]]
    return frozenset(kind["enum"])
