"""Ad hoc payment at a simulated station of 2.1: QR codes on its display, an EVSE that waits for who pays (C25)."""

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import segno

from cpo.simulator.answers import Payload, Reaction
from cpo.simulator.v2.variables import Key, Variable

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger
    from cpo.simulator.v2.station import ChargingStation

CONTROLLER = "WebPaymentsCtrlr"
LETTERS = "0123456789abcdefghijklmnpqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def of_display() -> dict[Key, Variable]:
    """The variables of a display that shows codes."""
    return {
        (CONTROLLER, 0, "Enabled"): Variable("false", "boolean"),
        (CONTROLLER, 0, "URLTemplate"): Variable(""),
        (CONTROLLER, 0, "TOTPVersion"): Variable("v1"),
        (CONTROLLER, 0, "ValidityTime"): Variable("60", "integer"),
        (CONTROLLER, 0, "Length"): Variable("8", "integer"),
        (CONTROLLER, 0, "SharedSecret"): Variable("", hidden=True),
    }


def url(station: "ChargingStation", evse: int) -> str:
    """Return what the code of an EVSE says now; '' while none is shown."""
    told = {name: station.model_of[CONTROLLER, 0, name].value for _, _, name in of_display()}
    if told["Enabled"] != "true" or not told["URLTemplate"] or not told["SharedSecret"]:
        return ""
    interval = int(station.clock.now().timestamp()) // int(told["ValidityTime"])
    digest = hmac.new(told["SharedSecret"].encode(), interval.to_bytes(8, "big"), hashlib.sha256).digest()
    offset = digest[-1] & 15
    places = range(offset, offset + int(told["Length"]))
    totp = "".join(LETTERS[digest[place % len(digest)] % len(LETTERS)] for place in places)
    filled = {
        "{chargingstationid}": station.station_id,
        "{evse}": str(evse),
        "{totp}": totp,
        "{version}": "v1",
    }
    text = told["URLTemplate"]
    for name, value in filled.items():
        text = text.replace(name, value)
    return text


def show(station: "ChargingStation", folder: Path) -> list[str]:
    """Draw the codes of all EVSEs into files, as a display would; return what they say."""
    shown = [(evse, text) for evse in station.outlets if (text := url(station, evse))]
    for evse, text in shown:
        segno.make(text, micro=False).save(
            str(folder / f"{station.station_id}-{evse}.svg"), scale=6, light="#fff"
        )
        (folder / f"{station.station_id}-{evse}.txt").write_text(text + "\n")
    return [text for _, text in shown]


async def notify_web_payment_started(station: "Charger", payload: Payload) -> Payload:
    """C25.FR.22 and FR.27: keep the EVSE for who pays; EVSE 0 is all of them."""
    until = station.clock.now() + timedelta(seconds=payload["timeout"])
    for evse in [payload["evseId"]] if payload["evseId"] else station.outlets:
        station.kept_until[evse] = until
    return {}


def is_kept(station: "ChargingStation", evse: int) -> bool:
    """Whether somebody pays for the EVSE on the web right now."""
    until = station.kept_until.get(evse)
    return until is not None and station.clock.now() < until


def started(station: "ChargingStation", payload: Payload) -> None:
    """Let go of what was kept for whom the central system starts now (C25.FR.22)."""
    station.kept_until.pop(payload.get("evseId") or 0, None)


REACTIONS: dict[str, Reaction] = {"NotifyWebPaymentStarted": notify_web_payment_started}
