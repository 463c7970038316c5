"""The figures of the performance page, one function each; what cannot be measured raises Unavailable."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench import bench_cdrs, bench_tariff, cost, proc, servers, verify
from bench.cost import Cost
from bench.loads import pace, percentile_ms, storm, window
from bench.servers import FLOOR, PRODUCT, TEXTBOOK, Kind, Server, Unavailable, serving
from bench.story import Story
from bench.story_v2 import StoryV2
from bench.swarm import Charger, Swarm

Entry = dict[str, Any]
FEW, MANY, CROWD = 200, 2_000, 10_000


@dataclass
class Run:
    """What the figures of one run share: options, where to log, and all that the product ever answered."""

    log: Path
    short: bool = False
    database: int | None = None
    answered: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    stations: int = 0
    grown: bool = False
    looks: dict[str, Any] = field(default_factory=dict)

    def seconds(self, full: int, short: int) -> int:
        return short if self.short else full

    def need_stations(self, number: int) -> None:
        """Provision the product's database up to that many stations."""
        if number > self.stations:
            servers.run(PRODUCT, "-m", "bench.provision", "--stations", str(number))
            self.stations = number

    async def finish(self, server: Server, swarm: Swarm) -> None:
        """Let the last answers come in and count them, so that `verify` can compare."""
        left = await swarm.quiet()
        if server.kind is PRODUCT:
            self.answered += swarm.tally.answered
            self.unanswered += left
            self.errors += swarm.tally.errors
        swarm.drop()
        await asyncio.sleep(0.2)

    def losses(self) -> list[str]:
        """What is missing in the product's database, one sentence each."""
        unanswered = [f"{self.unanswered} calls were never answered"] if self.unanswered else []
        unanswered += [f"{count} times: {what}" for what, count in self.errors.most_common(5)]
        return unanswered + verify.losses(servers.environment(PRODUCT)["DATABASE_URL"], self.answered)


def entry(value: float | None, unit: str, target: float | None, **references: float | None) -> Entry:
    """One row of the table; `floor` and `textbook` are None where they make no sense."""
    rounded = {name: None if number is None else round(number, 2) for name, number in references.items()}
    return {
        "value": None if value is None else round(value, 2),
        "unit": unit,
        "target": target,
        "floor": rounded.get("floor"),
        "textbook": rounded.get("textbook"),
    }


def on(run: Run, kind: Kind, work: Callable[[Server], Awaitable[Any]], *, deflate: bool = True) -> Any:
    """Serve a kind, do the work, stop it."""
    with serving(kind, run.log, deflate=deflate) as server:
        return uvloop.run(work(server))  # type: ignore[arg-type]


# --- P1


def saturated(run: Run, seconds: int, story: type[Story] = Story) -> Callable[[Server], Awaitable[Cost]]:
    """The standard mix with 200 chargers in a closed loop, measured after a warm-up."""

    async def measure(server: Server) -> Cost:
        swarm = cost.swarm_for(server, FEW, story=story)
        await swarm.connect()
        await swarm.boot()
        warmup_s = run.seconds(4, 2)
        found = await cost.measure(server, swarm, warmup_s=warmup_s, seconds=seconds, database=run.database)
        await run.finish(server, swarm)
        show(server.kind.name, found)
        return found

    return measure


def p1(run: Run) -> dict[str, Entry]:
    """Server CPU per durable message and messages a second from one process, standard mix, 200 chargers."""
    run.need_stations(FEW)
    early = on(run, FLOOR, saturated(run, run.seconds(4, 2)))
    product = on(run, PRODUCT, saturated(run, run.seconds(12, 6)))
    newer = on(run, PRODUCT, saturated(run, run.seconds(12, 6), StoryV2))
    textbook = on(run, TEXTBOOK, saturated(run, run.seconds(10, 5)))
    late = on(run, FLOOR, saturated(run, run.seconds(4, 2)))
    floor_us, floor_rate = min(early.server_us, late.server_us), max(early.rate, late.rate)
    return {
        "P1": entry(product.server_us, "µs", 150, floor=floor_us, textbook=textbook.server_us),
        "P1 of 2.0.1": entry(newer.server_us, "µs", 150, floor=floor_us),
        "P1 rate of 2.0.1": entry(newer.rate, "messages/s", 5000, floor=floor_rate),
        "P1 rate": entry(product.rate, "messages/s", 5000, floor=floor_rate, textbook=textbook.rate),
        "P1 against textbook": entry(textbook.server_us / product.server_us, "x", 12),
        "P1 against floor": entry(product.server_us / floor_us, "x", None),
        "P1 database": entry(product.database_us, "µs", None, textbook=textbook.database_us),
    }


def show(name: str, found: Cost) -> None:
    print(
        f"  {name}: {found.server_us:.1f} µs a message ({found.server_load:.0%} of a core), {found.rate:.0f}/s, "
        f"p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms; PostgreSQL {found.database_us:.1f} µs, "
        f"generator {found.generator_us:.1f} µs",
        flush=True,
    )


