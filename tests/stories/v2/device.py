"""What stories about the device model say: variables as a 2.x station tells them."""

from typing import Any

from tests.stories.raw import Message, RawSocket

NOW = "2026-11-20T09:00:00Z"
ITEMS = {
    "component": {"name": "DeviceDataCtrlr"},
    "variable": {"name": "ItemsPerMessage", "instance": "GetVariables"},
}
THRESHOLD = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "OfflineThreshold"}}
REMOTE_START = {"component": {"name": "AuthCtrlr"}, "variable": {"name": "AuthorizeRemoteStart"}}
EVSE_STATE = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "AvailabilityState"}}


def connector(number: int = 1, evse: int = 1) -> dict[str, Any]:
    """Give the place of a connector's state."""
    component = {"name": "Connector", "evse": {"id": evse, "connectorId": number}}
    return {"component": component, "variable": {"name": "AvailabilityState"}}


def told(place: dict[str, Any], value: str | None, **attribute: Any) -> dict[str, Any]:
    """Give a ReportDataType with one attribute."""
    characteristics = {"dataType": "string", "supportsMonitoring": True}
    attributes = [attribute | ({} if value is None else {"value": value})]
    return place | {"variableAttribute": attributes, "variableCharacteristics": characteristics}


def part(request_id: int, seq_no: int, data: list[dict[str, Any]], *, tbc: bool = False) -> dict[str, Any]:
    """Give one NotifyReport."""
    return {"requestId": request_id, "generatedAt": NOW, "seqNo": seq_no, "tbc": tbc, "reportData": data}


async def asked(socket: RawSocket, action: str) -> Message:
    """Return the next request of this action, and accept nothing else before it."""
    found = await socket.read()
    assert found[2] == action, found
    return found


async def accept(socket: RawSocket, action: str, **answer: Any) -> Any:
    """Answer the next request, which is of this action, and return its payload."""
    found = await asked(socket, action)
    await reply(socket, found, {"status": "Accepted"} | answer)
    return found[3]


async def reply(socket: RawSocket, request: Message, payload: dict[str, Any]) -> None:
    """Send the answer to a request."""
    import json

    await socket.send(json.dumps([3, request[1], payload]))
