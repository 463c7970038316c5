"""Databases of the bench's own on the server that `DATABASE_URL` names, and that server's CPU time."""

import os

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench import proc


def url_of(name: str) -> str:
    """The URL of another database on the same server, as libpq and Django's settings read it."""
    parts = {key: str(value) for key, value in conninfo_to_dict(os.environ["DATABASE_URL"]).items()}
    host, user, secret = parts.pop("host", ""), parts.pop("user", ""), parts.pop("password", "")
    parts.pop("dbname", None)
    query = "&".join(f"{key}={value}" for key, value in ({"host": host} | parts).items() if value)
    login = f"{user}:{secret}@" if secret else f"{user}@" if user else ""
    return f"postgresql://{login}/{name}?{query}"


def fresh(name: str) -> str:
    """Make an empty database of that name, dropping an old one. Returns its URL."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)')  # noqa: S608 - our own constant
        connection.execute(f'create database "{name}"')
    return url_of(name)


def drop(name: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)')


def counts(url: str, query: str) -> list[tuple[object, ...]]:
    """The rows of one query."""
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def postmaster() -> int | None:
    """The process id of the server, if it runs on this machine and under a name that we may read."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        try:
            return proc.parent(int(row[0]))
        except OSError:
            return None
