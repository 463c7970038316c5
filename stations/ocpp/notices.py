"""Notices that every version words alike: how far an update or a log is, a security event, a certificate request."""

from stations import readings
from stations.ocpp import transfers
from stations.ocpp.certificates import from_wire
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import certificates, diagnostics, firmware, security


def firmware_status(link: Link, incoming: Incoming) -> Payload:
    """Keep how far the firmware update is (1.6 section 4.5, white paper section 5.19; L01.FR.20)."""
    return transfers.heard(link, incoming, firmware.status)


def log_status(link: Link, incoming: Incoming) -> Payload:
    """Keep how far the upload is (1.6 white paper section 5.13; N01.FR.11)."""
    return transfers.heard(link, incoming, diagnostics.status)


def security_event(link: Link, incoming: Incoming, *, is_critical: bool | None = None) -> Payload:
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
        is_critical=is_critical,
    )

    return {}


def sign_certificate(link: Link, incoming: Incoming) -> Payload:
    """Take the request; the certificate comes later, in a call of ours (A02.FR.11, A02.FR.12)."""
    payload = incoming.payload

    row = certificates.request(
        link.station,
        csr=str(payload["csr"]),
        use=payload.get("certificateType")
        or certificates.use_without_type(link.station, incoming.received_at),
        now=incoming.received_at,
        request_id=payload.get("requestId"),
        root=from_wire(payload.get("hashRootCertificate")),
    )

    return {"status": "Rejected" if row is None else "Accepted"}
