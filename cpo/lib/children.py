"""Child processes that are kept alive: restarted with back-off, stopped in order, never left behind.

Honcho, the usual process manager, ends everything when one child ends; here a child that dies is started again. On
Linux the kernel ends the children when their parent is killed (PR_SET_PDEATHSIG), so nothing survives `kill -9`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LOG_MAX_BYTES = 10 * 1024 * 1024
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 30.0
STEADY_S = 60.0  # a child that ran this long starts again with the first back-off
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signal_number: int, parent: int) -> None:
    """Ask the kernel for this signal when the parent ends; end now if it has ended already."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


@dataclass(frozen=True)
class Recipe:
    """How to start and stop one process; `stop_s` is how long it may take to end, in seconds."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_s: float = 10.0
    user: tuple[int, int] | None = None  # uid and gid to become; None stays who we are
    log: Path | None = None  # None: the parent reads the output from a pipe
    prepare: Callable[[], None] | None = None  # runs before each start


class Child:
    """One process made from a recipe, now or after its next restart."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self._failures = 0
        self._started_at = self._due_at = 0.0

    def start(self) -> None:
        """Start it now; raises OSError if the program cannot be run."""
        if self.recipe.prepare:
            self.recipe.prepare()
        output = open_log(self.recipe.log, self.recipe.user) if self.recipe.log else subprocess.PIPE
        parent, on_death = os.getpid(), self.recipe.stop_signal
        uid, gid = self.recipe.user or (None, None)
        try:
            self.process = subprocess.Popen(
                list(self.recipe.command),
                env=dict(self.recipe.env),
                cwd=self.recipe.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=[] if uid is not None else None,
                preexec_fn=lambda: die_with_parent(on_death, parent),
            )
        finally:
            if output is not subprocess.PIPE:
                os.close(output)
        self._started_at = time.monotonic()

    def tend(self) -> str | None:
        """Restart it if it ended and its back-off is over; give a sentence when something happened."""
        now = time.monotonic()
        if self.process is None:
            return self._start_again() if now >= self._due_at else None
        if not self._ended():
            return None
        code = self._reap()
        self._failures = 0 if now - self._started_at > STEADY_S else self._failures
        wait_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**self._failures)
        self._failures += 1
        self._due_at = now + wait_s
        return f"{self.recipe.name} ended ({describe(code)}), starting again in {wait_s:g} s"

    def stop(self, meanwhile: Callable[[], None] = lambda: time.sleep(0.02)) -> None:
        """End it: the polite signal, then after `stop_s` the hard one; what it left behind too."""
        if self.process is None:
            return
        if not self._ended():
            self.process.send_signal(self.recipe.stop_signal)
        deadline = time.monotonic() + self.recipe.stop_s
        while not self._ended() and time.monotonic() < deadline:
            meanwhile()
        self._reap()

    def kill(self) -> None:
        """End it without asking; a `stop` that waits for it returns."""
        if self.process is not None and not self._ended():
            os.killpg(self.process.pid, signal.SIGKILL)

    def _start_again(self) -> str:
        self.restarts += 1
        try:
            self.start()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next try may succeed)
            wait_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**self._failures)
            self._failures, self._due_at = self._failures + 1, time.monotonic() + wait_s
            return f"{self.recipe.name} cannot start ({error}), trying again in {wait_s:g} s"
        return f"{self.recipe.name} started again"

    def _ended(self) -> bool:
        """Look without reaping: until it is reaped, its process group's number cannot belong to anybody else."""
        if self.process is None or self.process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _reap(self) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # gone, or (macOS) only the zombie is left
                self.process.kill()
        code = self.process.wait()
        self.process = None
        return code


def describe(code: int) -> str:
    """Say how a process ended: its exit code or the signal's name."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def open_log(path: Path, user: tuple[int, int] | None = None) -> int:
    """Open a log for appending, private; what is older than 10 MiB of it goes to `<name>.1`."""
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if user:
        os.fchown(log, *user)
    return log
