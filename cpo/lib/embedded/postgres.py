"""A private PostgreSQL: no TCP, one socket, and only we, root and its own account may connect (peer)."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from cpo.lib.children import Recipe, open_log
from cpo.lib.embedded.place import Place, Unusable, make_private
from cpo.lib.embedded.programs import POSTGRES_MAJOR, postgres_bin

ROLE = DATABASE = "opencpo"
PORT = 5432  # only part of the socket's name
STOP_S = 30.0  # seconds for a fast stop with its checkpoint
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}  # nothing of ours, least of all secrets

SCRATCH = """\
fsync = off
full_page_writes = off
deadlock_timeout = 100ms                # tests empty tables under live processes
"""
SETTINGS = """\
# Written at each start; settings of yours belong into local.conf beside this file.
listen_addresses = ''
port = {port}
unix_socket_directories = '{sockets}'
max_connections = 200
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
checkpoint_timeout = 15min
wal_compression = on
synchronous_commit = on
jit = off                               # short statements only; compiling costs more than it gives
max_parallel_workers_per_gather = 0     # small machines, small /dev/shm
random_page_cost = 1.1
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_min_error_statement = panic         # statements carry personal data
log_parameter_max_length = 0
log_checkpoints = off
cluster_name = 'opencpo'
include_if_exists 'local.conf'
"""


def url(place: Place, database: str = DATABASE) -> str:
    """Give the libpq URI."""
    return f"postgresql://{ROLE}@/{database}?host={quote(str(place.sockets))}&port={PORT}"


def recipe(place: Place, *, durable: bool) -> Recipe:
    """Give the way to run it; `durable` off risks the data when the machine (not the server) crashes."""
    programs = postgres_bin(place.account)

    def prepare() -> None:
        end_leftovers(place)
        _create(place, programs)
        _configure(place, durable=durable)

    return Recipe(
        name="postgres",
        command=[str(programs / "postgres"), "-D", str(place.postgres)],
        env=ENV,
        cwd=Path("/"),
        stop_signal=signal.SIGINT,
        stop_s=STOP_S,
        user=place.account.switch,
        log=place.log / "postgres.log",
        prepare=prepare,
    )


def wait_ready(place: Place) -> None:
    """Connect once and make the database if it is missing; raises psycopg.OperationalError while it starts."""
    with psycopg.connect(url(place, "postgres"), connect_timeout=2, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def end_leftovers(place: Place) -> None:
    """End what an earlier, killed run left: server processes of this very folder, stale lock files."""
    processes = _processes(place.postgres)
    for process in processes:
        _signal(process, signal.SIGINT)
    _, alive = psutil.wait_procs(processes, timeout=STOP_S if processes else 0)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5 if alive else 0)
    # Its number may meanwhile belong to another process of the same user; the server would then refuse to start.
    for name in (place.postgres / "postmaster.pid", place.sockets / f".s.PGSQL.{PORT}.lock"):
        name.unlink(missing_ok=True)


def _processes(pgdata: Path) -> list[psutil.Process]:
    """Find the server's processes by their working folder, which is PGDATA: no pid file to be misled by."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"].startswith("postgres") and process.cwd() == str(pgdata):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _create(place: Place, programs: Path) -> None:
    """Initialise PGDATA, complete or not at all."""
    if place.postgres.exists():
        made_by = (place.postgres / "PG_VERSION").read_text().strip()
        if made_by != POSTGRES_MAJOR:
            raise Unusable(
                f"{place.postgres} is of PostgreSQL {made_by}, not {POSTGRES_MAJOR}: see docs/operations.md"
            )
        return
    fresh = place.postgres.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    make_private(fresh, place.account)
    log = open_log(place.log / "initdb.log", place.account.switch)
    options = ["-D", str(fresh), "-U", ROLE, "-E", "UTF8", "--auth-local=peer", "--auth-host=reject"]
    collation = [
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]  # the same on every machine
    uid, gid = place.account.switch or (None, None)
    try:
        made = subprocess.run(
            [str(programs / "initdb"), *options, *collation],
            user=uid, group=gid, extra_groups=[] if uid is not None else None,
            env=ENV, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    finally:
        os.close(log)
    if made.returncode:
        raise Unusable(f"initdb failed, see {place.log / 'initdb.log'}")
    fresh.rename(place.postgres)


def _configure(place: Place, *, durable: bool) -> None:
    """Write the configuration; who may connect is told by the kernel, so there is no password to leak."""
    settings = SETTINGS.format(port=PORT, sockets=place.sockets) + ("" if durable else SCRATCH)
    names = dict.fromkeys(["root", place.account.name, pwd.getpwuid(os.geteuid()).pw_name])
    for name, text in {
        "postgresql.conf": settings,
        "pg_hba.conf": f"local all {ROLE} peer map={ROLE}\nlocal replication {ROLE} peer map={ROLE}\n",
        "pg_ident.conf": "".join(f'{ROLE} "{user}" {ROLE}\n' for user in names),
    }.items():
        file = place.postgres / name
        new = file.with_suffix(".new")
        new.write_text(text)
        if place.account.switch:
            os.chown(new, place.account.uid, place.account.gid)
        new.replace(file)


def connect_when_up(place: Place, seconds: float) -> None:
    """Wait until it takes connections; raises the last psycopg.OperationalError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return wait_ready(place)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
