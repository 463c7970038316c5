"""The device model of the simulated station: variables of components, read, set and reported (B05 to B08)."""

import re
from dataclasses import dataclass
from typing import Any

from cpo.simulator.answers import Payload

Key = tuple[str, int, str]  # component, EVSE or 0, variable with its instance: `Enabled[Cost]`
PART = 4  # variables in a NotifyReport
BOOLEANS = {"true", "false"}
STATES = ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")
MEASURANDS = (
    "Current.Import,Energy.Active.Import.Register,Power.Active.Import,Power.Offered,SoC,Temperature,Voltage"
)
POINTS = "ParkingBayOccupancy,EVConnected,Authorized,PowerPathClosed,EnergyTransfer"
_INTEGER = re.compile(r"-?\d{1,9}")


@dataclass
class Variable:
    """A value of text, as on the wire. A hidden one is never read out; a constant one is as the factory made it."""

    value: str
    type: str = "string"
    readonly: bool = False
    hidden: bool = False
    reboot: bool = False
    unit: str = ""
    least: int | None = None
    most: int | None = None
    members: str = ""  # what it is made of, or one of
    monitored: bool = False
    constant: bool = False

    @property
    def mutability(self) -> str:
        return "ReadOnly" if self.readonly else "WriteOnly" if self.hidden else "ReadWrite"

    def refuses(self, value: str) -> str:
        """Say why a value cannot be set: a reasonCode, or nothing."""
        if self.readonly:
            return "ReadOnly"
        if self.type == "integer":
            return self._out_of_range(value) if _INTEGER.fullmatch(value) else "InvalidValue"
        allowed = BOOLEANS if self.type == "boolean" else {*self.members.split(",")} if self.members else None
        parts = value.split(",") if self.type in ("MemberList", "SequenceList") and value else [value]
        return (
            "" if allowed is None or {part.strip() for part in parts if part} <= allowed else "InvalidValue"
        )

    def _out_of_range(self, value: str) -> str:
        is_low = self.least is not None and int(value) < self.least
        is_high = self.most is not None and int(value) > self.most
        return "ValueOutOfRange" if is_low or is_high else ""


