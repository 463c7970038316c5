"""Plain psycopg connections to Django's database, for the two places that speak to it without Django."""

from typing import Any

from django.db import connections

# What Django adds for its own cursors.
_DJANGO_ONLY = ("cursor_factory", "context", "pool", "client_encoding", "prepare_threshold")


def parameters(application_name: str) -> dict[str, Any]:
    """Return the arguments of `psycopg.connect` for the default database (in tests: the test database)."""
    found: dict[str, Any] = dict(connections["default"].get_connection_params())
    for name in _DJANGO_ONLY:
        found.pop(name, None)
    return {**found, "application_name": application_name, "autocommit": True}
