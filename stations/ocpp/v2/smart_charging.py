"""SetChargingProfile, ClearChargingProfile, GetCompositeSchedule, UpdateDynamicSchedule (K01 to K10, K28).

EVSE 0 is the whole station. What stations tell by themselves is in `charging_limits` and `charging_needs`.
"""

from decimal import ROUND_DOWN, Decimal
from typing import Any

from stations.charging_profiles import (
    ChargingProfile,
    Criteria,
    InvalidProfile,
    RateUnit,
    composite_from_v2,
    from_v2,
    to_v2,
    to_v201,
)
from stations.charging_profiles.installed import NOT_OURS
from stations.charging_profiles.v16 import read_purpose
from stations.models import Command
from stations.ocpp.route import Payload
from stations.services import composite_schedules, profile_answers

TENTH = Decimal("0.1")  # 2.0.1: a limit has one digit of fraction at most (2.18)
LIMITS = ("limit", "dischargeLimit", "setpoint")
UNSUPPORTED = {"NotSupported", "NotImplemented"}

# --- requests: the domain's words in, the payload out


def write_set_201(*, profile: ChargingProfile) -> tuple[str, Payload]:
    """Write SetChargingProfile for 2.0.1 (K01); raise InvalidProfile for what came with 2.1."""
    return "SetChargingProfile", {"evseId": profile.evse, "chargingProfile": plain(to_v201(profile))}


def write_set(*, profile: ChargingProfile) -> tuple[str, Payload]:
    """Write SetChargingProfile for 2.1 (K01)."""
    return "SetChargingProfile", {"evseId": profile.evse, "chargingProfile": plain(to_v2(profile))}


def start_profile(profile: ChargingProfile) -> Payload:
    """Write the chargingProfile of RequestStartTransaction, in what both versions know (F01.FR.08, K05)."""
    found: Payload = plain(to_v201(profile))
    return found


def write_clear(*, criteria: Criteria) -> tuple[str, Payload]:
    """Write ClearChargingProfile: an id, or what must match; one of them is needed (K10.FR.02, K10.FR.06)."""
    if criteria.id is not None:
        return "ClearChargingProfile", {"chargingProfileId": criteria.id}
    if criteria.purpose in NOT_OURS:
        raise InvalidProfile("chargingProfilePurpose", "is not ours to clear", rule="K10.FR.06")
    members = {
        "evseId": criteria.evse,
        "chargingProfilePurpose": criteria.purpose and criteria.purpose.value,
        "stackLevel": criteria.stack_level,
    }
    found = {name: value for name, value in members.items() if value is not None}
    if not found:
        raise InvalidProfile(
            "chargingProfileCriteria", "name an id, an EVSE, a purpose or a level", rule="K10.FR.02"
        )
    return "ClearChargingProfile", {"chargingProfileCriteria": found}


def write_composite(*, evse: int, duration_s: int, unit: RateUnit | None = None) -> tuple[str, Payload]:
    """Write GetCompositeSchedule (K08)."""
    payload: Payload = {"evseId": evse, "duration": duration_s}
    return "GetCompositeSchedule", payload | ({"chargingRateUnit": unit.value} if unit else {})


# --- outcomes: what became of a request


def set_charging_profile(command: Command, answer: Payload | None) -> None:
    """Keep what the station made of a profile; one that somebody sent by hand is kept too (K01)."""
    payload = command.payload
    try:
        profile = from_v2(payload.get("chargingProfile"), evse=int(payload.get("evseId") or 0))
    except InvalidProfile:
        profile = None  # the station was asked for nonsense, by hand: there is nothing to keep

    profile_answers.answered(command, profile=profile, outcome=outcome(command, answer))


def clear_charging_profile(command: Command, answer: Payload | None) -> None:
    """Mark as gone what the station has cleared, or says it never had (K10.FR.01, K10.FR.03)."""
    payload = command.payload
    fields = payload.get("chargingProfileCriteria") or {}
    purpose = fields.get("chargingProfilePurpose")
    criteria = Criteria(
        id=payload.get("chargingProfileId"),
        evse=fields.get("evseId"),
        purpose=None if purpose is None else read_purpose(purpose),
        stack_level=fields.get("stackLevel"),
    )

    profile_answers.clear_answered(command, criteria=criteria, outcome=outcome(command, answer))


def get_composite_schedule(command: Command, answer: Payload | None) -> None:
    """Keep the schedule that the station tells; one that cannot be read counts as none (K08)."""
    schedule, detail = None, ""
    said = outcome(command, answer)
    if answer is not None and said == "Accepted":
        try:
            schedule = composite_from_v2(answer.get("schedule"))
        except InvalidProfile as error:
            detail = str(error)

    composite_schedules.answered(
        command,
        evse_number=int(command.payload.get("evseId") or 0),
        duration_s=int(command.payload.get("duration") or 0),
        outcome=said,
        schedule=schedule,
        detail=detail or why(answer),
    )


def outcome(command: Command, answer: Payload | None) -> str:
    """Return the status of the answer; 'NotImplemented' for the CALLERRORs that say so, '' for no answer."""
    if answer is not None:
        return str(answer.get("status") or "")
    if command.error_code in UNSUPPORTED:
        return "NotImplemented"
    return "Failed" if command.error_code or command.status == Command.Status.FAILED else ""


def why(answer: Payload | None) -> str:
    """Return the reason that a station gives beside its status (StatusInfoType)."""
    info = (answer or {}).get("statusInfo") or {}
    return ": ".join(str(info[name]) for name in ("reasonCode", "additionalInfo") if info.get(name))[:255]


def plain(value: Any, name: str = "") -> Any:
    """Turn Decimals into JSON numbers; limits are cut to a tenth towards zero, never above what was meant."""
    if isinstance(value, Decimal):
        if name.startswith(LIMITS):
            value = value.quantize(TENTH, rounding=ROUND_DOWN)
        return int(value) if value == value.to_integral_value() else value
    if isinstance(value, dict):
        return {each: plain(member, each) for each, member in value.items()}
    return [plain(member, name) for member in value] if isinstance(value, list) else value
