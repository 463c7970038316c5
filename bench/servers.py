"""The three servers under the same load: floor, textbook and product, each one process of our server."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench import databases

ROOT = Path(__file__).resolve().parent.parent
READY_S = 60
SERVE = ["-m", "cpo.serve"]
PASSWORD = "bench-secret-0123456789"


@dataclass(frozen=True)
class Kind:
    """How one kind of server is prepared and served."""

    name: str
    application: str
    database: str | None = None
    settings: str | None = None
    prepare: tuple[tuple[str, ...], ...] = ()


FLOOR = Kind("floor", "bench.floor:application")
TEXTBOOK = Kind(
    "textbook",
    "bench.textbook.asgi:application",
    "opencpo_bench_textbook",
    "bench.textbook.settings",
    (("-m", "django", "migrate", "--run-syncdb", "--verbosity=0"),),
)
PRODUCT = Kind(
    "product",
    "cpo.asgi:application",
    "opencpo_bench",
    "cpo.settings",
    (("manage.py", "migrate", "--verbosity=0"),),
)


@dataclass(frozen=True)
class Server:
    """A running server."""

    kind: Kind
    pid: int
    port: int
    database_url: str

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Unavailable(Exception):
    """This figure cannot be measured here; the text says why."""


def environment(kind: Kind) -> dict[str, str]:
    """What the processes of that kind see; secrets are made up where the caller has none."""
    env = dict(os.environ)
    env["PYTHONPATH"] = str(ROOT)
    env.setdefault("SECRET_KEY", "bench" * 10)
    env.setdefault("FIELD_KEYS", "YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE=")
    env.setdefault("LOG_LEVEL", "WARNING")
    # Simulated chargers send as fast as they are answered, and what nobody asks for would blur the figures.
    env.setdefault("OCPP_MESSAGES_PER_S", "100000")
    env.setdefault("OCPP_VERSIONS", "1.6,2.0.1,2.1")
    env.setdefault("OCPP_READ_CONFIGURATION_AFTER_BOOT", "0")
    env.setdefault("OCPP_SETTLE_S", "0")
    if kind.settings:
        env["DJANGO_SETTINGS_MODULE"] = kind.settings
    if kind.database:
        env["DATABASE_URL"] = databases.url_of(kind.database)
    return env


def run(kind: Kind, *command: str) -> str:
    """Run a Python command in the environment of that kind. Returns its output; raises Unavailable."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment(kind),
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {(done.stderr.strip() or done.stdout.strip())[-400:]}")
    return done.stdout


def prepare(kind: Kind) -> None:
    """Give the kind an empty, migrated database. Raises Unavailable."""
    if kind.database:
        databases.fresh(kind.database)
    for command in kind.prepare:
        run(kind, *command)


@contextmanager
def serving(kind: Kind, log: Path, *, deflate: bool = True) -> Iterator[Server]:
    """Serve it with one process until the block ends. Raises Unavailable if it does not come up."""
    port = free_port()
    process = start(kind, log, port, *([] if deflate else ["--no-deflate"]))
    try:
        wait_ready(process, port, log)
        yield Server(kind, process.pid, port, environment(kind).get("DATABASE_URL", ""))
    finally:
        stop(process)


def start(kind: Kind, log: Path, port: int, *options: str) -> "subprocess.Popen[bytes]":
    """Start one server process of that kind on a port, not yet ready."""
    command = [
        sys.executable,
        *SERVE,
        "--application",
        kind.application,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        *options,
    ]
    return spawn(kind, log, command, PORT=str(port), PUBLIC_URL=f"http://127.0.0.1:{port}")


def start_worker(kind: Kind, log: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Start one Celery worker of the product in a process group of its own."""
    command = [sys.executable, "-m", "celery", "-A", "cpo", "worker", "--concurrency=2", "--without-gossip"]
    return spawn(kind, log, [*command, "--without-mingle", "--loglevel=WARNING", *options])


def spawn(kind: Kind, log: Path, command: list[str], **extra: str) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(kind) | extra,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Politely, then not."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL for the process that we started and its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"server ended with {process.returncode}: {log.read_text()[-400:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise Unavailable(f"no server after {READY_S} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
