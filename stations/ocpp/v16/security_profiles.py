"""Security profile, password and security events in the words of 1.6 (white paper A01, A04, A05).

What becomes of it reads `stations.ocpp.security_changes`.
"""

from stations.ocpp import notices
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Passwords, Payload

KEY = "authorizationkey"
# Events that are critical in the white paper (section 8); later versions think so of more.
CRITICAL = frozenset(
    {
        "FirmwareUpdated", "MemoryExhaustion", "ResetOrReboot", "SecurityLogWasCleared", "SettingSystemTime",
        "StartupOfTheDevice", "TamperDetectionActivated",
    }
)  # fmt: skip


def security_event(link: Link, incoming: Incoming) -> Payload:
    """Store the event (white paper A04)."""
    return notices.security_event(link, incoming, is_critical=incoming.payload["type"] in CRITICAL)


def write_password(*, secret: str) -> tuple[str, Payload]:
    """Write the change of AuthorizationKey (white paper section 7.2)."""
    return "ChangeConfiguration", {"key": "AuthorizationKey", "value": secret}


def write_profile(*, profile: int) -> tuple[str, Payload]:
    """Write the change of SecurityProfile (white paper section 7.8)."""
    return "ChangeConfiguration", {"key": "SecurityProfile", "value": str(profile)}


def write_organization(*, name: str) -> tuple[str, Payload]:
    """Write the change of CpoName, which the station puts into its request for a certificate (A02.FR.13)."""
    return "ChangeConfiguration", {"key": "CpoName", "value": name}


def write_restart() -> tuple[str, Payload]:
    """Write a soft Reset, so that a new setting takes effect (section 5.14)."""
    return "Reset", {"type": "Soft"}


def _passwords(action: str, payload: Payload) -> list[tuple[str | int, ...]]:
    """Say where in a request a password of the station stands."""
    is_one = action == "ChangeConfiguration" and str(payload.get("key", "")).strip().casefold() == KEY
    return [("value",)] if is_one else []


PASSWORDS = Passwords("hex", _passwords)  # octets are written in hexadecimal (white paper section 7.2)
