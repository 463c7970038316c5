"""What stations tell about smart charging: their profiles, limits from outside, needs of vehicles (K09 to K22, K28)."""

from typing import Any

from stations import readings
from stations.charging_profiles import InvalidProfile, from_v2
from stations.charging_profiles.v2 import NUMBERS, PLAIN
from stations.models import ChargingSession, Command
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import topology
from stations.ocpp.v2.smart_charging import outcome, plain
from stations.services import charging_limits, charging_needs, dynamic_charging, profile_reports
from stations.services.dynamic_charging import Values
from stations.services.profile_reports import Scope

NO_SUCH_PROFILE = {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}}


def report_charging_profiles(link: Link, incoming: Incoming) -> Payload:
    """Keep one part of a report (K09.FR.01); who never asked for it is told nothing else."""
    payload = incoming.payload
    report = profile_reports.take_part(
        link.station,
        request_id=int(payload["requestId"]),
        evse_number=max(int(payload["evseId"]), 0),
        source=str(payload["chargingLimitSource"]),
        profiles=payload["chargingProfile"],
        is_last=not payload.get("tbc", False),
    )
    if report is None:
        incoming.flags.append("unasked_report")
    return {}


def notify_charging_limit(link: Link, incoming: Incoming) -> Payload:
    """Keep a limit that others have set (K12.FR.02); without an EVSE it is of the whole station."""
    payload = incoming.payload
    limit = payload["chargingLimit"]
    charging_limits.told(
        link.station,
        evse_number=max(int(payload.get("evseId") or 0), 0),
        source=str(limit["chargingLimitSource"]),
        is_grid_critical=limit.get("isGridCritical"),
        is_local_generation=bool(limit.get("isLocalGeneration")),
        schedules=payload.get("chargingSchedule") or [],
        at=incoming.received_at,
    )
    return {}


def cleared_charging_limit(link: Link, incoming: Incoming) -> Payload:
    """Note that a limit of others is gone (K13.FR.02)."""
    payload = incoming.payload
    number = payload.get("evseId")
    known = charging_limits.cleared(
        link.station,
        evse_number=None if number is None else int(number),
        source=str(payload["chargingLimitSource"]),
    )
    if not known:
        incoming.flags.append("unknown_limit")
    return {}


def notify_ev_charging_needs(link: Link, incoming: Incoming) -> Payload:
    """Answer whether a schedule will come; it is queued already (K15.FR.02 to K15.FR.08)."""
    payload = incoming.payload
    topology.ensured(link, {"id": payload["evseId"]})
    at = incoming.received_at
    if payload.get("timestamp"):
        at, flags = readings.parse_timestamp(payload["timestamp"], received_at=incoming.received_at)
        incoming.flags += flags
    tuples = payload.get("maxScheduleTuples")
    status = charging_needs.told(
        link.station,
        evse_number=int(payload["evseId"]),
        wire=payload["chargingNeeds"],
        max_tuples=None if tuples is None else max(int(tuples), 0),
        at=at,
        knows_no_profile=link.station.ocpp_version == "2.1",
    )
    return {"status": status}


def notify_ev_charging_schedule(link: Link, incoming: Incoming) -> Payload:
    """Answer whether what the vehicle will do is within what it may (K15.FR.11, K15.FR.12)."""
    payload = incoming.payload
    base, flags = readings.parse_timestamp(payload["timeBase"], received_at=incoming.received_at)
    incoming.flags += flags
    wire = payload["chargingSchedule"]
    carrier = {
        "id": 0,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
    }
    try:
        schedule = from_v2(carrier | {"chargingSchedule": [wire]}).schedules[0]
    except InvalidProfile:
        incoming.flags.append("unreadable_schedule")
        return {"status": "Rejected"}

    is_within = charging_needs.schedule_told(
        link.station, evse_number=int(payload["evseId"]), schedule=schedule, wire=wire, base=base
    )
    return {"status": "Accepted" if is_within else "Rejected"}


def notify_priority_charging(link: Link, incoming: Incoming) -> Payload:
    """Keep whether a session has priority (K21.FR.05, K22.FR.03)."""
    payload = incoming.payload
    known = dynamic_charging.priority_told(
        link.station, transaction_id=payload["transactionId"], is_active=bool(payload["activated"])
    )
    if not known:
        incoming.flags.append("unknown_transaction")
    return {}


def pull_dynamic_schedule_update(link: Link, incoming: Incoming) -> Payload:
    """Give the present values of a dynamic profile (K28.FR.07, K28.FR.12)."""
    period = dynamic_charging.values_of(link.station, profile_id=int(incoming.payload["chargingProfileId"]))
    if period is None:
        return dict(NO_SUCH_PROFILE)
    values = {name: getattr(period, ours) for name, ours in NUMBERS.items()}
    return {
        "status": "Accepted",
        "scheduleUpdate": _update({n: v for n, v in values.items() if v is not None}),
    }


# --- requests and what became of them


def write_report(*, request_id: int, scope: Scope) -> tuple[str, Payload]:
    """Write GetChargingProfiles (K09); without any criterion the profiles of every level are meant (K09.FR.06)."""
    members = {
        "chargingProfilePurpose": scope.purpose and scope.purpose.value,
        "stackLevel": scope.stack_level,
        "chargingProfileId": list(scope.ids),
        "chargingLimitSource": list(scope.sources),
    }
    criterion = {name: value for name, value in members.items() if value not in (None, [])}
    payload: Payload = {"requestId": request_id, "chargingProfile": criterion}
    return "GetChargingProfiles", payload | ({} if scope.evse is None else {"evseId": scope.evse})


def get_charging_profiles(command: Command, answer: Payload | None) -> None:
    """Await the parts of a report, or know that there are none (K09)."""
    profile_reports.answered(
        command, request_id=int(command.payload["requestId"]), outcome=outcome(command, answer)
    )


def write_update(*, profile_id: int, values: Values) -> tuple[str, Payload]:
    """Write UpdateDynamicSchedule (K28)."""
    names = {ours: name for name, (ours, _) in PLAIN.items()}
    update = _update({names[ours]: value for ours, value in values.items()})
    return "UpdateDynamicSchedule", {"chargingProfileId": profile_id, "scheduleUpdate": update}


def update_dynamic_schedule(command: Command, answer: Payload | None) -> None:
    """Keep what the station made of the new values (K28.FR.06, K28.FR.11)."""
    dynamic_charging.updated(
        command, profile_id=int(command.payload["chargingProfileId"]), outcome=outcome(command, answer)
    )


def write_priority(*, session: ChargingSession, activate: bool) -> tuple[str, Payload]:
    """Write UsePriorityCharging (K21)."""
    return "UsePriorityCharging", {"transactionId": session.transaction_id, "activate": activate}


def use_priority_charging(command: Command, answer: Payload | None) -> None:
    """Keep what the station said to it (K21.FR.01 to K21.FR.03)."""
    dynamic_charging.priority_answered(
        command.station,
        transaction_id=str(command.payload["transactionId"]),
        outcome=outcome(command, answer) or "unanswered",
    )


def _update(values: dict[str, Any]) -> Payload:
    found: Payload = plain(values)
    return found
