"""What roaming tests share: the platform on a real socket, and partners that register at it for real.

The server's threads must see committed rows. Emptying the tables by DELETE with triggers off takes milliseconds, where
Django's flush takes a second a test.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache

from tests import services
from tests.emsp import Partner

KEPT = ("django_content_type", "auth_permission", "stations_readingkind")


@pytest.fixture(scope="session")
def http_server(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """Serve the project in threads of this process, once for all tests."""
    from pytest_django.live_server_helper import LiveServer

    with django_db_blocker.unblock():
        server = LiveServer("127.0.0.1")
        yield str(server.url)
        server.stop()
        end_other_sessions()


@pytest.fixture
def _django_db_helper(request: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Open the database for the test (takes the place of pytest-django's, which is slow after threads)."""
    from django.db import connection, transaction

    with django_db_blocker.unblock():
        if "transactional_db" in request.fixturenames:
            yield
            empty_tables()
        else:
            with transaction.atomic():
                yield
                transaction.set_rollback(True)
        connection.close()


@pytest.fixture
def platform(http_server: str, transactional_db: None, settings: Any) -> str:
    """Give the base URL of a platform with one operator, NL*OPN."""
    from tests import factories

    settings.PUBLIC_URL = http_server
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    settings.OCPI_TIMEOUT_S = 2
    cache.clear()
    factories.operator()
    return http_server


@pytest.fixture
def partners() -> Iterator[Callable[..., Partner]]:
    """Start partners; they are stopped after the test."""
    from roaming import client

    started: list[Partner] = []

    def start(party_id: str = "ABC", **options: Any) -> Partner:
        started.append(Partner(party_id=party_id, name=f"eMSP {party_id}", **options).start())
        return started[-1]

    yield start
    for partner in started:
        partner.stop()
    client.close()


@pytest.fixture
def partner(platform: str, partners: Callable[..., Partner]) -> Partner:
    """Register partner NL*ABC at the platform."""
    from tests.roaming.platform import register

    return register(platform, partners())


def end_other_sessions() -> None:
    """End what threads left open, so that the database can be dropped."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    connection.close()


def empty_tables() -> None:
    """Delete all rows of all models, immutable ones too."""
    from django.apps import apps
    from django.db import connection

    found = [model._meta.db_table for model in apps.get_models() if model._meta.db_table not in KEPT]
    services.delete_rows(connection, found)
