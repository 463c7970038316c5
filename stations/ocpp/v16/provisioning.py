"""BootNotification and Heartbeat (OCPP 1.6 sections 4.2 and 4.6)."""

import random

from cpo.lib import clock
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import values
from stations.services import configuration, firmware, profile_upkeep, provisioning

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
PENDING_INTERVAL_S = (
    30,
    90,
)  # seconds until a station may try again while we cannot keep up


def boot_notification(link: Link, incoming: Incoming) -> Payload:
    """Store what the station is and tell it the time and its heartbeat interval in seconds."""
    facts: dict[str, str] = {}
    for member, fact in BOOT.items():
        facts.setdefault(fact, incoming.payload.get(member) or "")
        facts[fact] = facts[fact] or incoming.payload.get(member) or ""

    # Nobody reboots without losing his socket, and we may have asked for this message ourselves (quirk 8).
    is_repeated = link.booted
    is_reboot = not is_repeated and not link.asked_for_boot
    station = provisioning.boot(link.station_id, facts=facts, now=incoming.received_at, is_reboot=is_reboot)
    if is_repeated:
        incoming.flags.append("boot_without_reboot")
    is_new_firmware = station.firmware_version != link.station.firmware_version
    link.become(station)
    link.booted = station.registration == station.Registration.ACCEPTED
    link.boots += 1  # the sender waits until this is answered and the station has settled (quirk 9)
    firmware.after_boot(station, now=incoming.received_at)
    if link.booted:
        configuration.after_boot(station, is_new_firmware=is_new_firmware)
        if not is_repeated:
            profile_upkeep.after_boot(station)

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
        "interval": random.randint(*PENDING_INTERVAL_S),  # noqa: S311 - spread, not secret
    }


def heartbeat(link: Link, incoming: Incoming) -> Payload:
    """Tell the time."""
    return {"currentTime": values.time(clock.now())}


def ask_for_boot() -> tuple[str, Payload]:
    """Say that a station shall send its BootNotification (section 5.17)."""
    return "TriggerMessage", {"requestedMessage": "BootNotification"}
