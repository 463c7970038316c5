"""A simulated OCPP 1.6J charge point on a real socket.

    charger = Charger("ws://127.0.0.1:8000/ocpp", "ADA-1", "secret")
    await charger.come_up()
    transaction = await charger.charge("BO-1", energy_wh=7_400, duration_s=3_600)
    await charger.close()

It behaves as a station of the field does: transaction messages are queued while offline and repeated until
answered, an answered call has its effect after the answer, the meter counts exact Wh and never goes back.
"""

import asyncio
from collections.abc import Iterable
from fractions import Fraction
from math import ceil
from typing import Any

from cpo.simulator import local_list, reservations, smart_charging
from cpo.simulator.answers import Payload
from cpo.simulator.memory import Memory
from cpo.simulator.outbox import Record
from cpo.simulator.outlet import Car, Outlet
from cpo.simulator.station import GONE, Station
from cpo.simulator.transaction import Transaction, timestamp
from cpo.simulator.wire import CallFailed


class NotAuthorized(Exception):
    """The central system did not accept the token; `args[0]` is the AuthorizationStatus."""


class Charger(Station):
    """A station where people charge. Takes what `Station` takes, and a `memory` that survives the process."""

    def __init__(self, *args: Any, memory: Memory | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.remote_charge: dict[str, Any] = {}
        self.memory = memory
        if memory is not None:
            memory.load(self)
            self.outbox.on_change = lambda: memory.save(self)

    def is_free(self, connector: int, id_tag: str | None = None) -> bool:
        """Whether somebody, or the driver with this token, may start charging there now."""
        outlet = self.outlets[connector]
        is_open = outlet.operative and outlet.status in {"Available", "Preparing", "Reserved"}
        return is_open and connector not in self.running and reservations.admits(self, connector, id_tag)

    def is_idle(self, connector: int) -> bool:
        """Whether nobody uses the connector or holds it."""
        outlet = self.outlets[connector]
        return outlet.operative and outlet.status == "Available" and connector not in self.running

    async def plug(self, connector: int = 1, car: Car | None = None) -> None:
        """A car is plugged in."""
        self.outlets[connector].car = car or Car(max_power_w=self.outlets[connector].max_power_w)
        await self.set_status(connector, "Preparing")

    async def unplug(self, connector: int = 1) -> None:
        """The cable is pulled; a running transaction is asked to end."""
        outlet = self.outlets[connector]
        if connector in self.running:
            self.running[connector].ask_to_stop("EVDisconnected")
            await self.running[connector].ended.wait()
        outlet.car = None
        if outlet.next_operative is not None:
            outlet.operative, outlet.next_operative = outlet.next_operative, None
        await self.set_status(connector, "Available" if outlet.operative else "Unavailable")

    async def start_transaction(self, id_tag: str, connector: int = 1) -> Transaction:
        """Close the relay and send (or queue) StartTransaction. Waits for the answer while online."""
        outlet = self.outlets[connector]
        transaction = Transaction(connector, id_tag, outlet.register_wh, self.clock.now())
        held = reservations.taken_by(self, connector, id_tag)
        outlet.closed = True
        self.running[connector] = transaction
        transaction.start_record = self.outbox.put(
            "StartTransaction",
            {
                "connectorId": connector,
                "idTag": id_tag,
                "meterStart": transaction.meter_start_wh,
                "timestamp": timestamp(transaction.started_at),
            }
            | ({"reservationId": held.id} if held else {}),
            transaction.key,
        )
        self._spawn("StartTransaction", self._learn_id(transaction))
        await self.outbox.settled(transaction.start_record)
        await asyncio.sleep(0)
        return transaction

    async def meter_values(self, transaction: Transaction, context: str = "Sample.Periodic") -> Record:
        """Send (or queue) one MeterValues of a transaction. Waits for the answer while online."""
        outlet = self.outlets[transaction.connector]
        transaction.samples.append((self.clock.now(), outlet.register_wh))
        record = self.outbox.put("MeterValues", self._meter_payload(outlet.number, context), transaction.key)
        await self.outbox.settled(record)
        return record

    async def stop_transaction(self, transaction: Transaction, reason: str = "Local") -> Record:
        """Open the relay and send (or queue) StopTransaction. Waits for the answer while online."""
        outlet = self.outlets[transaction.connector]
        outlet.closed, outlet.drive_w, outlet.stop_at = False, None, None
        self.running.pop(transaction.connector, None)
        smart_charging.end(self, transaction.connector)
        transaction.meter_stop_wh, transaction.stopped_at = outlet.register_wh, self.clock.now()
        transaction.reason = reason
        payload: Payload = {
            "meterStop": transaction.meter_stop_wh,
            "timestamp": timestamp(transaction.stopped_at),
            "reason": reason,
        }
        if reason in {"Local", "EVDisconnected"}:
            payload["idTag"] = transaction.id_tag
        transaction.stop_record = self.outbox.put("StopTransaction", payload, transaction.key)
        await self.outbox.settled(transaction.stop_record)
        transaction.ended.set()
        return transaction.stop_record

    async def charge(
        self,
        id_tag: str,
        energy_wh: int | None = None,
        duration_s: int | None = None,
        *,
        connector: int = 1,
        car: Car | None = None,
        authorize: bool = True,
        idle_s: int = 0,
        reason: str = "Local",
    ) -> Transaction:
        """One visit: plug, authorise, start, meter, stop, unplug.

        With `energy_wh` and `duration_s` exactly that energy flows in exactly that time; with one of them it
        ends there; with neither when the car is full or somebody asks it to stop. `idle_s`: the car stays
        plugged in after charging. Raises NotAuthorized before anything flows.
        """
        await self.plug(connector, car)
        if authorize:
            await self._ask_for(id_tag, connector)
        transaction = await self.start_transaction(id_tag, connector)
        outlet = self.outlets[connector]
        if energy_wh is not None:
            outlet.stop_at = Fraction(transaction.meter_start_wh + energy_wh)
        if energy_wh is not None and duration_s is not None:
            outlet.drive_w = Fraction(energy_wh * 3600, duration_s)
            outlet.stop_at = outlet.register + energy_wh
        await self.set_status(connector, "Charging")
        await self._deliver_energy(transaction, duration_s)
        await self._stay(transaction, idle_s)
        await self.stop_transaction(transaction, transaction.reason or reason)
        await self.set_status(connector, "Finishing")
        await self.unplug(connector)
        return transaction

    async def charge_remotely(self, connector: int, id_tag: str) -> Transaction:
        """What follows an accepted RemoteStartTransaction; `remote_charge` adds arguments."""
        authorize = self.configuration["AuthorizeRemoteTxRequests"].value == "true"
        options: dict[str, Any] = {"authorize": authorize, "reason": "Remote"} | self.remote_charge
        return await self.charge(id_tag, connector=connector, **options)

    # --- what operators and accidents do

    async def set_operative(self, connectors: Iterable[int], operative: bool) -> None:
        for number in connectors:
            self.outlets[number].operative = operative
            if not operative:
                reservations.drop(self, number)
            await self.set_status(number, "Available" if operative else "Unavailable")

    async def reboot(self, reason: str = "Reboot") -> None:
        """End what runs, drop the socket, come up again after `reboot_s`."""
        for transaction in list(self.running.values()):
            transaction.ask_to_stop(reason)
            await transaction.ended.wait()
        await self.wire.close()
        await asyncio.sleep(self.reboot_s)
        if not self.online:
            await self.come_up()

    def stop_after_power_loss(self, key: str, connector: int, id_tag: str) -> None:
        """Queue the StopTransaction of a transaction that was running when the power went."""
        outlet = self.outlets[connector]
        payload = {
            "meterStop": outlet.register_wh,
            "timestamp": timestamp(self.clock.now()),
            "reason": "PowerLoss",
        }
        self.outbox.put("StopTransaction", payload, key)

    def unfinished_keys(self) -> set[str]:
        """Own names of the transactions about which something is still to be said."""
        waiting = {record.transaction for record in self.outbox.records}
        return waiting | {transaction.key for transaction in self.running.values()}

    # --- inside

    async def _ask_for(self, id_tag: str, connector: int) -> None:
        listed = local_list.offline_status(self, id_tag)
        if listed == "Accepted" and self.configuration["LocalPreAuthorize"].value == "true":
            return
        try:
            status = await self.authorize(id_tag)
        except GONE:
            # LocalAuthorizeOffline: whom the list does not know charges now, the start tells later.
            status = listed or "Accepted"
        except CallFailed:
            await self.unplug(connector)
            raise
        if status != "Accepted":
            await self.unplug(connector)
            raise NotAuthorized(status)

    async def _learn_id(self, transaction: Transaction) -> None:
        record = transaction.start_record
        assert record is not None
        await record.settled.wait()
        if record.result is None:
            return
        transaction.id = record.result["transactionId"]
        transaction.id_tag_status = record.result["idTagInfo"]["status"]
        obeys = self.configuration["StopTransactionOnInvalidId"].value == "true"
        if transaction.id_tag_status != "Accepted" and obeys:
            transaction.ask_to_stop("DeAuthorized")

    async def _deliver_energy(self, transaction: Transaction, duration_s: int | None) -> None:
        """Meter until the time is over, nothing flows any more, or somebody asks to stop."""
        outlet, left_s = self.outlets[transaction.connector], duration_s
        while left_s != 0 and (outlet.power_w or outlet.is_paused) and not transaction.stop_asked.is_set():
            await self.set_status(outlet.number, "SuspendedEVSE" if outlet.is_paused else "Charging")
            step_s = self._step_s(outlet, left_s)
            await self._pass(transaction, step_s)
            left_s = None if left_s is None else left_s - step_s
            if left_s != 0 and (outlet.power_w or outlet.is_paused) and not transaction.stop_asked.is_set():
                await self.meter_values(transaction)

    def _step_s(self, outlet: Outlet, left_s: int | None) -> int:
        """Seconds to the next MeterValues or to the end, whichever comes first."""
        step_s = int(self.configuration["MeterValueSampleInterval"].value) or 60
        if left_s is not None:
            return min(step_s, left_s)
        if outlet.stop_at is not None and outlet.power_w:
            return min(step_s, ceil((outlet.stop_at - outlet.register) * 3600 / outlet.power_w))
        return step_s

    async def _stay(self, transaction: Transaction, idle_s: int) -> None:
        if not idle_s or transaction.stop_asked.is_set():
            return
        self.outlets[transaction.connector].drive_w = Fraction(0)
        await self.set_status(transaction.connector, "SuspendedEV")
        await self._pass(transaction, idle_s)

    async def _pass(self, transaction: Transaction, seconds: int) -> None:
        """Let time and energy flow until `seconds` are over or the transaction is asked to stop."""
        smart_charging.apply(self)
        before = self.clock.now()
        waits = [
            asyncio.create_task(self.clock.sleep(seconds)),
            asyncio.create_task(transaction.stop_asked.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            whole = waits[0].done()
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        passed = self.clock.now() - before
        milliseconds = seconds * 1000 if whole else passed.seconds * 1000 + passed.microseconds // 1000
        self.outlets[transaction.connector].advance(milliseconds)
        if self.memory is not None:
            self.memory.save(self)
