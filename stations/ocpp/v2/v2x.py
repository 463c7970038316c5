"""NotifyAllowedEnergyTransfer, AFRRSignal and what Authorize says about energy transfers (block Q, 2.1)."""

from datetime import datetime

from stations.models import BidirectionalSession, Command
from stations.ocpp.codec import timestamp
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import authorization, values
from stations.services import authorization as tokens
from stations.services import energy_transfers, v2x

State = BidirectionalSession.State


def authorize(link: Link, incoming: Incoming) -> Payload:
    """Answer Authorize as before, and say which energy transfers the driver may use, if that is known (Q01.FR.01)."""
    answer = authorization.authorize_21(link, incoming)
    if answer["idTokenInfo"]["status"] != "Accepted":
        return answer
    token = tokens.known(values.id_token(incoming.payload["idToken"]))
    modes = energy_transfers.told(link.station, token)

    return answer | ({"allowedEnergyTransfer": modes} if modes else {})


def write_allow(*, transaction_id: str, modes: list[str]) -> tuple[str, Payload]:
    """Write NotifyAllowedEnergyTransfer (Q02.FR.05)."""
    return "NotifyAllowedEnergyTransfer", {
        "transactionId": transaction_id,
        "allowedEnergyTransfer": modes,
    }


def write_signal(*, signal: int, at: datetime) -> tuple[str, Payload]:
    """Write AFRRSignal (Q08)."""
    return "AFRRSignal", {"timestamp": timestamp(at), "signal": signal}


def notify_allowed_energy_transfer(command: Command, answer: Payload | None) -> None:
    """Take whether the transaction may go on with these transfers."""
    payload = command.payload
    v2x.allow_answered(
        command.station,
        payload["transactionId"],
        payload["allowedEnergyTransfer"],
        state=_state(command, answer),
    )


def afrr_signal(command: Command, answer: Payload | None) -> None:
    """Take whether the station follows the signal."""
    word = (
        "" if answer is not None and answer["status"] == "Accepted" else command.error_code or command.status
    )
    v2x.signal_answered(command, state=_state(command, answer), reason=word)


def _state(command: Command, answer: Payload | None) -> str:
    if answer is not None:
        return State.ACCEPTED if answer["status"] == "Accepted" else State.REFUSED
    was_unsent = command.status in (Command.Status.EXPIRED, Command.Status.CANCELLED)
    return State.REFUSED if command.error_code or was_unsent else State.UNKNOWN
