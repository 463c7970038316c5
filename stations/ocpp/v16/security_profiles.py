"""Security profile and password in the words of 1.6: what is asked of a station (white paper A01, A05).

What becomes of it reads `stations.ocpp.security_changes`.
"""

from stations.ocpp.route import Passwords, Payload

KEY = "authorizationkey"


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
