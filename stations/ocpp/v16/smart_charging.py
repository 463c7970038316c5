"""SetChargingProfile, ClearChargingProfile, GetCompositeSchedule (OCPP 1.6 sections 5.16, 5.5, 5.7).

A connector of 1.6 is an EVSE here; connector 0 is the whole station.
"""

from decimal import Decimal
from typing import Any

from stations.charging_profiles import (
    ChargingProfile,
    Criteria,
    InvalidProfile,
    Purpose,
    RateUnit,
    composite_from_v16,
    from_v16,
    to_v16,
)
from stations.charging_profiles.v16 import PURPOSES, read_purpose
from stations.models import Command
from stations.ocpp.route import Payload
from stations.services import composite_schedules, profile_answers

# --- requests: the domain's words in, the payload out


def write_set(*, profile: ChargingProfile) -> tuple[str, Payload]:
    """Write SetChargingProfile.req; raise InvalidProfile for what 1.6 has no words for."""
    return "SetChargingProfile", {"connectorId": profile.evse, "csChargingProfiles": _plain(to_v16(profile))}


def start_profile(profile: ChargingProfile) -> Payload:
    """Write the chargingProfile of RemoteStartTransaction.req (section 5.16.2)."""
    found: Payload = _plain(to_v16(profile))
    return found


def write_clear(*, criteria: Criteria) -> tuple[str, Payload]:
    """Write ClearChargingProfile.req: what is given must all match (errata 3.25)."""
    purpose = None if criteria.purpose is None else PURPOSES.get(criteria.purpose)
    if criteria.purpose is not None and purpose is None:
        raise InvalidProfile("chargingProfilePurpose", f"OCPP 1.6 has no {criteria.purpose}")
    members = {
        "id": criteria.id,
        "connectorId": criteria.evse,
        "chargingProfilePurpose": purpose,
        "stackLevel": criteria.stack_level,
    }
    return "ClearChargingProfile", {name: value for name, value in members.items() if value is not None}


def write_composite(*, evse: int, duration_s: int, unit: RateUnit | None = None) -> tuple[str, Payload]:
    """Write GetCompositeSchedule.req."""
    payload: Payload = {"connectorId": evse, "duration": duration_s}
    return "GetCompositeSchedule", payload | ({"chargingRateUnit": unit.value} if unit else {})


# --- outcomes: what became of a request


def set_charging_profile(command: Command, answer: Payload | None) -> None:
    """Keep what the station made of a profile; one that somebody sent by hand is kept too."""
    payload = command.payload
    try:
        profile = from_v16(payload.get("csChargingProfiles"), evse=int(payload.get("connectorId") or 0))
    except InvalidProfile:
        profile = None  # the station was asked for nonsense, by hand: there is nothing to keep

    profile_answers.answered(command, profile=profile, outcome=_outcome(command, answer))


def clear_charging_profile(command: Command, answer: Payload | None) -> None:
    """Mark as gone what the station has cleared, or says it never had."""
    payload = command.payload
    criteria = Criteria(
        id=payload.get("id"),
        evse=payload.get("connectorId"),
        purpose=_purpose(payload.get("chargingProfilePurpose")),
        stack_level=payload.get("stackLevel"),
    )

    profile_answers.clear_answered(command, criteria=criteria, outcome=_outcome(command, answer))


def get_composite_schedule(command: Command, answer: Payload | None) -> None:
    """Keep the schedule that the station tells; one that cannot be read counts as none."""
    schedule, detail = None, ""
    outcome = _outcome(command, answer)
    if answer is not None and outcome == "Accepted":
        try:
            schedule = composite_from_v16(answer)
        except InvalidProfile as error:
            detail = str(error)

    composite_schedules.answered(
        command,
        evse_number=int(command.payload.get("connectorId") or 0),
        duration_s=int(command.payload.get("duration") or 0),
        outcome=outcome,
        schedule=schedule,
        detail=detail,
    )


def _outcome(command: Command, answer: Payload | None) -> str:
    """Return the status of the answer; 'NotSupported' also for the CALLERRORs that say so (errata 3.39)."""
    if answer is not None:
        return str(answer.get("status") or "")
    if command.error_code in {"NotSupported", "NotImplemented"}:
        return "NotImplemented"
    return "Failed" if command.error_code or command.status == Command.Status.FAILED else ""


def _purpose(word: Any) -> Purpose | None:
    return None if word is None else read_purpose(word)


def _plain(value: Any) -> Any:
    """Turn Decimals into JSON numbers: limits have one digit of fraction (section 7.14)."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value
