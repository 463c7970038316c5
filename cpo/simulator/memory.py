"""What a station knows after a loss of power: meters, unsent messages, transactions that were running."""

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from cpo.simulator import security_profiles
from cpo.simulator.local_list import LocalList
from cpo.simulator.outbox import Record

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger


class Memory:
    """A small file beside the charger, replaced as a whole so that a kill leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, charger: "Charger") -> None:
        """Write down what must survive."""
        outbox = charger.outbox
        state = {
            "outlets": [outlet.remembered() for outlet in charger.outlets.values()],
            "records": [record.remembered() for record in outbox.records],
            "running": [transaction.remembered() for transaction in charger.running.values()],
            "local_list": charger.local_list.remembered(),
            "security": security_profiles.remembered(charger),
            "ids": {key: outbox.ids[key] for key in charger.unfinished_keys() if key in outbox.ids},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.touch(mode=0o600)  # a key and a password are in it
        fresh.write_text(json.dumps(state))
        fresh.replace(self.path)

    def load(self, charger: "Charger") -> None:
        """Put the station back to where it was; what was running is stopped, as after a loss of power."""
        if not self.path.exists():
            return
        state = json.loads(self.path.read_text())
        for kept in state["outlets"]:
            outlet = charger.outlets.get(kept["number"])
            if outlet is not None:
                outlet.register, outlet.operative = Fraction(kept["register"]), kept["operative"]
        charger.outbox.ids.update(state["ids"])
        charger.local_list = LocalList(**state.get("local_list", {}))
        security_profiles.restore(charger, state.get("security", {}))
        for kept in state["records"]:
            record = Record(**kept)
            charger.outbox.put(
                record.action, record.payload, record.transaction
            ).message_id = record.message_id
        for kept in state["running"]:
            charger.stop_after_power_loss(**kept)
