"""What our server tells about a socket: is the peer alive, how often it is pinged, frames that never end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Opcode

from cpo import websocket

MASKED_HEARTBEAT = b"\x81\x86\x00\x00\x00\x00[2,"  # three octets of six


class Counting(ClientConnection):
    """A client that counts the pings it gets."""

    pings = 0

    def process_event(self, event: Any) -> None:
        self.pings += getattr(event, "opcode", None) is Opcode.PING
        super().process_event(event)


class Echo:
    """An application that sends back what it gets, and hands out its side of the sockets."""

    def __init__(self) -> None:
        self.sockets: list[websocket.SocketProtocol] = []
        self.ends: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.sockets.append(scope["extensions"][websocket.EXTENSION])
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        self.ends.append(message)


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Counting, websocket.SocketProtocol, Echo]]:
    """Give a client, the server's side of its socket, and the application."""
    echo = Echo()
    config = uvicorn.Config(
        echo, port=0, ws=websocket.SocketProtocol, lifespan="off", log_config=None, ws_ping_interval=0
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"ws://127.0.0.1:{port}/"
    async with connect(url, create_connection=Counting, ping_interval=None, close_timeout=0.5) as client:
        await client.send("hello")
        await client.recv()
        yield client, echo.sockets[0], echo  # type: ignore[misc]
    await server.shutdown()


async def test_a_peer_that_answers_a_ping_is_alive() -> None:
    async with talking() as (_, socket, _):
        assert await socket.is_alive(2)


async def test_a_peer_that_does_not_is_not() -> None:
    async with talking() as (client, socket, _):
        client.transport.pause_reading()
        assert not await socket.is_alive(0.2)


async def test_any_message_is_a_sign_of_life() -> None:
    async with talking() as (client, socket, _):
        question = asyncio.create_task(socket.is_alive(2, with_ping=False))
        await asyncio.sleep(0.05)
        await client.send("here I am")
        assert await question
        assert client.pings == 0


async def test_a_socket_is_pinged_as_often_as_it_is_told() -> None:
    async with talking() as (client, socket, _):
        socket.ping_every(0.1)
        await asyncio.sleep(0.45)
        counted = client.pings
        socket.ping_every(0)
        await asyncio.sleep(0.3)

        assert 2 <= counted <= 5
        assert client.pings <= counted + 1


async def test_a_peer_without_pongs_that_speaks_is_kept() -> None:
    async with talking() as (client, socket, _):
        client.protocol.send_pong = lambda data: None  # type: ignore[method-assign]
        socket.ping_every(0.15)
        for _ in range(12):
            await client.send("still here")
            await client.recv()
            await asyncio.sleep(0.05)


async def test_a_peer_without_any_sign_of_life_is_dropped() -> None:
    async with talking() as (client, socket, echo):
        client.transport.pause_reading()
        socket.ping_every(0.1)
        await asyncio.sleep(0.5)
        assert echo.ends == [{"type": "websocket.disconnect", "code": 1006, "reason": "no answer to a ping"}]


@pytest.mark.parametrize(
    "octets", [MASKED_HEARTBEAT, MASKED_HEARTBEAT[:6], MASKED_HEARTBEAT[:1], b"\x01\x80\0\0\0\0"]
)
async def test_f24_a_frame_that_never_ends_is_cut_off(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HALF_FRAME_S", 0.2)
    async with talking() as (client, _, echo):
        client.transport.write(octets)
        await asyncio.sleep(0.5)
        assert [end["reason"] for end in echo.ends] == ["a frame that never ended"]


async def test_f24_a_frame_in_two_parts_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HALF_FRAME_S", 0.2)
    async with talking() as (client, socket, _):
        client.transport.write(MASKED_HEARTBEAT)
        await asyncio.sleep(0.05)
        client.transport.write(b"3]]")
        assert await client.recv() == "[2,3]]"
        await asyncio.sleep(0.3)
        assert await socket.is_alive(1)
