"""Real PostgreSQL and Redis for a test run; a database and a Redis number of its own for each process."""

import fcntl
import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import redis
from django.db import OperationalError, transaction
from psycopg import sql

from cpo.lib.embedded import Services, start_services
from cpo.lib.embedded.secrets import load

ROOT = Path(__file__).resolve().parent.parent
VAR = "OPENCPO_TEST_VAR"  # set while the run uses the embedded services
_held: list[int] = []


def start() -> Services | None:
    """Put the services' addresses into the environment; None where the caller gave his own."""
    services = None
    if "DATABASE_URL" not in os.environ or "REDIS_URL" not in os.environ:
        services = start_services(Path(os.environ.get("TEST_VAR") or ROOT / "var" / "test"), durable=False)
        os.environ.setdefault("DATABASE_URL", services.database_url)
        os.environ.setdefault("REDIS_URL", services.redis_url)
        os.environ[VAR] = str(services.var)
        for name, value in load(services.var).items():
            os.environ.setdefault(name, value)
        drop_abandoned()
    if VAR in os.environ:
        os.environ["REDIS_URL"] = own_redis(Path(os.environ[VAR]), os.environ["REDIS_URL"])
    return services


def database_name() -> str:
    """Give the name of this process's test database; the start time tells a reused process number."""
    process = psutil.Process()
    return f"test_{process.pid}_{int(process.create_time())}"


def migrated_template() -> str | None:
    """Give a database with all migrations applied, which each process copies; None where we may make none.

    The first process that asks makes it; it stays for later runs until a migration changes.
    """
    if VAR not in os.environ:
        return None
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("*/migrations/*.py")):
        digest.update(path.read_bytes())
    name = f"migrated_{digest.hexdigest()[:16]}"
    with (Path(os.environ[VAR]) / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            rows = connection.execute(
                "select datname from pg_database where datname ~ '^migrated_'"
            ).fetchall()
            if (name,) in rows:
                return name
            for old in [*(row[0] for row in rows), f"half_{name}"]:
                connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(old)))
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(f"half_{name}")))
            env = os.environ | {"DATABASE_URL": database_url(f"half_{name}")}
            command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
            subprocess.run(command, cwd=ROOT, env=env, check=True)  # noqa: S603
            rename = sql.SQL("alter database {} rename to {}")
            connection.execute(rename.format(sql.Identifier(f"half_{name}"), sql.Identifier(name)))
    return name


def database_url(name: str) -> str:
    """Give DATABASE_URL for another database of the same server."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def own_redis(var: Path, url: str) -> str:
    """Give the URL of a Redis database that no other test process uses, emptied."""
    for number in range(1, 256):
        lock = os.open(var / f"redis-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _held.append(lock)
        ours = re.sub(r"db=\d+", f"db={number}", url)
        with redis.Redis.from_url(ours) as connection:
            connection.flushdb()
        return ours
    raise RuntimeError("255 test processes at once")


def empty_redis() -> None:
    """Drop what earlier tests queued in this process's own Redis database."""
    if VAR in os.environ:
        with redis.Redis.from_url(os.environ["REDIS_URL"]) as connection:
            connection.flushdb()


# Tables that Django does not manage. The kinds of readings stay: live processes remember their numbers.
BULK = ("stations_frame", "stations_metersample", "stations_transactionevent", "stations_deviceevent")
EVERY = 200  # flushes of which one truncates, where the others delete: dead rows would slow them down
TRIES = 6


def flush_all(flush: Callable[..., None]) -> Callable[..., None]:
    """Give Django's function that empties its tables, for our bulk tables too, and with more tries after a deadlock.

    To truncate a hundred tables takes longer than most tests: only those that hold rows are emptied.
    """
    count = itertools.count(1)

    def patiently(operations: Any, statements: list[str]) -> None:
        tables = [*dict.fromkeys([*re.findall(r'"(\w+)"', " ".join(statements)), *BULK])]

        def empty() -> None:
            if next(count) % EVERY == 0 or not _delete_rows(operations.connection, tables):
                flush(operations, [*statements, f"truncate {', '.join(BULK)}"])

        _after_deadlocks(empty)

    return patiently


def delete_rows(connection: Any, tables: Iterable[str]) -> None:
    """Empty tables that live processes may be writing to."""
    names = list(dict.fromkeys(tables))
    _after_deadlocks(lambda: _delete_rows(connection, names))


def _after_deadlocks(act: Callable[[], Any]) -> None:
    for left in reversed(range(TRIES)):
        try:
            act()
        except OperationalError as error:
            if not left or not isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
                raise
        else:
            return


def _delete_rows(connection: Any, tables: list[str]) -> bool:
    """Delete the rows of those that have some, after everybody else's commit; False where that is not allowed."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("select rolsuper from pg_roles where rolname = current_user")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(f"lock table {', '.join(tables)} in share row exclusive mode")
        has_rows = [f"select '{name}' where exists(select from {name})" for name in tables]
        cursor.execute(" union all ".join(has_rows))
        full = [name for (name,) in cursor.fetchall()]
        if full:
            deletions = "; ".join(f"delete from {name}" for name in full)
            cursor.execute(f"set local session_replication_role = replica; {deletions}")
    return True


def end_connections(database: str) -> None:
    """Disconnect everybody from a database."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database]
        )


def drop_abandoned() -> None:
    """Drop the databases of test processes that were killed."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        rows = connection.execute(
            r"select datname from pg_database where datname ~ '^test_\d+_\d+'"
        ).fetchall()
        for (name,) in rows:
            _, pid, started_at = name.split("_")[:3]
            if not _lives(int(pid), int(started_at)):
                drop = sql.SQL("drop database if exists {} with (force)")
                connection.execute(drop.format(sql.Identifier(name)))


def _lives(pid: int, started_at: int) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started_at) < 2
    except psutil.NoSuchProcess:
        return False
