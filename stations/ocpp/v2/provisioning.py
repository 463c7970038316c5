"""BootNotification and Heartbeat (B01 to B04, G02)."""

from cpo.lib import clock
from stations.ocpp import boot
from stations.ocpp.codec import timestamp
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import provisioning

# member of ChargingStationType -> fact of the station
BOOT = {
    "vendorName": "vendor",
    "model": "model",
    "serialNumber": "serial_number",
    "firmwareVersion": "firmware_version",
}
TRIGGERED = "Triggered"  # BootReasonEnumType: we asked for it


def boot_notification(link: Link, incoming: Incoming) -> Payload:
    """Store what the station is and tell it the time and its heartbeat interval in seconds (B01.FR.01, B01.FR.02)."""
    told = incoming.payload.get("chargingStation") or {}
    modem = told.get("modem") or {}
    facts = {fact: str(told.get(member) or "") for member, fact in BOOT.items()}
    facts |= {name: str(modem.get(name) or "") for name in ("iccid", "imsi")}

    was_triggered = incoming.payload.get("reason") == TRIGGERED
    station = boot.take(link, incoming, facts=facts, was_triggered=was_triggered)

    return {
        "status": station.registration,
        "currentTime": timestamp(clock.now()),
        "interval": provisioning.heartbeat_interval_s(link.station_id),
    }


def boot_pending(link: Link, incoming: Incoming) -> Payload:
    """Answer a boot that could not be stored: come again soon (B02)."""
    return {
        "status": "Pending",
        "currentTime": timestamp(clock.now()),
        "interval": boot.pending_interval_s(),
    }


def heartbeat(link: Link, incoming: Incoming) -> Payload:
    """Tell the time (G02.FR.01)."""
    return {"currentTime": timestamp(clock.now())}


def ask_for_boot() -> tuple[str, Payload]:
    """Say that a station shall send its BootNotification (F06)."""
    return "TriggerMessage", {"requestedMessage": "BootNotification"}
