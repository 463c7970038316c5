"""Our simulated 2.x station as the tests use it: the demo's simulator on a story's clock."""

from typing import Any

from cpo.simulator.clock import StoryClock
from cpo.simulator.v2.charger import Charger as SimulatedCharger
from cpo.simulator.v2.charger import NotAuthorized

__all__ = ["Charger", "NotAuthorized"]


class Charger(SimulatedCharger):
    """A charger whose hour of charging takes a moment; it speaks one version and closes itself after the block."""

    def __init__(self, *args: Any, version: str = "2.0.1", **options: Any) -> None:
        defaults = {"clock": StoryClock(), "call_timeout_s": 5, "subprotocols": (f"ocpp{version}",)}
        super().__init__(*args, **(defaults | options))

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
