"""GetBaseReport, GetReport, NotifyReport, GetVariables, SetVariables (B05 to B08) and what they speak of."""

from decimal import Decimal
from typing import Any

from cpo.lib import clock
from stations import readings
from stations.models import Command, DeviceReport
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import configuration_templates, device_model, variable_keys, web_payment_codes
from stations.services.device_model import Outcome, Told
from stations.services.errors import UnknownAction
from stations.services.variable_keys import ACTUAL, VariableKey

State = DeviceReport.State
ANSWERS = {
    "Accepted": State.RECEIVING,
    "Rejected": State.REFUSED,
    "NotSupported": State.NOT_SUPPORTED,
    "EmptyResultSet": State.EMPTY,
}
LARGEST = Decimal(10) ** 19  # of a limit that is kept


def notify_report(link: Link, incoming: Incoming) -> Payload:
    """Store one part of a report (B07.FR.03, B08.FR.03); who never asked for it stores it all the same."""
    payload = incoming.payload
    at, flags = readings.parse_timestamp(payload["generatedAt"], received_at=incoming.received_at)
    incoming.flags += flags
    told = [entry for data in payload.get("reportData") or () for entry in _told(data)]

    report = device_model.take_part(
        link.station_id,
        request_id=int(payload["requestId"]),
        seq_no=int(payload["seqNo"]),
        is_last=not payload.get("tbc", False),
        generated_at=at,
        told=told,
    )
    if report is None:
        incoming.flags.append("unasked_report")
    elif report.state == State.COMPLETE:
        configuration_templates.enforce(link.station_id)

    return {}


def report(command: Command, answer: Payload | None) -> None:
    """Await the parts of a report, or say why none will come (B07.FR.02, B08.FR.15, N02.FR.10)."""
    if answer is not None:
        device_model.answered(command, state=ANSWERS[answer["status"]])
    else:
        device_model.answered(command, state=State.UNANSWERED)


def get_variables(command: Command, answer: Payload | None) -> None:
    """Store what the station told, and what it does not know (B06)."""
    if answer is None:
        return
    told, unknown = [], []
    for item in answer["getVariableResult"]:
        found = key(item, item.get("attributeType"))
        if item["attributeStatus"] == "Accepted":
            told.append(Told(found, str(item.get("attributeValue") or "")))
        elif item["attributeStatus"] in device_model.UNKNOWN:
            unknown.append(found)

    device_model.store(command.station_id, told=told, unknown=unknown, at=clock.now())
    configuration_templates.enforce(command.station_id)


def set_variables(command: Command, answer: Payload | None) -> None:
    """See to it that what the station made of each change is known (B05.FR.02)."""
    if answer is None:
        return
    outcomes = [
        Outcome(key(item, item.get("attributeType")), item["attributeStatus"], _why(item))
        for item in answer["setVariableResult"]
    ]
    device_model.changed(command.station, outcomes)
    if command.subject == web_payment_codes.SUBJECT:
        web_payment_codes.answered(command, {outcome.key.name: outcome.status for outcome in outcomes})


# --- requests


def write_base_report(*, request_id: int, base: str) -> tuple[str, Payload]:
    """Write GetBaseReport (B07)."""
    return "GetBaseReport", {"requestId": request_id, "reportBase": base}


def write_report(
    *, request_id: int, criteria: list[str], keys: list[VariableKey]
) -> tuple[str, Payload]:  # fmt: skip
    """Write GetReport (B08); a key without the name of a variable means all of the component."""
    payload: Payload = {"requestId": request_id}
    if criteria:
        payload["componentCriteria"] = criteria
    if keys:
        payload["componentVariable"] = [component_variable(found) for found in keys]
    return "GetReport", payload


def write_read(*, keys: list[VariableKey]) -> tuple[str, Payload]:
    """Write GetVariables (B06)."""
    return "GetVariables", {
        "getVariableData": [component_variable(found) | _attribute(found) for found in keys]
    }


def write_change(*, changes: list[tuple[VariableKey, str]]) -> tuple[str, Payload]:
    """Write SetVariables (B05)."""
    data = [
        component_variable(found) | _attribute(found) | {"attributeValue": value} for found, value in changes
    ]
    return "SetVariables", {"setVariableData": data}


def component_variable(found: VariableKey) -> Payload:
    """Write where a variable stands; raise `UnknownAction` for a 1.6 key."""
    if not found.component:
        raise UnknownAction(f"OCPP 2.x has components, not keys: write Component/{found.name}")
    component: Payload = {"name": found.component}
    if found.component_instance:
        component["instance"] = found.component_instance
    if found.evse_number:
        component["evse"] = {"id": found.evse_number}
        if found.connector_number:
            component["evse"]["connectorId"] = found.connector_number
    place: Payload = {"component": component}
    if found.name:
        place["variable"] = {"name": found.name}
        if found.instance:
            place["variable"]["instance"] = found.instance
    return place


# --- reading the wire


def key(item: Payload, attribute: str | None = None) -> VariableKey:
    """Read where a variable stands."""
    component, variable = item["component"], item["variable"]
    evse = component.get("evse") or {}
    return VariableKey(
        name=_word(variable["name"]),
        component=_word(component["name"]),
        component_instance=_word(component.get("instance")),
        evse_number=_number(evse.get("id")),
        connector_number=_number(evse.get("connectorId")),
        instance=_word(variable.get("instance")),
        attribute=variable_keys.ATTRIBUTES.get(str(attribute or ACTUAL).casefold(), ACTUAL),
    )


def _told(data: Payload) -> list[Told]:
    characteristics = _characteristics(data.get("variableCharacteristics"))
    return [
        Told(
            key(data, attribute.get("type")),
            None if attribute.get("value") is None else str(attribute["value"]).replace("\0", "\ufffd"),
            {
                "is_readonly": attribute.get("mutability") == "ReadOnly",
                "is_writeonly": attribute.get("mutability") == "WriteOnly",
                "is_persistent": attribute.get("persistent") is True,
                "is_constant": attribute.get("constant") is True,
            },
            characteristics,
        )
        for attribute in data["variableAttribute"]
    ]


def _characteristics(told: Payload | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "data_type": str(told.get("dataType") or "")[:12],
        "unit": _word(told.get("unit"))[:16],
        "min_limit": _limit(told.get("minLimit")),
        "max_limit": _limit(told.get("maxLimit")),
        "values_list": str(told.get("valuesList") or "").replace("\0", "\ufffd"),
        "is_monitorable": told.get("supportsMonitoring") is True,
    }


def _limit(value: Any) -> Decimal | None:
    if value is None or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() and abs(number) < LARGEST else None


def _word(text: Any) -> str:
    return str(text or "").strip().replace("\0", "\ufffd")[:50]


def _number(value: Any) -> int:
    number = int(value or 0)
    return number if 0 <= number < 2**31 else 0


def _why(item: Payload) -> str:
    info = item.get("attributeStatusInfo") or {}
    return ": ".join(text for text in (info.get("reasonCode"), info.get("additionalInfo")) if text)


def _attribute(found: VariableKey) -> Payload:
    return {} if found.attribute == ACTUAL else {"attributeType": found.attribute}
