"""One transaction of 2.x as the station knows it: its own id, its events numbered from 0."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from cpo.simulator.answers import Payload
from cpo.simulator.outbox import Record

# What a stop is called against what triggered it (ReasonEnumType, TriggerReasonEnumType).
TRIGGERS = {
    "DeAuthorized": "Deauthorized",
    "EVDisconnected": "EVCommunicationLost",
    "EnergyLimitReached": "EnergyLimitReached",
    "ImmediateReset": "ResetCommand",
    "Local": "StopAuthorized",
    "PowerLoss": "AbnormalCondition",
    "Remote": "RemoteStop",
}


@dataclass(eq=False)
class Transaction:
    """From Started to Ended; `records` are its events in order."""

    evse: int
    token: Payload
    meter_start_wh: int
    started_at: datetime
    remote_start_id: int | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq_no: int = 0
    state: str = "EVConnected"
    meter_stop_wh: int | None = None
    reason: str | None = None
    token_status: str | None = None
    records: list[Record] = field(default_factory=list, repr=False)
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def energy_wh(self) -> int:
        """What the meter counted between start and stop."""
        assert self.meter_stop_wh is not None, "the transaction is still running"
        return self.meter_stop_wh - self.meter_start_wh

    def next_seq_no(self) -> int:
        """Number the next event; no number is ever given twice."""
        self.seq_no += 1
        return self.seq_no - 1

    def ask_to_stop(self, reason: str) -> None:
        """Let whoever drives this transaction end it; the first reason stays."""
        if not self.stop_asked.is_set():
            self.reason = reason
            self.stop_asked.set()

    def remembered(self) -> Payload:
        """What survives a loss of power."""
        return {
            "id": self.id, "evse": self.evse, "token": self.token, "seq_no": self.seq_no,
            "meter_start_wh": self.meter_start_wh,
        }  # fmt: skip
