"""What a BootNotification means to us, in whatever version it was said: B01 to B03, OCPP 1.6 section 4.2."""

import random

from stations.models import ChargingStation
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming
from stations.services import configuration, firmware, profile_upkeep, provisioning

PENDING_INTERVAL_S = (30, 90)  # seconds until a station may try again while we cannot keep up


def take(
    link: Link, incoming: Incoming, *, facts: dict[str, str], was_triggered: bool = False
) -> ChargingStation:
    """Store what the station is, see to what a boot makes necessary, and return its row."""
    # Nobody reboots without losing his socket, and we may have asked for this message ourselves (quirk 8).
    is_repeated = link.booted
    is_reboot = not is_repeated and not link.asked_for_boot and not was_triggered
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
    return station


def pending_interval_s() -> int:
    """Return after how many seconds a station whose boot could not be stored shall come again."""
    return random.randint(*PENDING_INTERVAL_S)  # noqa: S311 - spread, not secret
