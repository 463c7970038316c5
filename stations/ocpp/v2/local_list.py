"""GetLocalListVersion and SendLocalList (D01, D02)."""

from typing import Any

from stations.models import Command
from stations.ocpp.route import Payload
from stations.ocpp.v2 import values
from stations.services import local_list
from stations.services.local_list_updates import Change

UNSUPPORTED = frozenset({"NotImplemented", "NotSupported"})  # error codes (part 4, section 4.3)
Status = Command.Status


def write_ask() -> tuple[str, Payload]:
    """Write GetLocalListVersion (D02)."""
    return "GetLocalListVersion", {}


def write_send(*, version: int, is_whole: bool, changes: list[Change]) -> tuple[str, Payload]:
    """Write SendLocalList; without entries the list is emptied (D01.FR.04), an entry without information goes."""
    payload: Payload = {"versionNumber": version, "updateType": "Full" if is_whole else "Differential"}
    if changes:
        payload["localAuthorizationList"] = [_entry(change) for change in changes]
    return "SendLocalList", payload


def get_local_list_version(command: Command, answer: Payload | None) -> None:
    """Compare the version that the station has with what it accepted; 0 means that it has none (D02.FR.03)."""
    if answer is None:
        local_list.version_untold(
            command,
            is_unsupported=command.error_code in UNSUPPORTED,
            was_sent=_was_sent(command),
            problem=_why(command),
        )
        return

    local_list.version_told(command, version=int(answer["versionNumber"]))


def send_local_list(command: Command, answer: Payload | None) -> None:
    """Go on, send the whole list, or leave the station alone, as its answer says (SendLocalListStatusEnumType)."""
    status = answer["status"] if answer is not None else ""
    if answer is None and command.error_code in UNSUPPORTED:
        local_list.update_unsupported(command, problem=_why(command))
    elif answer is None and command.status != Status.FAILED:
        local_list.update_unanswered(command, was_sent=_was_sent(command), problem=_why(command))
    elif status == "Accepted":
        local_list.update_accepted(command)
    else:
        local_list.update_refused(command, is_mismatch=status == "VersionMismatch", problem=_why(command))


def _entry(change: Change) -> dict[str, Any]:
    entry: dict[str, Any] = {"idToken": values.write_id_token(change.uid, change.type)}
    if change.is_removed:
        return entry
    info: dict[str, Any] = {"status": "Accepted"}
    if change.expires_at:
        info["cacheExpiryDateTime"] = change.expires_at.replace("+00:00", "Z")
    if change.group_id:
        info["groupIdToken"] = values.write_group(change.group_id)
    return entry | {"idTokenInfo": info}


def _was_sent(command: Command) -> bool:
    return command.sent_at is not None


def _why(command: Command) -> str:
    """Say in words what the station, or its silence, was."""
    if command.status == Status.ANSWERED and command.result:
        return f"it answered {command.result.get('status', command.result)}"
    return f"{command.error_code} {command.error_description}".strip() or command.get_status_display()
