"""BootNotification and Heartbeat (OCPP 1.6 sections 4.2 and 4.6)."""

from cpo.lib import clock
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import values
from stations.services import configuration, provisioning

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
PENDING_INTERVAL_S = 30  # seconds until a station may try again while the database is away


def boot_notification(link: Link, incoming: Incoming) -> Payload:
    """Store what the station is and tell it the time and its heartbeat interval in seconds."""
    facts: dict[str, str] = {}
    for member, fact in BOOT.items():
        facts.setdefault(fact, incoming.payload.get(member) or "")
        facts[fact] = facts[fact] or incoming.payload.get(member) or ""

    station = provisioning.boot(link.station_id, facts=facts, now=incoming.received_at)
    is_new_firmware = station.firmware_version != link.station.firmware_version
    link.station.firmware_version = station.firmware_version
    link.booted = station.registration == station.Registration.ACCEPTED
    if link.booted:  # the sender of a new socket waits until this is answered (quirk 9)
        configuration.after_boot(station, is_new_firmware=is_new_firmware)

    return {
        "status": station.registration,
        "currentTime": values.time(clock.now()),
        "interval": provisioning.heartbeat_interval_s(link.station_id),
    }


def boot_pending(link: Link, incoming: Incoming) -> Payload:
    """Answer a boot that could not be stored: come again soon."""
    return {"status": "Pending", "currentTime": values.time(clock.now()), "interval": PENDING_INTERVAL_S}


def heartbeat(link: Link, incoming: Incoming) -> Payload:
    """Tell the time."""
    return {"currentTime": values.time(clock.now())}
