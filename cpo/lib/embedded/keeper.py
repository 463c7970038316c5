"""The process that keeps PostgreSQL and Redis of one folder alive for as long as somebody uses them.

Users hold a shared lock on `users.lock`; the kernel takes it from them even when they are killed. The keeper holds
`keeper.lock`; once it gets `users.lock` for itself, nobody is left and it stops the services. If the keeper itself
is killed, the services end with it and the next user starts another one.
"""

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import redis

from cpo.lib.children import Child
from cpo.lib.embedded import place, postgres, redis_server
from cpo.lib.embedded.place import Place
from cpo.lib.embedded.programs import postgres_bin
from cpo.lib.embedded.secrets import write_private

LOOK_S = 0.1
START_S = 90.0  # crash recovery of PostgreSQL included
NAMES = ("postgres", "redis")


def main(var: Path, names: tuple[str, ...], *, durable: bool) -> int:
    """Run the named services until nobody uses them; 0 as well if another keeper is at work."""
    lock = os.open(var / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _taken(lock, seconds=1):
        return 0
    state = var / "services.json"
    state.unlink(missing_ok=True)
    try:
        return _keep(var, state, names, durable=durable)
    except place.Unusable as error:
        print(error, flush=True)
        return 3


def _keep(var: Path, state: Path, names: tuple[str, ...], *, durable: bool) -> int:
    where = place.find(var)
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    recipes = {
        "redis": lambda: redis_server.recipe(where),
        "postgres": lambda: postgres.recipe(where, durable=durable),
    }
    children = [Child(recipes[name]()) for name in reversed(NAMES) if name in names]
    try:
        for child in children:
            child.start()
        _wait_ready(where, children)
        write_private(state, json.dumps(_description(where, names)))
        users = os.open(var / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while not stopping and not _lock(users):
            for child in children:
                _report(child.tend())
            time.sleep(LOOK_S)
    finally:
        state.unlink(missing_ok=True)
        for child in children:
            child.stop()
    return 0


def _description(where: Place, names: tuple[str, ...]) -> dict[str, str]:
    urls = {
        "postgres": ("database_url", postgres.url(where)),
        "redis": ("redis_url", redis_server.url(where)),
    }
    programs = {"programs": str(postgres_bin(where.account))} if "postgres" in names else {}
    return {"data": str(where.data), **programs, **dict(urls[name] for name in names)}


def _wait_ready(where: Place, children: list[Child]) -> None:
    for child in children:
        if child.recipe.name == "redis":
            _wait_for_redis(where, child)
        else:
            postgres.connect_when_up(where, START_S)


def _wait_for_redis(where: Place, child: Child) -> None:
    """Wait until it answers; data that it cannot read after three tries is set aside."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return redis_server.wait_ready(where)
        except redis.RedisError:
            if time.monotonic() > deadline:
                raise
        if child.process is None and child.restarts >= 2:
            redis_server.set_aside(where)
            child.restarts = 0
        _report(child.tend())
        time.sleep(0.02)


def _taken(lock: int, seconds: float) -> bool:
    """Get the lock for ourselves; users who look whether it is held hold it for an instant."""
    deadline = time.monotonic() + seconds
    while not _lock(lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _report(sentence: str | None) -> None:
    if sentence:
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}", flush=True)
        sys.stdout.flush()
