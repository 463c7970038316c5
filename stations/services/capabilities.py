"""What a station can do of smart charging: what it says (configuration), what its make is known for, what it taught us.

The one place that asks for flags and variables of smart charging (1.6 chapter 9.4, 2.1 SmartChargingCtrlr; field
notes, quirk 25). What nobody knows is None or the standard's rule; a refusal later teaches it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction

from cpo.lib import clock
from stations.charging_profiles import RateUnit
from stations.charging_profiles.units import MINIMUM_A
from stations.models import ChargingStation, LearnedCapability, Variable
from stations.services import quirks

# flag -> what it means; the quirk profiles of makes know the same words
FLAGS = {
    "max_profile_absolute_only": "The station's maximum must be absolute",
    "watts_only": "Takes limits in W only",
    "amps_only": "Takes limits in A only",
    "no_zero_limit": "A limit of 0 does not pause: the smallest current is sent instead",
    "min_limit_a": "The smallest current that it keeps to",
    "tx_profile_only": "Limits running transactions only",
    "tx_default_profile_only": "Takes default profiles of transactions only",
    "forgets_profiles_at_reboot": "Loses its profiles at a reboot",
    "no_max_profile": "Takes no maximum for the whole station",
    "no_composite_schedule": "Cannot tell its composite schedule",
    "no_smart_charging": "Does not know smart charging",
}

# fact -> (component, variable) in the words of each version; 1.6 keys have no component
VARIABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "max_stack_level": (("", "chargeprofilemaxstacklevel"), ("smartchargingctrlr", "profilestacklevel")),
    "max_profiles": (("", "maxchargingprofilesinstalled"), ("smartchargingctrlr", "entries")),
    "max_periods": (("", "chargingschedulemaxperiods"), ("smartchargingctrlr", "periodsperschedule")),
    "units": (("", "chargingscheduleallowedchargingrateunit"), ("smartchargingctrlr", "rateunit")),
    "switches_phases": (("", "connectorswitch3to1phasesupported"), ("smartchargingctrlr", "phases3to1")),
    "features": (("", "supportedfeatureprofiles"),),
}
UNITS = {"current": RateUnit.A, "a": RateUnit.A, "power": RateUnit.W, "w": RateUnit.W}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What is known of one station. `units` is empty while nobody knows them; `origins` says where a fact is from."""

    max_stack_level: int | None = None
    max_profiles: int | None = None
    max_periods: int | None = None
    units: frozenset[RateUnit] = frozenset()
    switches_phases: bool = False
    maximum_absolute_only: bool = False
    can_pause: bool = True
    minimum_a: Decimal | None = None
    transactions_only: bool = False
    defaults_only: bool = False
    has_maximum: bool = True
    forgets_at_reboot: bool = False
    tells_composite: bool = True
    is_smart: bool = True
    local_time: bool = False  # takes schedules by its own wall clock (2.1 useLocalTime)
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def lowest_a(self) -> Decimal:
        """The smallest current that charges a vehicle, in A on each phase."""
        return self.minimum_a if self.minimum_a is not None else MINIMUM_A


def of(station: ChargingStation) -> Capabilities:
    """Return what is known of a station: three statements."""
    told = _told(station)
    learned = {
        row.flag: row.reason
        for row in LearnedCapability.objects.filter(
            station=station, firmware_version=station.firmware_version
        )
    }
    known = dict(quirks.flags(station))
    flags = dict.fromkeys(learned, True) | known  # an operator's or the make's word before what was learned
    units = frozenset(UNITS[word] for word in _words(told.get("units")) if word in UNITS)
    if flags.get("watts_only") or flags.get("amps_only"):
        units = frozenset({RateUnit.W if flags.get("watts_only") else RateUnit.A})
    minimum = flags.get("min_limit_a")
    features = _words(told.get("features"))
    return Capabilities(
        max_stack_level=_number(told.get("max_stack_level")),
        max_profiles=_number(told.get("max_profiles"))
        or None,  # 0 would mean that none fits: nobody means that
        max_periods=_number(told.get("max_periods")) or None,
        units=units,
        switches_phases=(told.get("switches_phases") or "").lower() == "true",
        maximum_absolute_only=bool(flags.get("max_profile_absolute_only")),
        can_pause=not flags.get("no_zero_limit"),
        minimum_a=Decimal(str(minimum)) if minimum not in (None, True, False) else None,
        transactions_only=bool(flags.get("tx_profile_only")),
        defaults_only=bool(flags.get("tx_default_profile_only")),
        has_maximum=not flags.get("no_max_profile"),
        forgets_at_reboot=bool(flags.get("forgets_profiles_at_reboot")),
        tells_composite=not flags.get("no_composite_schedule"),
        is_smart=not flags.get("no_smart_charging") and (not features or "smartcharging" in features),
        origins=_origins(told, learned, known),
    )


@transaction.atomic(savepoint=False)
def learn(station: ChargingStation, flag: str, *, reason: str) -> None:
    """Keep what a refusal taught us about a station of this firmware; `reason` is for people."""
    LearnedCapability.objects.update_or_create(
        station=station,
        flag=flag,
        defaults={
            "firmware_version": station.firmware_version,
            "reason": reason[:255],
            "learned_at": clock.now(),
        },
    )


@transaction.atomic(savepoint=False)
def forget(station: ChargingStation, *, flag: str = "") -> int:
    """Forget one thing that a station taught us, or all; return how many there were."""
    rows = LearnedCapability.objects.filter(station=station)
    gone, _ = (rows.filter(flag=flag) if flag else rows).delete()
    return gone


def _told(station: ChargingStation) -> dict[str, str]:
    """Return what the station reported, by our name of the fact."""
    wanted = {place: fact for fact, places in VARIABLES.items() for place in places}
    rows = Variable.objects.filter(
        station=station, is_supported=True, value__isnull=False, component__in=_spellings()
    ).values_list("component", "name", "value")
    found: dict[str, str] = {}
    for component, name, value in rows:
        fact = wanted.get((component.casefold(), name.casefold()))
        if fact is not None and value is not None:
            found[fact] = value
    return found


def _spellings() -> list[str]:
    return ["", "SmartChargingCtrlr"]


def _words(text: str | None) -> list[str]:
    return [word.strip().casefold() for word in (text or "").split(",") if word.strip()]


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text[:9]) if text.isascii() and text.isdigit() else None


def _origins(told: Mapping[str, str], learned: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, str]:
    origins = dict.fromkeys(told, "told by the station")
    origins |= {flag: f"learned: {reason}" for flag, reason in learned.items()}
    origins |= {flag: "known of the make, or set by an operator" for flag in known if flag in FLAGS}
    return origins
