"""Which requests fit a station's version: the check that `stations.services.commands` asks for through settings."""

from typing import Any

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


def actions(version: str) -> list[str]:
    """Return the requests that may be sent to a station of this version, in alphabetical order."""
    return sorted(CONTENTS[version or DEFAULT_VERSION].outbound)


def schema(version: str, action: str) -> dict[str, Any]:
    """Return the JSON schema of a request, from which forms are made."""
    return codec.request_schema(version or DEFAULT_VERSION, action)
