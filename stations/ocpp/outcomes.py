"""What became of commands, as every version words it alike: read here once for all of them.

Of a command without an answer (`answer` is None) the row tells the rest: CALLERROR, silence, expiry, taken back.
"""

from stations.models import AvailabilityWish, Command, RemoteRequest, Reservation
from stations.ocpp.route import Payload
from stations.services import local_list, reservations

WISH, REMOTE, RESERVATION = AvailabilityWish.State, RemoteRequest.State, Reservation.Status
UNSUPPORTED = frozenset(
    {"NotImplemented", "NotSupported"}
)  # error codes (OCPP-J section 4.2.3, part 4 section 4.3)
AVAILABILITY = {"Accepted": WISH.ACCEPTED, "Scheduled": WISH.SCHEDULED, "Rejected": WISH.REFUSED}
NOT_RESERVED = {
    Command.Status.TIMED_OUT: (RESERVATION.UNKNOWN, "no answer"),
    Command.Status.EXPIRED: (RESERVATION.EXPIRED, "never sent"),
    Command.Status.CANCELLED: (RESERVATION.CANCELLED, "before it was sent"),
}


def was_refused(command: Command) -> bool:
    """Tell whether the station answered with a CALLERROR; an answer that nobody can read tells nothing."""
    return command.status == Command.Status.FAILED and bool(command.error_code)


def of_availability(command: Command, answer: Payload | None) -> AvailabilityWish.State:
    """Read what a station said to ChangeAvailability."""
    if answer is not None:
        return AVAILABILITY[answer["status"]]
    return WISH.REFUSED if was_refused(command) else WISH.UNKNOWN


def of_remote(
    command: Command, answer: Payload | None, *, accepted: tuple[str, ...] = ("Accepted",)
) -> tuple[str, str] | None:
    """Read what a station said to a start, stop or reset; None for one that was taken back before it was sent."""
    if answer is not None:
        return (REMOTE.ACCEPTED if answer["status"] in accepted else REMOTE.REFUSED), ""
    if command.status == Command.Status.CANCELLED:
        return None
    if command.status == Command.Status.EXPIRED:
        return REMOTE.FAILED, RemoteRequest.Reason.NEVER_SENT
    if was_refused(command):
        return REMOTE.REFUSED, RemoteRequest.Reason.ERROR
    return REMOTE.UNKNOWN, ""


def of_reservation(command: Command, answer: Payload | None) -> tuple[Reservation.Status, str]:
    """Read what a station said to ReserveNow, with its word for a refusal."""
    if answer is not None:
        word = answer["status"]
        return (RESERVATION.RESERVED, "") if word == "Accepted" else (RESERVATION.REFUSED, word)
    if was_refused(command):
        return RESERVATION.REFUSED, command.error_code
    return NOT_RESERVED.get(Command.Status(command.status), (RESERVATION.UNKNOWN, "unreadable answer"))


def cancel_reservation(command: Command, answer: Payload | None) -> None:
    """Take the station's word: Rejected means that it knows no such reservation (1.6 section 5.1, H02.FR.01)."""
    reservations.cancel_answered(
        command.station,
        number=command.payload["reservationId"],
        is_cancelled=None if answer is None else answer["status"] == "Accepted",
    )


def local_list_version(command: Command, version: int | None) -> None:
    """Compare the version that the station has with what it accepted; None: it did not tell."""
    if version is not None:
        local_list.version_told(command, version=version)
        return
    local_list.version_untold(
        command,
        is_unsupported=command.error_code in UNSUPPORTED,
        was_sent=command.sent_at is not None,
        problem=_why(command),
    )


def send_local_list(command: Command, answer: Payload | None) -> None:
    """Go on, send the whole list, or leave the station alone (1.6 section 7.43 UpdateStatus, D01).

    `NotSupported` is a word of 1.6 alone.
    """
    status = answer["status"] if answer is not None else ""
    was_sent = command.sent_at is not None
    if answer is None and command.error_code in UNSUPPORTED or status == "NotSupported":
        local_list.update_unsupported(command, problem=_why(command))
    elif answer is None and command.status != Command.Status.FAILED:
        local_list.update_unanswered(command, was_sent=was_sent, problem=_why(command))
    elif status == "Accepted":
        local_list.update_accepted(command)
    else:
        local_list.update_refused(command, is_mismatch=status == "VersionMismatch", problem=_why(command))


def _why(command: Command) -> str:
    """Say in words what the station, or its silence, was."""
    if command.status == Command.Status.ANSWERED and command.result:
        return f"it answered {command.result.get('status', command.result)}"
    return f"{command.error_code} {command.error_description}".strip() or command.get_status_display()
