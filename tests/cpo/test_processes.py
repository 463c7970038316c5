"""The fixtures themselves: real processes on this run's own database, a real browser."""

import json
import urllib.request
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth import get_user_model
from django.db import connection

from tests.cpo.watching import wait_until
from tests.processes import Process, Server


@pytest.mark.django_db(transaction=True)
def test_the_server_works_on_the_database_of_the_test(live_server_process: Server) -> None:
    with urllib.request.urlopen(f"{live_server_process.http}/readyz") as answer:
        assert json.load(answer)["checks"]["database"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_the_worker_takes_tasks_from_the_redis_of_the_test(celery_worker_process: Process) -> None:
    current_app.send_task("stations.tasks.expire_commands")

    with current_app.connection_for_read() as connection:
        queue = connection.default_channel
        wait_until(lambda: queue._size("celery") == 0)
    replies = current_app.control.inspect(timeout=5).ping()
    assert [reply["ok"] for reply in (replies or {}).values()] == ["pong"]


@pytest.mark.django_db(transaction=True)
def test_a_killed_server_can_be_started_again(live_server_process: Server) -> None:
    first = live_server_process.pid
    live_server_process.kill()
    live_server_process.start()

    assert live_server_process.pid != first


@pytest.mark.django_db(transaction=True)
def test_a_browser_signs_in(live_server_process: Server, page: Any) -> None:
    get_user_model().objects.create_superuser("ada", password="correct horse battery")
    page.goto(live_server_process.http)
    page.fill("input[name=username]", "ada")
    page.fill("input[name=password]", "correct horse battery")
    page.click("button[type=submit]")

    page.wait_for_url(f"{live_server_process.http}/")


@pytest.mark.django_db
async def test_asynchronous_tests_run_after_browser_tests() -> None:
    assert await get_user_model().objects.acount() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_bulk_tables_are_empty_at_the_start_of_each_test(turn: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from stations_metersample")
        assert cursor.fetchone() == (0,)
        cursor.execute("insert into stations_metersample values (1, now(), 1, 1, 1)")
