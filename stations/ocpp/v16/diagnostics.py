"""Logs in the words of 1.6 (sections 4.4 and 5.9) and of its security extension (white paper N01)."""

from typing import Any

from stations.models import Command, LogUpload
from stations.ocpp import transfers
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import security_extension, values
from stations.services import commands, diagnostics

CORE, EXTENSION = "GetDiagnostics", "GetLog"


def diagnostics_status_notification(link: Link, incoming: Incoming) -> Payload:
    """Keep how far the upload is; section 4.4 has no request id, so it is about the newest one."""
    diagnostics.status(
        link.station, status=incoming.payload["status"], request_id=None, now=incoming.received_at
    )

    return {}


def get_log(*, upload: LogUpload, location: str) -> tuple[str, Payload]:
    """Ask for a log: by GetLog of a station that speaks the security extension, else by GetDiagnostics."""
    if upload.kind == LogUpload.Kind.DIAGNOSTICS and not security_extension.is_spoken(upload.station_id):
        return CORE, _core(upload, location)
    return EXTENSION, transfers.write_log(upload, location, time=values.time)


def diagnostics_outcome(command: Command, answer: Payload | None) -> None:
    """Act on GetDiagnostics.conf: a file name, or nothing to send (section 5.9)."""
    upload = diagnostics.of_subject(command.subject)
    if upload is None:
        return
    name = str((answer or {}).get("fileName") or "").strip()
    if answer is None:
        diagnostics.not_asked(upload, **transfers.silence(command))
    elif name:
        diagnostics.accepted(upload, file_name=name)
    else:
        diagnostics.nothing_to_send(upload)


def log_outcome(command: Command, answer: Payload | None) -> None:
    """Act on GetLog.conf (white paper section 5.10); a station that does not know it is asked by GetDiagnostics."""
    upload = diagnostics.of_subject(command.subject)
    is_unknown = answer is None and command.error_code in security_extension.UNKNOWN
    if upload is None or not is_unknown or upload.kind != LogUpload.Kind.DIAGNOSTICS:
        transfers.log_outcome(command, answer)
        return
    commands.queue(
        command.station,
        action=CORE,
        payload=_core(upload, command.payload["log"]["remoteLocation"]),
        requested_by=command.requested_by,
        user=command.user,
        queue_offline=True,
        subject=command.subject,
    )


def _core(upload: LogUpload, location: str) -> Payload:
    bounds = {"startTime": _time(upload.oldest), "stopTime": _time(upload.latest)}
    return {"location": location, **transfers.given(bounds), **transfers.retries(upload)}


def _time(moment: Any) -> str | None:
    return values.time(moment) if moment is not None else None
