"""GetLocalListVersion and SendLocalList (OCPP 1.6 sections 5.10 and 5.15)."""

from typing import Any

from stations.models import Command
from stations.ocpp import outcomes
from stations.ocpp.route import Payload
from stations.ocpp.v16 import values
from stations.services.local_list_updates import Change


def write_ask() -> tuple[str, Payload]:
    """Write GetLocalListVersion."""
    return "GetLocalListVersion", {}


def write_send(*, version: int, is_whole: bool, changes: list[Change]) -> tuple[str, Payload]:
    """Write SendLocalList; an entry without information is one that goes (section 7.1 AuthorizationData)."""
    return "SendLocalList", {
        "listVersion": version,
        "updateType": "Full" if is_whole else "Differential",
        "localAuthorizationList": [_entry(change) for change in changes],
    }


def get_local_list_version(command: Command, answer: Payload | None) -> None:
    """Compare the version that the station has with what it accepted."""
    outcomes.local_list_version(command, None if answer is None else int(answer["listVersion"]))


def _entry(change: Change) -> dict[str, Any]:
    if change.is_removed:
        return {"idTag": change.uid}
    info: dict[str, Any] = {"status": "Accepted"}
    if change.expires_at:
        info["expiryDate"] = change.expires_at.replace("+00:00", "Z")
    if change.group_id and len(change.group_id) <= values.MAX_ID_TAG:
        info["parentIdTag"] = change.group_id
    return {"idTag": change.uid, "idTagInfo": info}
