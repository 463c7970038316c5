"""What stories are told with: questions to the database from inside an event loop, credentials."""

import asyncio
import base64
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
PASSWORD = "correct-horse-battery"


async def rows(function: Callable[[], T]) -> T:
    """Ask the database from inside a story, in a thread that leaves no connection behind."""

    def ask() -> T:
        try:
            return function()
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


async def eventually(function: Callable[[], T], *, within_s: float = 10) -> T:
    """Ask the database until the answer is true, and return it."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not (found := await rows(function)):
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(0.05)
    return found


def basic(name: str, password: str) -> dict[str, str]:
    """Give the header of HTTP Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
