"""The device model of the simulated station: variables of components, read, set and reported (B05 to B08)."""

from dataclasses import dataclass
from typing import Any

from cpo.simulator.answers import Payload

Key = tuple[str, int, str]  # component, EVSE or 0, variable with its instance: `Enabled[Cost]`
PART = 4  # variables in a NotifyReport


@dataclass
class Variable:
    """A value of text, as on the wire. A hidden one is never read out."""

    value: str
    type: str = "string"
    readonly: bool = False
    hidden: bool = False
    reboot: bool = False

    @property
    def mutability(self) -> str:
        return "ReadOnly" if self.readonly else "WriteOnly" if self.hidden else "ReadWrite"

    def refuses(self, value: str) -> str:
        """Say why a value cannot be set: a reasonCode, or nothing."""
        if self.readonly:
            return "ReadOnly"
        is_wrong = (self.type == "integer" and not value.lstrip("-").isdigit()) or (
            self.type == "boolean" and value not in ("true", "false")
        )
        return "InvalidValue" if is_wrong else ""


def of_station(*, evses: int, connectors: int, power_w: int, meter_interval_s: int) -> dict[Key, Variable]:
    """The variables that a station of this size begins with."""
    found = {
        ("AlignedDataCtrlr", 0, "Interval"): Variable("0", "integer"),
        ("AuthCtrlr", 0, "AuthorizeRemoteStart"): Variable("false", "boolean"),
        ("AuthCtrlr", 0, "LocalPreAuthorize"): Variable("false", "boolean"),
        ("AuthCtrlr", 0, "OfflineTxForUnknownIdEnabled"): Variable("true", "boolean"),
        ("ChargingStation", 0, "AvailabilityState"): Variable("Available", "OptionList", readonly=True),
        ("ClockCtrlr", 0, "TimeSource"): Variable("Heartbeat", "SequenceList"),
        ("DeviceDataCtrlr", 0, "BytesPerMessage"): Variable("65536", "integer", readonly=True),
        ("DeviceDataCtrlr", 0, "ItemsPerMessage"): Variable("20", "integer", readonly=True),
        ("ISO15118Ctrlr", 0, "PnCEnabled"): Variable("true", "boolean"),
        ("ISO15118Ctrlr", 0, "SeccId"): Variable(""),
        ("LocalAuthListCtrlr", 0, "Enabled"): Variable("true", "boolean"),
        ("LocalAuthListCtrlr", 0, "Entries"): Variable("0", "integer", readonly=True),
        ("LocalAuthListCtrlr", 0, "ItemsPerMessage"): Variable("100", "integer", readonly=True),
        ("OCPPCommCtrlr", 0, "HeartbeatInterval"): Variable("300", "integer"),
        ("OCPPCommCtrlr", 0, "NetworkConfigurationPriority"): Variable("1", "SequenceList", reboot=True),
        ("OCPPCommCtrlr", 0, "OfflineThreshold"): Variable("60", "integer"),
        ("ReservationCtrlr", 0, "Available"): Variable("true", "boolean", readonly=True),
        ("SampledDataCtrlr", 0, "TxUpdatedInterval"): Variable(str(meter_interval_s), "integer"),
        ("SampledDataCtrlr", 0, "TxUpdatedMeasurands"): Variable(
            "Energy.Active.Import.Register,Power.Active.Import,SoC", "MemberList"
        ),
        ("SecurityCtrlr", 0, "BasicAuthPassword"): Variable("", hidden=True),
        ("SecurityCtrlr", 0, "MaxCertificateChainSize"): Variable("10000", "integer", readonly=True),
        ("SecurityCtrlr", 0, "OrganizationName"): Variable("OpenCPO Demo"),
        ("SecurityCtrlr", 0, "SecurityProfile"): Variable("0", "integer", readonly=True),
        ("SmartChargingCtrlr", 0, "Available"): Variable("true", "boolean", readonly=True),
        ("TxCtrlr", 0, "EVConnectionTimeOut"): Variable("60", "integer"),
        ("TxCtrlr", 0, "StopTxOnInvalidId"): Variable("true", "boolean"),
        ("TxCtrlr", 0, "TxStartPoint"): Variable("PowerPathClosed", "MemberList"),
        ("TxCtrlr", 0, "TxStopPoint"): Variable("PowerPathClosed", "MemberList"),
    }
    for number in range(1, evses + 1):
        found["EVSE", number, "AvailabilityState"] = Variable("Available", "OptionList", readonly=True)
        found["EVSE", number, "Power"] = Variable(str(power_w), "decimal", readonly=True)
        found["EVSE", number, "SupplyPhases"] = Variable("3", "integer", readonly=True)
        found["EVSE", number, "Connectors"] = Variable(str(connectors), "integer", readonly=True)
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
        return [key for key in model if any(_fits(key, wanted) for wanted in asked["componentVariable"])]
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


def _fits(key: Key, wanted: Payload) -> bool:
    component, variable = wanted["component"], wanted.get("variable")
    evse = (component.get("evse") or {}).get("id")
    return (
        key[0] == component["name"]
        and evse in (None, key[1])
        and (variable is None or key[2] == variable["name"])
    )


def _told(key: Key, variable: Variable) -> Payload:
    value = {} if variable.hidden else {"value": variable.value}
    return place_of(key) | {
        "variableAttribute": [{"type": "Actual", "mutability": variable.mutability} | value],
        "variableCharacteristics": {"dataType": variable.type, "supportsMonitoring": False},
    }
