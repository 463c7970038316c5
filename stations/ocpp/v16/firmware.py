"""Firmware updates in the words of 1.6 (sections 4.5 and 5.19) and of its security extension (white paper L01)."""

from typing import Any

from stations.models import Command, FirmwareUpdate
from stations.ocpp.route import Payload
from stations.ocpp.v16 import values
from stations.ocpp.v16.security_extension import UNKNOWN
from stations.services import firmware

SIGNED, PLAIN = "SignedUpdateFirmware", "UpdateFirmware"


def update_firmware(*, update: FirmwareUpdate, location: str) -> tuple[str, Payload]:
    """Say an update: signed if its image is (white paper section 5.21), else as section 5.19 has it."""
    retries: Payload = {"retries": update.retries, "retryInterval": update.retry_interval_s}
    if not update.is_signed:
        payload = {"location": location, "retrieveDate": values.time(update.retrieve_at), **retries}
        return PLAIN, _given(payload)
    image = update.image
    assert image is not None  # what is not ours is not signed
    wanted = {
        "location": location,
        "retrieveDateTime": values.time(update.retrieve_at),
        "installDateTime": values.time(update.install_at) if update.install_at else None,
        "signingCertificate": image.certificate,
        "signature": image.signature,
    }
    return SIGNED, _given({"requestId": update.request_id, "firmware": _given(wanted), **retries})


def update_outcome(command: Command, answer: Payload | None) -> None:
    """Note that the station took the request: UpdateFirmware.conf has no word for a refusal (section 6.56)."""
    update = firmware.of_subject(command.subject)
    if update is None:
        return
    if answer is None:
        firmware.not_asked(update, outcome=_outcome(command), reason=_reason(command))
    else:
        firmware.accepted(update)


def signed_update_outcome(command: Command, answer: Payload | None) -> None:
    """Act on SignedUpdateFirmware.conf (white paper sections 5.22 and 6.18)."""
    update = firmware.of_subject(command.subject)
    if update is None:
        return
    if answer is None:
        location = command.payload["firmware"]["location"]
        if command.error_code in UNKNOWN and firmware.unsigned_instead(update, location=location):
            return
        firmware.not_asked(update, outcome=_outcome(command), reason=_reason(command))
    elif answer["status"] in ("Accepted", "AcceptedCanceled"):
        firmware.accepted(update, cancels_others=answer["status"] == "AcceptedCanceled")
    else:
        firmware.refused(update, answer=answer["status"])


def _outcome(command: Command) -> str:
    """A refusal that comes after the time-out is one all the same."""
    return str(Command.Status.FAILED if command.answered_late else command.status)


def _reason(command: Command) -> str:
    if command.error_code in UNKNOWN:
        return f"the station does not know {command.action}"
    return f"{command.error_code} {command.error_description}".strip()


def _given(members: dict[str, Any]) -> Payload:
    return {name: value for name, value in members.items() if value is not None}
