"""Words of OCPP 1.6 against the words of the domain."""

from datetime import datetime
from typing import Any

from stations.models import ConnectorStatus
from stations.ports import Decision
from stations.services import authorization

STATUSES = frozenset(status.value for status in ConnectorStatus)

# What a token's decision is called in 1.6 (section 7.2 AuthorizationStatus); what it has no word for is blocked there
AUTHORIZATION = {word: word for word in ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")} | {
    "NoCredit": "Blocked",
    "NotAllowedTypeEVSE": "Blocked",
    "NotAtThisLocation": "Blocked",
    "NotAtThisTime": "Blocked",
    "Unknown": "Invalid",
}

MAX_ID_TAG = 20  # characters: CiString20Type; a longer group id cannot be told to a 1.6 station


def time(moment: datetime) -> str:
    """Write an instant as 1.6 stations like it best: RFC 3339, UTC, milliseconds, Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def id_tag(value: Any) -> str:
    """Read an idTag as it was presented; a NUL, which no text in the database can hold, becomes visible."""
    return str(value or "").replace("\0", "\ufffd")


def id_tag_info(decision: Decision) -> dict[str, Any]:
    """Write a decision as IdTagInfo (section 7.27)."""
    info: dict[str, Any] = {"status": AUTHORIZATION.get(decision.status, "Invalid")}
    expires_at = authorization.told_until(decision.status, decision.expires_at)
    if expires_at is not None:
        info["expiryDate"] = time(expires_at)
    if decision.group_id and len(decision.group_id) <= MAX_ID_TAG:
        info["parentIdTag"] = decision.group_id
    return info


def status(word: str) -> str:
    """Read a ChargePointStatus; a word that no specification knows is `Unknown` (the frame keeps it)."""
    return word if word in STATUSES else ConnectorStatus.UNKNOWN.value
