"""`make run` for real, start, lose each part, lose everything, start again, stop."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cpo.watching import processes_of, wait_until
from tests.processes import free_port
from tests.services import ROOT

OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_KEYS", "STATIC_ROOT")


class Run:
    """One start of `python -m cpo.run`, which is what `make run` executes."""

    def __init__(self, var: Path, port: int) -> None:
        self.var, self.port = var, port
        self.out = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        env = {name: value for name, value in os.environ.items() if name not in OURS}
        command = [sys.executable, "-m", "cpo.run", "--port", str(port), "--var", str(var)]
        self.manager = subprocess.Popen(command, cwd=ROOT, env=env, stdout=self.out, stderr=self.out)

    def said(self) -> str:
        self.out.seek(0)
        return self.out.read().decode()

    def wait_until_ready(self) -> "Run":
        wait_until(lambda: "OpenCPO is ready" in self.said() or self.manager.poll() is not None, 60)
        assert self.manager.poll() is None, self.said()
        return self

    def child(self, word: str) -> psutil.Process:
        children = psutil.Process(self.manager.pid).children()
        return next(child for child in children if word in child.cmdline())

    def ask(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        except OSError:
            found = {}
        return found

    def is_well(self) -> bool:
        return self.ask("/readyz").get("status") == "ok" and self.ask("/readyz")["checks"]["redis"] == "ok"

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.manager.send_signal(number)
        return self.manager.wait(60)


def started(var: Path) -> Iterator[Run]:
    run = Run(var, free_port()).wait_until_ready()
    yield run
    if run.manager.poll() is None:
        run.stop()
    run.out.close()


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Give a run that all tests of this file share; what they kill must come back."""
    with tempfile.TemporaryDirectory(prefix="opencpo-test-") as above:
        Path(above).chmod(0o755)
        yield from started(Path(above) / "var")


@pytest.fixture
def own_run(var: Path) -> Iterator[Run]:
    """Give a run that the test may end."""
    yield from started(var)


def processes_of_run(var: Path) -> list[psutil.Process]:
    found = processes_of(var)
    for process in psutil.process_iter():
        try:
            if process.environ().get("OPENCPO_RUN") == str(var):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.timeout(180)
def test_chargers_find_tls_with_a_certificate_of_our_own_authority(run: Run) -> None:
    port = int(run.said().partition("wss://127.0.0.1:")[2].partition("/")[0])
    trusting = ssl.create_default_context(cafile=str(run.var / "tls" / "roots.pem"))

    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() == "TLSv1.3"


@pytest.mark.timeout(180)
def test_whatever_is_killed_comes_back(run: Run) -> None:
    for word in ("cpo.serve", "worker", "beat"):
        killed = run.child(word)
        killed.kill()
        wait_until(lambda word=word, killed=killed: word in str([c.cmdline() for c in others(run, killed)]))
        wait_until(run.is_well)
    for name in ("postgres", "redis-server"):
        next(p for p in processes_of(run.var) if p.name() == name).kill()
        wait_until(run.is_well)
    next(p for p in processes_of(run.var) if "keep" in p.cmdline()).kill()
    wait_until(lambda: "lost their keeper" in run.said())
    wait_until(run.is_well)


def others(run: Run, killed: psutil.Process) -> list[psutil.Process]:
    return [c for c in psutil.Process(run.manager.pid).children() if c.pid != killed.pid]


@pytest.mark.timeout(180)
def test_after_everything_was_killed_it_starts_with_the_same_password_and_stops_cleanly(own_run: Run) -> None:
    sign_in = next(line for line in own_run.said().splitlines() if "sign in" in line)
    for process in [psutil.Process(own_run.manager.pid), *processes_of_run(own_run.var)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    own_run.manager.wait()

    again = Run(own_run.var, own_run.port).wait_until_ready()
    wait_until(again.is_well)
    assert sign_in in again.said()
    assert again.stop(signal.SIGINT) == 0
    assert processes_of_run(own_run.var) == []
    again.out.close()


@pytest.mark.timeout(180)
def test_nothing_outlives_a_killed_manager(own_run: Run) -> None:
    own_run.manager.kill()
    own_run.manager.wait()

    wait_until(lambda: processes_of_run(own_run.var) == [], seconds=45)


def test_a_second_start_of_the_folder_is_refused(run: Run) -> None:
    second = Run(run.var, free_port())

    assert second.manager.wait(30) == 3
    assert f"already running from {run.var}" in second.said()
    second.out.close()


def test_a_port_in_use_is_refused(run: Run, tmp_path: Path) -> None:
    second = Run(tmp_path / "var", run.port)

    assert second.manager.wait(30) == 3
    assert f"cannot listen on 127.0.0.1 port {run.port}" in second.said()
    second.out.close()


def test_livez_and_metrics_are_served(run: Run) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/metrics", timeout=5) as page:
        text = page.read().decode()

    assert "opencpo_metrics_shared 1.0" in text
    assert run.ask("/livez") == {"status": "ok"}


def test_the_password_is_kept_in_a_private_file(run: Run) -> None:
    file = run.var / "admin-password"

    assert file.stat().st_mode & 0o777 == 0o600
    assert f"admin / {file.read_text().strip()}" in run.said()
