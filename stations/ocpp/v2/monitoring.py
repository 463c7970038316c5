"""Monitors and events of the device model (N02 to N08), and connectors that tell their state by an event (G01)."""

from decimal import Decimal
from typing import Any

from stations import readings
from stations.models import Command, ConnectorStatus
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import availability, device_model, topology, values
from stations.services import monitoring
from stations.services.ingest import DeviceEventRow
from stations.services.monitoring import Known, Wanted
from stations.services.variable_keys import VariableKey

GONE = frozenset({"Accepted", "NotFound"})  # answers after which the station has no such monitor
STATE = "availabilitystate"
EVSE, CONNECTOR = "evse", "connector"  # components whose state is a connector's


def quick_event(link: Link, incoming: Incoming) -> Payload | None:
    """Answer an event that can be no incident from the link alone; None: somebody has to look closer (N07.FR.03)."""
    told = rows(link, incoming)
    if not all(monitoring.is_routine(row) and _is_placed(link, row) for row in told):
        return None
    note_states(link, incoming, told)
    incoming.facts.device_events = told
    return {}


def notify_event(link: Link, incoming: Incoming) -> Payload:
    """Store events, and open or close the incidents that they are (N07.FR.03, N08.FR.02)."""
    told = rows(link, incoming)
    for row in told:
        if row.evse_number and row.connector_number and row.name.casefold() == STATE:
            topology.ensured(link, {"id": row.evse_number, "connectorId": row.connector_number})
    note_states(link, incoming, told)

    monitoring.happened(link.station_id, told)

    return {}


def note_states(link: Link, incoming: Incoming, told: list[DeviceEventRow]) -> None:
    """Let a state that was told by an event be what a StatusNotification would say (2.1 G01.FR.03 to FR.07)."""
    for row in told:
        component = row.component.casefold()
        if row.name.casefold() != STATE or row.is_cleared or component not in (EVSE, CONNECTOR):
            continue
        word = values.status(row.value)
        number = row.connector_number or _only_connector(link, row.evse_number)
        if word == ConnectorStatus.UNKNOWN or not number or (row.evse_number, number) not in link.connectors:
            incoming.flags.append("state_of_no_connector")
            continue
        availability.say(link, incoming, link.evses[row.evse_number], number, word, at=row.at)


def rows(link: Link, incoming: Incoming) -> list[DeviceEventRow]:
    """Read the events of a message."""
    return [_row(link, incoming, told) for told in incoming.payload["eventData"]]


def notify_monitoring_report(link: Link, incoming: Incoming) -> Payload:
    """Store one part of a monitoring report (N02.FR.03)."""
    payload = incoming.payload
    at, flags = readings.parse_timestamp(payload["generatedAt"], received_at=incoming.received_at)
    incoming.flags += flags
    report = monitoring.take_part(
        link.station_id,
        request_id=int(payload["requestId"]),
        seq_no=int(payload["seqNo"]),
        is_last=not payload.get("tbc", False),
        generated_at=at,
        known=[
            _known(place, told)
            for place in payload.get("monitor") or ()
            for told in place["variableMonitoring"]
        ],
    )
    if report is None:
        incoming.flags.append("unasked_report")

    return {}


# --- requests and what came of them


def write_report(*, request_id: int, criteria: list[str], keys: list[VariableKey]) -> tuple[str, Payload]:
    """Write GetMonitoringReport (N02); a key without the name of a variable means all of the component."""
    payload: Payload = {"requestId": request_id}
    if criteria:
        payload["monitoringCriteria"] = criteria
    if keys:
        payload["componentVariable"] = [device_model.component_variable(key) for key in keys]
    return "GetMonitoringReport", payload


def report(command: Command, answer: Payload | None) -> None:
    """Await the parts, or say why none will come (N02.FR.01, FR.02, FR.10)."""
    state = device_model.ANSWERS[answer["status"]] if answer is not None else device_model.State.UNANSWERED
    monitoring.answered(command, state=state)


def write_set(*, monitors: list[Wanted]) -> tuple[str, Payload]:
    """Write SetVariableMonitoring (N04)."""
    return "SetVariableMonitoring", {"setMonitoringData": [_wanted(monitor) for monitor in monitors]}


def set_variable_monitoring(command: Command, answer: Payload | None) -> None:
    """Keep the monitors that the station accepted (N04.FR.16); the others are in the command's answer."""
    if answer is None:
        return
    asked = list(command.payload["setMonitoringData"])
    accepted = []
    for result in answer["setMonitoringResult"]:
        question = next((data for data in asked if _is_about(data, result)), None)
        if question is not None:
            asked.remove(question)
        if result["status"] == "Accepted" and result.get("id") is not None:
            accepted.append(_known(result, result | {"value": 0, "transaction": False} | _told_of(question)))

    monitoring.were_set(command.station_id, accepted)