def of_station(*, evses: int, connectors: int, power_w: int, meter_interval_s: int) -> dict[Key, Variable]:
    """The variables that a station of this size begins with."""
    found = {
        ("AlignedDataCtrlr", 0, "Interval"): Variable("0", "integer", unit="s", least=0, most=86_400),
        ("AlignedDataCtrlr", 0, "Measurands"): Variable(
            "Energy.Active.Import.Register", "MemberList", members=MEASURANDS
        ),
        ("AuthCacheCtrlr", 0, "Enabled"): Variable("true", "boolean"),
        ("AuthCtrlr", 0, "AuthorizeRemoteStart"): Variable("false", "boolean"),
        ("AuthCtrlr", 0, "LocalPreAuthorize"): Variable("false", "boolean"),
        ("AuthCtrlr", 0, "OfflineTxForUnknownIdEnabled"): Variable("true", "boolean"),
        ("ChargingStation", 0, "AvailabilityState"): Variable("Available", "OptionList", readonly=True),
        ("ChargingStation", 0, "SupplyPhases"): Variable("3", "integer", readonly=True, constant=True),
        ("ClockCtrlr", 0, "DateTime"): Variable("2026-01-01T00:00:00Z", "dateTime", readonly=True),
        ("ClockCtrlr", 0, "TimeSource"): Variable("Heartbeat", "SequenceList", members="Heartbeat,NTP,GPS"),
        ("ClockCtrlr", 0, "TimeZone"): Variable("Europe/Amsterdam"),
        ("ISO15118Ctrlr", 0, "PnCEnabled"): Variable("true", "boolean"),
        ("ISO15118Ctrlr", 0, "SeccId"): Variable(""),
        ("LocalAuthListCtrlr", 0, "BytesPerMessage"): Variable("65536", "integer", readonly=True, unit="B"),
        ("LocalAuthListCtrlr", 0, "Enabled"): Variable("true", "boolean"),
        ("LocalAuthListCtrlr", 0, "Entries"): Variable("0", "integer", readonly=True, most=500),
        ("LocalAuthListCtrlr", 0, "ItemsPerMessage"): Variable("50", "integer", readonly=True),
        ("MonitoringCtrlr", 0, "Available"): Variable("true", "boolean", readonly=True),
        ("MonitoringCtrlr", 0, "Enabled"): Variable("true", "boolean"),
        ("OCPPCommCtrlr", 0, "HeartbeatInterval"): Variable("300", "integer", unit="s", least=1, most=86_400),
        ("OCPPCommCtrlr", 0, "MessageTimeout[Default]"): Variable(
            "30", "integer", unit="s", least=1, most=300
        ),
        ("OCPPCommCtrlr", 0, "NetworkConfigurationPriority"): Variable("1", "SequenceList", reboot=True),
        ("OCPPCommCtrlr", 0, "OfflineThreshold"): Variable("60", "integer", unit="s", least=0, most=86_400),
        ("ReservationCtrlr", 0, "Available"): Variable("true", "boolean", readonly=True),
        ("ReservationCtrlr", 0, "NonEvseSpecific"): Variable("true", "boolean", readonly=True),
        ("SampledDataCtrlr", 0, "TxUpdatedInterval"): Variable(
            str(meter_interval_s), "integer", unit="s", least=0, most=3_600
        ),
        ("SampledDataCtrlr", 0, "TxUpdatedMeasurands"): Variable(
            "Energy.Active.Import.Register,Power.Active.Import,SoC", "MemberList", members=MEASURANDS
        ),
        ("SecurityCtrlr", 0, "BasicAuthPassword"): Variable("", hidden=True),
        ("SecurityCtrlr", 0, "MaxCertificateChainSize"): Variable("10000", "integer", readonly=True),
        ("SecurityCtrlr", 0, "OrganizationName"): Variable("OpenCPO Demo"),
        ("SecurityCtrlr", 0, "SecurityProfile"): Variable("0", "integer", readonly=True),
        ("SmartChargingCtrlr", 0, "Available"): Variable("true", "boolean", readonly=True),
        ("SmartChargingCtrlr", 0, "LimitChangeSignificance"): Variable("5", "decimal", unit="Percent"),
        ("TxCtrlr", 0, "EVConnectionTimeOut"): Variable("60", "integer", unit="s", least=5, most=3_600),
        ("TxCtrlr", 0, "StopTxOnInvalidId"): Variable("true", "boolean"),
        ("TxCtrlr", 0, "TxStartPoint"): Variable("PowerPathClosed", "MemberList", members=POINTS),
        ("TxCtrlr", 0, "TxStopPoint"): Variable("PowerPathClosed", "MemberList", members=POINTS),
    }
    for action in ("GetReport", "GetVariables", "SetVariables"):
        found["DeviceDataCtrlr", 0, f"BytesPerMessage[{action}]"] = Variable(
            "65536", "integer", readonly=True, unit="B"
        )
        found["DeviceDataCtrlr", 0, f"ItemsPerMessage[{action}]"] = Variable("20", "integer", readonly=True)
    for limit in ("ClearVariableMonitoring", "SetVariableMonitoring"):
        found["MonitoringCtrlr", 0, f"ItemsPerMessage[{limit}]"] = Variable("10", "integer", readonly=True)
    for number in range(1, evses + 1):
        found["EVSE", number, "AvailabilityState"] = Variable(
            "Available", "OptionList", readonly=True, members=",".join(STATES), monitored=True
        )
        found["EVSE", number, "Power"] = Variable(
            str(power_w), "decimal", readonly=True, unit="W", least=0, most=power_w
        )
        found["EVSE", number, "SupplyPhases"] = Variable("3", "integer", readonly=True, constant=True)
        found["EVSE", number, "Connectors"] = Variable(
            str(connectors), "integer", readonly=True, constant=True
        )
        found["EVSE", number, "Temperature"] = Variable(
            "25", "decimal", readonly=True, unit="Celsius", least=-40, most=120, monitored=True
        )
    return found


def key_of(asked: Payload) -> Key:
    """Read a ComponentType and a VariableType."""
    component, variable = asked["component"], asked["variable"]
    instance = f"[{variable['instance']}]" if "instance" in variable else ""
    return component["name"], (component.get("evse") or {}).get("id", 0), f"{variable['name']}{instance}"


