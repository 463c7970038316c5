"""What the tests of the embedded services ask the machine."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg

from cpo.lib.embedded import Services


def run_sql(services: Services, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def wait_until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def processes_of(var: Path) -> list[psutil.Process]:
    folders = {str(var / "postgres"), str(var / "redis")}
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        try:
            if process.cwd() in folders or str(var) in (process.info["cmdline"] or []):
                found.append(process)
        except psutil.Error:
            continue
    return found


def server(services: Services, name: str) -> psutil.Process:
    """Give the parent process of one server."""
    return next(p for p in processes_of(services.var) if p.name() == name and p.parent().name() != name)


def answers(services: Services) -> bool:
    try:
        return run_sql(services, "select 1") == [(1,)]
    except psycopg.OperationalError:
        return False
