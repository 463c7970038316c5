"""DER controls: SetDERControl, GetDERControl, ClearDERControl, ReportDERControl and the notices (block R, 2.1)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_datetime

from stations import readings
from stations.models import Command, DERControl, DERReport
from stations.ocpp.codec import timestamp
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import der_alarms, der_control, der_reports
from stations.services.der_control import Control
from stations.services.der_reports import Told

State = DERControl.State
CURVE = "curve"
# The field of SetDERControl in which a type's settings are (R04.FR.16, errata 2025-09); all others are curves.
FIELDS = {
    "FixedPFAbsorb": "fixedPFAbsorb",
    "FixedPFInject": "fixedPFInject",
    "FixedVar": "fixedVar",
    "LimitMaxDischarge": "limitMaxDischarge",
    "FreqDroop": "freqDroop",
    "EnterService": "enterService",
    "Gradients": "gradient",
}
# Lists of ReportDERControl: the type, and where the settings are in an item.
REPORTED = {
    "enterService": ("EnterService", "enterService"),
    "fixedPFAbsorb": ("FixedPFAbsorb", "fixedPF"),
    "fixedPFInject": ("FixedPFInject", "fixedPF"),
    "fixedVar": ("FixedVar", "fixedVar"),
    "freqDroop": ("FreqDroop", "freqDroop"),
    "gradient": ("Gradients", "gradient"),
    "limitMaxDischarge": ("LimitMaxDischarge", "limitMaxDischarge"),
}
APART = ("priority", "startTime", "duration")
ID_LENGTH = 36  # of a control's id; a station that sends more is heard all the same
REPORT_ANSWERS = {"Accepted": DERReport.State.AWAITED, "NotFound": DERReport.State.EMPTY}
GONE = ("Accepted", "NotFound")  # answers to ClearDERControl after which the controls are not there


def write_control(*, control: Control) -> tuple[str, Payload]:
    """Write SetDERControl with the one field of its type (R04.FR.16)."""
    fields: Payload = control.settings | {"priority": control.priority}
    if control.starts_at is not None:
        fields["startTime"] = timestamp(control.starts_at)
    if control.duration_s is not None:
        fields["duration"] = control.duration_s
    return "SetDERControl", {
        "isDefault": control.is_default,
        "controlId": control.control_id,
        "controlType": control.type,
        FIELDS.get(control.type, CURVE): fields,
    }


def write_report(
    *, request_id: int, is_default: bool | None, type: str, control_id: str
) -> tuple[str, Payload]:
    """Write GetDERControl; what is left out matches any (R04.FR.30, R04.FR.33 to R04.FR.37)."""
    payload: Payload = {"requestId": request_id}
    if is_default is not None:
        payload["isDefault"] = is_default
    return "GetDERControl", payload | _named(type, control_id)


def write_clear(*, is_default: bool, type: str, control_id: str) -> tuple[str, Payload]:
    """Write ClearDERControl (R04.FR.41 to R04.FR.46)."""
    return "ClearDERControl", {"isDefault": is_default} | _named(type, control_id)


def set_der_control(command: Command, answer: Payload | None) -> None:
    """Take the station's word to a control (DERControlStatusEnumType)."""
    payload = command.payload
    type = str(payload["controlType"])
    control = _control(
        str(payload["controlId"]), type, payload.get(FIELDS.get(type, CURVE)) or {}, payload["isDefault"]
    )
    word = answer["status"] if answer is not None else command.error_code or command.status
    if answer is not None:
        state = State.ACCEPTED if word == "Accepted" else State.REFUSED
    else:
        is_unsent = command.status in (Command.Status.EXPIRED, Command.Status.CANCELLED)
        state = State.REFUSED if command.error_code or is_unsent else State.UNKNOWN

    der_control.answered(
        command.station,
        control,
        state=state,
        reason="" if state == State.ACCEPTED else word,
        superseded=(answer or {}).get("supersededIds") or (),
        requested_by=command.requested_by,
    )


def get_der_control(command: Command, answer: Payload | None) -> None:
    """Take whether the station will report."""
    if answer is not None:
        state = REPORT_ANSWERS.get(answer["status"], DERReport.State.REFUSED)
    else:
        state = DERReport.State.REFUSED if command.error_code else DERReport.State.UNANSWERED
    der_reports.answered(command.station, command.payload["requestId"], state=state)


def clear_der_control(command: Command, answer: Payload | None) -> None:
    """Close what the station cleared or did not have."""
    if answer is None or answer["status"] not in GONE:
        return
    payload = command.payload
    der_control.cleared(
        command.station,
        is_default=payload["isDefault"],
        type=payload.get("controlType") or "",
        control_id=payload.get("controlId") or "",
    )


def report_der_control(link: Link, incoming: Incoming) -> Payload:
    """Take a part of a report of controls (R04.FR.31, R04.FR.32)."""
    payload = incoming.payload
    told = [_told(one, str(one["curveType"]), CURVE) for one in payload.get(CURVE) or []]
    for name, (type, field) in REPORTED.items():
        told += [_told(one, type, field) for one in payload.get(name) or []]

    was_asked = der_reports.take(
        link.station, int(payload["requestId"]), told=told, is_last=not payload.get("tbc")
    )

    if not was_asked:
        incoming.flags.append("unasked_report")
    return {}


def notify_der_start_stop(link: Link, incoming: Incoming) -> Payload:
    """Note that a scheduled control started or ended (R04.FR.20 to R04.FR.22)."""
    payload = incoming.payload
    at, flags = readings.parse_timestamp(payload["timestamp"], received_at=incoming.received_at)
    incoming.flags += flags

    known = der_control.notified(
        link.station,
        str(payload["controlId"])[:ID_LENGTH],
        started=payload["started"],
        at=at,
        superseded=payload.get("supersededIds") or (),
    )

    if not known:
        incoming.flags.append("unknown_control")
    return {}


def notify_der_alarm(link: Link, incoming: Incoming) -> Payload:
    """Note that the station deviates because of the grid, or does not any more (R05)."""
    payload = incoming.payload
    at, flags = readings.parse_timestamp(payload["timestamp"], received_at=incoming.received_at)
    incoming.flags += flags

    if payload.get("alarmEnded"):
        if not der_alarms.ended(link.station, at=at):
            incoming.flags.append("no_such_alarm")
        return {}
    der_alarms.raised(
        link.station,
        type=payload["controlType"],
        fault=payload.get("gridEventFault") or "",
        at=at,
        info=payload.get("extraInfo") or "",
    )
    return {}


def _named(type: str, control_id: str) -> Payload:
    return ({"controlType": type} if type else {}) | ({"controlId": control_id} if control_id else {})


def _told(one: dict[str, Any], type: str, field: str) -> Told:
    """Read an item of a report; without `isDefault` it can only be a default (R04.FR.14)."""
    control = _control(str(one["id"])[:ID_LENGTH], type, one[field], one.get("isDefault", True))
    return Told(control, bool(one.get("isSuperseded")))


def _control(control_id: str, type: str, fields: dict[str, Any], is_default: bool) -> Control:
    start, duration = fields.get("startTime"), fields.get("duration")
    return Control(
        control_id=control_id,
        type=type,
        is_default=is_default,
        priority=int(fields.get("priority") or 0),
        settings={name: value for name, value in fields.items() if name not in APART},
        starts_at=_moment(start),
        duration_s=None if duration is None else Decimal(str(duration)),
    )


def _moment(text: str | None) -> datetime | None:
    """Read a moment; None for what is no date, which the journal has."""
    try:
        found = parse_datetime(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
