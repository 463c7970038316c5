"""Links to the form of a command, filled in: what is wanted is said once, its action and members by version."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

Query = dict[str, Any]
Writer = Callable[..., tuple[str, Query]]


def _availability(operative: bool, connector: int = 0) -> tuple[str, Query]:
    return "ChangeAvailability", {"connectorId": connector, "type": _word(operative)}


def _availability_2x(operative: bool, connector: int = 0) -> tuple[str, Query]:
    """EVSE 0 is nobody's: the whole station is told without one (G03)."""
    evse = {"evse.id": connector} if connector else {}
    return "ChangeAvailability", evse | {"operationalStatus": _word(operative)}


def _word(operative: bool) -> str:
    return "Operative" if operative else "Inoperative"


WRITERS: dict[str, Writer] = {
    "availability": _availability,
    "restart": lambda: ("Reset", {"type": "Soft"}),
    "start": lambda connector: ("RemoteStartTransaction", {"connectorId": connector}),
    "stop": lambda transaction: ("RemoteStopTransaction", {"transactionId": transaction}),
    "trigger": lambda message: ("TriggerMessage", {"requestedMessage": message}),
}
WRITERS_2X: dict[str, Writer] = WRITERS | {
    "availability": _availability_2x,
    "restart": lambda: ("Reset", {"type": "OnIdle"}),
    "start": lambda connector: ("RequestStartTransaction", {"evseId": connector}),
    "stop": lambda transaction: ("RequestStopTransaction", {"transactionId": transaction}),
}


def query(version: str, wanted: str, **facts: Any) -> str:
    """Return the query of the Commands tab with the form that does what is wanted at a station of this version."""
    writers = WRITERS_2X if version.startswith("2") else WRITERS
    action, values = writers[wanted](**facts)
    return urlencode({"tab": "commands", "action": action} | values)
