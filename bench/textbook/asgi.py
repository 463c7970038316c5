"""The textbook's consumer. Served as `uvicorn bench.textbook.asgi:application`."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Any

import django
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.textbook.settings")
django.setup()

from ocpp.routing import on  # noqa: E402
from ocpp.v16 import ChargePoint, call_result  # noqa: E402
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus  # noqa: E402

from bench.textbook.models import Station  # noqa: E402
from bench.textbook.records import record  # noqa: E402

ACCEPTED = {"status": AuthorizationStatus.accepted}


def now() -> str:
    return datetime.now(UTC).isoformat()


class CentralSystem(ChargePoint):
    """The `ocpp` package's host with a handler for each message of the mix."""

    station_pk: int
    text = ""

    async def route_message(self, raw_msg: str) -> None:
        self.text = raw_msg
        await super().route_message(raw_msg)

    async def keep(self, action: Action, message_id: str, payload: dict[str, Any]) -> int | None:
        return await database_sync_to_async(record)(
            self.station_pk, message_id, action.value, self.text, payload
        )

    @on(Action.boot_notification)
    async def on_boot(self, call_unique_id: str, **payload: Any) -> call_result.BootNotification:
        await self.keep(Action.boot_notification, call_unique_id, payload)
        return call_result.BootNotification(now(), 300, RegistrationStatus.accepted)

    @on(Action.heartbeat)
    async def on_heartbeat(self, call_unique_id: str) -> call_result.Heartbeat:
        await self.keep(Action.heartbeat, call_unique_id, {})
        return call_result.Heartbeat(now())

    @on(Action.status_notification)
    async def on_status(self, call_unique_id: str, **payload: Any) -> call_result.StatusNotification:
        await self.keep(Action.status_notification, call_unique_id, payload)
        return call_result.StatusNotification()

    @on(Action.start_transaction)
    async def on_start(self, call_unique_id: str, **payload: Any) -> call_result.StartTransaction:
        transaction_id = await self.keep(Action.start_transaction, call_unique_id, payload)
        assert transaction_id is not None
        return call_result.StartTransaction(transaction_id, ACCEPTED)

    @on(Action.meter_values)
    async def on_meter_values(self, call_unique_id: str, **payload: Any) -> call_result.MeterValues:
        await self.keep(Action.meter_values, call_unique_id, payload)
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    async def on_stop(self, call_unique_id: str, **payload: Any) -> call_result.StopTransaction:
        await self.keep(Action.stop_transaction, call_unique_id, payload)
        return call_result.StopTransaction(ACCEPTED)


class Consumer(AsyncWebsocketConsumer):
    """Lends the socket to the ChargePoint: what `recv` and `send` are to the `websockets` package."""

    async def connect(self) -> None:
        identity = self.scope["path"].rpartition("/")[2]
        station, _ = await Station.objects.aget_or_create(identity=identity)
        self.inbox: asyncio.Queue[str] = asyncio.Queue()
        await self.accept("ocpp1.6")
        charge_point = CentralSystem(identity, Connection(self))
        charge_point.station_pk = station.pk
        self.reading = asyncio.create_task(charge_point.start())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.inbox.put(text_data or "")

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "reading"):
            self.reading.cancel()


class Connection:
    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer

    async def recv(self) -> str:
        return await self.consumer.inbox.get()

    async def send(self, text: str) -> None:
        await self.consumer.send(text)


application = ProtocolTypeRouter({"websocket": Consumer.as_asgi()})
