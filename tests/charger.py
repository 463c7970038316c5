"""Our simulated charger as the tests use it: the demo's simulator on a story's clock.

Everything of `cpo.simulator` that a story needs is importable from here.
"""

from typing import Any

from cpo.simulator.answers import (
    Answer,
    RawAnswer,
    Refusal,
    Silence,
    accepts,
    answers,
    answers_late,
    keeps_silent,
    refuses,
    rejects,
    sends_garbage,
)
from cpo.simulator.charger import Charger as SimulatedCharger
from cpo.simulator.charger import NotAuthorized
from cpo.simulator.clock import StoryClock, WallClock
from cpo.simulator.memory import Memory
from cpo.simulator.outbox import Outbox, Record
from cpo.simulator.outlet import Car, Outlet
from cpo.simulator.transaction import Transaction, timestamp
from cpo.simulator.wire import CallFailed, Frame, NoAnswer, Offline

__all__ = [
    "Answer",
    "CallFailed",
    "Car",
    "Charger",
    "Frame",
    "Memory",
    "NoAnswer",
    "NotAuthorized",
    "Offline",
    "Outbox",
    "Outlet",
    "RawAnswer",
    "Record",
    "Refusal",
    "Silence",
    "StoryClock",
    "Transaction",
    "WallClock",
    "accepts",
    "answers",
    "answers_late",
    "keeps_silent",
    "refuses",
    "rejects",
    "sends_garbage",
    "timestamp",
]


class Charger(SimulatedCharger):
    """A charger whose hour of charging takes a moment; pass `clock=WallClock()` for real time.

    It waits 5 s for an answer instead of 30, so that a test whose server is silent fails soon, and it closes
    itself at the end of `async with`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **({"clock": StoryClock(), "call_timeout_s": 5} | options))

    async def __aenter__(self) -> "Charger":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def calls(self, action: str | None = None, direction: str = "out") -> list[dict[str, Any]]:
        """Payloads of the CALL frames sent ("out") or received ("in"), oldest first."""
        frames = [
            frame.message for frame in self.frames if frame.direction == direction and frame.text[:2] == "[2"
        ]
        return [frame[3] for frame in frames if action is None or frame[2] == action]
