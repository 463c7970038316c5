#!/usr/bin/env python
"""Django's command line for this project.

Where the environment names no database, the private services of the folder `VAR` (default `var`) are used, and started
for the time of the command if `make run` is not running.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

NEEDED = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_KEYS")
WITHOUT_SERVICES = {
    "price",
    "help",
    "version",
    "--help",
    "--version",
    "check",
    "spectacular",
    "collectstatic",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cpo.settings")
    from django.core.management import execute_from_command_line

    with surroundings(sys.argv[1] if len(sys.argv) > 1 else "help"):
        execute_from_command_line(sys.argv)


@contextlib.contextmanager
def surroundings(command: str) -> Iterator[None]:
    """Complete the environment with the private services and secrets of VAR, or with none where none are needed."""
    if all(name in os.environ for name in NEEDED):
        yield
        return
    if command in WITHOUT_SERVICES:
        offline = {"DATABASE_URL": "postgresql:///offline", "REDIS_URL": "redis://offline"}
        for name, value in {"SECRET_KEY": "offline", "FIELD_KEYS": "offline", **offline}.items():
            os.environ.setdefault(name, value)
        yield
        return
    from cpo.lib.embedded import secrets, start_services

    var = Path(os.environ.get("VAR", "var"))
    with start_services(var) as services:
        for name, value in secrets.load(services.var).items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("DATABASE_URL", services.database_url)
        os.environ.setdefault("REDIS_URL", services.redis_url)
        yield


if __name__ == "__main__":
    main()
