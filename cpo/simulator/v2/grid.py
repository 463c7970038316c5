"""How a simulated station reacts to the grid: DER controls, signals, transfers that are permitted (blocks Q and R)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cpo.simulator.answers import Answer, Payload, Reaction
from cpo.simulator.transaction import timestamp

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}
# Where a control's settings are in SetDERControl, and in which list of ReportDERControl; all others are curves.
FIELDS = {
    "EnterService": ("enterService", "enterService", "enterService"),
    "FixedPFAbsorb": ("fixedPFAbsorb", "fixedPFAbsorb", "fixedPF"),
    "FixedPFInject": ("fixedPFInject", "fixedPFInject", "fixedPF"),
    "FixedVar": ("fixedVar", "fixedVar", "fixedVar"),
    "FreqDroop": ("freqDroop", "freqDroop", "freqDroop"),
    "Gradients": ("gradient", "gradient", "gradient"),
    "LimitMaxDischarge": ("limitMaxDischarge", "limitMaxDischarge", "limitMaxDischarge"),
}
CURVE = ("curve", "curve", "curve")
ONLY_DEFAULT = ("EnterService", "Gradients")


@dataclass
class Grid:
    """What a station was told about the grid; `controls` by id, in the order they came."""

    controls: dict[str, Payload] = field(default_factory=dict)
    superseded: set[str] = field(default_factory=set)
    signals: list[Payload] = field(default_factory=list)
    transfers: dict[str, list[str]] = field(default_factory=dict)  # permitted, by transaction


async def set_der_control(station: "Charger", payload: Payload) -> Answer:
    """R04: the one of a type with the lowest priority value is followed, the others are superseded."""
    grid, new = station.grid, payload
    settings = _settings(new)
    is_wrong = new["isDefault"] and ("startTime" in settings or "duration" in settings)
    if not settings or is_wrong or (not new["isDefault"] and new["controlType"] in ONLY_DEFAULT):
        return Answer(REJECTED)
    rivals = [
        id
        for id, old in grid.controls.items()
        if old["controlType"] == new["controlType"] and old["isDefault"] == new["isDefault"]
        and id not in grid.superseded and id != new["controlId"]
    ]  # fmt: skip
    grid.controls[new["controlId"]] = new
    stronger = [id for id in rivals if _settings(grid.controls[id])["priority"] < settings["priority"]]
    given_up = [new["controlId"]] if stronger else rivals
    grid.superseded |= set(given_up)
    answer: Payload = ACCEPTED | ({"supersededIds": given_up} if given_up else {})
    if "startTime" not in settings:
        return Answer(answer)
    return Answer(answer, then=lambda: _run(station, new))


async def get_der_control(station: "Charger", payload: Payload) -> Answer:
    """R04.FR.30: the answer first, then one report with all that was asked for."""
    found = [id for id in station.grid.controls if _matches(station, id, payload)]
    if not found:
        return Answer({"status": "NotFound"})
    report: dict[str, Any] = {"requestId": payload["requestId"]}
    for id in found:
        control = station.grid.controls[id]
        _, name, member = FIELDS.get(control["controlType"], CURVE)
        told = {"id": id, member: _settings(control)}
        if control["controlType"] not in ONLY_DEFAULT:
            told |= {"isDefault": control["isDefault"], "isSuperseded": id in station.grid.superseded}
        if name == "curve":
            told["curveType"] = control["controlType"]
        report.setdefault(name, []).append(told)
    return Answer(ACCEPTED, then=lambda: station.send_parts("ReportDERControl", [report]))


async def clear_der_control(station: "Charger", payload: Payload) -> Payload:
    """R04.FR.41 to R04.FR.46."""
    found = [id for id in station.grid.controls if _matches(station, id, payload)]
    for id in found:
        del station.grid.controls[id]
        station.grid.superseded.discard(id)
    return ACCEPTED if found else {"status": "NotFound"}


async def afrr_signal(station: "Charger", payload: Payload) -> Payload:
    """Q08.FR.10 and Q08.FR.11: without anybody who feeds back there is nothing to add it to."""
    if not station.running:
        return REJECTED | {"statusInfo": {"reasonCode": "NoSignalWattCurve"}}
    station.grid.signals.append(payload)
    return ACCEPTED


async def notify_allowed_energy_transfer(station: "Charger", payload: Payload) -> Payload:
    """Q02.FR.06."""
    if all(transaction.id != payload["transactionId"] for transaction in station.running.values()):
        return REJECTED
    station.grid.transfers[payload["transactionId"]] = payload["allowedEnergyTransfer"]
    return ACCEPTED


async def deviate(station: "Charger", control_type: str, fault: str, *, ended: bool = False) -> None:
    """R05: say that the grid makes the station deviate, or does not any more."""
    told = {"controlType": control_type, "gridEventFault": fault, "timestamp": timestamp(station.clock.now())}
    await station.send_parts("NotifyDERAlarm", [told | ({"alarmEnded": True} if ended else {})])


async def _run(station: "Charger", control: Payload) -> None:
    """R04.FR.20 and R04.FR.22: tell when a scheduled control begins and when it is over."""
    settings, id = _settings(control), control["controlId"]
    begin = datetime.fromisoformat(settings["startTime"].replace("Z", "+00:00"))
    await station.clock.sleep(max(int((begin - station.clock.now()).total_seconds()), 0))
    for started in (True, False):
        if id not in station.grid.controls or (started and id in station.grid.superseded):
            return
        told = {"controlId": id, "started": started, "timestamp": timestamp(station.clock.now())}
        await station.send_parts("NotifyDERStartStop", [told])
        if started:
            await station.clock.sleep(int(settings.get("duration", 0)))
    station.grid.controls.pop(id, None)


def _settings(control: Payload) -> Any:
    return control.get(FIELDS.get(control["controlType"], CURVE)[0])


def _matches(station: "Charger", id: str, asked: Payload) -> bool:
    control = station.grid.controls[id]
    return (
        asked.get("isDefault") in (None, control["isDefault"])
        and asked.get("controlType") in (None, control["controlType"])
        and asked.get("controlId") in (None, id)
    )


REACTIONS: dict[str, Reaction] = {
    "AFRRSignal": afrr_signal,
    "ClearDERControl": clear_der_control,
    "GetDERControl": get_der_control,
    "NotifyAllowedEnergyTransfer": notify_allowed_energy_transfer,
    "SetDERControl": set_der_control,
}
