"""GetLocalListVersion and SendLocalList (D01, D02)."""

from typing import Any

from stations.models import Command
from stations.ocpp import outcomes
from stations.ocpp.route import Payload
from stations.ocpp.v2 import values
from stations.services.local_list_updates import Change


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
    outcomes.local_list_version(command, None if answer is None else int(answer["versionNumber"]))


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
