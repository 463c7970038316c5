"""BootNotification and Heartbeat (OCPP 1.6 sections 4.2 and 4.6)."""

from cpo.lib import clock
from stations.ocpp import boot
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import values
from stations.services import provisioning

# member of BootNotification.req -> fact of the station
BOOT = {
    "chargePointVendor": "vendor",
    "chargePointModel": "model",
    "chargePointSerialNumber": "serial_number",
    "chargeBoxSerialNumber": "serial_number",
    "firmwareVersion": "firmware_version",
    "iccid": "iccid",
    "imsi": "imsi",
    "meterType": "meter_type",
    "meterSerialNumber": "meter_serial_number",
}


def boot_notification(link: Link, incoming: Incoming) -> Payload:
    """Store what the station is and tell it the time and its heartbeat interval in seconds."""
    facts: dict[str, str] = {}
    for member, fact in BOOT.items():
        facts.setdefault(fact, incoming.payload.get(member) or "")
        facts[fact] = facts[fact] or incoming.payload.get(member) or ""

    station = boot.take(link, incoming, facts=facts)

    return {
        "status": station.registration,
        "currentTime": values.time(clock.now()),
        "interval": provisioning.heartbeat_interval_s(link.station_id),
    }


def boot_pending(link: Link, incoming: Incoming) -> Payload:
    """Answer a boot that could not be stored: come again soon."""
    return {
        "status": "Pending",
        "currentTime": values.time(clock.now()),
        "interval": boot.pending_interval_s(),
    }


def heartbeat(link: Link, incoming: Incoming) -> Payload:
    """Tell the time."""
    return {"currentTime": values.time(clock.now())}


def ask_for_boot() -> tuple[str, Payload]:
    """Say that a station shall send its BootNotification (section 5.17)."""
    return "TriggerMessage", {"requestedMessage": "BootNotification"}
