"""`python -m bench.proof [--short]`: kill the product while it works, and show that nothing was lost or doubled.

R4: SIGKILL for the web process at random moments while simulated chargers charge and repeat what was not answered.
R5: SIGKILL for the Celery worker in the same way. Then the chargers' own memory is compared with the rows: every
answered message in the journal, one session for each transaction with its exact registers, one CDR for each session.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import uvloop

from bench import databases, servers
from bench.servers import PASSWORD, PRODUCT
from bench.story import ID_TAG
from bench.swarm import station_id
from cpo.simulator.charger import Charger, NotAuthorized
from cpo.simulator.transaction import Transaction
from cpo.simulator.wire import CallFailed

PROOF = replace(PRODUCT, name="proof", database="opencpo_proof")
CHARGERS, CONNECTORS = 30, 2
VISIT_S, ENERGY_WH, METER_S = 3, 30, 1
PAUSE_S = (1.5, 4.0)
RECOVERY_S = 60

ANSWERED = """
select s.identity, f.message_id from stations_frame f join stations_chargingstation s on s.id = f.station_id
where f.direction = 'i' and f.message_type = 2
"""
SESSIONS = """
select s.identity, c.transaction_id, c.status, c.meter_start_wh, c.meter_stop_wh, c.energy_wh,
    (select count(*) from billing_cdr b where b.session_id = c.id)
