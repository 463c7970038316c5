"""A private Redis: no TCP, one socket in a private folder, everything appended to a file."""

import signal
import time
from pathlib import Path

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cpo.lib.children import Recipe
from cpo.lib.embedded.place import Place, make_private
from cpo.lib.embedded.postgres import ENV
from cpo.lib.embedded.programs import redis_server

STOP_S = 10.0
SETTINGS = """\
port 0
unixsocket "{socket}"
unixsocketperm 770
dir "{data}"
databases 256
appendonly yes
appendfsync everysec
save 3600 1
maxmemory-policy noeviction
daemonize no
"""


def socket_of(place: Place) -> Path:
    """Give the path of its socket."""
    return place.sockets / "redis.sock"


def url(place: Place, number: int = 0) -> str:
    """Give the URL of one of its numbered databases."""
    return f"unix://{socket_of(place)}?db={number}"


def recipe(place: Place) -> Recipe:
    """Give the way to run it."""
    program = redis_server(place.account)
    return Recipe(
        name="redis",
        command=[str(program), str(place.redis / "redis.conf")],
        env=ENV,
        cwd=Path("/"),
        stop_s=STOP_S,
        user=place.account.switch,
        log=place.log / "redis.log",
        prepare=lambda: _prepare(place),
    )


def wait_ready(place: Place) -> None:
    """Ask it once; raises redis.RedisError while it starts."""
    ask(url(place), timeout_s=2)


def ask(address: str, *, timeout_s: float) -> None:
    """Ping once, without the client's own patience of several tries; raises redis.RedisError."""
    once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(
        address, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=once
    ) as connection:
        connection.ping()


def set_aside(place: Place) -> None:
    """Move unreadable data away: nothing that matters lives only in Redis."""
    place.redis.rename(place.redis.with_name(f"redis.unreadable-{int(time.time())}"))
    make_private(place.redis, place.account)


def _prepare(place: Place) -> None:
    leftovers = [process for process in psutil.process_iter(["name"]) if _is_ours(process, place.redis)]
    for process in leftovers:
        process.terminate()
    _, alive = psutil.wait_procs(leftovers, timeout=STOP_S if leftovers else 0)
    for process in alive:
        process.send_signal(signal.SIGKILL)
    file = place.redis / "redis.conf"
    file.write_text(SETTINGS.format(socket=_quoted(socket_of(place)), data=_quoted(place.redis)))
    file.chmod(0o644)  # in a folder that only its account enters


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _is_ours(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.info["name"].startswith("redis-server") and process.cwd() == str(folder)
    except psutil.Error:
        return False
