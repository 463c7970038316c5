"""The floor: the least that any server on this machine can do with an OCPP 1.6 call.

A bare ASGI application: read the frame as JSON, answer it. No schema, no database, no journal, so a lost
socket loses everything. Served by the same uvicorn as the product: `uvicorn bench.floor:application`.
"""

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

transaction_ids = itertools.count(1)
ACCEPTED = {"status": "Accepted"}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


ANSWERS: dict[str, Callable[[], dict[str, Any]]] = {
    "BootNotification": lambda: {"status": "Accepted", "currentTime": now(), "interval": 300},
    "Heartbeat": lambda: {"currentTime": now()},
    "Authorize": lambda: {"idTagInfo": ACCEPTED},
    "StartTransaction": lambda: {"transactionId": next(transaction_ids), "idTagInfo": ACCEPTED},
    "StopTransaction": lambda: {"idTagInfo": ACCEPTED},
    "DataTransfer": lambda: ACCEPTED,
}


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one socket, or the lifespan."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "ocpp1.6"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        kind, message_id, *rest = orjson.loads(event["text"])
        if kind == 2:
            answer = ANSWERS[rest[0]]() if rest[0] in ANSWERS else {}
            text = orjson.dumps([3, message_id, answer]).decode()
            await send({"type": "websocket.send", "text": text})


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
