"""One measured run of the standard mix against one server."""

import asyncio
import time
from dataclasses import dataclass

from bench import proc
from bench.loads import percentile_ms, saturate, window
from bench.servers import PASSWORD, Server
from bench.story import Story
from bench.swarm import Swarm


@dataclass(frozen=True)
class Cost:
    """What a message costs at saturation. CPU in µs a message, latency in ms."""

    server_us: float
    database_us: float
    generator_us: float
    rate: float
    server_load: float
    p50_ms: float
    p99_ms: float
    messages: int
    errors: dict[str, int]


def swarm_for(
    server: Server, chargers: int, *, deflate: bool = False, first: int = 1, story: type[Story] = Story
) -> Swarm:
    return Swarm(server.url, chargers, password=PASSWORD, deflate=deflate, first=first, story=story)


async def measure(
    server: Server, swarm: Swarm, *, warmup_s: float, seconds: float, database: int | None = None
) -> Cost:
    """Warm up, then measure CPU over `seconds` of closed loop with the swarm's chargers."""
    running = asyncio.create_task(saturate(swarm, warmup_s + seconds + 0.2))
    await asyncio.sleep(warmup_s)
    with window(swarm) as tally:
        start = time.monotonic()
        before = (proc.cpu_s(server.pid), proc.tree_cpu_s(database) if database else 0.0, time.process_time())
        await asyncio.sleep(seconds)
        took_s, messages = time.monotonic() - start, tally.total
        after = (proc.cpu_s(server.pid), proc.tree_cpu_s(database) if database else 0.0, time.process_time())
    await running
    if not messages:
        raise RuntimeError(f"no answer in {seconds} s: {dict(tally.errors)}")
    used_us = [(late - early) / messages * 1e6 for early, late in zip(before, after, strict=True)]
    return Cost(
        server_us=used_us[0],
        database_us=used_us[1],
        generator_us=used_us[2],
        rate=messages / took_s,
        server_load=(after[0] - before[0]) / took_s,
        p50_ms=percentile_ms(tally.latencies_ns, 50),
        p99_ms=percentile_ms(tally.latencies_ns, 99),
        messages=messages,
        errors=dict(tally.errors),
    )
