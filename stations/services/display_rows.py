"""A message for a display as services speak of it, and as its row keeps it (OCPP 2.1 MessageInfoType)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stations.models import DisplayMessage

Priority = DisplayMessage.Priority


@dataclass(frozen=True, slots=True)
class Content:
    """A text in one language (RFC 5646) and format (MessageFormatEnumType)."""

    content: str
    format: str = "UTF8"
    language: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What a display shall show, with the moments between which and the state in which it does (MessageInfoType)."""

    contents: tuple[Content, ...]
    priority: str = Priority.NORMAL_CYCLE.value
    when: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    transaction_id: str = ""
    display: str = ""
    display_instance: str = ""
    display_evse: int = 0
    display_connector: int = 0

    def document(self) -> dict[str, Any]:
        """Write it for the row: in our words, ready for JSON."""
        return {
            "contents": [
                {"format": one.format, "language": one.language, "content": one.content}
                for one in self.contents
            ],
            "priority": self.priority,
            "when": self.when,
            "starts_at": _moment(self.starts_at),
            "ends_at": _moment(self.ends_at),
            "transaction_id": self.transaction_id,
            "display": [self.display, self.display_instance, self.display_evse, self.display_connector],
        }


def wished(row: DisplayMessage) -> Message:
    """Give a row's message as it was wished."""
    return Message(
        contents=tuple(Content(**one) for one in row.contents),
        priority=row.priority,
        when=row.when,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        transaction_id=row.transaction_id,
        display=row.display,
        display_instance=row.display_instance,
        display_evse=row.display_evse,
        display_connector=row.display_connector,
    )


def wish(row: DisplayMessage, message: Message) -> None:
    """Write a message into the columns of what is wished; the caller saves."""
    document = message.document()
    row.contents, row.priority, row.when = document["contents"], message.priority, message.when
    row.starts_at, row.ends_at, row.transaction_id = (
        message.starts_at, message.ends_at, message.transaction_id,
    )  # fmt: skip
    row.display, row.display_instance = message.display[:50], message.display_instance[:50]
    row.display_evse, row.display_connector = message.display_evse, message.display_connector


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).replace(microsecond=0).isoformat()
