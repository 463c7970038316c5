"""The queue of transaction messages: kept while offline, repeated in order until answered (1.6, 3.7)."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cpo.simulator.answers import Payload
from cpo.simulator.wire import CallFailed, NoAnswer, Offline, Wire

UNKNOWN_TRANSACTION = -1


@dataclass(eq=False)
class Record:
    """A transaction message on its way. `transaction` is the station's own name for the transaction."""

    action: str
    payload: Payload
    transaction: str
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent: int = 0
    errors: int = 0
    result: Payload | None = None
    error: CallFailed | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def remembered(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("action", "payload", "transaction", "message_id")}


class Outbox:
    """Delivers records one after the other; the first must be answered before the second is sent.

    `attempts` is the key TransactionMessageAttempts: how many CALLERRORs until a record is dropped; None is
    never. No answer at all is repeated for ever. With `same_ids` a repetition carries the same message id.
    """

    def __init__(self, wire: Wire, *, timeout_s: float, same_ids: bool, attempts: int | None) -> None:
        self.records: list[Record] = []
        self.answered: list[Record] = []
        self.dropped: list[Record] = []
        self.ids: dict[str, int] = {}
        self.open = asyncio.Event()
        self.timeout_s, self.same_ids, self.attempts = timeout_s, same_ids, attempts
        self.retry_interval_s = 1
        self.keep_answered: int | None = None
        self.on_change: Callable[[], None] = lambda: None
        self._wire = wire
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, action: str, payload: Payload, transaction: str) -> Record:
        """Queue a message; its transactionId is filled in when it is sent."""
        record = Record(action, payload, transaction)
        self.records.append(record)
        self._filled.set()
        self._empty.clear()
        self.on_change()
        return record

    async def settled(self, record: Record) -> bool:
        """Wait until the record is answered or dropped, or the socket is gone. True if it is settled."""
        waits = [asyncio.create_task(record.settled.wait()), asyncio.create_task(self._wire.offline.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return record.settled.is_set()

    async def drained(self, timeout_s: float = 30) -> None:
        """Wait until nothing is left. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            await self._empty.wait()

    async def deliver(self) -> None:
        """Send what is queued, for ever."""
        while True:
            await self._filled.wait()
            await self._wire.online.wait()
            await self.open.wait()
            await self._send(self.records[0])

    async def _send(self, record: Record) -> None:
        if record.sent and not self.same_ids:
            record.message_id = str(uuid.uuid4())
        record.sent += 1
        try:
            result = await self._wire.call(
                record.action, self._filled_in(record), self.timeout_s, record.message_id
            )
        except (Offline, NoAnswer):
            await asyncio.sleep(0.05)
            return
        except CallFailed as error:
            await self._failed(record, error)
            return
        if record.action == "StartTransaction":
            self.ids[record.transaction] = result["transactionId"]
        self._settle(record, self.answered, result=result)
        if self.keep_answered is not None:
            del self.answered[: -self.keep_answered]

    async def _failed(self, record: Record, error: CallFailed) -> None:
        record.errors += 1
        if self.attempts is not None and record.errors >= self.attempts:
            self._settle(record, self.dropped, error=error)
            return
        await asyncio.sleep(self.retry_interval_s * record.errors)

    def _filled_in(self, record: Record) -> Payload:
        if record.action == "StartTransaction":
            return record.payload
        return record.payload | {"transactionId": self.ids.get(record.transaction, UNKNOWN_TRANSACTION)}

    def _settle(
        self,
        record: Record,
        shelf: list[Record],
        result: Payload | None = None,
        error: CallFailed | None = None,
    ) -> None:
        self.records.remove(record)
        shelf.append(record)
        record.result, record.error = result, error
        record.settled.set()
        if not self.records:
            self._filled.clear()
            self._empty.set()
        self.on_change()
