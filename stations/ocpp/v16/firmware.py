"""What a station says about firmware and logs (OCPP 1.6 sections 4.4 and 4.5, white paper sections 4.9 and 5)."""

from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import provisioning


def firmware_status_notification(link: Link, incoming: Incoming) -> Payload:
    """Keep how far the firmware update is."""
    provisioning.firmware_status(link.station_id, status=incoming.payload["status"])

    return {}


def diagnostics_status_notification(link: Link, incoming: Incoming) -> Payload:
    """Keep how far the diagnostics upload is."""
    provisioning.diagnostics_status(link.station_id, status=incoming.payload["status"])

    return {}


def log_status_notification(link: Link, incoming: Incoming) -> Payload:
    """Keep how far the log upload is (security extension)."""
    provisioning.diagnostics_status(link.station_id, status=incoming.payload["status"])

    return {}
