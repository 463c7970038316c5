"""A simulated charging station of OCPP 2.0.1 or 2.1 on a real socket: its messages, its EVSEs, its queue.

What is no word of a version (the socket, tasks, outlets, files) is that of `cpo.simulator.station`.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from cpo.simulator import reservations
from cpo.simulator.answers import Payload
from cpo.simulator.reservations import Held
from cpo.simulator.station import GONE, Station
from cpo.simulator.transaction import timestamp
from cpo.simulator.v2 import display, grid, monitoring, network, payments, publishing, schedules, variables
from cpo.simulator.v2.queue import EventQueue
from cpo.simulator.v2.reactions import REACTIONS
from cpo.simulator.v2.transaction import Transaction
from cpo.simulator.wire import CallFailed

SUBPROTOCOLS = ("ocpp2.1", "ocpp2.0.1")  # the newest first
# Statuses that only 1.6 has for a connector against ConnectorStatusEnumType.
STATUSES = dict.fromkeys(("Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"), "Occupied")
NAMES = {
    "DiagnosticsStatusNotification": "LogStatusNotification",
    "SignedFirmwareStatusNotification": "FirmwareStatusNotification",
}
UNITS = {"SoC": "Percent", "Voltage": "V", "Power.Active.Import": "W"}


class ChargingStation(Station):
    """One station with `connectors` EVSEs of one connector each. Takes what `Station` takes."""

    def __init__(self, url: str, station_id: str, password: str | None = None, **options: Any) -> None:
        super().__init__(url, station_id, password, **({"subprotocols": SUBPROTOCOLS} | options))
        power_w = next(iter(self.outlets.values())).max_power_w
        interval_s = int(self.configuration["MeterValueSampleInterval"].value)
        self.model_of = variables.of_station(
            evses=len(self.outlets), connectors=1, power_w=power_w, meter_interval_s=interval_s
        )
        self.model_of |= payments.of_display()
        self.kept_until: dict[int, datetime] = {}  # EVSEs that somebody pays for on the web
        self.model_of["SecurityCtrlr", 0, "BasicAuthPassword"].value = self.password or ""
        self.outbox: EventQueue = EventQueue(
            self.wire, timeout_s=self.call_timeout_s, same_ids=True, attempts=self.outbox.attempts
        )
        self.reactions = dict(REACTIONS)
        self.running: dict[int, Transaction] = {}  # type: ignore[assignment]
        self.boot_reason = "PowerUp"
        self.update_request_id: int | None = None
        self.profile_for: dict[int, Payload] = {}  # of a remote start that was accepted
        self.shown_costs: dict[str, Any] = {}  # by transaction
        self.display = display.Display()
        self.model_of |= display.variables()
        self.network_profiles: dict[int, Payload] = {}
        self.model_of |= network.variables(self)
        self.grid = grid.Grid()
        self.schedules = schedules.Schedules()
        self.files.tells_more = True
        self.shelf = publishing.Shelf()
        self.watch = monitoring.of_outlets(self.outlets)
        self.tariffs: dict[int, Payload] = {}  # the default of each EVSE
        self.driver_tariffs: dict[str, Payload] = {}  # by transaction
        self.customer_notes: dict[str, str] = {}  # by customer identifier or serial number

    @property
    def is_newest(self) -> bool:
        """Whether it speaks the newest version now."""
        return self.wire.subprotocol == SUBPROTOCOLS[0]

    def read_clock(self) -> None:
        """Let the variable of the time say what time it is."""
        self.model_of["ClockCtrlr", 0, "DateTime"].value = timestamp(self.clock.now())

    async def close(self) -> None:
        """Serve nothing any more, then close the socket."""
        self.shelf.close()
        await super().close()

    async def call(
        self,
        action: str,
        payload: Payload | None = None,
        timeout_s: float | None = None,
        message_id: str | None = None,
    ) -> Payload:
        """Send any CALL; what is named otherwise in 1.6 gets its name of 2.x."""
        payload = dict(payload or {})
        action = NAMES.get(action, action)
        is_update = action == "FirmwareStatusNotification" and payload.get("status") != "Idle"
        if is_update and self.update_request_id is not None:
            payload.setdefault("requestId", self.update_request_id)
        return await super().call(action, payload, timeout_s, message_id)

    async def boot(self, reason: str = "") -> Payload:
        """B01: takes over the heartbeat interval of the answer."""
        what = {
            "vendorName": self.vendor, "model": self.model, "serialNumber": self.station_id[:25],
            "firmwareVersion": self.firmware,
        }  # fmt: skip
        payload = {"reason": reason or self.boot_reason, "chargingStation": what}
        answer = await self.call("BootNotification", payload)
        if answer["status"] == "Accepted" and answer["interval"] > 0:
            self.heartbeat_interval_s = answer["interval"]
            self.model_of["OCPPCommCtrlr", 0, "HeartbeatInterval"].value = str(answer["interval"])
        return answer

    async def authorize(self, id_tag: str) -> str:
        """C01. Returns the AuthorizationStatus."""
        answer = await self.call("Authorize", {"idToken": token_of(id_tag)})
        info = answer["idTokenInfo"]
        self.known_tags[id_tag] = str(info["status"])
        self.groups[id_tag] = str((info.get("groupIdToken") or {}).get("idToken", ""))
        if "personalMessage" in info:
            self.display.tariffs[id_tag] = info["personalMessage"]["content"]
        return self.known_tags[id_tag]

    async def report_status(self, connector: int | None = None) -> None:
        """G01: StatusNotification of one EVSE's connector, or of all."""
        for number in self.outlets if connector is None else [connector]:
            status = self.outlets[number].status
            await self._tell(
                "StatusNotification",
                {
                    "timestamp": timestamp(self.clock.now()),
                    "connectorStatus": STATUSES.get(status, status),
                    "evseId": number,
                    "connectorId": 1,
                },
            )

    async def set_status(self, connector: int, status: str, error_code: str = "NoError") -> None:
        """Change what the connector does; report it when 2.x has another word for it."""
        outlet = self.outlets[connector]
        before, outlet.status = STATUSES.get(outlet.status, outlet.status), status
        now = STATUSES.get(status, status)
        self.model_of["EVSE", connector, "AvailabilityState"].value = now
        if before != now:
            await self.report_status(connector)

    async def report_meters(self, connector: int | None = None) -> None:
        """J01: MeterValues because somebody asked for them."""
        for number in self.outlets if connector is None else [connector]:
            await self._tell(
                "MeterValues", {"evseId": number, "meterValue": self.meter_value(number, "Trigger")}
            )

    async def report_transactions(self, evse: int | None) -> None:
        """F06: a TransactionEvent of what is running."""
        for transaction in self.running.values():
            if evse in (None, transaction.evse):
                self.event(transaction, "Updated", "Trigger", readings="Trigger")

    async def send_parts(self, action: str, parts: list[Payload]) -> None:
        """Send the parts of a report one after the other."""
        for part in parts:
            await self._tell(action, part)

    def event(
        self, transaction: Transaction, kind: str, trigger: str, *, readings: str = "", **fields: Any
    ) -> None:
        """Queue a TransactionEvent (E01, E02, E06); `readings` is the context of its meter values."""
        info = {"transactionId": transaction.id, "chargingState": transaction.state} | fields.pop("info", {})
        payload = {
            "eventType": kind, "timestamp": timestamp(self.clock.now()), "triggerReason": trigger,
            "seqNo": transaction.next_seq_no(), "transactionInfo": info,
        }  # fmt: skip
        if readings:
            payload["meterValue"] = self.meter_value(transaction.evse, readings)
        transaction.records.append(self.outbox.event(payload | fields, transaction.id))

    def meter_value(self, evse: int, context: str) -> list[Payload]:
        """Read the meter: whole Wh, W, V and percent, as numbers (MeterValueType)."""
        wanted = self.model_of["SampledDataCtrlr", 0, "TxUpdatedMeasurands"].value.replace(" ", "").split(",")
        samples = []
        for read in self.outlets[evse].sampled_values(wanted, context):
            unit = {"unitOfMeasure": {"unit": read["unit"]}}
            kept = {
                name: read[name] for name in ("context", "measurand", "phase", "location") if name in read
            }
            samples.append(kept | {"value": int(Decimal(read["value"]))} | unit)
        return [{"timestamp": timestamp(self.clock.now()), "sampledValue": samples}]

    # --- what operators and accidents do

    async def set_operative(self, evses: Iterable[int], operative: bool) -> None:
        """Put EVSEs into or out of service; what is held there is gone."""
        for number in evses:
            self.outlets[number].operative = operative
            held = [one for one in self.reservations.values() if one.connector == number]
            if not operative:
                reservations.drop(self, number)  # type: ignore[arg-type]
                await self._removed(held)
            await self.set_status(number, "Available" if operative else "Unavailable")

    async def reservation_over(self, held: Held) -> None:
        """H04.FR.01: say that nobody came for a reservation."""
        payload = {"reservationId": held.id, "reservationUpdateStatus": "Expired"}
        await self._tell("ReservationStatusUpdate", payload)

    async def _removed(self, held: list[Held]) -> None:
        """H01.FR.17: say that a reservation is gone."""
        for one in held:
            payload = {"reservationId": one.id, "reservationUpdateStatus": "Removed"}
            await self._tell("ReservationStatusUpdate", payload)

    def take_over_variables(self) -> None:
        """Let what was set have its effect."""
        self.password = self.model_of["SecurityCtrlr", 0, "BasicAuthPassword"].value or self.password
        listed = self.model_of["LocalAuthListCtrlr", 0, "Enabled"].value
        self.configuration["LocalAuthListEnabled"].value = listed

    @property
    def meter_interval_s(self) -> int:
        """Seconds between readings of a transaction."""
        return int(self.model_of["SampledDataCtrlr", 0, "TxUpdatedInterval"].value) or 60


def token_of(uid: str) -> Payload:
    """Write a card's token."""
    return {"idToken": uid, "type": "ISO14443"}


__all__ = ["GONE", "CallFailed", "ChargingStation", "token_of"]
