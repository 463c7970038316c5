"""BatterySwap and RequestBatterySwap (block S, 2.1)."""

from typing import Any

from stations.models import BatterySwap, Command
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import values
from stations.services import battery_swap as swaps

State = BatterySwap.State
EVENTS = {"BatteryIn": swaps.inserted, "BatteryOut": swaps.taken, "BatteryOutTimeout": swaps.not_taken}


def battery_swap(link: Link, incoming: Incoming) -> Payload:
    """Note what came in or went out; `requestId` relates the two (S03.FR.01)."""
    payload = incoming.payload
    note = EVENTS.get(payload["eventType"])
    if note is None:  # nobody knows what it did; the journal has its word
        return {}

    swap = note(
        link.station,
        int(payload["requestId"]),
        id_token=values.id_token(payload["idToken"]),
        id_token_type=str(payload["idToken"].get("type") or ""),
        batteries=[_battery(one) for one in payload["batteryData"]],
    )

    if swap.reason:
        incoming.flags.append("unauthorised")
    return {}


def write_request(*, request_id: int, id_token: str, id_token_type: str) -> tuple[str, Payload]:
    """Write RequestBatterySwap (S02)."""
    token = values.write_id_token(id_token, id_token_type)
    return "RequestBatterySwap", {"requestId": request_id, "idToken": token}


def request_battery_swap(command: Command, answer: Payload | None) -> None:
    """Take the station's word, with its reason: perhaps it has no battery (S02.FR.04)."""
    if answer is not None:
        is_accepted = answer["status"] == "Accepted"
        state = State.ACCEPTED if is_accepted else State.REFUSED
        reason = "" if is_accepted else str((answer.get("statusInfo") or {}).get("reasonCode") or "Rejected")
    else:
        was_unsent = command.status in (Command.Status.EXPIRED, Command.Status.CANCELLED)
        state = State.REFUSED if command.error_code or was_unsent else State.UNKNOWN
        reason = command.error_code or command.status
    swaps.answered(command.station, command.payload["requestId"], state=state, reason=reason)


def _battery(told: dict[str, Any]) -> dict[str, Any]:
    """Read a BatteryDataType; charge and health in percent."""
    return {
        "serial_number": str(told["serialNumber"]).replace("\0", "�"),
        "slot": told["evseId"],
        "charge_percent": told["soC"],
        "health_percent": told["soH"],
        "produced_at": told.get("productionDate") or "",
        "info": str(told.get("vendorInfo") or "").replace("\0", "�"),
    }
