"""What a swarm can do to a server: saturate it, keep a pace, come back all at once.

By hand against any OCPP 1.6 endpoint: `python -m bench.loads --url ws://127.0.0.1:8000/ocpp --seconds 10`.
"""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.story import BOOTING
from bench.swarm import Charger, Swarm, Tally


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
