"""A socket that puts anything on the wire, and reads what comes back frame by frame."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stations.models import ChargingStation, Frame
from tests.processes import Server
from tests.stories.story import PASSWORD, basic, rows

ANSWER_S = 10  # a loaded machine
_ids = count(1)
Message = list[Any]


class RawSocket:
    """One station's socket without any manners."""

    def __init__(self, socket: ClientConnection, identity: str) -> None:
        self.socket, self.identity = socket, identity

    async def send(self, data: str | bytes, *, as_text: bool = True) -> None:
        """Send one message as it is; bytes become a text frame that may hold no text at all."""
        await self.socket.send(data, text=as_text)

    def write(self, octets: bytes) -> None:
        """Put octets on the wire behind the protocol's back."""
        self.socket.transport.write(octets)

    async def read(self) -> Message:
        """Return the next frame. Raises ConnectionClosed or TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            found: Message = json.loads(await self.socket.recv(), parse_float=Decimal)
        return found

    async def ask(self, text: str) -> Message:
        """Send a text and return the frame that answers it."""
        await self.send(text)
        return await self.read()

    async def call(self, action: str, payload: Any, message_id: str | None = None) -> Message:
        """Send a CALL and return its answer: [3, id, payload] or [4, id, code, description, details]."""
        message_id = message_id or f"raw-{next(_ids)}"
        answer = await self.ask(json.dumps([2, message_id, action, payload]))
        while answer[0] == 2:  # a command of theirs, which this socket never answers by itself
            answer = await self.read()
        assert answer[1] == message_id, f"an answer to something else: {answer}"
        return answer

    async def lives(self) -> bool:
        """Whether the next frame is the answer to a Heartbeat: nothing else was answered, all before is stored."""
        answer = await self.call("Heartbeat", {})
        return answer[0] == 3 and "currentTime" in answer[2]

    async def code_of(self, text: str) -> str:
        """Return the code of the CALLERROR that answers the text, or 'accepted'."""
        answer = await self.ask(text)
        return str(answer[2]) if answer[0] == 4 else "accepted"

    async def closed_with(self) -> int | None:
        """Wait for the server's close and return its code."""
        async with asyncio.timeout(ANSWER_S):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code


@asynccontextmanager
async def opened(server: Server, identity: str = "ADA-1", **options: Any) -> AsyncIterator[RawSocket]:
    """Open a station's socket; it ends with the block."""
    options.setdefault("subprotocols", ["ocpp1.6"])
    async with connect(
        f"{server.ws}/ocpp/{identity}", additional_headers=basic(identity, PASSWORD),
        ping_interval=None, close_timeout=1, max_size=2**22, proxy=None, **options,
    ) as socket:  # fmt: skip
        yield RawSocket(socket, identity)


async def incoming(identity: str = "ADA-1", *, skip: str = "Heartbeat") -> list[Frame]:
    """Return the frames of a station in the journal as they came, one action left out."""

    def ask() -> list[Frame]:
        station = ChargingStation.objects.get(identity=identity)
        found = Frame.objects.filter(station_id=station.pk, direction="i").exclude(action=skip)
        return list(found.order_by("id"))

    return await rows(ask)


async def verdicts(identity: str = "ADA-1") -> list[str]:
    """Return what the journal says about a station's frames, Heartbeats left out."""
    return [frame.verdict for frame in await incoming(identity)]
