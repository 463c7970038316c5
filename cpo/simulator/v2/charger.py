"""A 2.x station where people charge.

charger = Charger("ws://127.0.0.1:8000/ocpp", "ADA-1", "secret")
await charger.come_up()
transaction = await charger.charge("BO-1", energy_wh=7_400, duration_s=3_600)
await charger.close()
"""

import asyncio
from fractions import Fraction
from math import ceil
from typing import Any

from cpo.simulator import local_list, reservations, smart_charging
from cpo.simulator.answers import Payload
from cpo.simulator.memory import Memory
from cpo.simulator.outlet import Car
from cpo.simulator.v2 import display, network, payments, translation
from cpo.simulator.v2.station import GONE, ChargingStation, token_of
from cpo.simulator.v2.transaction import TRIGGERS, Transaction


class NotAuthorized(Exception):
    """The central system did not accept the token; `args[0]` is the AuthorizationStatus."""


class Charger(ChargingStation):
    """Takes what `ChargingStation` takes, and a `memory` that survives the process."""

    def __init__(self, *args: Any, memory: Memory | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.memory = memory
        if memory is not None:
            memory.load(self)  # type: ignore[arg-type]
            self.outbox.on_change = lambda: memory.save(self)  # type: ignore[arg-type]

    def is_free(self, evse: int, uid: str | None = None) -> bool:
        """Whether somebody, or the driver with this token, may start charging there now."""
        outlet = self.outlets[evse]
        is_open = outlet.operative and outlet.status in {"Available", "Preparing", "Reserved"}
        if payments.is_kept(self, evse):
            return False
        return is_open and evse not in self.running and reservations.admits(self, evse, uid)  # type: ignore[arg-type]

    def is_idle(self, evse: int) -> bool:
        """Whether nobody uses the EVSE or holds it."""
        outlet = self.outlets[evse]
        return outlet.operative and outlet.status == "Available" and evse not in self.running

    async def plug(self, evse: int = 1, car: Car | None = None) -> None:
        """A car is plugged in."""
        self.outlets[evse].car = car or Car(max_power_w=self.outlets[evse].max_power_w)
        await self.set_status(evse, "Preparing")

    async def unplug(self, evse: int = 1) -> None:
        """The cable is pulled; a running transaction is asked to end."""
        outlet = self.outlets[evse]
        if evse in self.running:
            self.running[evse].ask_to_stop("EVDisconnected")
            await self.running[evse].ended.wait()
        outlet.car = None
        if outlet.next_operative is not None:
            outlet.operative, outlet.next_operative = outlet.next_operative, None
        await self.set_status(evse, "Available" if outlet.operative else "Unavailable")

    async def start(self, token: Payload, evse: int = 1, remote_start_id: int | None = None) -> Transaction:
        """Close the relay and send (or queue) Started; waits for the answer while online."""
        outlet = self.outlets[evse]
        transaction = Transaction(evse, token, outlet.register_wh, self.clock.now(), remote_start_id)
        held = reservations.taken_by(self, evse, token["idToken"])  # type: ignore[arg-type]
        outlet.closed, transaction.state = True, "Charging"
        self.running[evse] = transaction
        fields: Payload = {"evse": {"id": evse, "connectorId": 1}, "idToken": token}
        if held is not None:
            fields["reservationId"] = held.id
        if remote_start_id is not None:
            fields["info"] = {"remoteStartId": remote_start_id}
        if evse in self.profile_for:
            await translation.set_charging_profile(self, self.profile_for.pop(evse))
        trigger = "Authorized" if remote_start_id is None else "RemoteStart"
        self.event(transaction, "Started", trigger, readings="Transaction.Begin", **fields)
        self._spawn("Started", self._learn_status(transaction))
        await self.outbox.settled(transaction.records[-1])
        await asyncio.sleep(0)
        return transaction

    async def stop(self, transaction: Transaction, reason: str = "Local") -> None:
        """Open the relay and send (or queue) Ended; waits for the answer while online."""
        outlet = self.outlets[transaction.evse]
        outlet.closed, outlet.drive_w, outlet.stop_at = False, None, None
        self.running.pop(transaction.evse, None)
        smart_charging.end(self, transaction.evse)  # type: ignore[arg-type]
        transaction.meter_stop_wh, transaction.reason = outlet.register_wh, reason
        transaction.state = "Idle" if reason == "EVDisconnected" else "EVConnected"
        fields: Payload = {"info": {"stoppedReason": reason}}
        if reason == "Local":
            fields["idToken"] = transaction.token
        trigger = TRIGGERS.get(reason, "AbnormalCondition")
        self.event(transaction, "Ended", trigger, readings="Transaction.End", **fields)
        await self.outbox.settled(transaction.records[-1])
        display.read(self, transaction)
        self.display.forget(transaction.id)
        transaction.ended.set()

    async def charge(
        self,
        id_tag: str | Payload,
        energy_wh: int | None = None,
        duration_s: int | None = None,
        *,
        connector: int = 1,
        car: Car | None = None,
        authorize: bool = True,
        idle_s: int = 0,
        reason: str = "Local",
        remote_start_id: int | None = None,
    ) -> Transaction:
        """One visit: plug, authorise, start, meter, stop, unplug. The arguments are those of the charger of 1.6.

        Raises NotAuthorized before anything flows.
        """
        token = token_of(id_tag) if isinstance(id_tag, str) else id_tag
        await self.plug(connector, car)
        if authorize:
            await self._ask_for(token["idToken"], connector)
        transaction = await self.start(token, connector, remote_start_id)
        outlet = self.outlets[connector]
        if energy_wh is not None:
            outlet.stop_at = Fraction(transaction.meter_start_wh + energy_wh)
        if energy_wh is not None and duration_s is not None:
            outlet.drive_w = Fraction(energy_wh * 3600, duration_s)
            outlet.stop_at = outlet.register + energy_wh
        await self.set_status(connector, "Charging")
        await self._deliver_energy(transaction, duration_s)
        if idle_s and not transaction.stop_asked.is_set():
            outlet.drive_w = Fraction(0)
            await self._state(transaction, "SuspendedEV")
            await self._pass(transaction, idle_s)
        await self.stop(transaction, transaction.reason or reason)
        await self.unplug(connector)
        return transaction

    async def charge_remotely(self, evse: int, token: Payload, remote_start_id: int) -> Transaction:
        """What follows an accepted RequestStartTransaction."""
        authorize = self.model_of["AuthCtrlr", 0, "AuthorizeRemoteStart"].value == "true"
        return await self.charge(
            token, connector=evse, authorize=authorize, reason="Remote", remote_start_id=remote_start_id
        )

    async def reboot(self, reason: str = "ImmediateReset") -> None:
        """End what runs, drop the socket, come up again after `reboot_s`."""
        for transaction in list(self.running.values()):
            transaction.ask_to_stop(reason)
            await transaction.ended.wait()
        self.boot_reason = "RemoteReset"
        await self.wire.close()
        await asyncio.sleep(self.reboot_s)
        if not self.online:
            await network.come_up(self)

    async def reboot_when_idle(self) -> None:
        """Wait until nobody charges (B12.FR.01)."""
        for transaction in list(self.running.values()):
            await transaction.ended.wait()
        await self.reboot()

    def stop_after_power_loss(self, **kept: Any) -> None:
        """Queue the Ended of a transaction that was running when the power went; its numbers go on."""
        seq_no, id = kept.pop("seq_no"), kept.pop("id")
        transaction = Transaction(**kept, started_at=self.clock.now(), id=id, seq_no=seq_no)
        info = {"stoppedReason": "PowerLoss"}
        self.event(transaction, "Ended", "AbnormalCondition", readings="Transaction.End", info=info)

    def unfinished_keys(self) -> set[str]:
        """Ids of transactions are the station's own: no others need to be remembered."""
        return set()

    # --- inside

    async def _ask_for(self, uid: str, evse: int) -> None:
        listed = local_list.offline_status(self, uid)  # type: ignore[arg-type]
        if listed == "Accepted" and self.model_of["AuthCtrlr", 0, "LocalPreAuthorize"].value == "true":
            return
        try:
            status = await self.authorize(uid)
        except GONE:
            status = listed or "Accepted"  # OfflineTxForUnknownIdEnabled
        if status != "Accepted":
            await self.unplug(evse)
            raise NotAuthorized(status)

    async def _learn_status(self, transaction: Transaction) -> None:
        record = transaction.records[0]
        await record.settled.wait()
        transaction.token_status = ((record.result or {}).get("idTokenInfo") or {}).get("status")
        obeys = self.model_of["TxCtrlr", 0, "StopTxOnInvalidId"].value == "true"
        if transaction.token_status not in (None, "Accepted") and obeys:
            transaction.ask_to_stop("DeAuthorized")

    async def _state(self, transaction: Transaction, state: str) -> None:
        """Report another charging state (E02.FR.02)."""
        if transaction.state != state:
            transaction.state = state
            self.event(transaction, "Updated", "ChargingStateChanged")
            await self.outbox.settled(transaction.records[-1])
            display.read(self, transaction)

    async def _deliver_energy(self, transaction: Transaction, duration_s: int | None) -> None:
        """Meter until the time is over, nothing flows any more, or somebody asks to stop."""
        outlet, left_s = self.outlets[transaction.evse], duration_s
        while left_s != 0 and (outlet.power_w or outlet.is_paused) and not transaction.stop_asked.is_set():
            await self._state(transaction, "SuspendedEVSE" if outlet.is_paused else "Charging")
            step_s = self.meter_interval_s
            if left_s is not None:
                step_s = min(step_s, left_s)
            elif outlet.stop_at is not None and outlet.power_w:
                step_s = min(step_s, ceil((outlet.stop_at - outlet.register) * 3600 / outlet.power_w))
            await self._pass(transaction, step_s)
            left_s = None if left_s is None else left_s - step_s
            if left_s != 0 and (outlet.power_w or outlet.is_paused) and not transaction.stop_asked.is_set():
                self.event(transaction, "Updated", "MeterValuePeriodic", readings="Sample.Periodic")
                await self.outbox.settled(transaction.records[-1])
                display.read(self, transaction)

    async def _pass(self, transaction: Transaction, seconds: int) -> None:
        """Let time and energy flow until `seconds` are over or the transaction is asked to stop."""
        smart_charging.apply(self)  # type: ignore[arg-type]
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
        self.outlets[transaction.evse].advance(milliseconds)
        if self.memory is not None:
            self.memory.save(self)  # type: ignore[arg-type]