def write_clear(*, monitor_ids: list[int]) -> tuple[str, Payload]:
    """Write ClearVariableMonitoring (N06)."""
    return "ClearVariableMonitoring", {"id": monitor_ids}


def clear_variable_monitoring(command: Command, answer: Payload | None) -> None:
    """Forget what the station has no more (N06.FR.01, FR.02); one that cannot be cleared stays (FR.03)."""
    if answer is None:
        return
    gone = [int(result["id"]) for result in answer["clearMonitoringResult"] if result["status"] in GONE]

    monitoring.were_cleared(command.station_id, gone)


def write_base(*, base: str) -> tuple[str, Payload]:
    """Write SetMonitoringBase (N03)."""
    return "SetMonitoringBase", {"monitoringBase": base}


def set_monitoring_base(command: Command, answer: Payload | None) -> None:
    """Keep what the station made of it (N03.FR.01, FR.02)."""
    if answer is not None:
        monitoring.base_was_set(
            command.station, base=command.payload["monitoringBase"], answer=answer["status"]
        )


def write_level(*, severity: int) -> tuple[str, Payload]:
    """Write SetMonitoringLevel (N05)."""
    return "SetMonitoringLevel", {"severity": severity}


def set_monitoring_level(command: Command, answer: Payload | None) -> None:
    """Keep what the station made of it (N05.FR.01, FR.02)."""
    if answer is not None:
        monitoring.level_was_set(
            command.station, severity=command.payload["severity"], answer=answer["status"]
        )


# --- reading and writing the wire


def _row(link: Link, incoming: Incoming, told: Payload) -> DeviceEventRow:
    at, flags = readings.parse_timestamp(told["timestamp"], received_at=incoming.received_at)
    incoming.flags += flags
    key = device_model.key(told)
    return DeviceEventRow(
        station_id=link.station_id,
        event_id=_integer(told["eventId"]),
        at=at,
        received_at=incoming.received_at,
        trigger=str(told["trigger"])[:8],
        origin=_text(told.get("eventNotificationType"), 24),
        component=key.component,
        component_instance=key.component_instance,
        evse_number=key.evse_number,
        connector_number=key.connector_number,
        name=key.name,
        instance=key.instance,
        value=_text(told.get("actualValue"), 2500),
        severity=_severity(told.get("severity")),
        is_cleared=told.get("cleared") is True,
        monitor_id=_integer(told["variableMonitoringId"])
        if told.get("variableMonitoringId") is not None
        else None,
        cause=_integer(told["cause"]) if told.get("cause") is not None else None,
        tech_code=_text(told.get("techCode"), 50),
        tech_info=_text(told.get("techInfo"), 500),
        transaction_id=_text(told.get("transactionId"), 36),
    )


def _is_placed(link: Link, row: DeviceEventRow) -> bool:
    """Tell whether the connector whose state this is has a row already; what is no connector's state needs none."""
    if row.name.casefold() != STATE or row.component.casefold() != CONNECTOR:
        return True
    return (row.evse_number, row.connector_number) in link.connectors


def _only_connector(link: Link, evse_number: int) -> int:
    """Return the connector of an EVSE that has one; 0 where it has several: each of them tells its own state."""
    found = [connector for evse, connector in link.connectors if evse == evse_number]
    return found[0] if len(found) == 1 else 0


def _known(place: Payload, told: Payload) -> Known:
    return Known(
        key=device_model.key(place),
        monitor_id=_integer(told["id"]),
        type=str(told["type"]),
        value=Decimal(str(told["value"])),
        severity=_severity(told["severity"]) or 0,
        is_transaction=told["transaction"] is True,
        origin=_text(told.get("eventNotificationType"), 24),
    )


def _wanted(monitor: Wanted) -> Payload:
    data = device_model.component_variable(monitor.key) | {
        "type": monitor.type, "value": monitor.value, "severity": monitor.severity,
    }  # fmt: skip
    if monitor.is_transaction:
        data["transaction"] = True
    if monitor.monitor_id is not None:
        data["id"] = monitor.monitor_id
    rate = {"interval": monitor.stream_interval_s, "values": monitor.stream_values}
    stream = {name: value for name, value in rate.items() if value is not None}
    return data | ({"periodicEventStream": stream} if stream else {})


def _is_about(data: Payload, result: Payload) -> bool:
    """Tell whether a result answers this part of the question (N04.FR.02): place, type and severity are said again."""
    same = device_model.key(data).folded == device_model.key(result).folded
    return same and data["type"] == result["type"] and data["severity"] == result["severity"]


def _told_of(question: Payload | None) -> Payload:
    if question is None:
        return {}
    return {"value": question["value"], "transaction": question.get("transaction", False)}


def _severity(value: Any) -> int | None:
    return None if value is None else max(0, min(9, int(value)))


def _integer(value: Any) -> int:
    number = int(value)
    return number if abs(number) < 2**62 else 0


def _text(value: Any, length: int) -> str:
    return str(value or "").replace("\0", "\ufffd")[:length]
