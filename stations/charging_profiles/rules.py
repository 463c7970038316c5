"""What the specification asks of a profile before it is sent (2.1 K01, K28, K 3.2, Q 2.2; 1.6 sections 3.13, 7.8).

`path` of each fault leads to the member on the wire of OCPP 2.1.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from stations.charging_profiles.profile import (
    ChargingProfile,
    ChargingSchedulePeriod,
    InvalidProfile,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
)

TRANSACTIONAL = (Purpose.TX, Purpose.TX_DEFAULT)
MODES = {  # 2.1 K 3.2, table 95; K01.FR.111 to FR.113
    Purpose.PRIORITY_CHARGING: {OperationMode.CHARGING_ONLY},
    Purpose.STATION_MAX: {OperationMode.CHARGING_ONLY},
    Purpose.LOCAL_GENERATION: {OperationMode.CHARGING_ONLY, OperationMode.EXTERNAL_LIMITS},
    Purpose.EXTERNAL_CONSTRAINTS: {
        OperationMode.CHARGING_ONLY,
        OperationMode.EXTERNAL_LIMITS,
        OperationMode.EXTERNAL_SETPOINT,
    },
}
REQUIRED = {  # 2.1 Q 2.2, limits and setpoints per operation mode
    OperationMode.CHARGING_ONLY: "limit",
    OperationMode.CENTRAL_SETPOINT: "setpoint",
    OperationMode.CENTRAL_FREQUENCY: "setpoint",
}
NEVER = {  # what a mode has no use for, or gets from elsewhere than a profile of ours
    OperationMode.CHARGING_ONLY: ("dischargeLimit", "setpoint", "setpointReactive"),
    OperationMode.IDLE: ("limit", "dischargeLimit", "setpoint", "setpointReactive"),  # Q10.FR.01
    OperationMode.CENTRAL_FREQUENCY: ("setpointReactive",),
    OperationMode.LOCAL_FREQUENCY: ("limit", "dischargeLimit", "setpoint", "setpointReactive"),
    OperationMode.LOCAL_LOAD_BALANCING: ("setpoint", "setpointReactive"),
    OperationMode.EXTERNAL_SETPOINT: ("setpoint", "setpointReactive"),
    OperationMode.EXTERNAL_LIMITS: ("limit", "dischargeLimit", "setpoint", "setpointReactive"),
}
SET_OUTSIDE = (OperationMode.EXTERNAL_SETPOINT, OperationMode.EXTERNAL_LIMITS)
NAMES = {"limit": "limit", "dischargeLimit": "discharge_limit", "setpoint": "setpoint",
         "setpointReactive": "setpoint_reactive"}  # fmt: skip
MAX_SCHEDULES = 3


class Rule(NamedTuple):
    """A requirement: `broken` tells whether a subject breaks it."""

    path: str
    message: str
    rule: str
    reason: str
    broken: Callable[..., bool]


PROFILE_RULES = (
    Rule("id", "external constraints are not ours to set", "K01.FR.22", "InvalidProfile",
         lambda p: p.purpose is Purpose.EXTERNAL_CONSTRAINTS),
    Rule("stackLevel", "is negative", "2.17", "InvalidStackLevel", lambda p: p.stack_level < 0),
    Rule("evseId", "a transaction's profile needs an EVSE", "K01.FR.16", "InvalidProfile",
         lambda p: p.purpose is Purpose.TX and p.evse <= 0),
    Rule("evseId", "the station's maximum belongs to EVSE 0", "K04.FR.03", "InvalidProfile",
         lambda p: p.purpose is Purpose.STATION_MAX and p.evse != 0),
    Rule("transactionId", "is only for a TxProfile", "2.17", "InvalidProfile",
         lambda p: p.purpose is not Purpose.TX and p.transaction_id is not None),
    Rule("chargingProfileKind", "the station's maximum cannot be relative", "K01.FR.38", "InvalidProfile",
         lambda p: p.purpose is Purpose.STATION_MAX and p.kind is Kind.RELATIVE),
    Rule("recurrencyKind", "is needed to recur", "2.17", "InvalidProfile",
         lambda p: p.kind is Kind.RECURRING and p.recurrency is None),
    Rule("recurrencyKind", "is only for a recurring profile", "1.6 errata 3.56", "InvalidProfile",
         lambda p: p.kind is not Kind.RECURRING and p.recurrency is not None),
    Rule("validTo", "is not after validFrom", "K01.FR.36", "InvalidProfile",
         lambda p: None not in (p.valid_from, p.valid_to) and p.valid_from >= p.valid_to),
    Rule("dynUpdateInterval", "is only for a dynamic profile", "K01.FR.122", "InvalidProfile",
         lambda p: p.kind is not Kind.DYNAMIC and (p.dyn_update_interval_s, p.dyn_update_time) != (None, None)),
    Rule("chargingSchedule", "is missing", "2.17", "InvalidSchedule", lambda p: not p.schedules),
    Rule("chargingSchedule", "more than one is only for a TxProfile", "2.17", "InvalidSchedule",
         lambda p: p.purpose is not Purpose.TX and len(p.schedules) > 1),
    Rule("chargingSchedule", "there are more than three", "2.17", "InvalidSchedule",
         lambda p: len(p.schedules) > MAX_SCHEDULES),
    Rule("chargingSchedule", "a dynamic profile has one schedule with one period", "K28.FR.01", "InvalidSchedule",
         lambda p: p.kind is Kind.DYNAMIC and [len(each.periods) for each in p.schedules] != [1]),
)  # fmt: skip

SCHEDULE_RULES = (
    Rule("startSchedule", "is needed", "K01.FR.40", "InvalidSchedule",
         lambda p, s: p.kind in (Kind.ABSOLUTE, Kind.RECURRING) and s.start_schedule is None),
    Rule("startSchedule", "is not for a relative profile", "K01.FR.41", "InvalidSchedule",
         lambda p, s: p.kind is Kind.RELATIVE and s.start_schedule is not None),
    Rule("duration", "nothing would be executed", "K01.FR.11", "InvalidSchedule",
         lambda p, s: s.duration_s is not None and s.duration_s <= 0),
    Rule("duration", "priority charging lasts as long as the transaction", "K01.FR.70", "InvalidSchedule",
         lambda p, s: p.purpose is Purpose.PRIORITY_CHARGING and s.duration_s is not None),
    Rule("randomizedDelay", "is only for profiles of transactions", "K01.FR.95", "InvalidSchedule",
         lambda p, s: p.purpose not in TRANSACTIONAL and s.randomized_delay_s != 0),
    Rule("randomizedDelay", "is negative", "2.19", "InvalidSchedule", lambda p, s: s.randomized_delay_s < 0),
    Rule("limitAtSoC", "is not a percentage", "2.19", "InvalidSchedule",
         lambda p, s: s.limit_at_soc is not None and not 0 <= s.limit_at_soc[0] <= 100),
    Rule("chargingSchedulePeriod", "is missing", "2.19", "InvalidSchedule", lambda p, s: not s.periods),
    Rule("chargingSchedulePeriod", "the first does not start at 0", "K01.FR.31", "InvalidSchedule",
         lambda p, s: bool(s.periods) and s.periods[0].start_period_s != 0),
    Rule("chargingSchedulePeriod", "they are not in the order of their start", "K01.FR.35", "InvalidSchedule",
         lambda p, s: any(a.start_period_s >= b.start_period_s for a, b in pairwise(s.periods))),
)  # fmt: skip

PERIOD_RULES = (
    Rule("limit", "is negative", "errata 2.62", "InvalidSchedule",
         lambda p, s, x: any(value is not None and value < 0 for value in (x.limit, x.limit_l2, x.limit_l3))),
    Rule("dischargeLimit", "is positive", "2.18", "InvalidSchedule",
         lambda p, s, x: any(value is not None and value > 0
                             for value in (x.discharge_limit, x.discharge_limit_l2, x.discharge_limit_l3))),
    Rule("limit_L2", "is only for a TxProfile", "K01.FR.143", "PhaseConflict",
         lambda p, s, x: p.purpose is not Purpose.TX and (x.limit_l2, x.limit_l3) != (None, None)),
    Rule("limit_L2", "needs a limit for L1", "K01.FR.145", "PhaseConflict",
         lambda p, s, x: x.limit is None and (x.limit_l2, x.limit_l3) != (None, None)),
    Rule("numberPhases", "is not 1, 2 or 3", "2.18", "InvalidSchedule",
         lambda p, s, x: x.number_phases not in (None, 1, 2, 3)),
    Rule("phaseToUse", "is not 1, 2 or 3", "2.18", "InvalidSchedule",
         lambda p, s, x: x.phase_to_use not in (None, 1, 2, 3)),
    Rule("phaseToUse", "needs numberPhases 1", "K01.FR.19", "InvalidSchedule",
         lambda p, s, x: x.phase_to_use is not None and x.number_phases != 1),
    Rule("operationMode", "is not one of this purpose", "K01.FR.111", "InvalidOperationMode",
         lambda p, s, x: x.mode not in MODES.get(p.purpose, set(OperationMode))),
    Rule("evseSleep", "is only for mode Idle", "K01.FR.126", "InvalidSchedule",
         lambda p, s, x: bool(x.evse_sleep) and x.mode is not OperationMode.IDLE),
    Rule("setpoint", "is outside the limits", "V2X.05", "InvalidSchedule",
         lambda p, s, x: x.setpoint is not None and (
             (x.limit is not None and x.setpoint > x.limit)
             or (x.discharge_limit is not None and x.setpoint < x.discharge_limit))),
    Rule("v2xFreqWattCurve", "needs two points in a schedule in W", "Q 2.2", "InvalidSchedule",
         lambda p, s, x: x.mode is OperationMode.LOCAL_FREQUENCY
         and (len(x.v2x_freq_watt_curve) < 2 or s.rate_unit is not RateUnit.W)),
    Rule("v2xSignalWattCurve", "needs two points", "2.18", "InvalidSchedule",
         lambda p, s, x: len(x.v2x_signal_watt_curve) == 1),
)  # fmt: skip


def check(profile: ChargingProfile, *, transaction: str | None) -> None:
    """Raise InvalidProfile for the first rule that a profile for SetChargingProfile breaks; see `faults`."""
    for fault in faults(profile, transaction=transaction):
        raise fault


def check_start(profile: ChargingProfile) -> None:
    """The same for a profile that goes out with a remote start: its transaction has no id yet (1.6 errata 3.41)."""
    if profile.purpose is not Purpose.TX:
        raise InvalidProfile("chargingProfilePurpose", "is not TxProfile", rule="K05.FR.02")
    if profile.transaction_id is not None:
        raise InvalidProfile("transactionId", "is not known yet", rule="F01.FR.11")
    for fault in _faults(profile):
        raise fault


def faults(profile: ChargingProfile, *, transaction: str | None) -> list[InvalidProfile]:
    """Return every rule that a profile breaks; `transaction` is the id of the one that runs on its EVSE, if any."""
    found = list(_faults(profile))
    if profile.purpose is Purpose.TX and transaction is None:
        found.append(
            InvalidProfile(
                "transactionId", "no transaction is running", rule="K01.FR.09", reason="TxNotFound"
            )
        )
    elif profile.purpose is Purpose.TX and profile.transaction_id is None:
        found.append(InvalidProfile("transactionId", "is needed", rule="K01.FR.03"))
    elif profile.purpose is Purpose.TX and profile.transaction_id != transaction:
        found.append(
            InvalidProfile("transactionId", "is not the running one", rule="K01.FR.33", reason="TxNotFound")
        )
    return found


def _faults(profile: ChargingProfile) -> Iterator[InvalidProfile]:
    yield from _broken(PROFILE_RULES, "", profile)
    for i, schedule in enumerate(profile.schedules):
        path = f"chargingSchedule[{i}]."
        yield from _broken(SCHEDULE_RULES, path, profile, schedule)
        for j, period in enumerate(schedule.periods):
            below = f"{path}chargingSchedulePeriod[{j}]."
            yield from _broken(PERIOD_RULES, below, profile, schedule, period)
            yield from _of_the_mode(profile, period, below)


def _broken(rules: tuple[Rule, ...], path: str, *subjects: object) -> Iterator[InvalidProfile]:
    for rule in rules:
        if rule.broken(*subjects):
            yield InvalidProfile(path + rule.path, rule.message, rule=rule.rule, reason=rule.reason)


def _of_the_mode(
    profile: ChargingProfile, period: ChargingSchedulePeriod, path: str
) -> Iterator[InvalidProfile]:
    """Check which values a mode needs and which it has no use for (2.1 Q 2.2)."""
    needed = REQUIRED.get(period.mode)
    if needed and getattr(period, NAMES[needed]) is None:
        yield InvalidProfile(
            f"{path}{needed}", f"{period.mode} needs it", rule="Q 2.2", reason="InvalidSchedule"
        )
    if period.mode in SET_OUTSIDE and profile.purpose not in TRANSACTIONAL:
        return  # here the value set outside is what the profile tells
    for name in NEVER.get(period.mode, ()):
        if getattr(period, NAMES[name]) is not None:
            yield InvalidProfile(
                f"{path}{name}", f"{period.mode} has none", rule="Q 2.2", reason="InvalidSchedule"
            )
