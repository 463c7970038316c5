"""A 2.x station as a story tells it: a raw socket and the messages of a transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.processes import Server
from tests.stories.raw import RawSocket, opened

BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "Volt", "model": "V2"}}
TOKEN = {"idToken": "BO-1", "type": "ISO14443"}
EVSE = {"id": 1, "connectorId": 1}
CONTEXTS = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}


def at(minute: float) -> str:
    """Write the moment so many minutes after the begin."""
    return (BEGAN + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def readings(register_wh: float, minute: float, context: str = "Sample.Periodic") -> list[dict[str, Any]]:
    """Give a meterValue with the register in Wh."""
    sample = {"value": register_wh, "context": context, "measurand": "Energy.Active.Import.Register"}
    return [{"timestamp": at(minute), "sampledValue": [sample]}]


def event(
    type: str, seq_no: int, *, register_wh: float | None = None, minute: float | None = None, **fields: Any
) -> dict[str, Any]:
    """Give a TransactionEventRequest; `info` is merged into its transactionInfo."""
    minute = seq_no if minute is None else minute
    info = {"transactionId": "tx-1", "chargingState": "Charging"} | fields.pop("info", {})
    payload = {
        "eventType": type, "timestamp": at(minute), "triggerReason": "MeterValuePeriodic", "seqNo": seq_no,
        "transactionInfo": info,
    }  # fmt: skip
    if register_wh is not None:
        context = CONTEXTS.get(type, "Sample.Periodic")
        payload["meterValue"] = readings(register_wh, minute, context)
    return payload | fields


def visit(registers: tuple[float, ...] = (1000, 1500, 2500, 4000)) -> list[dict[str, Any]]:
    """Give the events of a whole transaction, one a minute."""
    types = ["Started", *["Updated"] * (len(registers) - 2), "Ended"]
    events = [
        event(type, n, register_wh=wh) for n, (type, wh) in enumerate(zip(types, registers, strict=True))
    ]
    events[0] |= {"idToken": TOKEN, "evse": EVSE, "triggerReason": "Authorized"}
    events[-1]["transactionInfo"] |= {"stoppedReason": "EVDisconnected"}
    return events


@asynccontextmanager
async def station(server: Server, version: str = "2.0.1") -> AsyncIterator[RawSocket]:
    """Open Ada's station in a version, booted."""
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        answer = await socket.call("BootNotification", BOOT)
        assert answer[2]["status"] == "Accepted"
        yield socket
