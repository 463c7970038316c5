"""Charging profiles: values, rules, the set that lies on a station, and the composite schedule that follows.

Pure: no Django, no database, no clock. One set of values in the words of OCPP 2.1 serves 1.6, 2.0.1 and 2.1; a
profile knows the EVSE it lies on (`evse`, 0 for the whole station; in 1.6 that is the connector).

    profile.py     the values, and InvalidProfile
    v16.py v2.py   the wire: from_v16, to_v16, from_v2, to_v2 (2.1), to_v201, and composite answers of chargers
    fields.py      single members of the wire, read tolerantly and exactly
    rules.py       what may be sent: check, check_start, faults
    installed.py   the set on a station: install (1.6), install_v2, clear, end_transaction
    timeline.py    when periods hold: kinds, recurrence, validity, daylight saving
    merge.py       periods of the same moment made one
    composite.py   composite: what an EVSE or the grid connection may draw
    units.py       W and A, and what a vehicle can be told: vehicle_limit

How the composite comes about, at each moment:

1. Of each purpose the profile leads that has a period for the moment and the highest stack level; on equal levels
   that of the EVSE before that of EVSE 0. A gap, an ended duration or a validity that is over fall through to the
   next level. Limits of the whole station are never overruled by an EVSE's own of the same purpose: both count.
2. PriorityCharging, if activated, stands for TxProfile, TxProfile for TxDefaultProfile.
3. The lowest limit of these, ChargingStationMaxProfile and ChargingStationExternalConstraints holds; of discharge
   limits the one closest to zero; the setpoint from outside comes before ours. LocalGeneration is added on top.
4. Nothing there: no limit (None). Nothing is ever rounded upwards, and equal neighbours are one period.

A power counts on the phases of its period (3 where none are named) and is shared evenly, so a limit of 11 kW on
three phases leaves a vehicle on one phase a third of it; a current is per phase. Randomized delays count as 0: only
the station knows what it drew.
"""

from stations.charging_profiles.composite import composite
from stations.charging_profiles.installed import Change, Criteria, clear, end_transaction, install, install_v2
from stations.charging_profiles.profile import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    CompositeSchedule,
    InvalidProfile,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
    Recurrency,
)
from stations.charging_profiles.rules import check, check_start, faults
from stations.charging_profiles.units import VehicleLimit, convert, vehicle_limit
from stations.charging_profiles.v2 import composite_from_v2, from_v2, to_v2, to_v201
from stations.charging_profiles.v16 import composite_from_v16, from_v16, to_v16

__all__ = [
    "Change",
    "ChargingProfile",
    "ChargingSchedule",
    "ChargingSchedulePeriod",
    "CompositeSchedule",
    "Criteria",
    "InvalidProfile",
    "Kind",
    "OperationMode",
    "Purpose",
    "RateUnit",
    "Recurrency",
    "VehicleLimit",
    "check",
    "check_start",
    "clear",
    "composite",
    "composite_from_v2",
    "composite_from_v16",
    "convert",
    "end_transaction",
    "faults",
    "from_v2",
    "from_v16",
    "install",
    "install_v2",
    "to_v2",
    "to_v16",
    "to_v201",
    "vehicle_limit",
]
