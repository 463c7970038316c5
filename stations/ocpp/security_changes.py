"""What becomes of requests that change a station's security: password, profile (2.1 A01, A05; white paper A01, A05).

The requests are those of other blocks too; `security_or` tells by a command's subject whether one is a change's.
"""

from collections.abc import Callable

from stations.models import Command
from stations.ocpp.route import OutcomeHandler, Payload
from stations.services import password_changes, security_profiles

# How a version reads the station's one word out of its answer: Accepted, Rejected, RebootRequired ...
Word = Callable[[Payload], str]

# A station that answers so has not understood the request, so it has not obeyed either (OCPP-J section 4.2.3).
NOT_OBEYED = frozenset(
    {
        "NotImplemented", "NotSupported", "ProtocolError", "SecurityError", "FormationViolation", "FormatViolation",
        "PropertyConstraintViolation", "OccurenceConstraintViolation", "OccurrenceConstraintViolation",
        "TypeConstraintViolation", "MessageTypeNotSupported", "RpcFrameworkError",
    }
)  # fmt: skip


def status(answer: Payload) -> str:
    """Read the word of an answer that has only one."""
    return str(answer["status"])


def security_or(other: OutcomeHandler | None, *, word: Word = status) -> OutcomeHandler:
    """Route an outcome to the change it belongs to, and to the block that owns the action."""

    def outcome(command: Command, answer: Payload | None) -> None:
        kind, _, rest = command.subject.partition(":")
        if kind in OURS:
            number, _, step = rest.partition(":")
            OURS[kind](command, None if answer is None else word(answer), int(number), step)
        if other is not None:
            other(command, answer)

    return outcome


def _password(command: Command, said: str | None, change_id: int, step: str) -> None:
    if said is not None:
        password_changes.answered(change_id, status=said)
    else:
        reason, was_sent = silence(command)
        password_changes.unanswered(change_id, reason=reason, was_sent=was_sent)


def _profile(command: Command, said: str | None, change_id: int, step: str) -> None:
    if said is not None:
        security_profiles.answered(change_id, step=step, status=said)
    else:
        reason, was_sent = silence(command)
        security_profiles.unanswered(change_id, step=step, reason=reason, was_sent=was_sent)


OURS: dict[str, Callable[[Command, str | None, int, str], None]] = {
    "password": _password,
    "security_profile": _profile,
}


def silence(command: Command) -> tuple[str, bool]:
    """Say why there is no answer, and whether the station may have obeyed all the same."""
    if command.error_code in NOT_OBEYED:
        return f"the station answered {command.error_code}", False
    reason = command.error_description or command.error_code or command.get_status_display()
    return reason, command.sent_at is not None
