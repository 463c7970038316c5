"""SetDisplayMessage, GetDisplayMessages, ClearDisplayMessage and NotifyDisplayMessages (block O)."""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from stations import readings
from stations.models import Command, DisplayMessage, DisplayReport
from stations.ocpp.codec import timestamp
from stations.ocpp.link import Link
from stations.ocpp.outcomes import was_refused
from stations.ocpp.route import Incoming, Payload
from stations.services import display_messages, display_reports
from stations.services.display_reports import Told
from stations.services.display_rows import Content, Message

State, Report = DisplayMessage.State, DisplayReport.State
UNSENT = (Command.Status.EXPIRED, Command.Status.CANCELLED)
DEFAULT_ID = 0  # of a message that a station tells with an id that no column can hold


def notify_display_messages(link: Link, incoming: Incoming) -> Payload:
    """Store one part of what lies on the display (O03.FR.02, O04.FR.03); there may be none in it."""
    payload = incoming.payload
    told = [_told(one, incoming) for one in payload.get("messageInfo") or ()]

    report = display_reports.take_part(
        link.station_id,
        request_id=int(payload["requestId"]),
        is_last=not payload.get("tbc", False),
        told=told,
    )
    if report is None:
        incoming.flags.append("unasked_report")

    return {}


# --- requests


def write_put(*, message_id: int, message: Message) -> tuple[str, Payload]:
    """Write SetDisplayMessage with every language of the message (2.1 O01)."""
    payload = _info(message_id, message)
    if len(message.contents) > 1:
        payload["messageExtra"] = [_content(one) for one in message.contents[1:]]
    return "SetDisplayMessage", {"message": payload}


def write_put_201(*, message_id: int, message: Message) -> tuple[str, Payload]:
    """Write SetDisplayMessage with the main text alone: 2.0.1 knows one for each message (O01)."""
    return "SetDisplayMessage", {"message": _info(message_id, message)}


def write_clear(*, message_id: int) -> tuple[str, Payload]:
    """Write ClearDisplayMessage (O05)."""
    return "ClearDisplayMessage", {"id": message_id}


def write_report(*, request_id: int, message_ids: list[int], priority: str, when: str) -> tuple[str, Payload]:
    """Write GetDisplayMessages (O03, O04)."""
    payload: Payload = {"requestId": request_id}
    if message_ids:
        payload["id"] = message_ids
    if priority:
        payload["priority"] = priority
    if when:
        payload["state"] = when
    return "GetDisplayMessages", payload


# --- what became of them


def set_display_message(command: Command, answer: Payload | None) -> None:
    """Take the station's word (DisplayMessageStatusEnumType), also to a command that was written by hand."""
    info = command.payload["message"]
    if answer is not None:
        word = answer["status"]
        state, reason = (State.ACCEPTED, "") if word == "Accepted" else (State.REFUSED, word)
    else:
        reason = command.error_code or command.status
        is_refused = was_refused(command) or command.status in UNSENT
        state = State.REFUSED if is_refused else State.UNKNOWN

    display_messages.was_put(command.station, int(info["id"]), _message(info), state=state, reason=reason)


def clear_display_message(command: Command, answer: Payload | None) -> None:
    """Note that the message is gone, or never was there (O05.FR.01, FR.02), or why it stays (FR.03)."""
    message_id = int(command.payload["id"])
    word = answer["status"] if answer is not None else command.error_code or command.status

    if word in ("Accepted", "Unknown"):
        reason = "cleared" if word == "Accepted" else "it was not there"
        display_messages.was_cleared(command.station, message_id, reason=reason)
    else:
        display_messages.was_not_cleared(command.station, message_id, reason=f"not cleared: {word}")


def get_display_messages(command: Command, answer: Payload | None) -> None:
    """Await the parts, or note that nothing fits the question (O03.FR.06, O04.FR.02)."""
    if answer is None:
        state = Report.UNANSWERED
    else:
        state = Report.RECEIVING if answer["status"] == "Accepted" else Report.EMPTY

    display_reports.answered(command, state=state)


# --- MessageInfoType


def _info(message_id: int, message: Message) -> Payload:
    info: Payload = {
        "id": message_id,
        "priority": message.priority,
        "message": _content(message.contents[0]),
    }
    if message.when:
        info["state"] = message.when
    if message.starts_at is not None:
        info["startDateTime"] = timestamp(message.starts_at)
    if message.ends_at is not None:
        info["endDateTime"] = timestamp(message.ends_at)
    if message.transaction_id:
        info["transactionId"] = message.transaction_id
    if message.display:
        info["display"] = _component(message)
    return info


def _component(message: Message) -> Payload:
    component: Payload = {"name": message.display}
    if message.display_instance:
        component["instance"] = message.display_instance
    if message.display_evse:
        component["evse"] = {"id": message.display_evse}
        if message.display_connector:
            component["evse"]["connectorId"] = message.display_connector
    return component


def _content(content: Content) -> Payload:
    found = {"format": content.format, "content": content.content}
    return found | ({"language": content.language} if content.language else {})


def _told(info: Payload, incoming: Incoming) -> Told:
    """Read one message that a station tells; a moment that is none is flagged and left out."""
    for name in ("startDateTime", "endDateTime"):
        if info.get(name):
            _, flags = readings.parse_timestamp(info[name], received_at=incoming.received_at)
            incoming.flags += flags
    number = int(info["id"])
    return Told(number if 0 <= number < 2**63 else DEFAULT_ID, _message(info))


def _message(info: Payload) -> Message:
    display = info.get("display") or {}
    evse = display.get("evse") or {}
    return Message(
        contents=tuple(_read(one) for one in (info["message"], *(info.get("messageExtra") or ()))),
        priority=str(info["priority"]),
        when=str(info.get("state") or ""),
        starts_at=_moment(info.get("startDateTime")),
        ends_at=_moment(info.get("endDateTime")),
        transaction_id=_word(info.get("transactionId"))[:36],
        display=_word(display.get("name"))[:50],
        display_instance=_word(display.get("instance"))[:50],
        display_evse=_number(evse.get("id")),
        display_connector=_number(evse.get("connectorId")),
    )


def _read(content: dict[str, Any]) -> Content:
    return Content(_word(content["content"]), str(content["format"]), _word(content.get("language")))


def _moment(text: Any) -> datetime | None:
    """Read a moment with its offset; None for what is none."""
    try:
        found = parse_datetime(str(text)) if text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _word(text: Any) -> str:
    return str(text or "").replace("\0", "\ufffd")


def _number(value: Any) -> int:
    number = int(value or 0)
    return number if 0 <= number < 2**31 else 0
