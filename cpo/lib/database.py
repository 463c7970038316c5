"""Django's database without Django's cost: plain psycopg connections, and prepared statements on Django's own."""

from typing import Any

import psycopg
from django.db import connection, connections

# What Django adds for its own cursors.
_DJANGO_ONLY = ("cursor_factory", "context", "pool", "client_encoding", "prepare_threshold")


def parameters(application_name: str) -> dict[str, Any]:
    """Return the arguments of `psycopg.connect` for the default database (in tests: the test database)."""
    found: dict[str, Any] = dict(connections["default"].get_connection_params())
    for name in _DJANGO_ONLY:
        found.pop(name, None)
    return {**found, "application_name": application_name, "autocommit": True}


def prepared(sql: str, parameters_: list[Any]) -> list[tuple[Any, ...]]:
    """Execute constant SQL as a prepared statement on Django's connection, in its transaction; return the rows.

    For hot paths: the server plans once, and no query is compiled. Raises Django's database errors.
    """
    connection.ensure_connection()
    assert connection.connection is not None
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, parameters_, prepare=True)
        # cursor.description would build an object for each column
        return cursor.fetchall() if cursor.pgresult is not None and cursor.pgresult.nfields else []
