"""Firmware updates in the words of 2.x (L01, L02), and firmware on local controllers (L03, L04)."""

from stations.models import Command, FirmwarePublication, FirmwareUpdate
from stations.ocpp import transfers
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import firmware_publications


def write_update(*, update: FirmwareUpdate, location: str) -> tuple[str, Payload]:
    """Write UpdateFirmware (L01, L02)."""
    return "UpdateFirmware", transfers.write_firmware(update, location)


def write_publish(*, publication: FirmwarePublication, location: str) -> tuple[str, Payload]:
    """Write PublishFirmware (L03)."""
    payload = {
        "location": location,
        "checksum": publication.checksum,
        "requestId": publication.request_id,
    }
    return "PublishFirmware", payload | transfers.retries(publication)


def publish_firmware(command: Command, answer: Payload | None) -> None:
    """Act on what a local controller said to PublishFirmware (L03.FR.05)."""
    transfers.outcome(firmware_publications.LIFE, command, answer)


def write_unpublish(*, publication: FirmwarePublication) -> tuple[str, Payload]:
    """Write UnpublishFirmware (L04): the checksum is the file's name."""
    return "UnpublishFirmware", {"checksum": publication.checksum}


def unpublish_firmware(command: Command, answer: Payload | None) -> None:
    """Act on what a local controller said to UnpublishFirmware (L04.FR.02 to FR.04)."""
    checksum = str(command.payload["checksum"])
    if answer is None:
        firmware_publications.not_unpublished(
            command.station, checksum=checksum, reason=transfers.silence(command)["reason"]
        )
        return
    firmware_publications.unpublish_answered(command.station, checksum=checksum, answer=answer["status"])


def publish_firmware_status_notification(link: Link, incoming: Incoming) -> Payload:
    """Keep how far the publication is, and where the firmware lies then (L03.FR.01, L03.FR.04)."""
    locations = [str(url) for url in incoming.payload.get("location") or ()]

    return transfers.heard(link, incoming, firmware_publications.status, locations=locations)
