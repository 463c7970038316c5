"""DataTransfer from stations (OCPP 1.6 section 4.3): vendors' own messages, each to the handler that speaks it.

A module that speaks a vendor's extension adds itself to `VENDORS`. It is routed careful: handlers act through services.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload

T = TypeVar("T")

# (link, the CALL, its `data` as text, '' for none) -> (a DataTransferStatus, the answer's `data` or None). An object
# where text is required has become its JSON text already (flag `object_for_text`).
VendorHandler = Callable[[Link, Incoming, str], tuple[str, str | None]]

# Vendor id -> message id -> handler; '' is a message without an id, or all those that no other entry names.
VENDORS: dict[str, Mapping[str, VendorHandler]] = {}


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


def _find(table: Mapping[str, T], name: str) -> T | None:
    """Look a name up without regard to case (CiString)."""
    wanted = name.strip().casefold()
    return next((entry for key, entry in table.items() if key.casefold() == wanted), None)
