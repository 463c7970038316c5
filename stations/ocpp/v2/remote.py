"""RequestStartTransaction, RequestStopTransaction and Reset (F01 to F03, B11, B12)."""

import secrets

from stations.charging_profiles import ChargingProfile
from stations.models import ChargingSession, Command, Evse, RemoteRequest
from stations.ocpp import outcomes
from stations.ocpp.route import Payload
from stations.ocpp.v2 import smart_charging, values
from stations.services import remote

Kind, State, Reason = RemoteRequest.Kind, RemoteRequest.State, RemoteRequest.Reason
LAST_ID = 2**31 - 1  # an integer of a station may have 32 bits


def write_start(
    *,
    evse: Evse | None,
    id_token: str,
    id_token_type: str = "",
    group_id: str = "",
    profile: ChargingProfile | None = None,
) -> tuple[str, Payload]:
    """Write RequestStartTransaction with an id that its transaction will name (F01.FR.25, F02.FR.01)."""
    payload: Payload = {
        "remoteStartId": secrets.randbelow(LAST_ID) + 1,
        "idToken": values.write_id_token(id_token, id_token_type),
    }
    if evse is not None:
        payload["evseId"] = evse.number
    if group_id:
        payload["groupIdToken"] = values.write_group(group_id)
    if profile is not None:
        payload["chargingProfile"] = smart_charging.start_profile(profile)
    return "RequestStartTransaction", payload


def write_stop(*, session: ChargingSession) -> tuple[str, Payload]:
    """Write RequestStopTransaction with the station's own id of the transaction (F03)."""
    return "RequestStopTransaction", {"transactionId": session.transaction_id}


def write_restart() -> tuple[str, Payload]:
    """Write a Reset that waits for running transactions, so that a new setting takes effect (B12)."""
    return "Reset", {"type": "OnIdle"}


def request_start_transaction(command: Command, answer: Payload | None) -> None:
    """Await the transaction, or say why none will come; one that runs already is named by the answer (F01.FR.13)."""
    found = outcomes.of_remote(command, answer, accepted=("Accepted", "Scheduled"))
    if found is None:
        return
    state, reason = found
    payload = command.payload
    number = payload.get("evseId")

    remote.answered(
        command,
        kind=Kind.START,
        state=state,
        reason=reason,
        evse=Evse.objects.filter(station=command.station, number=number).first() if number else None,
        id_token=values.id_token(payload["idToken"]),
        remote_start_id=int(payload["remoteStartId"]),
        transaction_id=str((answer or {}).get("transactionId") or ""),
    )


def request_stop_transaction(command: Command, answer: Payload | None) -> None:
    """Await the transaction's end."""
    found = outcomes.of_remote(command, answer, accepted=("Accepted", "Scheduled"))
    if found is None:
        return
    state, reason = found
    session = ChargingSession.objects.filter(
        station=command.station, transaction_id=command.payload["transactionId"]
    ).first()

    remote.answered(
        command,
        kind=Kind.STOP,
        state=state,
        reason=reason,
        evse=session.evse if session else None,
        session=session,
    )


def reset(command: Command, answer: Payload | None) -> None:
    """Await the boot; a reset of one EVSE brings none (B11.FR.08)."""
    found = outcomes.of_remote(command, answer, accepted=("Accepted", "Scheduled"))
    if found is None or command.payload.get("evseId"):
        return
    state, reason = found
    remote.answered(command, kind=Kind.RESET, state=state, reason=reason)
