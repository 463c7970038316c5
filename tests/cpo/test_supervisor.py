"""Child processes: restarted, stopped in order, never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cpo.lib.children import Child, Recipe
from cpo.lib.supervisor import Supervisor

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
WITH_GRANDCHILD = (
    "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop()


def python(code: str, name: str = "child", **options: float) -> Recipe:
    return Recipe(name, [sys.executable, "-c", code], dict(os.environ), Path.cwd(), **options)  # type: ignore[arg-type]


def run_until(supervisor: Supervisor, true: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    supervisor.loop(until=lambda: bool(true()) or time.monotonic() > deadline)
    assert true()


def pid_of(child: Child) -> int:
    return child.process.pid if child.process else 0


def test_a_killed_child_is_started_again(supervisor: Supervisor) -> None:
    child = supervisor.add(python("import time; time.sleep(60)"))
    first = pid_of(child)
    os.kill(first, signal.SIGKILL)

    run_until(supervisor, lambda: pid_of(child) not in (0, first))


def test_the_wait_doubles_while_a_child_keeps_failing(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    child = supervisor.add(python("raise SystemExit(7)"))

    run_until(supervisor, lambda: child.restarts == 2)

    said = capsys.readouterr().out
    assert "ended (exit code 7), starting again in 0.5 s" in said
    assert "starting again in 1 s" in said


def test_output_carries_the_name_of_its_process(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor.add(
        python(
            "print('first', flush=True); print('no newline at the end', end=''); import time; time.sleep(60)",
            "web",
        )
    )
    said: list[str] = []

    run_until(supervisor, lambda: said.append(capsys.readouterr().out) or "web | first\n" in "".join(said))


def test_children_stop_in_the_given_order(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "order"
    code = "import atexit,signal,sys,time; print('up', flush=True); signal.signal(15, lambda *_: sys.exit());"
    for name in ("web", "worker", "chargers"):
        write = f"atexit.register(lambda: open({str(note)!r}, 'a').write('{name} '));"
        supervisor.add(python(code.replace("print", write + "print") + "time.sleep(60)", name))
    supervisor.settle(quiet_s=1, at_most_s=5)

    supervisor.stop(["chargers", "web", "worker"])

    assert note.read_text() == "chargers web worker "


def test_a_child_that_will_not_end_is_killed(supervisor: Supervisor) -> None:
    child = supervisor.add(python(STUBBORN, stop_s=0.5))
    supervisor.settle(quiet_s=0.5, at_most_s=3)
    process = psutil.Process(pid_of(child))

    supervisor.stop()

    assert not process.is_running()


def test_what_a_killed_child_had_started_ends_with_it(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    child = supervisor.add(python(WITH_GRANDCHILD))
    said: list[str] = []
    run_until(
        supervisor, lambda: said.append(capsys.readouterr().out) or any(c.isdigit() for c in "".join(said))
    )
    grandchild = psutil.Process(int("".join(said).split("|")[1]))

    os.kill(pid_of(child), signal.SIGKILL)

    run_until(supervisor, lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


def test_children_end_when_their_parent_is_killed() -> None:
    code = (
        "import os,sys; from pathlib import Path; from cpo.lib.children import Child, Recipe\n"
        "child = Child(Recipe('c', ['sleep', '60'], dict(os.environ), Path('/'))); child.start()\n"
        "print(child.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid = int(done.stdout)

    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
