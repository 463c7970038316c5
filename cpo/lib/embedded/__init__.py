"""The project's own PostgreSQL and Redis, for `make run`, `make test` and `make bench`.

`start_services(var)` gives both under that folder, shared with whoever uses the same folder at the same time; the
last user's leaving stops them. Same SQL and same broker as in production: only where they run differs.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import redis

from cpo.lib.children import open_log
from cpo.lib.embedded import redis_server
from cpo.lib.embedded.place import Unusable, make_var

__all__ = ["Services", "Unusable", "start_services"]
START_S = 120.0
STOP_S = 60.0
BOTH = ("postgres", "redis")
ROOT = Path(__file__).resolve().parents[3]


class Services:
    """A use of the private services; leaving the `with` block, or `stop()`, ends the use."""

    def __init__(self, var: Path, names: tuple[str, ...] = BOTH, *, durable: bool = True) -> None:
        self.var = make_var(var)
        self.names, self.durable = names, durable
        self.database_url = self.redis_url = self.programs = self.data = ""
        self._users = os.open(self.var / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._keeper: subprocess.Popen[bytes] | None = None
        deadline = time.monotonic() + START_S
        try:
            self._share(deadline)
            while names and not self._ready():
                self._start_keeper_if_none()
                if time.monotonic() > deadline:
                    raise Unusable(f"the services did not start in {START_S:g} s, see {self.var / 'log'}")
                time.sleep(0.05)
        except BaseException:
            os.close(self._users)
            raise

    def keep(self) -> bool:
        """Start a new keeper if the present one was killed; tell whether that was needed."""
        return self._start_keeper_if_none()

    def stop(self) -> None:
        """End the use; if it was the last one, wait until the services have stopped."""
        if self._users < 0:
            return
        os.close(self._users)
        self._users = -1
        state, give_up = self.var / "services.json", time.monotonic() + 1.0
        while state.exists() and self._keeper_lives() and time.monotonic() < give_up:
            time.sleep(0.02)
        deadline = time.monotonic() + STOP_S
        while not state.exists() and self._keeper_lives() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def _share(self, deadline: float) -> None:
        """Count as a user; while a keeper is stopping the services this waits until it has ended."""
        while True:
            try:
                return fcntl.flock(self._users, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unusable(
                        f"the services in {self.var} do not stop, see {self.var / 'log'}"
                    ) from None
                time.sleep(0.02)

    def _let_go(self) -> None:
        """Reap the keeper, or leave it to the users who stay: whoever started it need not see its end."""
        if self._keeper is None:
            return
        if self._keeper_lives():
            self._keeper.returncode = 0
        else:
            self._keeper.wait()
        self._keeper = None

    def _keeper_lives(self) -> bool:
        """Look whether somebody holds the keeper's lock."""
        lock = os.open(self.var / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _start_keeper_if_none(self) -> bool:
        if self._keeper is not None and (self._keeper.poll() or 0) > 0:  # killed (< 0) is no refusal
            raise Unusable(_last_line(self.var / "log" / "keeper.log"))
        if self._keeper_lives() or (self._keeper is not None and self._keeper.poll() is None):
            return False
        command = [sys.executable, "-m", "cpo.lib.embedded", "keep", "--var", str(self.var)]
        command += [f"--only={','.join(self.names)}", *([] if self.durable else ["--scratch"])]
        log = open_log(self.var / "log" / "keeper.log")
        try:
            self._keeper = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        finally:
            os.close(log)
        return True

    def _ready(self) -> bool:
        """Read where the services are and ask each of them."""
        try:
            state = json.loads((self.var / "services.json").read_text())
        except FileNotFoundError:
            return False
        self.data, self.programs = state["data"], state.get("programs", "")
        self.database_url, self.redis_url = state.get("database_url", ""), state.get("redis_url", "")
        if ("postgres" in self.names and not self.database_url) or (
            "redis" in self.names and not self.redis_url
        ):
            raise Unusable(f"somebody else runs only {sorted(state)} in {self.var}: choose another folder")
        return answers(self.database_url, self.redis_url)


def answers(database_url: str, redis_url: str) -> bool:
    """Tell whether the servers that are named answer now."""
    try:
        if database_url:
            psycopg.connect(database_url, connect_timeout=3).close()
        if redis_url:
            redis_server.ask(redis_url, timeout_s=3)
    except (psycopg.OperationalError, redis.RedisError):
        return False
    return True


def start_services(var: Path, names: tuple[str, ...] = BOTH, *, durable: bool = True) -> Services:
    """Give running services under `var`, as a context manager; raises Unusable with advice.

    `durable=False` is for tests: PostgreSQL then does not wait for the disk, so a crash of the machine (not of the
    server) may cost the data.
    """
    return Services(var, names, durable=durable)


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines() if file.exists() else []
    return lines[-1] if lines else f"the services cannot start, see {file.parent}"
