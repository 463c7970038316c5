"""Security profile and password in the words of 1.6: what is asked of a station, and what it makes of it (WP A01, A05).

The requests are those of other blocks too; `security_or` tells by a command's subject whether it is ours.
"""

from collections.abc import Callable

from stations.models import Command
from stations.ocpp.route import OutcomeHandler, Payload
from stations.services import password_changes, security_profiles


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


def security_or(other: OutcomeHandler | None) -> OutcomeHandler:
    """Route an outcome to the change it belongs to, and to the block that owns the action."""

    def outcome(command: Command, answer: Payload | None) -> None:
        kind, _, rest = (command.subject or _by_key(command)).partition(":")
        if kind in OURS:
            OURS[kind](command, answer, rest)
        if other is not None:
            other(command, answer)

    return outcome


def _by_key(command: Command) -> str:
    """Name the change that a password belongs to which somebody sent by hand."""
    if str(command.payload.get("key", "")).strip().casefold() != password_changes.RAW_KEY:
        return ""
    return f"{password_changes.SUBJECT}{password_changes.open_of(command.station_id) or ''}"


def _password(command: Command, answer: Payload | None, change_id: str) -> None:
    if not change_id:
        return
    if answer is not None:
        password_changes.answered(int(change_id), status=answer["status"])
    else:
        reason, was_sent = _silence(command)
        password_changes.unanswered(int(change_id), reason=reason, was_sent=was_sent)


def _profile(command: Command, answer: Payload | None, rest: str) -> None:
    change_id, _, step = rest.partition(":")
    if answer is not None:
        security_profiles.answered(int(change_id), step=step, status=answer["status"])
    else:
        reason, was_sent = _silence(command)
        security_profiles.unanswered(int(change_id), step=step, reason=reason, was_sent=was_sent)


OURS: dict[str, Callable[[Command, Payload | None, str], None]] = {
    "password": _password,
    "security_profile": _profile,
}
# A station that answers so has not understood the request, so it has not obeyed either (OCPP-J section 4.2.3).
NOT_OBEYED = frozenset(
    {
        "NotImplemented", "NotSupported", "ProtocolError", "SecurityError", "FormationViolation",
        "PropertyConstraintViolation", "OccurenceConstraintViolation", "TypeConstraintViolation",
    }
)  # fmt: skip


def _silence(command: Command) -> tuple[str, bool]:
    """Say why there is no answer, and whether the station may have obeyed all the same."""
    if command.error_code in NOT_OBEYED:
        return f"the station answered {command.error_code}", False
    reason = command.error_description or command.error_code or command.get_status_display()
    return reason, command.sent_at is not None
