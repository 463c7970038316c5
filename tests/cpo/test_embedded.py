"""The private PostgreSQL and Redis, driven for real: start, share, kill, move aside."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from cpo.lib.embedded import Unusable, place, postgres, start_services
from cpo.lib.embedded.secrets import load
from tests.cpo.watching import answers, processes_of, run_sql, server, wait_until

AS_ROOT = os.geteuid() == 0


def test_it_keeps_rows_over_a_stop_and_leaves_no_process(var: Path) -> None:
    with start_services(var) as services:
        run_sql(services, "create table kept (n int); insert into kept values (7)")
    assert processes_of(var) == []

    with start_services(var) as services:
        assert run_sql(services, "select n from kept") == [(7,)]


def test_the_last_of_two_users_stops_the_services(var: Path) -> None:
    first = start_services(var)
    with start_services(var) as second:
        first.stop()

        assert first.database_url == second.database_url
        assert answers(second)
    assert processes_of(var) == []


@pytest.mark.parametrize("name", ["postgres", "redis-server"])
def test_a_killed_server_comes_back_at_the_same_address(var: Path, name: str) -> None:
    with start_services(var) as services:
        killed = server(services, name)
        killed.kill()
        killed.wait(5) if killed.is_running() else None

        wait_until(lambda: [p for p in processes_of(var) if p.name() == name and p.pid != killed.pid])
        wait_until(lambda: answers(services))
        wait_until(lambda: redis.Redis.from_url(services.redis_url, retry=None).ping())


def test_rows_survive_a_killed_postmaster_with_a_busy_backend(var: Path) -> None:
    with start_services(var) as services:
        busy = psycopg.connect(services.database_url, autocommit=True)
        run_sql(services, "create table kept (n int); insert into kept values (7)")
        busy.pgconn.send_query(b"select pg_sleep(60)")
        server(services, "postgres").kill()

        wait_until(lambda: answers(services))
        assert run_sql(services, "select n from kept") == [(7,)]
        busy.close()


def test_a_killed_keeper_takes_its_servers_along_and_the_next_user_starts_another(var: Path) -> None:
    with start_services(var) as services:
        keeper = next(p for p in processes_of(var) if "keep" in p.cmdline())
        keeper.kill()
        wait_until(services.keep)

        wait_until(lambda: answers(services))


def test_a_killed_user_leaves_no_services_behind(var: Path) -> None:
    command = ["-m", "cpo.lib.embedded", "exec", "--var", str(var), "--", "sleep", "60"]
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    user = subprocess.Popen([sys.executable, *command], env=env)
    wait_until(lambda: (var / "services.json").exists())
    user.kill()
    user.wait()

    wait_until(lambda: processes_of(var) == [])


def test_a_stale_pid_file_that_names_a_living_stranger_harms_neither(var: Path) -> None:
    with start_services(var):
        pass
    stranger = subprocess.Popen(["sleep", "60"], user=owner(var) if AS_ROOT else None)
    pid_file = var / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{var / 'postgres'}\n1\n5432\n\n\n\nready\n")

    with start_services(var) as services:
        assert answers(services)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def owner(var: Path) -> int:
    return (var / "postgres").stat().st_uid


def test_half_an_initdb_is_begun_anew(var: Path) -> None:
    (var / "postgres.new" / "base").mkdir(parents=True)
    var.chmod(0o755)

    with start_services(var) as services:
        assert answers(services)


def test_unreadable_redis_data_is_set_aside(var: Path) -> None:
    with start_services(var) as services:
        redis.Redis.from_url(services.redis_url).set("a", "b")
    for file in (var / "redis").rglob("*.aof"):
        file.write_bytes(b"this is no append-only file\n" * 10)

    with start_services(var) as services:
        assert redis.Redis.from_url(services.redis_url).ping()
    assert list(var.glob("redis.unreadable-*"))


def test_a_long_path_with_blanks_gets_its_sockets_elsewhere(var: Path) -> None:
    deep = var / ("ein langer Pfad " + "x" * 60) / ("y" * 60) / "Größe 5%"

    with start_services(deep) as services:
        assert answers(services)
        assert " " not in services.database_url
    shutil.rmtree((deep / "socket-location").read_text().strip())


def test_two_folders_run_side_by_side(var: Path) -> None:
    with start_services(var / "a") as a, start_services(var / "b") as b:
        run_sql(a, "create table only_here (n int)")

        assert run_sql(b, "select to_regclass('only_here')") == [(None,)]


def test_others_may_read_neither_data_nor_secrets(var: Path) -> None:
    with start_services(var):
        load(var)
    open_to_others = [
        path
        for path in (var / "postgres", var / "redis", var / "run", var / "log", var / "secrets.env")
        if stat.S_IMODE(path.stat().st_mode) & 0o007
    ]

    assert open_to_others == []


def test_secrets_are_made_once(var: Path) -> None:
    var.mkdir()

    first, second = load(var), load(var)

    assert first == second
    assert set(first) == {"SECRET_KEY", "FIELD_KEYS"}


def test_a_folder_of_another_version_is_refused_with_advice(var: Path) -> None:
    with start_services(var):
        pass
    (var / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(Unusable, match=r"is of PostgreSQL 16, not 18: see docs/operations\.md"):
        start_services(var)


def test_the_stop_of_postgres_is_the_fast_one(var: Path) -> None:
    with start_services(var) as services:
        where = place.find(services.var)

        assert postgres.recipe(where, durable=True).stop_signal is signal.SIGINT
