"""SecurityEventNotification and SignCertificate (1.6 security white paper sections 5.15 to 5.18)."""

from stations import readings
from stations.models import SigningUse
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import certificates, security


def security_event_notification(link: Link, incoming: Incoming) -> Payload:
    """Store the event; the station may forget it then (A04.FR.02, A04.FR.03)."""
    payload = incoming.payload
    at, flags = readings.parse_timestamp(payload["timestamp"], received_at=incoming.received_at)
    incoming.flags += flags

    security.record(
        link.station,
        type=payload["type"],
        at=at,
        tech_info=payload.get("techInfo") or "",
        now=incoming.received_at,
    )

    return {}


def sign_certificate(link: Link, incoming: Incoming) -> Payload:
    """Take the request; the certificate comes later, in a call of ours (A02.FR.11, A02.FR.12)."""
    csr = str(incoming.payload["csr"])

    row = certificates.request(
        link.station, csr=csr, use=SigningUse.CHARGING_STATION, now=incoming.received_at
    )

    return {"status": "Rejected" if row is None else "Accepted"}
