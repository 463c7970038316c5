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
CENTRAL, EMAID = "Central", "eMAID"
# What a token of a stored type (OCPI TokenType) is called; words that 2.0.1 itself knows stay as they are.
TOKEN_TYPES = {"RFID": "ISO14443", "EMAID": EMAID}
KEPT_TYPES = frozenset(
    {"Central", "DirectPayment", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress"}
)  # DirectPayment only where `direct_payments.is_spoken`


def id_token(token: dict[str, Any] | None) -> str:
    """Read an IdTokenType as it was presented; a NUL, which no text in the database can hold, becomes visible."""
    return str((token or {}).get("idToken") or "").replace("\0", "\ufffd")


def write_id_token(uid: str, type: str) -> dict[str, str]:
    """Write a token with its stored type; what was made up by a server is `Central` (IdTokenEnumType)."""
    word = type if type in KEPT_TYPES else TOKEN_TYPES.get(type.upper(), CENTRAL)
    return {"idToken": uid, "type": word}


def write_group(group_id: str) -> dict[str, str]:
    """Write a group id."""
    return {"idToken": group_id, "type": GROUP_TYPE}


def id_token_info(decision: Decision) -> dict[str, Any]:
    """Write a decision as IdTokenInfoType (part 2, 2.29)."""
    info: dict[str, Any] = {"status": decision.status}
    expires_at = authorization.told_until(decision.status, decision.expires_at)
    if expires_at is not None:
        info["cacheExpiryDateTime"] = timestamp(expires_at)
    if decision.group_id:
        info["groupIdToken"] = write_group(decision.group_id)
    if decision.token is not None and decision.token.language:
        info["language1"] = decision.token.language
    if decision.token is not None and decision.token.charging_priority is not None:
        info["chargingPriority"] = decision.token.charging_priority
    return info


def content(text: str, language: str) -> dict[str, str]:
    """Write a text for a driver (MessageContentType)."""
    found = {"format": "UTF8", "content": text}
    return found | ({"language": language[:8]} if language else {})


def status(word: str) -> str:
    """Read a ConnectorStatusEnumType; a word that no specification knows is `Unknown` (the frame keeps it)."""
    return word if word in STATUSES else ConnectorStatus.UNKNOWN.value
