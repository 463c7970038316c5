"""DataTransfer in both directions, for all versions (1.6 sections 4.3 and 5.6, 2.1 P01 and P02): vendors' own messages.

A module that speaks a vendor's extension adds itself to `VENDORS` and `OUTCOMES`: then stations of every version reach
it. What only one version needs stands in that version's own table (`v16/data_transfer.py`). It is routed careful:
handlers act through services.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from stations.models import Command
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, OutcomeHandler, Payload

T = TypeVar("T")

# (link, the CALL, its `data` as text, '' for none) -> (a DataTransferStatus, the answer's `data` or None). What is no
# text where it arrives has become its JSON text.
VendorHandler = Callable[[Link, Incoming, str], tuple[str, str | None]]
Vendors = Mapping[str, Mapping[str, VendorHandler]]

# Vendor id -> message id -> handler; '' is a message without an id, or all those that no other entry names.
VENDORS: dict[str, Mapping[str, VendorHandler]] = {}
# Vendor id -> who hears what became of a message of ours to that extension.
OUTCOMES: dict[str, OutcomeHandler] = {}


def answer(
    link: Link, incoming: Incoming, *, vendor: str, message: str, data: str, besides: Vendors
) -> tuple[str, str | None]:
    """Answer as the vendor's handler says; an unknown vendor or message is told so (P02.FR.06, P02.FR.07).

    The frame is in the journal. `besides` are the vendors that this version alone knows.
    """
    messages = find(besides, vendor) or find(VENDORS, vendor)
    if messages is None:
        return "UnknownVendorId", None
    handler = find(messages, message) or messages.get("")
    if handler is None:
        return "UnknownMessageId", None
    return handler(link, incoming, data)


def outcome(command: Command, answer: Payload | None) -> None:
    """Tell the module that speaks the extension what became of a message of ours (P01, 1.6 section 5.6)."""
    tell(OUTCOMES, command, answer)


def tell(table: Mapping[str, OutcomeHandler], command: Command, answer: Payload | None) -> None:
    """The same with a version's own table."""
    handler = find(table, str(command.payload.get("vendorId") or ""))
    if handler is not None:
        handler(command, answer)


def find(table: Mapping[str, T], name: str) -> T | None:
    """Look a name up without regard to case (CiString)."""
    wanted = name.strip().casefold()
    return next((entry for key, entry in table.items() if key.casefold() == wanted), None)
