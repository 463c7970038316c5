"""Short questions to servers over HTTP: bounded in time and size, no redirects, no proxy of the environment.

`GUARDED` is for addresses that somebody else chose; it opens no private address (`cpo.lib.guard`).
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import httpx

from cpo.lib import guard
from stations.services.errors import StationsError

LIMIT = 256 * 1024  # bytes of an answer that are read


class Unreachable(StationsError):
    """No answer that can be read; the text says why and may be shown."""


class Answer(NamedTuple):
    """What a server said."""

    status: int
    headers: httpx.Headers
    body: bytes


@cache
def GUARDED() -> httpx.Client:  # noqa: N802  (reads as the constant that it is)
    """Give the client for addresses that others chose."""
    return httpx.Client(transport=guard.GuardedTransport(), trust_env=False, follow_redirects=False)


def ask(
    client: Callable[[], httpx.Client],
    method: str,
    url: str,
    *,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float,
    limit: int = LIMIT,
) -> Answer:
    """Ask and return the answer of at most `limit` bytes, whatever its status; raise `Unreachable`."""
    try:
        with (
            guard.deadline(timeout_s),
            client().stream(method, url, content=content, headers=headers, timeout=timeout_s) as response,
        ):
            body = b""
            for part in response.iter_bytes():
                body += part
                if len(body) > limit:
                    raise Unreachable(f"it answered more than {limit} bytes")
            return Answer(response.status_code, response.headers, body)
    except (httpx.HTTPError, httpx.InvalidURL, guard.ForbiddenUrl, OSError, ValueError) as error:
        raise Unreachable(str(error)[:200] or type(error).__name__) from error