# --- P2


def p2(run: Run) -> dict[str, Entry]:
    """99th percentile of the answer at a paced 1,000 messages a second with 2,000 chargers connected."""
    rate, chargers = 1_000, MANY
    run.need_stations(chargers)

    async def measure(server: Server) -> float:
        swarm = cost.swarm_for(server, chargers)
        await swarm.connect()
        await swarm.boot()
        await swarm.stagger()
        await pace(swarm, 3, rate)
        await swarm.quiet()
        with window(swarm) as tally:
            await pace(swarm, run.seconds(15, 6), rate)
            await swarm.quiet()
        await run.finish(server, swarm)
        p50_ms, p99_ms = (percentile_ms(tally.latencies_ns, percent) for percent in (50, 99))
        print(
            f"  {server.kind.name}: {tally.total} paced, p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms", flush=True
        )
        return p99_ms

    floor = on(run, FLOOR, measure)
    return {"P2": entry(on(run, PRODUCT, measure), "ms", 50, floor=floor)}


# --- P3


def p3(run: Run) -> dict[str, Entry]:
    """Memory per idle charger socket, and of one process with 10,000."""
    crowd = run.seconds(CROWD, MANY)
    run.need_stations(crowd)
    totals: list[float] = []

    def work(number: int, deflate: bool, total: int = 0) -> Callable[[Server], Awaitable[float]]:
        async def measure(server: Server) -> float:
            swarms = [await idle(server, FEW, deflate, first=1)]
            base_kib = proc.rss_kib(server.pid)
            swarms.append(await idle(server, number, deflate, first=1 + FEW))
            per_socket = (proc.rss_kib(server.pid) - base_kib) / number
            if total > number + FEW:
                swarms.append(await idle(server, total - number - FEW, deflate, first=1 + FEW + number))
                totals.append(proc.rss_kib(server.pid) / 1024)
            for swarm in swarms:
                await run.finish(server, swarm)
            name = f"{server.kind.name}{', deflate' if deflate else ''}"
            print(
                f"  {name}: {per_socket:.1f} KiB a socket" + (f", {total} sockets" if totals else ""),
                flush=True,
            )
            return per_socket

        return measure

    few = 1_000 if run.short else MANY - FEW
    plain = {kind.name: on(run, kind, work(few, False)) for kind in (FLOOR, TEXTBOOK)}
    packed = {kind.name: on(run, kind, work(few, True)) for kind in (FLOOR, TEXTBOOK)}
    value = on(run, PRODUCT, work(few, False, crowd))
    deflated = on(run, PRODUCT, work(few, True))
    return {
        "P3": entry(value, "KiB", 50, **plain),
        "P3 deflate": entry(deflated, "KiB", 110, **packed),
        f"P3 with {crowd} sockets": entry(totals[0], "MiB", 1024),
    }


async def idle(server: Server, number: int, deflate: bool, *, first: int) -> Swarm:
    """That many more chargers, connected, booted and quiet."""
    swarm = cost.swarm_for(server, number, deflate=deflate, first=first)
    await swarm.connect()
    await swarm.boot(timeout_s=120)
    await asyncio.sleep(1)
    return swarm


# --- P4


def p4(run: Run) -> dict[str, Entry]:
    """Seconds until 2,000 chargers that lost their sockets at once are booted and answered."""
    run.need_stations(MANY)

    async def measure(server: Server) -> tuple[float, int]:
        swarm = cost.swarm_for(server, MANY)
        await swarm.connect()
        await swarm.boot()
        took_s = await storm(swarm)
        attempts = max(charger.attempts for charger in swarm.chargers)
        await run.finish(server, swarm)
        print(f"  {server.kind.name}: {took_s:.1f} s, at most {attempts} attempts", flush=True)
        return took_s, attempts

    floor_s, _ = on(run, FLOOR, measure)
    product_s, attempts = on(run, PRODUCT, measure)
    return {"P4": entry(product_s, "s", 20, floor=floor_s), "P4 attempts": entry(attempts, "attempts", 2)}


# --- P5


