"""Servers of a story's own: with other settings than the one that most stories share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.processes import Server

QUICK = {
    "OCPP_CALL_TIMEOUT_S": "1",
    "OCPP_SETTLE_S": "0.3",
    "OCPP_BOOT_WAIT_S": "1",
    "OCPP_LOOK_EVERY_S": "0.2",
    "OCPP_TAKEOVER_PING_S": "0.5",
    "OCPP_READ_CONFIGURATION_AFTER_BOOT": "0",
}


@asynccontextmanager
async def serving(process_env: dict[str, str], **settings: str) -> AsyncIterator[Server]:
    """Serve with these settings until the block ends."""
    server = Server({**process_env, **QUICK, **settings})
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.close)
