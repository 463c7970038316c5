"""The values of smart charging, in the words of OCPP 2.1 (2.17 ChargingProfileType and its parts).

Limits and setpoints are in the rate unit of their schedule: W for all phases together, A for each phase; where a
period names L2 or L3, its plain value is that of L1 (2.18). Discharging is negative. Times are in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum


class Purpose(StrEnum):
    EXTERNAL_CONSTRAINTS = "ChargingStationExternalConstraints"
    STATION_MAX = "ChargingStationMaxProfile"  # OCPP 1.6: ChargePointMaxProfile
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"
    PRIORITY_CHARGING = "PriorityCharging"
    LOCAL_GENERATION = "LocalGeneration"


class Kind(StrEnum):
    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"
    DYNAMIC = "Dynamic"


class Recurrency(StrEnum):
    DAILY = "Daily"
    WEEKLY = "Weekly"


class RateUnit(StrEnum):
    W = "W"
    A = "A"


class OperationMode(StrEnum):
    IDLE = "Idle"
    CHARGING_ONLY = "ChargingOnly"
    CENTRAL_SETPOINT = "CentralSetpoint"
    EXTERNAL_SETPOINT = "ExternalSetpoint"
    EXTERNAL_LIMITS = "ExternalLimits"
    CENTRAL_FREQUENCY = "CentralFrequency"
    LOCAL_FREQUENCY = "LocalFrequency"
    LOCAL_LOAD_BALANCING = "LocalLoadBalancing"


class InvalidProfile(ValueError):
    """A charging profile that cannot be read, or that a rule of the specification forbids.

    `path` leads to the member on the wire of OCPP 2.1, `rule` names the requirement where there is one and
    `reason` is the reasonCode that OCPP 2.x has for it.
    """

    def __init__(self, path: str, message: str, *, rule: str = "", reason: str = "InvalidProfile") -> None:
        super().__init__(f"{path}: {message}" + (f" ({rule})" if rule else ""))
        self.path, self.message, self.rule, self.reason = path, message, rule, reason


Curve = tuple[tuple[Decimal, Decimal], ...]  # (frequency in Hz or signal, power in W)


@dataclass(frozen=True, slots=True)
class ChargingSchedulePeriod:
    """What holds from `start_period_s` after the start of the schedule until the next period (2.18)."""

    start_period_s: int
    limit: Decimal | None = None
    limit_l2: Decimal | None = None
    limit_l3: Decimal | None = None
    number_phases: int | None = None
    phase_to_use: int | None = None
    discharge_limit: Decimal | None = None
    discharge_limit_l2: Decimal | None = None
    discharge_limit_l3: Decimal | None = None
    setpoint: Decimal | None = None
    setpoint_l2: Decimal | None = None
    setpoint_l3: Decimal | None = None
    setpoint_reactive: Decimal | None = None
    setpoint_reactive_l2: Decimal | None = None
    setpoint_reactive_l3: Decimal | None = None
    preconditioning_request: bool | None = None
    evse_sleep: bool | None = None
    v2x_baseline: Decimal | None = None
    operation_mode: OperationMode | None = None
    v2x_freq_watt_curve: Curve = ()
    v2x_signal_watt_curve: Curve = ()

    @property
    def mode(self) -> OperationMode:
        return self.operation_mode or OperationMode.CHARGING_ONLY

    @property
    def phases(self) -> int:
        """The number of phases the values count on: 3 where none is named (K01.FR.49)."""
        return min(self.number_phases, 3) if self.number_phases and self.number_phases > 0 else 3


@dataclass(frozen=True, slots=True)
class ChargingSchedule:
    """Limits over time (2.19). With `use_local_time` the hours of `start_schedule` are those of the station's
    wall clock, whatever its zone (K01.FR.90). `extras` holds members that nothing here computes with, as they came.
    """

    rate_unit: RateUnit
    periods: tuple[ChargingSchedulePeriod, ...]
    id: int = 1
    start_schedule: datetime | None = None
    duration_s: int | None = None
    min_charging_rate: Decimal | None = None
    use_local_time: bool = False
    randomized_delay_s: int = 0
    limit_at_soc: tuple[int, Decimal] | None = None  # (state of charge in percent, limit)
    extras: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """A profile as it lies on a station; `evse` 0 is the whole station (2.17; the EVSE is that of its message)."""

    id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedules: tuple[ChargingSchedule, ...]
    evse: int = 0
    recurrency: Recurrency | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: str | None = None
    max_offline_duration_s: int | None = None
    invalid_after_offline_duration: bool = False
    dyn_update_interval_s: int | None = None
    dyn_update_time: datetime | None = None
    extras: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class CompositeSchedule:
    """What an EVSE may draw from `start` on (2.27). A period without a limit is one that no profile limits."""

    evse: int
    start: datetime
    duration_s: int
    rate_unit: RateUnit
    periods: tuple[ChargingSchedulePeriod, ...]

    def at(self, moment: datetime) -> ChargingSchedulePeriod | None:
        """Return the period that holds at a moment; None outside the schedule."""
        offset = moment - self.start
        if not timedelta() <= offset < timedelta(seconds=self.duration_s):
            return None
        begun = [period for period in self.periods if timedelta(seconds=period.start_period_s) <= offset]
        return begun[-1] if begun else None
