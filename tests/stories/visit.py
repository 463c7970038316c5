"""The messages of a visit as a raw socket sends them; the story began two hours ago."""

from datetime import UTC, datetime, timedelta
from typing import Any

from stations.models import ChargingSession
from tests.stories.raw import RawSocket
from tests.stories.story import rows

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


def at(minute: int) -> str:
    """Write the moment so many minutes after the story began."""
    return (BEGAN + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def start(**fields: Any) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": at(0)} | fields


def stop(transaction_id: int, **fields: Any) -> dict[str, Any]:
    return {"transactionId": transaction_id, "meterStop": 3000, "timestamp": at(30)} | fields


def values(minute: int, *samples: Any, **fields: Any) -> dict[str, Any]:
    """Write MeterValues of connector 1; a sample is a register in Wh or a whole SampledValue."""
    sampled = [sample if isinstance(sample, dict) else {"value": sample} for sample in samples]
    return {"connectorId": 1, "meterValue": [{"timestamp": at(minute), "sampledValue": sampled}]} | fields


async def done(socket: RawSocket, action: str, payload: Any) -> dict[str, Any]:
    """Make a call that must be accepted and return the answer's payload."""
    answer = await socket.call(action, payload)
    assert answer[0] == 3, answer
    found: dict[str, Any] = answer[2]
    return found


async def begun(socket: RawSocket, **fields: Any) -> int:
    return int((await done(socket, "StartTransaction", start(**fields)))["transactionId"])


async def session_of(transaction_id: int) -> ChargingSession:
    return await rows(lambda: ChargingSession.objects.get(transaction_id=transaction_id))
