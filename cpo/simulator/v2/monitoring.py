"""What the simulated station watches by itself: monitors of its variables, and their events (block N)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from cpo.simulator.answers import Answer, Payload, Reaction
from cpo.simulator.transaction import timestamp
from cpo.simulator.v2 import variables
from cpo.simulator.v2.variables import Key

if TYPE_CHECKING:
    from cpo.simulator.v2.station import ChargingStation

PART = 10  # monitors in one NotifyMonitoringReport
CRITERIA = {
    "ThresholdMonitoring": ("UpperThreshold", "LowerThreshold"),
    "DeltaMonitoring": ("Delta", "TargetDelta", "TargetDeltaRelative"),
    "PeriodicMonitoring": ("Periodic", "PeriodicClockAligned"),
}
KINDS = {word: kind for kind, words in CRITERIA.items() for word in words}
TRIGGERS = {"ThresholdMonitoring": "Alerting", "DeltaMonitoring": "Delta", "PeriodicMonitoring": "Periodic"}
HOT, ALARM = 7, 2  # severity of a preset monitor and of one that is built in
BUILT_IN, PRESET, CUSTOM = "HardWiredMonitor", "PreconfiguredMonitor", "CustomMonitor"
ACCEPTED = {"status": "Accepted"}


@dataclass
class Monitor:
    """One monitor, and what it last found: whether it is alerting, which value it compares with, when it reported."""

    id: int
    key: Key
    type: str
    value: Decimal
    severity: int
    origin: str = CUSTOM
    transaction: bool = False
    alerting: bool = False
    cause: int | None = None  # the event with which the alert began
    last: Decimal | None = None
    due_s: Decimal = Decimal(0)


@dataclass
class Watch:
    """The monitors of a station and the settings of all of them."""

    monitors: dict[int, Monitor] = field(default_factory=dict)
    level: int = 9
    base: str = "All"
    events: int = 0
    preset: list[Monitor] = field(default_factory=list)

    def numbered(self) -> int:
        """Give the next free number of a monitor."""
        return max([*self.monitors, *(one.id for one in self.preset)], default=0) + 1


def of_outlets(numbers: Iterable[int]) -> Watch:
    """Watch the temperature of every EVSE: one monitor that is built in, one that the factory has set."""
    preset = []
    for number in numbers:
        key = ("EVSE", number, "Temperature")
        preset.append(Monitor(2 * number - 1, key, "UpperThreshold", Decimal(85), ALARM, BUILT_IN))
        preset.append(Monitor(2 * number, key, "UpperThreshold", Decimal(55), HOT, PRESET))
    return Watch({one.id: replace(one) for one in preset}, preset=preset)


async def set_variable_monitoring(station: "ChargingStation", payload: Payload) -> Payload:
    """N04: each judged on its own; one with an id replaces the monitor of that id."""
    return {"setMonitoringResult": [_set(station, one) for one in payload["setMonitoringData"]]}


def _set(station: "ChargingStation", asked: Payload) -> Payload:
    told = {name: asked[name] for name in ("component", "variable", "type", "severity")}
    watch, key = station.watch, variables.key_of(asked)
    status = _refusal(station, key, asked)
    if status:
        return told | {"status": status} | ({"id": asked["id"]} if "id" in asked else {})
    number = asked.get("id") or watch.numbered()
    value = Decimal(str(asked["value"]))
    watch.monitors[number] = Monitor(
        number, key, asked["type"], value, asked["severity"], transaction=asked.get("transaction", False)
    )
    return told | {"status": "Accepted", "id": number}


def _refusal(station: "ChargingStation", key: Key, asked: Payload) -> str:
    variable, watch = station.model_of.get(key), station.watch
    if variable is None:
        is_known = any(known[0] == key[0] for known in station.model_of)
        return "UnknownVariable" if is_known else "UnknownComponent"
    is_number = variable.type in ("decimal", "integer")
    if not variable.monitored or (KINDS[asked["type"]] == "ThresholdMonitoring" and not is_number):
        return "UnsupportedMonitorType"
    old = watch.monitors.get(asked["id"]) if "id" in asked else None
    if "id" in asked and (old is None or old.origin == BUILT_IN):
        return "Rejected"
    twins = (one for one in watch.monitors.values() if one is not old)
    same = (key, asked["type"], asked["severity"])
    return "Duplicate" if any((one.key, one.type, one.severity) == same for one in twins) else ""


async def clear_variable_monitoring(station: "ChargingStation", payload: Payload) -> Payload:
    """N06: what is built in stays."""
    return {
        "clearMonitoringResult": [{"id": one, "status": _clear(station.watch, one)} for one in payload["id"]]
    }


def _clear(watch: Watch, number: int) -> str:
    found = watch.monitors.get(number)
    if found is None:
        return "NotFound"
    if found.origin == BUILT_IN:
        return "Rejected"
    del watch.monitors[number]
    return "Accepted"


async def set_monitoring_base(station: "ChargingStation", payload: Payload) -> Payload:
    """N03: everything preset comes back; what somebody set goes unless all are wanted."""
    watch = station.watch
    watch.base = payload["monitoringBase"]
    kept = [one for one in watch.monitors.values() if one.origin == CUSTOM] if watch.base == "All" else []
    wanted = [one for one in watch.preset if watch.base != "HardWiredOnly" or one.origin == BUILT_IN]
    watch.monitors = {one.id: one for one in [*kept, *map(replace, wanted)]}
    return ACCEPTED


async def set_monitoring_level(station: "ChargingStation", payload: Payload) -> Payload:
    """N05: events of this severity and graver ones are reported."""
    if not 0 <= payload["severity"] <= 9:
        return {"status": "Rejected", "statusInfo": {"reasonCode": "ValueOutOfRange"}}
    station.watch.level = payload["severity"]
    return ACCEPTED


async def get_monitoring_report(station: "ChargingStation", payload: Payload) -> Answer:
    """N02: the answer first, then the parts."""
    kinds, places = payload.get("monitoringCriteria"), payload.get("componentVariable")
    wanted = [
        one
        for one in station.watch.monitors.values()
        if (kinds is None or KINDS[one.type] in kinds)
        and (places is None or any(variables.fits(one.key, place) for place in places))
    ]
    if not wanted:
        return Answer({"status": "EmptyResultSet"})
    now = timestamp(station.clock.now())
    pieces = [wanted[begin : begin + PART] for begin in range(0, len(wanted), PART)]
    parts = [
        {
            "requestId": payload["requestId"], "generatedAt": now, "seqNo": number, "tbc": number < len(pieces) - 1,
            "monitor": [_told(one, station.is_newest) for one in piece],
        }
        for number, piece in enumerate(pieces)
    ]  # fmt: skip
    return Answer(ACCEPTED, then=lambda: station.send_parts("NotifyMonitoringReport", parts))


def _told(one: Monitor, is_newest: bool) -> Payload:
    monitor: Payload = {
        "id": one.id, "transaction": one.transaction, "value": _number(one.value), "type": one.type,
        "severity": one.severity,
    }  # fmt: skip
    if is_newest:
        monitor["eventNotificationType"] = one.origin
    return variables.place_of(one.key) | {"variableMonitoring": [monitor]}


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


async def get_periodic_event_stream(station: "ChargingStation", payload: Payload) -> Payload:
    """N12: this station opens no streams, it reports by events."""
    return {}


async def adjust_periodic_event_stream(station: "ChargingStation", payload: Payload) -> Payload:
    """N14: there is none to adjust."""
    return {"status": "Rejected", "statusInfo": {"reasonCode": "NotFound"}}


# --- what comes of them


async def look(station: "ChargingStation", passed_s: int) -> None:
    """Compare every variable with its monitors and send what there is to tell (N07, N08); call it now and then."""
    watch, found = station.watch, []
    for one in list(watch.monitors.values()):
        variable = station.model_of.get(one.key)
        told = variable and _look(one, variable.value, passed_s, is_charging=_is_charging(station, one.key))
        if told and one.severity <= watch.level:
            found.append(_event(station, one, variable.value, **told))  # type: ignore[union-attr]
    if found:
        now = timestamp(station.clock.now())
        parts = [{"generatedAt": now, "seqNo": 0, "tbc": False, "eventData": found}]
        await station.send_parts("NotifyEvent", parts)


def _is_charging(station: "ChargingStation", key: Key) -> bool:
    return bool(station.running) if not key[1] else key[1] in station.running


def _look(one: Monitor, text: str, passed_s: int, *, is_charging: bool) -> dict[str, Any]:
    """Return what there is to tell about one monitor, nothing if there is nothing."""
    if one.transaction and not is_charging:
        return {}
    kind = KINDS[one.type]
    if kind == "PeriodicMonitoring":
        one.due_s -= passed_s
        if one.due_s > 0:
            return {}
        one.due_s = one.value
        return {"trigger": "Periodic"}
    value = _value(text)
    if value is None:
        return {}
    if kind == "DeltaMonitoring":
        before, is_far = one.last, one.last is not None and abs(value - one.last) >= one.value
        one.last = value if is_far or before is None else before
        return {"trigger": "Delta"} if is_far else {}
    is_over = value > one.value if one.type == "UpperThreshold" else value < one.value
    if is_over == one.alerting:
        return {}
    one.alerting = is_over
    return {"trigger": "Alerting", "cleared": not is_over}


def _value(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _event(station: "ChargingStation", one: Monitor, text: str, **told: Any) -> Payload:
    station.watch.events += 1
    event = {
        "eventId": station.watch.events, "timestamp": timestamp(station.clock.now()), "actualValue": text,
        "eventNotificationType": one.origin, "variableMonitoringId": one.id, **variables.place_of(one.key), **told,
    }  # fmt: skip
    if one.severity <= ALARM and not told.get("cleared"):
        event |= {"techCode": "OVERTEMP", "techInfo": f"above {one.value} Celsius"}
    running = station.running.get(one.key[1])
    if running is not None:
        event["transactionId"] = running.id
    if station.is_newest:
        event["severity"] = one.severity
    return event


REACTIONS: dict[str, Reaction] = {
    "AdjustPeriodicEventStream": adjust_periodic_event_stream,
    "ClearVariableMonitoring": clear_variable_monitoring,
    "GetMonitoringReport": get_monitoring_report,
    "GetPeriodicEventStream": get_periodic_event_stream,
    "SetMonitoringBase": set_monitoring_base,
    "SetMonitoringLevel": set_monitoring_level,
    "SetVariableMonitoring": set_variable_monitoring,
}
