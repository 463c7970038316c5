"""Requests about files, as the white paper of 1.6 and 2.x word them alike: said and their outcomes read once for all.

L01, L02, N01; 1.6 security white paper sections 5.9, 5.10, 5.21 and 5.22.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from stations.models import Command, FirmwareUpdate, LogUpload
from stations.ocpp.codec import timestamp
from stations.ocpp.link import Link
from stations.ocpp.outcomes import UNSUPPORTED
from stations.ocpp.route import Incoming, Payload
from stations.services import diagnostics, firmware
from stations.services.transfers import CANCELED, Life

Time = Callable[[datetime], str]  # how a version writes moments
YES = frozenset({"Accepted", CANCELED})


def write_firmware(update: FirmwareUpdate, location: str, *, time: Time = timestamp) -> Payload:
    """Say an update; signed if its image is (L01.FR.11)."""
    image = update.image
    is_signed = update.is_signed and image is not None
    wanted = {
        "location": location,
        "retrieveDateTime": time(update.retrieve_at),
        "installDateTime": time(update.install_at) if update.install_at else None,
        "signingCertificate": image.certificate if image is not None and is_signed else None,
        "signature": image.signature if image is not None and is_signed else None,
    }
    return {"requestId": update.request_id, "firmware": given(wanted), **retries(update)}


def write_log(upload: LogUpload, location: str, *, time: Time = timestamp) -> Payload:
    """Say a request for a log."""
    bounds = {
        "remoteLocation": location,
        "oldestTimestamp": time(upload.oldest) if upload.oldest else None,
        "latestTimestamp": time(upload.latest) if upload.latest else None,
    }
    return {
        "logType": upload.kind,
        "requestId": upload.request_id,
        "log": given(bounds),
        **retries(upload),
    }


def retries(row: Any) -> Payload:
    """Say how often a station shall try again, where we have a wish."""
    return given({"retries": row.retries, "retryInterval": row.retry_interval_s})


def firmware_outcome(command: Command, answer: Payload | None) -> None:
    """Act on what a station said to an update (L01.FR.22, L01.FR.24, L01.FR.27)."""
    outcome(firmware.LIFE, command, answer)


def log_outcome(command: Command, answer: Payload | None) -> None:
    """Act on what a station said to a request for a log (N01.FR.01, N01.FR.05, N01.FR.12)."""
    upload = diagnostics.of_subject(command.subject)
    if upload is None:
        return
    if answer is None or answer["status"] not in YES:
        outcome(diagnostics.LIFE, command, answer)
        return
    name = str(answer.get("filename") or "").strip()
    diagnostics.accepted(upload, file_name=name, cancels_others=answer["status"] == CANCELED)


def outcome(life: Life[Any], command: Command, answer: Payload | None) -> None:
    """Let a transfer go on, or end, by what became of its request."""
    row = life.of_subject(command.subject)
    if row is None:
        return
    if answer is None:
        life.not_asked(row, **silence(command))
    elif answer["status"] in YES:
        life.accepted(row, cancels_others=answer["status"] == CANCELED)
    else:
        life.refused(row, answer=answer["status"], reason=status_info(answer))


def silence(command: Command) -> dict[str, str]:
    """Say what became of a command without an answer: a refusal after the time-out is one all the same."""
    if command.error_code in UNSUPPORTED:
        reason = f"the station does not know {command.action}"
    else:
        reason = f"{command.error_code} {command.error_description}".strip()
    outcome = Command.Status.FAILED if command.answered_late else command.status
    return {"outcome": str(outcome), "reason": reason}


def heard(link: Link, incoming: Incoming, keep: Callable[..., object], **besides: Any) -> Payload:
    """Let a service keep how far the station says a transfer is (FirmwareStatusNotification and its like)."""
    payload = incoming.payload

    keep(
        link.station,
        status=payload["status"],
        request_id=payload.get("requestId"),
        now=incoming.received_at,
        remark=status_info(payload),
        **besides,
    )

    return {}


def status_info(payload: Payload) -> str:
    """Read the reason that a 2.x station may add to a status; '' where there is none."""
    told = payload.get("statusInfo") or {}
    return f"{told.get('reasonCode', '')} {told.get('additionalInfo', '')}".replace("\0", "\ufffd").strip()


def given(members: dict[str, Any]) -> Payload:
    """Leave out what has no value."""
    return {name: value for name, value in members.items() if value is not None}
