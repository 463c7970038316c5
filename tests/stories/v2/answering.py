"""A 2.x station that answers what it is asked: reactions by action, everything asked is kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from itertools import count
from typing import Any

from websockets.exceptions import ConnectionClosed

from stations.models import ChargingStation, Command
from stations.services import commands
from tests.processes import Server
from tests.stories.raw import opened
from tests.stories.story import rows
from tests.stories.v2.station import BOOT

Payload = dict[str, Any]
Reaction = (
    Payload | str | None | Callable[[Payload], Any]
)  # an answer, an error code, silence, or what gives one
_ids = count(1)


class Station:
    """One socket. `reactions` are what the station answers; it says NotImplemented to everything else."""

    def __init__(self, socket: Any, version: str) -> None:
        self.socket, self.version = socket, version
        self.reactions: dict[str, Reaction] = {}
        self.asked: list[tuple[str, Payload]] = []
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._listener = asyncio.create_task(self._listen())

    async def call(self, action: str, payload: Payload) -> Payload:
        """Send a CALL and return the payload of its CALLRESULT."""
        answer = await self.answer_to(action, payload)
        assert answer[0] == 3, answer
        found: Payload = answer[2]
        return found

    async def answer_to(self, action: str, payload: Payload) -> list[Any]:
        """Send a CALL and return the frame that answers it."""
        message_id = f"st-{next(_ids)}"
        waiting = self._waiting[message_id] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps([2, message_id, action, payload]))
        found: list[Any] = await asyncio.wait_for(waiting, 10)
        return found

    async def tell(self, *events: Payload) -> list[Payload]:
        """Send TransactionEvents and return the answers."""
        return [await self.call("TransactionEvent", event) for event in events]

    async def status(self, word: str, evse: int = 1, connector: int = 1) -> None:
        """Send a StatusNotification dated now."""
        from cpo.lib import clock

        told = {"timestamp": clock.now().isoformat(), "connectorStatus": word}
        await self.call("StatusNotification", told | {"evseId": evse, "connectorId": connector})

    def requests(self, action: str) -> list[Payload]:
        """Return what was asked with this action."""
        return [payload for name, payload in self.asked if name == action]

    def stop(self) -> None:
        self._listener.cancel()

    async def _listen(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.socket:
                frame = json.loads(text, parse_float=Decimal)
                if frame[0] == 2:
                    await self._react(frame)
                elif frame[1] in self._waiting:
                    self._waiting.pop(frame[1]).set_result(frame)

    async def _react(self, frame: list[Any]) -> None:
        _, message_id, action, payload = frame
        self.asked.append((action, payload))
        reaction = self.reactions.get(action, "NotImplemented")
        if callable(reaction):
            reaction = reaction(payload)
        if isinstance(reaction, str):
            await self.socket.send(json.dumps([4, message_id, reaction, "", {}]))
        elif reaction is not None:
            await self.socket.send(json.dumps([3, message_id, reaction]))


@asynccontextmanager
async def station(server: Server, version: str = "2.0.1", **reactions: Reaction) -> AsyncIterator[Station]:
    """Open Ada's station in a version, booted, with these reactions."""
    async with opened(server, subprotocols=[f"ocpp{version}"]) as raw:
        found = Station(raw.socket, version)
        found.reactions |= reactions
        try:
            assert (await found.call("BootNotification", BOOT))["status"] == "Accepted"
            yield found
        finally:
            found.stop()


def queued(action: str, payload: Payload, **options: Any) -> Command:
    """Queue a command as console and API do, and wait for its outcome (blocking)."""
    row = ChargingStation.objects.get(identity="ADA-1")
    return commands.wait(commands.queue(row, action=action, payload=payload, **options), timeout_s=5)


async def sent(action: str, payload: Payload, **options: Any) -> Command:
    """The same from inside a story."""
    return await rows(lambda: queued(action, payload, **options))
