"""Firmware updates in the words of 1.6 (sections 4.5 and 5.19) and of its security extension (white paper L01)."""

from stations.models import Command, FirmwareUpdate
from stations.ocpp import transfers
from stations.ocpp.route import Payload
from stations.ocpp.v16 import values
from stations.ocpp.v16.security_extension import UNKNOWN
from stations.services import firmware

SIGNED, PLAIN = "SignedUpdateFirmware", "UpdateFirmware"


def update_firmware(*, update: FirmwareUpdate, location: str) -> tuple[str, Payload]:
    """Say an update: signed if its image is (white paper section 5.21), else as section 5.19 has it."""
    if update.is_signed:
        return SIGNED, transfers.write_firmware(update, location, time=values.time)
    payload = {"location": location, "retrieveDate": values.time(update.retrieve_at)}
    return PLAIN, payload | transfers.retries(update)


def update_outcome(command: Command, answer: Payload | None) -> None:
    """Note that the station took the request: UpdateFirmware.conf has no word for a refusal (section 6.56)."""
    transfers.firmware_outcome(command, None if answer is None else {"status": "Accepted"})


def signed_update_outcome(command: Command, answer: Payload | None) -> None:
    """Act on SignedUpdateFirmware.conf (white paper section 6.18); who does not know it is asked without."""
    if answer is None and command.error_code in UNKNOWN:
        update = firmware.of_subject(command.subject)
        location = command.payload["firmware"]["location"]
        if update is not None and firmware.unsigned_instead(update, location=location):
            return
    transfers.firmware_outcome(command, answer)
