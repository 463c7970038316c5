"""The load generator: many chargers on raw sockets in one thread, far cheaper than the server they drive.

`Swarm` holds the sockets; what they do is in `loads.py`.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.story import BOOTING, LOOP, Story
from bench.ws import Socket, handshake

ANSWERS_TO_SERVER: dict[str, dict[str, Any]] = {
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "TriggerMessage": {"status": "NotImplemented"},
    "UnlockConnector": {"status": "NotSupported"},
}
CONNECTING_AT_ONCE = 200


@dataclass(slots=True)
class Tally:
    """What was answered. Latencies in ns, in the order of the answers."""

    answered: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    calls_of_server: Counter[str] = field(default_factory=Counter)
    latencies_ns: list[int] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    lost: int = 0

    @property
    def total(self) -> int:
        return sum(self.answered.values())


class Charger:
    """One socket and its story. `due_ns` is when the outstanding call should have been sent."""

    def __init__(self, swarm: "Swarm", station_id: str) -> None:
        self.swarm, self.station_id = swarm, station_id
        self.story = swarm.story(f"{station_id}.{time.time_ns() // 1_000_000:x}")
        self.socket: Socket | None = None
        self.transport: asyncio.BaseTransport | None = None
        self.waiting = False
        self.due_ns = 0
        self.backlog: list[int] = []
        self.attempts = 0
        self.opened: asyncio.Future[bool] | None = None

    async def connect(self) -> bool:
        """Shake hands. False if refused or lost."""
        loop = asyncio.get_running_loop()
        self.opened = loop.create_future()
        self.attempts += 1
        request = handshake(
            f"{self.swarm.path}/{self.station_id}",
            username=self.station_id,
            password=self.swarm.password,
            deflate=self.swarm.deflate,
            subprotocol=self.swarm.story.subprotocol,
        )
        self.waiting = False
        try:
            self.transport, self.socket = await loop.create_connection(
                lambda: Socket(request, self.on_open, self.on_text, self.on_lost),
                self.swarm.host,
                self.swarm.port,
            )
            async with asyncio.timeout(20):
                return await self.opened
        except (OSError, TimeoutError):
            self.swarm.tally.refused[-1] += 1
            return False

    def drop(self) -> None:
        """Break the connection without a close frame."""
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]

    def call(self, due_ns: int) -> None:
        """Send the next message of the story; its latency counts from `due_ns`."""
        assert self.socket is not None
        self.waiting = True
        self.due_ns = due_ns
        self.socket.send(self.story.next_call())

    def on_open(self) -> None:
        if self.opened is not None and not self.opened.done():
            self.opened.set_result(True)

    def on_lost(self, status: int) -> None:
        if self.opened is not None and not self.opened.done():
            self.swarm.tally.refused[status] += 1
            self.opened.set_result(False)
        else:
            self.swarm.tally.lost += 1
        self.waiting = False

    def on_text(self, text: bytes) -> None:
        kind = text[1]
        if kind == 0x32:  # "2": a call of the server
            self.serve(text)
            return
        tally = self.swarm.tally
        if not self.waiting or not self.story.answered(text):
            tally.errors["unmatched"] += 1
            return
        if kind == 0x34:  # "4": CALLERROR
            tally.errors[
                f"{self.story.action} answered {text.partition(b',')[2].partition(b',')[2][:150].decode()}"
            ] += 1
        else:
            tally.answered[self.story.action] += 1
        tally.latencies_ns.append(time.monotonic_ns() - self.due_ns)
        self.waiting = False
        self.swarm.on_answer(self)

    def serve(self, text: bytes) -> None:
        _, message_id, action, _ = json.loads(text)
        self.swarm.tally.calls_of_server[action] += 1
        self.swarm.on_call(self, action)
        answer = ANSWERS_TO_SERVER.get(action, {"status": "Accepted"})
        assert self.socket is not None
        self.socket.send(json.dumps([3, message_id, answer], separators=(",", ":")).encode())


class Swarm:
    """`chargers` stations "BENCH-00001"… at `url`; `on_answer(charger)` decides what each does next."""

    def __init__(
        self,
        url: str,
        chargers: int,
        *,
        password: str | None = None,
        deflate: bool = False,
        first: int = 1,
        story: type[Story] = Story,
    ) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.path = (
            parts.hostname or "127.0.0.1",
            parts.port or 80,
            parts.path.rstrip("/"),
        )
        self.password, self.deflate, self.story = password, deflate, story
        self.tally = Tally()
        self.chargers = [Charger(self, station_id(number)) for number in range(first, first + chargers)]
        self.on_answer: Callable[[Charger], None] = lambda charger: None
        self.on_call: Callable[[Charger, str], None] = lambda charger, action: None

    async def connect(self) -> None:
        """Open all sockets, some at a time. Raises ConnectionError if one is refused."""
        for at in range(0, len(self.chargers), CONNECTING_AT_ONCE):
            batch = self.chargers[at : at + CONNECTING_AT_ONCE]
            if not all(await asyncio.gather(*(charger.connect() for charger in batch))):
                raise ConnectionError(f"refused: {dict(self.tally.refused)}")

    async def boot(self, timeout_s: float = 60) -> None:
        """BootNotification and the two StatusNotifications of every charger."""
        waiting = {charger for charger in self.chargers if not charger.story.between_transactions}
        done = asyncio.Event()

        def next_step(charger: Charger) -> None:
            if charger.story.step < len(BOOTING):
                charger.call(time.monotonic_ns())
                return
            waiting.discard(charger)
            if not waiting:
                done.set()

        self.on_answer = next_step
        for charger in list(waiting):
            charger.call(time.monotonic_ns())
        async with asyncio.timeout(timeout_s):
            await done.wait()
        self.on_answer = lambda charger: None

    async def stagger(self, timeout_s: float = 60) -> None:
        """Spread the chargers evenly over the mix, so that no two kinds of message come in waves."""
        goal = {charger: len(BOOTING) + at % LOOP for at, charger in enumerate(self.chargers)}

        def next_step(charger: Charger) -> None:
            if charger.story.step < goal[charger]:
                charger.call(time.monotonic_ns())

        self.on_answer = next_step
        for charger in self.chargers:
            next_step(charger)
        await self.quiet(timeout_s)

    async def quiet(self, timeout_s: float = 20) -> int:
        """Wait until no call is outstanding. Returns how many still are."""
        until = time.monotonic() + timeout_s
        while (  # noqa: ASYNC110 - two thousand events would disturb what is measured
            left := sum(charger.waiting for charger in self.chargers)
        ) and time.monotonic() < until:
            await asyncio.sleep(0.02)
        return left

    def drop(self) -> None:
        for charger in self.chargers:
            charger.drop()


def station_id(number: int) -> str:
    return f"BENCH-{number:05d}"
