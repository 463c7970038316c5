"""A simulated station without a driver: its socket, its messages, its hardware and its queue."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from cpo.simulator import (
    answers,
    configuration,
    files,
    local_list,
    security,
    security_profiles,
    smart_charging,
)
from cpo.simulator.answers import Answer, Payload
from cpo.simulator.clock import StoryClock, WallClock
from cpo.simulator.outbox import Outbox
from cpo.simulator.outlet import Outlet
from cpo.simulator.reactions import REACTIONS, not_implemented
from cpo.simulator.reservations import Held
from cpo.simulator.smart_charging import Lying
from cpo.simulator.transaction import Transaction, timestamp
from cpo.simulator.wire import CallFailed, Frame, NoAnswer, Offline, Wire, station_url

SUBPROTOCOL = "ocpp1.6"
GONE = (Offline, NoAnswer)


class Station:
    """One station with `connectors` outlets of `power_w`. Times in s, energy in Wh, power in W."""

    def __init__(
        self,
        url: str,
        station_id: str,
        password: str | None = None,
        subprotocols: tuple[str, ...] = (SUBPROTOCOL,),
        *,
        connectors: int = 1,
        power_w: int = 11_000,
        is_dc: bool = False,
        vendor: str = "OpenCPO",
        model: str = "Simulated AC",
        firmware: str = "1.0.0",
        clock: WallClock | StoryClock | None = None,
        meter_interval_s: int = 60,
        call_timeout_s: float = 30,
        same_message_ids: bool = True,
        attempts: int | None = None,
        compression: str | None = "deflate",
    ) -> None:
        self.url, self.station_id, self.password = url, station_id, password
        self.subprotocols, self.compression = subprotocols, compression
        self.vendor, self.model, self.firmware = vendor, model, firmware
        self.clock = clock or WallClock()
        self.call_timeout_s = call_timeout_s
        self.reboot_s = 1
        self.configuration = configuration.core_keys(connectors=connectors, meter_interval_s=meter_interval_s)
        self.configuration |= smart_charging.keys()
        self.configuration |= security.keys()
        self.configuration |= security_profiles.keys(has_password=password is not None)
        self.secure_url: str | None = None  # where the central system speaks TLS
        self.configuration |= local_list.keys(self.configuration)
        self.outlets = {
            n: Outlet(n, max_power_w=power_w, is_dc=is_dc, voltage_v=400 if is_dc else 230)
            for n in range(1, connectors + 1)
        }
        self.reactions: dict[str, answers.Reaction] = dict(REACTIONS)
        self.files = files.Habits()
        self.vault = security.Vault()
        self.running: dict[int, Transaction] = {}
        self.known_tags: dict[str, str] = {}
        self.groups: dict[str, str] = {}  # token -> parentIdTag
        self.reservations: dict[int, Held] = {}
        self.local_list = local_list.LocalList()
        self.profiles: list[Lying] = []
        self.failures: list[tuple[str, BaseException]] = []
        self.heartbeat_interval_s = 300
        self.wire = Wire(self._serve)
        self.outbox = Outbox(
            self.wire, timeout_s=call_timeout_s, same_ids=same_message_ids, attempts=attempts
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._delivering: asyncio.Task[None] | None = None

    # --- the socket

    @property
    def frames(self) -> list[Frame]:
        """Every frame in both directions, oldest first."""
        return self.wire.frames

    @property
    def online(self) -> bool:
        return self.wire.online.is_set()

    async def connect(self, **options: Any) -> None:
        """Open the socket and let queued messages go. Raises websockets' InvalidStatus when refused."""
        await self._open(**options)
        self.outbox.open.set()

    async def close(self) -> None:
        """Close the socket politely and end everything that this charger was doing."""
        await self._end_tasks()
        await self.wire.close()

    async def kill(self) -> None:
        """Break the connection without a close frame; the station itself goes on, offline."""
        await self.wire.kill()

    async def call(
        self,
        action: str,
        payload: Payload | None = None,
        timeout_s: float | None = None,
        message_id: str | None = None,
    ) -> Payload:
        """Send any CALL. Returns the result; raises CallFailed(code), NoAnswer or Offline."""
        return await self.wire.call(action, payload or {}, timeout_s or self.call_timeout_s, message_id)

    async def send_raw(self, text: str | bytes) -> None:
        await self.wire.send_raw(text)

    async def come_up(self) -> None:
        """Connect, boot until accepted, report every connector, then let queued messages go."""
        self.outbox.open.clear()
        await self._open()
        answer = await self.boot()
        while answer["status"] != "Accepted":
            await asyncio.sleep(max(1, answer["interval"]))
            answer = await self.boot()
        self.outbox.open.set()
        await self.report_status()

    async def stay_online(self, *, first_delay_s: int = 1, longest_delay_s: int = 30) -> None:
        """Connect again whenever the connection is gone, with doubling delays; send heartbeats. For ever."""
        delay_s = first_delay_s
        while True:
            try:
                await self.come_up()
                delay_s = first_delay_s
                await self._beat_until_offline()
            except (OSError, TimeoutError, CallFailed) as error:
                self._note("connect", error)
            except Exception as error:  # noqa: BLE001 - websockets raises many kinds while shaking hands
                self._note("connect", error)
            await self.kill()
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, longest_delay_s)

    # --- messages to the central system

    async def boot(self) -> Payload:
        """BootNotification; takes over the heartbeat interval of the answer."""
        answer = await self.call(
            "BootNotification",
            {
                "chargePointVendor": self.vendor,
                "chargePointModel": self.model,
                "chargePointSerialNumber": self.station_id[:25],
                "firmwareVersion": self.firmware,
            },
        )
        if answer["status"] == "Accepted" and answer["interval"] > 0:
            self.heartbeat_interval_s = answer["interval"]
            self.configuration["HeartbeatInterval"].value = str(answer["interval"])
        return answer

    async def heartbeat(self) -> Payload:
        return await self.call("Heartbeat")

    async def authorize(self, id_tag: str) -> str:
        """Ask whether this token may charge. Returns the AuthorizationStatus."""
        answer = await self.call("Authorize", {"idTag": id_tag})
        status = str(answer["idTagInfo"]["status"])
        self.known_tags[id_tag] = status
        self.groups[id_tag] = str(answer["idTagInfo"].get("parentIdTag", ""))
        return status

    async def report_status(self, connector: int | None = None) -> None:
        """StatusNotification of one connector, or of the station and all its connectors."""
        numbers = [0, *self.outlets] if connector is None else [connector]
        for number in numbers:
            outlet = self.outlets.get(number)
            await self._tell(
                "StatusNotification",
                {
                    "connectorId": number,
                    "status": outlet.status if outlet else self._station_status(),
                    "errorCode": outlet.error_code if outlet else "NoError",
                    "timestamp": timestamp(self.clock.now()),
                },
            )

    async def set_status(self, connector: int, status: str, error_code: str = "NoError") -> None:
        """Change a connector's status and report it, if there is anything new."""
        outlet = self.outlets[connector]
        if (outlet.status, outlet.error_code) == (status, error_code):
            return
        outlet.status, outlet.error_code = status, error_code
        await self.report_status(connector)

    async def reservation_over(self, held: Any) -> None:
        """Nobody came for a reservation; 1.6 has no word for it."""

    async def report_meters(self, connector: int | None = None) -> None:
        """MeterValues because somebody asked for them."""
        for number in self.outlets if not connector else [connector]:
            transaction = self.running.get(number)
            payload = self._meter_payload(number, "Trigger")
            if transaction is not None and transaction.id is not None:
                payload["transactionId"] = transaction.id
            await self._tell("MeterValues", payload)

    # --- inside

    async def _open(self, **options: Any) -> None:
        secure = security_profiles.options(self)
        await self.wire.open(
            station_url(secure.pop("base", self.url), self.station_id),
            username=self.station_id,
            subprotocols=self.subprotocols,
            **({"compression": self.compression} | secure | options),
        )
        if self._delivering is None:
            self._delivering = self._spawn("outbox", self.outbox.deliver())

    async def _serve(self, message_id: str, action: str, payload: Payload) -> None:
        reaction = self.reactions.get(action, not_implemented)
        after: list[Answer] = []

        async def react() -> Payload:
            answer = await reaction(self, payload)
            if isinstance(answer, dict):
                return answer
            after.append(answer)
            return answer.payload

        await self.wire.answer(message_id, react())
        for answer in after:
            if answer.then is not None:
                self._spawn(action, answer.then())

    async def _tell(self, action: str, payload: Payload) -> None:
        """Send something that nobody keeps: lost when offline, noted when it fails."""
        try:
            await self.call(action, payload)
        except (*GONE, CallFailed) as error:
            self._note(action, error)

    def _meter_payload(self, connector: int, context: str) -> Payload:
        measurands = self.configuration["MeterValuesSampledData"].value.replace(" ", "").split(",")
        values = self.outlets[connector].sampled_values(measurands, context)
        meter_value = [{"timestamp": timestamp(self.clock.now()), "sampledValue": values}]
        return {"connectorId": connector, "meterValue": meter_value}

    def _station_status(self) -> str:
        return "Available" if any(outlet.operative for outlet in self.outlets.values()) else "Unavailable"

    async def _beat_until_offline(self) -> None:
        while self.online:
            try:
                async with asyncio.timeout(self.heartbeat_interval_s):
                    await self.wire.offline.wait()
            except TimeoutError:
                await self.heartbeat()

    def _spawn(self, what: str, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                self._note(what, task.exception())

        task.add_done_callback(done)
        return task

    def _note(self, what: str, error: BaseException | None) -> None:
        if error is not None:
            self.failures.append((what, error))
            del self.failures[:-100]

    async def _end_tasks(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._delivering = None
