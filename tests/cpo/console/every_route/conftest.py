"""One network for all tests of a module: to build it takes longer than to ask for a page.

It lies in a transaction around those of the tests, each of which is rolled back to a savepoint.
"""

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def network_of_all(django_db_setup: None, django_db_blocker: Any) -> Iterator[SimpleNamespace]:
    """Build the network; it is gone after the module."""
    from django.db import connection, transaction

    from tests.cpo.console import network

    with django_db_blocker.unblock():
        with transaction.atomic():
            yield network.build()
            transaction.set_rollback(True)
        connection.close()


@pytest.fixture
def _django_db_helper(network_of_all: SimpleNamespace, django_db_blocker: Any) -> Iterator[None]:
    """Open the database for the test (takes the place of pytest-django's, which would close the connection)."""
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def found(network_of_all: SimpleNamespace, db: None) -> SimpleNamespace:
    """Give the network's rows, this test's own copies of them."""
    return copy.deepcopy(network_of_all)
