"""DataTransfer (block P): vendors' own messages in both directions. `data` may be any JSON value here."""

from cpo.lib.exact import ExactEncoder
from stations.ocpp import vendors
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload


def data_transfer(link: Link, incoming: Incoming) -> Payload:
    """Answer as the vendor's handler says (P02.FR.06 to P02.FR.08); what is no text reaches it as its JSON."""
    payload = incoming.payload
    data = payload.get("data")
    text = data if isinstance(data, str) else "" if data is None else ExactEncoder().encode(data)

    status, answer = vendors.answer(
        link,
        incoming,
        vendor=str(payload["vendorId"]),
        message=str(payload.get("messageId") or ""),
        data=text,
        besides={},
    )

    return {"status": status} if answer is None else {"status": status, "data": answer}
