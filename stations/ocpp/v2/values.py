"""Words of OCPP 2.x against the words of the domain, which mostly are the same."""

from typing import Any

from stations.models import ConnectorStatus
from stations.ocpp.codec import timestamp
from stations.ports import Decision
from stations.services import authorization

# What a connector is called while a transaction runs at it (ChargingStateEnumType): finer than `Occupied`.
STATES = {
    "Charging": ConnectorStatus.CHARGING,
    "EVConnected": ConnectorStatus.PREPARING,
    "SuspendedEV": ConnectorStatus.SUSPENDED_EV,
    "SuspendedEVSE": ConnectorStatus.SUSPENDED_EVSE,
}
STATUSES = frozenset(status.value for status in ConnectorStatus)
GROUP_TYPE = "Central"  # of a group id: we made it up


def id_token(token: dict[str, Any] | None) -> str:
    """Read an IdTokenType as it was presented; a NUL, which no text in the database can hold, becomes visible."""
    return str((token or {}).get("idToken") or "").replace("\0", "\ufffd")


def id_token_info(decision: Decision) -> dict[str, Any]:
    """Write a decision as IdTokenInfoType (part 2, 2.29)."""
    info: dict[str, Any] = {"status": decision.status}
    expires_at = authorization.told_until(decision.status, decision.expires_at)
    if expires_at is not None:
        info["cacheExpiryDateTime"] = timestamp(expires_at)
    if decision.group_id:
        info["groupIdToken"] = {"idToken": decision.group_id, "type": GROUP_TYPE}
    if decision.token is not None and decision.token.language:
        info["language1"] = decision.token.language
    return info


def status(word: str) -> str:
    """Read a ConnectorStatusEnumType; a word that no specification knows is `Unknown` (the frame keeps it)."""
    return word if word in STATUSES else ConnectorStatus.UNKNOWN.value
