"""DataTransfer (OCPP 1.6 sections 4.3 and 5.6): vendors' own messages, each to the handler that speaks it.

A module that speaks a vendor's extension adds itself to `VENDORS` and `OUTCOMES`. It is routed careful: handlers act
through services.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from stations.models import Command
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, OutcomeHandler, Payload

T = TypeVar("T")

# (link, the CALL, its `data` as text, '' for none) -> (a DataTransferStatus, the answer's `data` or None). An object
# where text is required has become its JSON text already (flag `object_for_text`).
VendorHandler = Callable[[Link, Incoming, str], tuple[str, str | None]]

# Vendor id -> message id -> handler; '' is a message without an id, or all those that no other entry names.
VENDORS: dict[str, Mapping[str, VendorHandler]] = {}
# Vendor id -> who hears what became of a message of ours to that extension.
OUTCOMES: dict[str, OutcomeHandler] = {}


def data_transfer(link: Link, incoming: Incoming) -> Payload:
    """Answer as the vendor's handler says; an unknown vendor or message is told so. The frame is in the journal."""
    payload = incoming.payload
    messages = _find(VENDORS, str(payload["vendorId"]))
    if messages is None:
        return {"status": "UnknownVendorId"}
    message_id = str(payload.get("messageId") or "")
    handler = _find(messages, message_id) or messages.get("")
    if handler is None:
        return {"status": "UnknownMessageId"}
    data = payload.get("data")

    status, answer = handler(link, incoming, "" if data is None else str(data))

    return {"status": status} if answer is None else {"status": status, "data": answer}


def outcome(command: Command, answer: Payload | None) -> None:
    """Tell the module that speaks the extension what became of a message to it (section 5.6)."""
    handler = _find(OUTCOMES, str(command.payload.get("vendorId") or ""))
    if handler is not None:
        handler(command, answer)


def _find(table: Mapping[str, T], name: str) -> T | None:
    """Look a name up without regard to case (CiString)."""
    wanted = name.strip().casefold()
    return next((entry for key, entry in table.items() if key.casefold() == wanted), None)