def place_of(key: Key) -> Payload:
    """Write a key as ComponentType and VariableType."""
    component, evse, variable = key
    name, _, instance = variable.removesuffix("]").partition("[")
    return {
        "component": {"name": component} | ({"evse": {"id": evse}} if evse else {}),
        "variable": {"name": name} | ({"instance": instance} if instance else {}),
    }


def read(model: dict[Key, Variable], asked: Payload) -> Payload:
    """Answer one GetVariableData (B06)."""
    place = {name: asked[name] for name in ("component", "variable", "attributeType") if name in asked}
    variable = model.get(key_of(asked))
    if variable is None:
        is_known = any(key[0] == asked["component"]["name"] for key in model)
        return place | {"attributeStatus": "UnknownVariable" if is_known else "UnknownComponent"}
    if asked.get("attributeType", "Actual") != "Actual":
        return place | {"attributeStatus": "NotSupportedAttributeType"}
    if variable.hidden:
        return place | {"attributeStatus": "Rejected"}
    return place | {"attributeStatus": "Accepted", "attributeValue": variable.value}


def write(model: dict[Key, Variable], asked: Payload) -> Payload:
    """Answer one SetVariableData (B05)."""
    place = {name: asked[name] for name in ("component", "variable", "attributeType") if name in asked}
    variable = model.get(key_of(asked))
    if variable is None:
        is_known = any(key[0] == asked["component"]["name"] for key in model)
        return place | {"attributeStatus": "UnknownVariable" if is_known else "UnknownComponent"}
    if asked.get("attributeType", "Actual") != "Actual":
        return place | {"attributeStatus": "NotSupportedAttributeType"}
    reason = variable.refuses(asked["attributeValue"])
    if reason:
        return place | {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": reason}}
    variable.value = asked["attributeValue"]
    return place | {"attributeStatus": "RebootRequired" if variable.reboot else "Accepted"}


def chosen(model: dict[Key, Variable], asked: Payload) -> list[Key]:
    """Name the variables that a GetBaseReport or GetReport asks for."""
    if asked.get("reportBase") == "ConfigurationInventory":
        return [key for key, variable in model.items() if not variable.readonly]
    if asked.get("reportBase") == "SummaryInventory":
        return [key for key in model if key[2] == "AvailabilityState"]
    if "componentVariable" in asked:
        return [key for key in model if any(fits(key, wanted) for wanted in asked["componentVariable"])]
    criteria = asked.get("componentCriteria")
    return list(model) if criteria is None or {"Active", "Available", "Enabled"} & {*criteria} else []


def parts(model: dict[Key, Variable], keys: list[Key], request_id: int, at: str) -> list[Payload]:
    """Write the NotifyReports of a report."""
    told = [_told(key, model[key]) for key in keys]
    pieces: list[list[Any]] = [told[begin : begin + PART] for begin in range(0, len(told), PART)]
    return [
        {
            "requestId": request_id, "generatedAt": at, "seqNo": number, "tbc": number < len(pieces) - 1,
            "reportData": piece,
        }
        for number, piece in enumerate(pieces)
    ]  # fmt: skip


def fits(key: Key, wanted: Payload) -> bool:
    """Tell whether a component, or one of its variables with or without their instance, is what was asked for."""
    component, variable = wanted["component"], wanted.get("variable")
    evse = (component.get("evse") or {}).get("id")
    if key[0] != component["name"] or evse not in (None, key[1]):
        return False
    if variable is None:
        return True
    name, _, instance = key[2].removesuffix("]").partition("[")
    return name == variable["name"] and variable.get("instance") in (None, instance)


def _told(key: Key, variable: Variable) -> Payload:
    attribute: Payload = {
        "type": "Actual",
        "mutability": variable.mutability,
        "persistent": not variable.readonly,
    }
    attribute |= {"constant": variable.constant} | ({} if variable.hidden else {"value": variable.value})
    kind: Payload = {"dataType": variable.type, "supportsMonitoring": variable.monitored}
    told = {
        "unit": variable.unit, "minLimit": variable.least, "maxLimit": variable.most, "valuesList": variable.members,
    }  # fmt: skip
    kind |= {name: value for name, value in told.items() if value not in (None, "")}
    return place_of(key) | {"variableAttribute": [attribute], "variableCharacteristics": kind}
