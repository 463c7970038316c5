"""What every test may ask for: real services, real processes, a real browser. Factories live in tests/factories.py."""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from tests import chromium, services
from tests.processes import Process, Server, worker

_services = services.start()
_static = tempfile.TemporaryDirectory()
_files = tempfile.TemporaryDirectory()
os.environ.setdefault("STATIC_ROOT", _static.name)
os.environ["FILES_ROOT"] = _files.name  # child processes share it
# Here, not in pyproject.toml: the settings need the services' addresses. Once loaded, pytest-django sets Django up.
os.environ["DJANGO_SETTINGS_MODULE"] = "cpo.settings"
assert settings.INSTALLED_APPS

BROWSER_FLAGS = [
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each process of a run side by side load the settings itself, after it has taken a Redis of its own."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_unconfigure() -> None:
    """Leave the services; the last test run of the folder stops them."""
    _static.cleanup()
    _files.cleanup()
    if _services is not None:
        _services.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Give each test process a database of its own, so that runs side by side do not meet."""
    from django.db import connections

    connections["default"].settings_dict["TEST"] |= {
        "NAME": services.database_name(),
        "TEMPLATE": services.migrated_template(),
    }


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Before the database is dropped, end the connections that worker threads and killed processes left to it."""
    yield
    services.end_connections(services.database_name())


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Give the Redis database of this test process."""
    return os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def process_env(django_db_setup: None) -> dict[str, str]:
    """Give the environment that binds a child process to this run's database."""
    return {
        "DATABASE_URL": services.database_url(services.database_name()),
        "DATABASE_POOL_SIZE": "8",
        "INTEGRATIONS_ALLOW_PRIVATE_IPS": "1",
        "OCPP_HANDSHAKES_PER_MINUTE_IP": "1000",
        "LOG_JSON": "0",
    }


@pytest.fixture(scope="module")
def celery_worker_process(process_env: dict[str, str]) -> Iterator[Process]:
    """Run a real Celery worker; the test needs `transaction=True` for the worker to see its rows.

    It lives as long as the module: it would take part in the tests of others. What they queued is dropped first.
    """
    services.empty_redis()
    process = worker(process_env).start()
    yield process
    process.close()


@pytest.fixture(scope="module")
def live_server_process(process_env: dict[str, str]) -> Iterator[Server]:
    """Run a real uvicorn; the test needs `transaction=True` for the server to see its rows."""
    server = Server(process_env)
    server.start()
    yield server
    server.close()


@pytest.fixture(autouse=True, scope="session")
def thorough_flush() -> Iterator[None]:
    """Empty all tables between `transaction=True` tests, whatever a live process is doing."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    with pytest.MonkeyPatch.context() as patch:
        once = DatabaseOperations.execute_sql_flush
        patch.setattr(DatabaseOperations, "execute_sql_flush", services.flush_all(once))
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Run a real Chromium, one per module: its event loop would otherwise stop the asynchronous tests of the others."""
    from playwright.sync_api import sync_playwright

    binary = chromium.find()
    assert binary is not None, "no browser: run `python -m tests.chromium`"
    flags = [*BROWSER_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # playwright's loop lives in this thread; the ORM does not mind
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with chromium.killed_after(60 * 15):
            found = playwright.chromium.launch(executable_path=str(binary), args=flags, headless=True)
            yield found
        with chromium.killed_after(30):
            found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Give a fresh page in a context of its own. A browser that hangs is killed, and its test fails."""
    with chromium.killed_after(150):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(10_000)
        yield page
        context.close()
