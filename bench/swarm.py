"""The load generator: many chargers on raw sockets in one thread, far cheaper than the server they drive.

`Swarm` holds the sockets; `saturate`, `pace`, `storm` and `hold` are the four loads. Run directly against any
OCPP 1.6 endpoint: `python -m bench.swarm --url ws://127.0.0.1:8000/ocpp --chargers 200 --seconds 10`.
"""

import asyncio
import gc
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        self.story = Story(f"{station_id}.{time.time_ns() // 1_000_000:x}")
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
        self, url: str, chargers: int, *, password: str | None = None, deflate: bool = False, first: int = 1
    ) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.path = (
            parts.hostname or "127.0.0.1",
            parts.port or 80,
            parts.path.rstrip("/"),
        )
        self.password, self.deflate = password, deflate
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


@contextmanager
def window(swarm: Swarm) -> Iterator[Tally]:
    """A fresh tally for what happens inside, without pauses for garbage; then added to the old one."""
    before, swarm.tally = swarm.tally, Tally()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield swarm.tally
    finally:
        gc.enable()
        inside, swarm.tally = swarm.tally, before
        before.answered.update(inside.answered)
        before.errors.update(inside.errors)
        before.calls_of_server.update(inside.calls_of_server)
        before.lost += inside.lost


async def saturate(swarm: Swarm, seconds: float) -> None:
    """Closed loop: every charger sends its next call as soon as the last one is answered."""
    end_ns = time.monotonic_ns() + int(seconds * 1e9)

    def next_step(charger: Charger) -> None:
        now_ns = time.monotonic_ns()
        if now_ns < end_ns:
            charger.call(now_ns)

    swarm.on_answer = next_step
    for charger in swarm.chargers:
        if not charger.waiting:
            charger.call(time.monotonic_ns())
    await asyncio.sleep(seconds)


async def pace(swarm: Swarm, seconds: float, rate: int) -> None:
    """Open loop: `rate` messages a second by the clock, the chargers in turn.

    A charger that still waits sends its message late, and the latency counts from when it was due: a stall is
    not hidden by sending less.
    """

    def next_step(charger: Charger) -> None:
        if charger.backlog:
            charger.call(charger.backlog.pop(0))

    swarm.on_answer = next_step
    start_ns, step_ns, total = time.monotonic_ns(), 1_000_000_000 // rate, int(rate * seconds)
    sent = 0
    while sent < total:
        now_ns = time.monotonic_ns()
        while sent < total and start_ns + sent * step_ns <= now_ns:
            charger = swarm.chargers[sent % len(swarm.chargers)]
            due_ns = start_ns + sent * step_ns
            if charger.waiting:
                charger.backlog.append(due_ns)
            else:
                charger.call(due_ns)
            sent += 1
        await asyncio.sleep(0.001)
    while any(charger.backlog for charger in swarm.chargers):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)


async def storm(swarm: Swarm, timeout_s: float = 60) -> float:
    """Drop every connection and connect all at once; seconds until the last one is booted and answered.

    A refused charger tries again after 1, 2, 4 … seconds, as a charger does.
    """
    swarm.drop()
    await asyncio.sleep(1)
    start = time.monotonic()
    finished: dict[Charger, asyncio.Event] = {charger: asyncio.Event() for charger in swarm.chargers}

    def next_step(charger: Charger) -> None:
        if charger.story.step < len(BOOTING):
            charger.call(time.monotonic_ns())
        else:
            finished[charger].set()

    async def come_back(charger: Charger) -> None:
        charger.attempts, delay_s = 0, 1
        charger.story.reboot()
        while not await charger.connect():
            await asyncio.sleep(delay_s)
            delay_s *= 2
        charger.call(time.monotonic_ns())
        await finished[charger].wait()

    swarm.on_answer = next_step
    async with asyncio.timeout(timeout_s):
        await asyncio.gather(*(come_back(charger) for charger in swarm.chargers))
    return time.monotonic() - start


def percentile_ms(latencies_ns: list[int], percent: float) -> float:
    """The latency that `percent` of the calls did not exceed, in ms."""
    ordered = sorted(latencies_ns)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] / 1e6


def main() -> None:
    """Drive any endpoint by hand and print what came back."""
    import argparse

    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--chargers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, help="messages a second; without it: as fast as answers come")
    parser.add_argument("--password")
    parser.add_argument("--deflate", action="store_true")
    options = parser.parse_args()

    async def run() -> None:
        swarm = Swarm(options.url, options.chargers, password=options.password, deflate=options.deflate)
        await swarm.connect()
        await swarm.boot()
        used_s = time.process_time()
        with window(swarm) as tally:
            start = time.monotonic()
            if options.rate:
                await pace(swarm, options.seconds, options.rate)
            else:
                await saturate(swarm, options.seconds)
            rate = tally.total / (time.monotonic() - start)
        used_s = time.process_time() - used_s
        print(
            f"{tally.total} answered, {rate:.0f}/s, p50 {percentile_ms(tally.latencies_ns, 50):.1f} ms, ",
            end="",
        )
        print(f"p99 {percentile_ms(tally.latencies_ns, 99):.1f} ms, {tally.lost} sockets lost")
        print(f"errors {dict(tally.errors)}; calls of the server {dict(tally.calls_of_server)}")
        print(f"generator {used_s / tally.total * 1e6:.1f} µs a message; unanswered {await swarm.quiet()}")

    uvloop.run(run())


if __name__ == "__main__":
    main()
