"""DataTransfer (OCPP 1.6 sections 4.3 and 5.6): vendors' own messages, each to the handler that speaks it.

`VENDORS` and `OUTCOMES` hold extensions of 1.6 alone, such as Plug & Charge, which 2.x has messages for; those that
every version may use are in `stations.ocpp.vendors`.
"""

from collections.abc import Mapping

from stations.models import Command
from stations.ocpp import vendors
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, OutcomeHandler, Payload

VendorHandler = vendors.VendorHandler

# As in `vendors`. An object where text is required has become its JSON text already (flag `object_for_text`).
VENDORS: dict[str, Mapping[str, VendorHandler]] = {}
OUTCOMES: dict[str, OutcomeHandler] = {}


def data_transfer(link: Link, incoming: Incoming) -> Payload:
    """Answer as the vendor's handler says."""
    payload = incoming.payload
    data = payload.get("data")

    status, answer = vendors.answer(
        link,
        incoming,
        vendor=str(payload["vendorId"]),
        message=str(payload.get("messageId") or ""),
        data="" if data is None else str(data),
        besides=VENDORS,
    )

    return {"status": status} if answer is None else {"status": status, "data": answer}


def outcome(command: Command, answer: Payload | None) -> None:
    """Tell the module that speaks the extension what became of a message to it (section 5.6)."""
    vendors.tell(OUTCOMES, command, answer)
    vendors.outcome(command, answer)