def p5(run: Run) -> dict[str, Entry]:
    """99th percentile from POST at one process to the frame on the wire of a charger held by another."""
    rate, seconds = 50, run.seconds(12, 5)
    run.need_stations(FEW)
    token = servers.run(PRODUCT, "manage.py", "create_api_token", "bench").strip()
    headers = {"Authorization": f"Bearer {token}"}
    took_ns: list[int] = []
    posted_ns: dict[str, int] = {}

    def on_call(charger: Charger, action: str) -> None:
        if charger.station_id in posted_ns:
            took_ns.append(time.monotonic_ns() - posted_ns.pop(charger.station_id))

    async def post(client: httpx.AsyncClient, charger: Charger) -> None:
        posted_ns[charger.station_id] = time.monotonic_ns()
        path = f"/api/v1/stations/{charger.station_id}/commands/"
        answer = await client.post(path, json={"action": "ClearCache", "payload": {}})
        if answer.status_code != 202:
            raise Unavailable(f"POST {path}: {answer.status_code} {answer.text[:200]}")

    async def work(holder: Server, api: Server) -> None:
        swarm = cost.swarm_for(holder, FEW)
        await swarm.connect()
        await swarm.boot()
        swarm.on_call = on_call
        async with httpx.AsyncClient(base_url=api.http, headers=headers, timeout=10) as client:
            await asyncio.gather(*(post(client, charger) for charger in swarm.chargers[:8]))
            await asyncio.sleep(2)
            took_ns.clear()
            posts = []
            for number in range(rate * seconds):
                posts.append(asyncio.create_task(post(client, swarm.chargers[number % FEW])))
                await asyncio.sleep(1 / rate)
            await asyncio.gather(*posts)
            await asyncio.sleep(2)
        await run.finish(holder, swarm)

    with serving(PRODUCT, run.log) as holder, serving(PRODUCT, run.log) as api:
        uvloop.run(work(holder, api))
    p50_ms, p99_ms = (percentile_ms(took_ns, percent) for percent in (50, 99))
    print(f"  {len(took_ns)} of {rate * seconds} commands arrived, p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms")
    if len(took_ns) < rate * seconds:
        raise Unavailable("commands were lost")
    return {"P5": entry(p99_ms, "ms", 50)}


# --- P6, P7: each has a file of its own


def p6(run: Run) -> dict[str, Entry]:
    """Bills a second from the tariff engine on one core."""
    return bench_tariff.measure()


def p7(run: Run) -> dict[str, Entry]:
    """CDRs a second from ended sessions by one Celery worker. Starts with an empty database."""
    run.stations = 0
    return bench_cdrs.measure(short=run.short, log=run.log)


# --- P8, P9, P10: a network that has run for years; only on request, they take minutes


def grow(run: Run) -> None:
    """Fill an empty database of the product once: a tenth of the size with --short."""
    if run.grown:
        return
    scale = 0.1 if run.short else 1.0
    servers.prepare(PRODUCT)
    run.stations, run.grown = 0, True
    run.need_stations(int(CROWD * scale))
    print(servers.run(PRODUCT, "-m", "bench.grown", "fill", str(scale)).rstrip(), flush=True)


def looks(run: Run) -> dict[str, Any]:
    """Every list page's time and queries, measured once."""
    grow(run)
    if not run.looks:
        run.looks = json.loads(servers.run(PRODUCT, "-m", "bench.grown", "pages").splitlines()[-1])
        for name, look in (run.looks["ocpi"] | run.looks["console"]).items():
            print(
                f"  {name}: " + ", ".join(f"{what} {number:.0f}" for what, number in look.items()), flush=True
            )
    return run.looks


def p8(run: Run) -> dict[str, Entry]:
    """OCPI lists, page of 100 objects, 10,000 locations and 1,000,000 CDRs stored."""
    lists = looks(run)["ocpi"].values()
    return {
        "P8": entry(max(look["first"] for look in lists), "ms", 100),
        "P8 first look": entry(max(look["first, counting"] for look in lists), "ms", None),
        "P8 last page": entry(max(look["last by link"] / look["first"] for look in lists), "x growth", 1.5),
        "P8 last by offset": entry(max(look["last by offset"] for look in lists), "ms", None),
    }


def p9(run: Run) -> dict[str, Entry]:
    """Console list pages, 10,000 stations and 10,000,000 samples stored."""
    pages = looks(run)["console"].values()
    return {
        "P9": entry(max(look["ms"] for look in pages), "ms", 300),
        "P9 queries": entry(max(look["queries"] for look in pages), "queries", 12),
    }


def p10(run: Run) -> dict[str, Entry]:
    """Server CPU per message with 10,000 stations and 10,000,000 rows, against an empty database."""
    grow(run)
    full = on(run, PRODUCT, saturated(run, 10))
    servers.prepare(PRODUCT)
    run.stations, run.grown = 0, False
    run.need_stations(FEW)
    empty = on(run, PRODUCT, saturated(run, 10))
    run.answered.clear()  # of two databases: nothing to compare
    return {"P10": entry(full.server_us / empty.server_us, "x growth", 1.2)}


FIGURES: dict[str, Callable[[Run], dict[str, Entry]]] = {
    "P1": p1,
    "P2": p2,
    "P5": p5,
    "P6": p6,
    "P3": p3,
    "P4": p4,
    "P7": p7,
    "P8": p8,
    "P9": p9,
    "P10": p10,
}
ON_REQUEST = {"P8", "P9", "P10"}
EMPTIES_PRODUCT = {"P7", "P8", "P9", "P10"}  # rows are compared with answers before such a figure

NEEDS_PRODUCT = {"P1", "P2", "P3", "P4", "P5"}
NEEDS_TEXTBOOK = {"P1", "P3"}
