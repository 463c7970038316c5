"""One charging transaction as the station knows it."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpo.simulator.outbox import Record


def timestamp(moment: datetime) -> str:
    """An OCPP timestamp: UTC, milliseconds, "Z"."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass(eq=False)
class Transaction:
    """From start to stop. `key` is the station's own name; `id` is what the central system called it."""

    connector: int
    id_tag: str
    meter_start_wh: int
    started_at: datetime
    key: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    id: int | None = None
    id_tag_status: str | None = None
    meter_stop_wh: int | None = None
    stopped_at: datetime | None = None
    reason: str | None = None
    samples: list[tuple[datetime, int]] = field(default_factory=list, repr=False)
    start_record: "Record | None" = field(default=None, repr=False)
    stop_record: "Record | None" = field(default=None, repr=False)
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def energy_wh(self) -> int:
        """What the meter counted between start and stop."""
        assert self.meter_stop_wh is not None, "the transaction is still running"
        return self.meter_stop_wh - self.meter_start_wh

    def ask_to_stop(self, reason: str) -> None:
        """Let whoever drives this transaction end it; the first reason stays."""
        if not self.stop_asked.is_set():
            self.reason = reason
            self.stop_asked.set()

    def remembered(self) -> dict[str, Any]:
        return {"key": self.key, "connector": self.connector, "id_tag": self.id_tag}
