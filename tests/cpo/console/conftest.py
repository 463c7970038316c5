"""People at the console, with a role and a scope."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

PASSWORD = "correct horse battery"


@pytest.fixture
def person(db: None) -> Callable[..., Client]:
    """Make a logged-in browser of a person; without a role he is the administrator of the whole network."""
    from django.contrib.auth import get_user_model

    from cpo.models import Membership

    def make(role: str = "", name: str = "", operators: Any = (), locations: Any = ()) -> Client:
        fields = {"password": "", "is_superuser": not role}
        user = get_user_model().objects.create(username=name or role or "ada", **fields)
        if role:
            grant = Membership.objects.create(user=user, role=role)
            grant.operators.set(operators)
            grant.locations.set(locations)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def ada(person: Callable[..., Client]) -> Client:
    """Give the administrator's browser."""
    return person()


@pytest.fixture
def bare(transactional_db: None) -> None:
    """Empty the tables that Django does not manage, for a real server to see."""
    from django.db import connection

    tables = ("frame", "metersample", "transactionevent", "deviceevent")
    with connection.cursor() as cursor:
        cursor.execute(f"truncate {', '.join(f'stations_{table}' for table in tables)}")


@pytest.fixture
def site(bare: None) -> SimpleNamespace:
    """Make the small network, for a real server to show."""
    from tests.cpo.console import network

    return network.build()


@pytest.fixture
def ada_at_the_browser(page: Any, live_server_process: Any, transactional_db: None) -> Any:
    """Give a real browser, logged in at a real server as the administrator."""
    from django.contrib.auth import get_user_model

    get_user_model().objects.create_superuser("ada", password=PASSWORD)
    page.goto(f"{live_server_process.http}/login/")
    page.fill("#id_username", "ada")
    page.fill("#id_password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(f"{live_server_process.http}/")
    return page
