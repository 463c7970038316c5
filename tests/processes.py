"""Real processes for stories: the web server and the Celery worker, on the test run's own database."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress

from tests.services import ROOT

START_S = 30
WORKER = [
    "-m",
    "celery",
    "-A",
    "cpo",
    "worker",
    "--concurrency=2",
    "--loglevel=INFO",
    "--without-gossip",
    "--without-mingle",
]
SERVER = ["-m", "cpo.serve", "--stop-s", "5"]


class Process:
    """A child of the test run that can be stopped, killed and started again; its output is in `output()`."""

    def __init__(self, arguments: list[str], env: dict[str, str], ready: Callable[["Process"], bool]) -> None:
        self.command = [sys.executable, *arguments]
        self.env = {**os.environ, **env}
        self._is_ready = ready
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115  (closed by close)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Give the process number while it runs."""
        assert self._child is not None, "not running"
        return self._child.pid

    def start(self) -> "Process":
        """Start it and wait until it is ready; raises AssertionError with its output."""
        self._log.truncate(0)
        self._child = subprocess.Popen(
            self.command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not self._is_ready(self):
            assert self._child.poll() is None, f"ended with {self._child.returncode}:\n{self.output()}"
            assert time.monotonic() < deadline, f"not ready after {START_S} s:\n{self.output()}"
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        if self._child is not None:
            _signal_group(self._child.pid, signal.SIGKILL)
            self._child.wait()
            self._child = None

    def stop(self) -> None:
        """End it politely."""
        if self._child is not None:
            self._child.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout=10)
            self.kill()

    def close(self) -> None:
        """End it for good; its output is gone."""
        self.stop()
        self._log.close()

    def output(self) -> str:
        """Give what it has printed since its start."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


class Server(Process):
    """The product's server on a free port of loopback: `http` and `ws` are its base URLs."""

    def __init__(self, env: dict[str, str], port: int | None = None) -> None:
        self.port = port or free_port()
        self.http, self.ws = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        arguments = [*SERVER, "--host", "127.0.0.1", "--port", str(self.port)]
        super().__init__(arguments, {"PUBLIC_URL": self.http, **env}, _answers)


def worker(env: dict[str, str]) -> Process:
    """Give a Celery worker, not yet started."""
    return Process(WORKER, env, lambda process: " ready." in process.output())


def free_port() -> int:
    """Give a TCP port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(process: Process) -> bool:
    assert isinstance(process, Server)
    try:
        with urllib.request.urlopen(f"{process.http}/livez", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
