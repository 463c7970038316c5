"""One charger's end of an OCPP-J 1.6 socket: calls out, calls in, and a log of every frame."""

import asyncio
import base64
import contextlib
import json
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cpo.simulator.answers import Payload, RawAnswer, Refusal, Silence

CALL, CALLRESULT, CALLERROR = 2, 3, 4


class CallFailed(Exception):
    """The central system answered with a CALLERROR."""

    def __init__(self, code: str, description: str = "", details: Any = None) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code, self.description, self.details = code, description, details


class Offline(ConnectionError):
    """There is no socket, or it broke before the answer came."""


class NoAnswer(TimeoutError):
    """The central system did not answer in time."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it stood on the wire. `direction` is "out" (charger to central system) or "in"."""

    direction: str
    text: str
    at: datetime
    monotonic_ns: int

    @property
    def message(self) -> Any:
        return json.loads(self.text, parse_float=Decimal)


class Wire:
    """A socket with OCPP-J framing. `serve(action, payload)` is asked for the answer to inbound calls."""

    def __init__(self, serve: Callable[[str, str, Payload], Awaitable[None]]) -> None:
        self.frames: list[Frame] = []
        self.online = asyncio.Event()
        self.offline = asyncio.Event()
        self.offline.set()
        self.subprotocol: str | None = None
        self.close_code: int | None = None
        self.unmatched: list[Any] = []
        self.keep_frames: int | None = None
        self._serve = serve
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._pending: dict[str, asyncio.Future[Payload]] = {}
        self._calling = asyncio.Lock()
        self._serving: set[asyncio.Task[None]] = set()

    async def open(
        self,
        url: str,
        *,
        password: str | None,
        username: str,
        subprotocols: tuple[str, ...],
        compression: str | None = "deflate",
        open_timeout_s: int = 10,
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Shake hands. Raises websockets' InvalidStatus when the server refuses."""
        headers = dict(headers or {})
        if password is not None:
            secret = base64.b64encode(f"{username}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {secret}"
        self._socket = await connect(
            url,
            ssl=tls,
            subprotocols=subprotocols or None,  # type: ignore[arg-type]
            additional_headers=headers,
            compression=compression,
            open_timeout=open_timeout_s,
            ping_interval=None,
            close_timeout=2,
            max_size=2**22,
            proxy=None,
        )
        self.subprotocol = self._socket.subprotocol
        self.close_code = None
        self.offline.clear()
        self.online.set()
        self._reader = asyncio.create_task(self._read(self._socket))

    async def close(self) -> None:
        """Say good-bye with close code 1000."""
        if self._socket is not None:
            await self._socket.close()
        await self._reader_ended()

    async def kill(self) -> None:
        """Drop the TCP connection without a word, as a lost radio link does."""
        if self._socket is not None:
            self._socket.transport.abort()
        await self._reader_ended()

    async def call(
        self, action: str, payload: Payload, timeout_s: float, message_id: str | None = None
    ) -> Payload:
        """Send a CALL and return the payload of its CALLRESULT.

        One call at a time (OCPP-J 1.6 section 4.1.1). Raises CallFailed, NoAnswer or Offline.
        """
        async with self._calling:
            message_id = message_id or str(uuid.uuid4())
            answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._pending[message_id] = answer
            try:
                await self.send_raw(dump([CALL, message_id, action, payload]))
                async with asyncio.timeout(timeout_s):
                    return await answer
            except TimeoutError as error:
                raise NoAnswer(f"{action} {message_id}") from error
            finally:
                self._pending.pop(message_id, None)

    async def send_raw(self, text: str | bytes) -> None:
        """Put this on the wire as it is. Raises Offline."""
        if self._socket is None or self.offline.is_set():
            raise Offline("no socket")
        self._log("out", text)
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise Offline(str(error)) from error

    async def answer(self, message_id: str, react: Awaitable[Payload]) -> None:
        """Send what `react` decides: a result, a CALLERROR, raw text or nothing."""
        try:
            frame = dump([CALLRESULT, message_id, await react])
        except Refusal as refusal:
            frame = dump([CALLERROR, message_id, refusal.code, refusal.description, refusal.details])
        except RawAnswer as raw:
            frame = raw.text.replace("{id}", message_id)
        except Silence:
            return
        await self.send_raw(frame)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._log("in", text)
                self._take(text)
        except ConnectionClosed:
            pass
        finally:
            self.close_code = socket.close_code
            self.online.clear()
            self.offline.set()
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(Offline(f"closed with {socket.close_code}"))

    def _take(self, text: str | bytes) -> None:
        try:
            kind, message_id, *rest = json.loads(text, parse_float=Decimal)
        except (ValueError, TypeError):
            self.unmatched.append(text)
            return
        if kind == CALL:
            task = asyncio.create_task(self._serve_quietly(message_id, rest[0], rest[1]))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
            return
        answer = self._pending.get(message_id)
        if answer is None or answer.done():
            self.unmatched.append([kind, message_id, *rest])
        elif kind == CALLRESULT:
            answer.set_result(rest[0])
        else:
            answer.set_exception(CallFailed(*rest[:3]))

    async def _serve_quietly(self, message_id: str, action: str, payload: Payload) -> None:
        with contextlib.suppress(Offline):
            await self._serve(message_id, action, payload)

    async def _reader_ended(self) -> None:
        if self._reader is not None and self._reader is not asyncio.current_task():
            await asyncio.wait([self._reader], timeout=5)
        self._socket = None

    def _log(self, direction: str, text: str | bytes) -> None:
        shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
        self.frames.append(Frame(direction, shown, datetime.now(UTC), time.monotonic_ns()))
        if self.keep_frames is not None:
            del self.frames[: -self.keep_frames]


def station_url(url: str, station_id: str) -> str:
    """The endpoint of one station: the base URL, a slash, the percent-encoded identity (OCPP-J 1.6 3.1.1)."""
    return f"{url.rstrip('/')}/{quote(station_id, safe='')}"


def dump(frame: Any) -> str:
    """Compact JSON; a decimal becomes a string, as sampled values are."""
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False, default=str)
