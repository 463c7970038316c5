"""DataTransfer (OCPP 1.6 section 4.3): vendors' own messages."""

from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload


def data_transfer(link: Link, incoming: Incoming) -> Payload:
    """Answer that no vendor's extension is spoken here; the frame stays in the journal."""
    return {"status": "UnknownVendorId"}
