"""RemoteStartTransaction, RemoteStopTransaction and Reset (OCPP 1.6 sections 5.11, 5.12 and 5.14)."""

from stations.charging_profiles import ChargingProfile
from stations.models import ChargingSession, Command, Evse, RemoteRequest
from stations.ocpp import outcomes
from stations.ocpp.route import Payload
from stations.ocpp.v16 import smart_charging
from stations.services import remote

Kind, State, Reason = RemoteRequest.Kind, RemoteRequest.State, RemoteRequest.Reason


def write_start(
    *,
    evse: Evse | None,
    id_token: str,
    id_token_type: str = "",
    group_id: str = "",
    profile: ChargingProfile | None = None,
) -> tuple[str, Payload]:
    """Write RemoteStartTransaction; without a connector the station chooses one, or says no.

    1.6 names neither the type of a token nor its group here.
    """
    payload: Payload = {"idTag": id_token}
    if evse is not None:
        payload["connectorId"] = evse.number
    if profile is not None:
        payload["chargingProfile"] = smart_charging.start_profile(profile)
    return "RemoteStartTransaction", payload


def write_stop(*, session: ChargingSession) -> tuple[str, Payload]:
    """Write RemoteStopTransaction with the number that we gave the session."""
    return "RemoteStopTransaction", {"transactionId": int(session.transaction_id)}


def remote_start_transaction(command: Command, answer: Payload | None) -> None:
    """Await the session, or say why none will come."""
    found = outcomes.of_remote(command, answer)
    if found is None:
        return
    state, reason = found
    number = command.payload.get("connectorId")

    remote.answered(
        command,
        kind=Kind.START,
        state=state,
        reason=reason,
        evse=Evse.objects.filter(station=command.station, number=number).first() if number else None,
        id_token=command.payload["idTag"],
    )


def remote_stop_transaction(command: Command, answer: Payload | None) -> None:
    """Await the session's end."""
    found = outcomes.of_remote(command, answer)
    if found is None:
        return
    state, reason = found
    transaction_id = str(command.payload["transactionId"])
    session = ChargingSession.objects.filter(
        station=command.station, transaction_id=transaction_id
    ).first()  # fmt: skip

    remote.answered(
        command,
        kind=Kind.STOP,
        state=state,
        reason=reason,
        evse=session.evse if session else None,
        session=session,
    )


def reset(command: Command, answer: Payload | None) -> None:
    """Await the boot."""
    found = outcomes.of_remote(command, answer)
    if found is not None:
        state, reason = found
        remote.answered(command, kind=Kind.RESET, state=state, reason=reason)