from stations_chargingsession c join stations_chargingstation s on s.id = c.station_id
"""
# the inverse run: a comparison that does not see these sees nothing
LOSE = """
delete from stations_frame f using stations_chargingstation s
where s.id = f.station_id and f.message_id = %s and s.identity = %s
"""
FALSIFY = """
update stations_chargingsession set meter_stop_wh = meter_stop_wh + 1
where id = (select min(id) from stations_chargingsession where status = 'ended')
"""
DOUBLE = """
update stations_chargingsession set transaction_id = transaction_id || '0'
where id = (select max(id) from stations_chargingsession)
"""
SABOTAGED = (
    "answered, not in the journal",
    "transactions without a session",
    "sessions that no charger knows",
    "wrong registers",
)


@dataclass
class Product:
    """The web process, the worker and beat; each can be killed and comes back on the same port."""

    log: Path
    port: int = field(default_factory=servers.free_port)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str) -> None:
        beat = [sys.executable, "-m", "celery", "-A", "cpo", "beat", "--loglevel=WARNING"]
        schedule = f"--schedule={self.log.parent / 'proof-beat'}"
        starts = {
            "web": lambda: servers.start(PROOF, self.log, self.port),
            "worker": lambda: servers.start_worker(PROOF, self.log),
            "beat": lambda: servers.spawn(PROOF, self.log, [*beat, schedule, "--pidfile="]),
        }
        self.processes[name] = starts[name]()

    def kill(self, name: str) -> None:
        servers.kill(self.processes[name])
        self.start(name)

    def stop(self) -> None:
        for process in self.processes.values():
            servers.stop(process)


@dataclass
class Fleet:
    """Chargers that charge until `closing`, and all transactions they remember."""

    url: str
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    transactions: list[tuple[str, Transaction]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chargers = [
            Charger(
                self.url,
                station_id(number),
                PASSWORD,
                connectors=CONNECTORS,
                meter_interval_s=METER_S,
                call_timeout_s=10,
                same_message_ids=number % 2 == 0,
            )
            for number in range(1, CHARGERS + 1)
        ]

    async def visits(self, charger: Charger, connector: int) -> None:
        """One car after the other; a car that comes while the station is offline charges all the same."""
        await charger.wire.online.wait()
        while not self.closing.is_set():
            try:
                transaction = await charger.charge(ID_TAG, ENERGY_WH, VISIT_S, connector=connector)
            except (NotAuthorized, CallFailed) as error:
                charger.failures.append(("visit", error))
                await asyncio.sleep(1)
                continue
            self.transactions.append((charger.station_id, transaction))
            await asyncio.sleep(random.uniform(0, 0.5))

    async def run(self) -> None:
        """Charge until `closing`, then until every kept message is answered."""
        online = [asyncio.create_task(charger.stay_online(longest_delay_s=2)) for charger in self.chargers]
        visits = [self.visits(charger, number) for charger in self.chargers for number in charger.outlets]
        try:
            await asyncio.gather(*visits)
            await asyncio.gather(*(charger.outbox.drained(RECOVERY_S) for charger in self.chargers))
        finally:
            for task in online:
                task.cancel()
            await asyncio.gather(*online, return_exceptions=True)
            await asyncio.gather(*(charger.close() for charger in self.chargers))

    def answered(self) -> set[tuple[str, str]]:
        """(station, message id) of every call that got a CALLRESULT."""
        found = set()
        for charger in self.chargers:
            for frame in charger.frames:
                if frame.direction == "in" and frame.text.startswith("[3,"):
                    found.add((charger.station_id, json.loads(frame.text)[1]))
        return found


async def kill_often(product: Product, name: str, kills: int) -> None:
    for done in range(1, kills + 1):
        await asyncio.sleep(random.uniform(*PAUSE_S))
        await asyncio.to_thread(product.kill, name)
        print(f"\r{name}: killed {done} of {kills} times", end="", flush=True)
        await asyncio.to_thread(wait_web, product)
    print()


def wait_web(product: Product) -> None:
    servers.wait_ready(product.processes["web"], product.port, product.log)


async def torture(product: Product, web_kills: int, worker_kills: int) -> Fleet:
    """Both kill loops while the fleet charges."""
    fleet = Fleet(f"ws://127.0.0.1:{product.port}/ocpp")
    running = asyncio.create_task(fleet.run())
    await asyncio.sleep(5)
    await kill_often(product, "web", web_kills)
    await kill_often(product, "worker", worker_kills)
    fleet.closing.set()
    await running
    return fleet


def wait_for_cdrs(url: str) -> float:
    """Seconds until every ended session has its CDR, at most RECOVERY_S."""
    start = time.monotonic()
    query = "select count(*) from stations_chargingsession c left join billing_cdr b on b.session_id = c.id "
    query += "where c.status = 'ended' and b.id is null"
    while databases.counts(url, query)[0][0] and time.monotonic() - start < RECOVERY_S:
        time.sleep(0.5)
    return time.monotonic() - start


def compare(url: str, fleet: Fleet) -> dict[str, list[str]]:
    """What is wrong, by kind; all lists are empty when nothing was lost or doubled."""
    answered = fleet.answered()
    kept = {(str(station), str(message_id)) for station, message_id in databases.counts(url, ANSWERED)}
    rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for station, transaction_id, *row in databases.counts(url, SESSIONS):
        rows.setdefault((str(station), str(transaction_id)), []).append(tuple(row))
    told = {(station, str(transaction.id)): transaction for station, transaction in fleet.transactions}
    wrong: dict[str, list[str]] = {
        "answered, not in the journal": [f"{station} {message}" for station, message in answered - kept],
        "transactions without a session": [str(key) for key in told if key not in rows],
        "sessions that no charger knows": [str(key) for key in rows if key not in told],
        "two transactions with one id": ["ids repeat"] * (len(fleet.transactions) - len(told)),
        "two sessions for one transaction": [str(key) for key, found in rows.items() if len(found) > 1],
        "wrong registers": [],
        "not one CDR": [],
    }
    for key, transaction in told.items():
        for status, start_wh, stop_wh, energy_wh, cdrs in rows.get(key, []):
            expected = ("ended", transaction.meter_start_wh, transaction.meter_stop_wh, transaction.energy_wh)
            if (status, start_wh, stop_wh, energy_wh) != expected:
                wrong["wrong registers"].append(
                    f"{key}: {status} {start_wh} {stop_wh} {energy_wh}, not {expected}"
                )
            if cdrs != 1:
                wrong["not one CDR"].append(f"{key}: {cdrs}")
    return wrong


def sabotage(url: str, fleet: Fleet) -> list[str]:
    """Lose, double and falsify one row each, and give the kinds of fault that `compare` then overlooks."""
    station, message_id = min(fleet.answered())
    with psycopg.connect(url) as connection:
        connection.execute(LOSE, (message_id, station))
        connection.execute(DOUBLE)
        connection.execute(FALSIFY)
    wrong = compare(url, fleet)
    return [kind for kind in SABOTAGED if not wrong[kind]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proof", description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer kills")
    parser.add_argument("--keep", action="store_true", help="leave the database for a look")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    random.seed(options.seed)
    web_kills, worker_kills = (8, 5) if options.short else (50, 20)
    var = Path(os.environ.get("VAR", "var"))
    var.mkdir(parents=True, exist_ok=True)
    print(
        f"seed {options.seed}; {CHARGERS} chargers, {web_kills} kills of the web process, {worker_kills} of the worker"
    )

    servers.prepare(PROOF)
    servers.run(PROOF, "-m", "bench.provision", "--stations", str(CHARGERS))
    product = Product(var / "proof.log")
    product.log.write_text("")
    try:
        for name in ("web", "worker", "beat"):
            product.start(name)
        wait_web(product)
        fleet = uvloop.run(torture(product, web_kills, worker_kills))
        url = servers.environment(PROOF)["DATABASE_URL"]
        recovery_s = wait_for_cdrs(url)
    finally:
        product.stop()
    wrong = compare(url, fleet)
    overlooked = sabotage(url, fleet)
    if not options.keep:
        databases.drop(str(PROOF.database))
    report = {
        "seed": options.seed,
        "transactions": len(fleet.transactions),
        "answered": len(fleet.answered()),
        "web kills": web_kills,
        "worker kills": worker_kills,
        "CDRs complete after s": round(recovery_s, 1),
        **{name: len(cases) for name, cases in wrong.items()},
        "sabotage overlooked": len(overlooked),
    }
    for name, value in report.items():
        print(f"{name:<34}{value}")
    for name, cases in wrong.items():
        for case in cases[:5]:
            print(f"  {name}: {case}")
    (var / "proof.json").write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(wrong.values()) or overlooked else 0


if __name__ == "__main__":
    sys.exit(main())
