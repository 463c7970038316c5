"""Logs in the words of 1.6 (sections 4.4 and 5.9) and of its security extension (white paper N01)."""

from typing import Any

from stations.models import Command, LogUpload
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
    is_core = upload.kind == LogUpload.Kind.DIAGNOSTICS and not security_extension.is_spoken(
        upload.station_id
    )
    retries: Payload = {"retries": upload.retries, "retryInterval": upload.retry_interval_s}
    oldest, latest = _time(upload.oldest), _time(upload.latest)
    if is_core:
        return CORE, _given({"location": location, "startTime": oldest, "stopTime": latest, **retries})
    log = _given({"remoteLocation": location, "oldestTimestamp": oldest, "latestTimestamp": latest})
    request = {"logType": upload.kind, "requestId": upload.request_id, "log": log}
    return EXTENSION, _given({**request, **retries})


def diagnostics_outcome(command: Command, answer: Payload | None) -> None:
    """Act on GetDiagnostics.conf: a file name, or nothing to send (section 5.9)."""
    upload = diagnostics.of_subject(command.subject)
    if upload is None:
        return
    if answer is None:
        diagnostics.not_asked(upload, outcome=_outcome(command), reason=_reason(command))
    elif str(answer.get("fileName") or "").strip():
        diagnostics.accepted(upload, file_name=str(answer["fileName"]).strip())
    else:
        diagnostics.nothing_to_send(upload)


def log_outcome(command: Command, answer: Payload | None) -> None:
    """Act on GetLog.conf (white paper section 5.10); a station that does not know it is asked by GetDiagnostics."""
    upload = diagnostics.of_subject(command.subject)
    if upload is None:
        return
    if answer is None:
        if command.error_code in security_extension.UNKNOWN and upload.kind == LogUpload.Kind.DIAGNOSTICS:
            _ask_by_core(command, upload)
            return
        diagnostics.not_asked(upload, outcome=_outcome(command), reason=_reason(command))
    elif answer["status"] in ("Accepted", "AcceptedCanceled"):
        name = str(answer.get("filename") or "").strip()
        diagnostics.accepted(upload, file_name=name, cancels_others=answer["status"] == "AcceptedCanceled")
    else:
        diagnostics.refused(upload, reason=f"{command.action}: {answer['status']}")


def _ask_by_core(command: Command, upload: LogUpload) -> None:
    asked = command.payload
    payload = {
        "location": asked["log"]["remoteLocation"],
        "startTime": asked["log"].get("oldestTimestamp"),
        "stopTime": asked["log"].get("latestTimestamp"),
        "retries": upload.retries,
        "retryInterval": upload.retry_interval_s,
    }
    commands.queue(
        command.station,
        action=CORE,
        payload=_given(payload),
        requested_by=command.requested_by,
        user=command.user,
        queue_offline=True,
        subject=command.subject,
    )


def _outcome(command: Command) -> str:
    """A refusal that comes after the time-out is one all the same."""
    return str(Command.Status.FAILED if command.answered_late else command.status)


def _reason(command: Command) -> str:
    if command.error_code in security_extension.UNKNOWN:
        return f"the station does not know {command.action}"
    return f"{command.error_code} {command.error_description}".strip()


def _time(moment: Any) -> str | None:
    return values.time(moment) if moment is not None else None


def _given(members: dict[str, Any]) -> Payload:
    return {name: value for name, value in members.items() if value is not None}
