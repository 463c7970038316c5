"""Charging profiles on a simulated station: they lie there, and what flows follows them (OCPP 1.6 section 3.13).

All limits are counted in W here; a current counts on the outlet's phases at its voltage.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cpo.simulator.answers import Payload, Reaction, Refusal
from cpo.simulator.configuration import Key
from cpo.simulator.outlet import Outlet
from cpo.simulator.transaction import timestamp

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger

MAXIMUM, DEFAULT, TRANSACTION = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"
EVERY_S = {"Daily": 86_400, "Weekly": 604_800}
LOWEST_A = 6  # the pilot signal cannot offer less: below it the vehicle pauses
UNITS = {"A": "Current", "W": "Power"}
FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lying:
    """A profile and the connector that it lies on, 0 for the whole station."""

    connector: int
    profile: Payload

    @property
    def key(self) -> tuple[str, int, int]:
        return self.profile["chargingProfilePurpose"], self.profile["stackLevel"], self.connector


def keys() -> dict[str, Key]:
    """The configuration keys of the feature (section 9.4)."""
    return {
        "ChargeProfileMaxStackLevel": Key("5", readonly=True, number=True),
        "ChargingScheduleAllowedChargingRateUnit": Key("Current,Power", readonly=True),
        "ChargingScheduleMaxPeriods": Key("24", readonly=True, number=True),
        "MaxChargingProfilesInstalled": Key("10", readonly=True, number=True),
    }


async def set_charging_profile(charger: "Charger", payload: Payload) -> Payload:
    """Put a profile in its place, instead of the one of the same id or of the same purpose and level (5.16)."""
    new = Lying(payload["connectorId"], payload["csChargingProfiles"])
    if new.connector and new.connector not in charger.outlets:
        raise Refusal("PropertyConstraintViolation", "no such connector")
    rest = [old for old in charger.profiles if old.key != new.key and _id(old) != _id(new)]
    if _is_refused(charger, new, len(rest)):
        return {"status": "Rejected"}
    charger.profiles = [*rest, new]
    apply(charger)
    return {"status": "Accepted"}


async def clear_charging_profile(charger: "Charger", payload: Payload) -> Payload:
    """Drop what matches all that is given (5.5)."""

    def matches(lying: Lying) -> bool:
        purpose, level, connector = lying.key
        pairs = {
            "id": _id(lying),
            "connectorId": connector,
            "chargingProfilePurpose": purpose,
            "stackLevel": level,
        }
        return all(payload.get(name) in (None, value) for name, value in pairs.items())

    kept = [lying for lying in charger.profiles if not matches(lying)]
    status = "Unknown" if len(kept) == len(charger.profiles) else "Accepted"
    charger.profiles = kept
    apply(charger)
    return {"status": status}


async def get_composite_schedule(charger: "Charger", payload: Payload) -> Payload:
    """Tell what a connector, or the grid connection, may draw from now on (5.7)."""
    number = payload["connectorId"]
    if number and number not in charger.outlets:
        return {"status": "Rejected"}
    outlet = charger.outlets.get(number) or next(iter(charger.outlets.values()))
    unit = payload.get("chargingRateUnit") or ("W" if outlet.is_dc else "A")
    now = charger.clock.now().replace(microsecond=0)
    end = now + timedelta(seconds=payload["duration"])
    periods: list[Payload] = []
    for moment in sorted({now, *(m for m in _changes(charger, now, end) if now < m < end)}):
        limit = _told(_allowed_w(charger, number, moment), outlet, unit)
        if not periods or periods[-1]["limit"] != limit:
            periods.append({"startPeriod": int((moment - now).total_seconds()), "limit": limit})
    schedule = {"duration": payload["duration"], "chargingRateUnit": unit, "chargingSchedulePeriod": periods}
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": timestamp(now),
        "chargingSchedule": schedule,
    }


def apply(charger: "Charger") -> None:
    """Let what flows follow the profiles as they are now."""
    now = charger.clock.now()
    for number, outlet in charger.outlets.items():
        limit_w = _limit_w(charger, number, now)
        lowest_w = 0 if outlet.is_dc else LOWEST_A * _per_ampere(outlet)
        outlet.limit_w = None if limit_w is None else int(limit_w) if limit_w >= lowest_w else 0


def begin(charger: "Charger", connector: int, profile: Payload | None) -> None:
    """Keep the profile that came with a remote start, for the transaction to come (5.16.2)."""
    if profile is not None:
        charger.profiles = [*charger.profiles, Lying(connector, profile)]
        apply(charger)


def end(charger: "Charger", connector: int) -> None:
    """Drop the profiles of the transaction that ended there."""
    charger.profiles = [p for p in charger.profiles if p.key[0] != TRANSACTION or p.connector != connector]
    apply(charger)


def _is_refused(charger: "Charger", new: Lying, others: int) -> bool:
    purpose, level, connector = new.key
    schedule = new.profile["chargingSchedule"]
    transaction = charger.running.get(connector)
    wanted = new.profile.get("transactionId")
    words = charger.configuration["ChargingScheduleAllowedChargingRateUnit"].value
    return any(
        (
            level > _number(charger, "ChargeProfileMaxStackLevel"),
            others >= _number(charger, "MaxChargingProfilesInstalled"),
            len(schedule["chargingSchedulePeriod"]) > _number(charger, "ChargingScheduleMaxPeriods"),
            UNITS[schedule["chargingRateUnit"]] not in words.split(","),
            purpose == MAXIMUM and connector != 0,
            purpose == TRANSACTION and (transaction is None or wanted not in (None, transaction.id)),
        )
    )


def _number(charger: "Charger", key: str) -> int:
    return int(charger.configuration[key].value)


def _id(lying: Lying) -> int:
    return int(lying.profile["chargingProfileId"])


def _limit_w(charger: "Charger", number: int, now: datetime) -> Fraction | None:
    """Return the lowest of what the station's maximum leaves an outlet and of what its transaction may draw."""
    found = [_leading(charger, number, MAXIMUM, now), _leading(charger, number, TRANSACTION, now)]
    if found[1] is None:
        found[1] = _leading(charger, number, DEFAULT, now)
    if found[0] is not None:  # shared evenly by those that charge
        found[0] /= max(len([n for n in charger.running if n != number]) + 1, 1)
    limits = [limit for limit in found if limit is not None]
    return min(limits) if limits else None


def _allowed_w(charger: "Charger", number: int, moment: datetime) -> Fraction | None:
    """Return what a composite schedule tells: the rating where nothing limits, for it is what could flow."""
    if number == 0:
        return _leading(charger, 0, MAXIMUM, moment)
    maximum = _leading(charger, number, MAXIMUM, moment)
    own = _leading(charger, number, TRANSACTION, moment)
    own = own if own is not None else _leading(charger, number, DEFAULT, moment)
    limits = [limit for limit in (maximum, own) if limit is not None]
    return min(limits) if limits else None


def _leading(charger: "Charger", number: int, purpose: str, now: datetime) -> Fraction | None:
    """Return the limit of the profile with the highest level that says something about this moment."""
    outlet = charger.outlets.get(number) or next(iter(charger.outlets.values()))
    lying = [p for p in charger.profiles if p.key[0] == purpose and p.connector in (0, number)]
    for each in sorted(lying, key=lambda p: (p.key[1], p.connector), reverse=True):
        period = _period(charger, each, number, now)
        if period is not None:
            watts = Fraction(str(period["limit"]))
            in_amperes = each.profile["chargingSchedule"]["chargingRateUnit"] == "A"
            return watts * _per_ampere(outlet, period.get("numberPhases")) if in_amperes else watts
    return None


def _period(charger: "Charger", lying: Lying, number: int, now: datetime) -> Payload | None:
    profile, schedule = lying.profile, lying.profile["chargingSchedule"]
    if now < _moment(profile.get("validFrom"), now) or now >= _moment(profile.get("validTo"), FOR_EVER):
        return None
    elapsed_s = int((now - _start(charger, lying, number, now)).total_seconds())
    every_s = EVERY_S.get(profile.get("recurrencyKind", ""))
    if every_s and profile["chargingProfileKind"] == "Recurring":
        elapsed_s %= every_s
    if elapsed_s < 0 or elapsed_s >= schedule.get("duration", elapsed_s + 1):
        return None
    begun: list[Any] = [p for p in schedule["chargingSchedulePeriod"] if p["startPeriod"] <= elapsed_s]
    return begun[-1] if begun else None


def _start(charger: "Charger", lying: Lying, number: int, now: datetime) -> datetime:
    if (
        lying.profile["chargingProfileKind"] != "Relative"
        and "startSchedule" in lying.profile["chargingSchedule"]
    ):
        return _moment(lying.profile["chargingSchedule"]["startSchedule"], now)
    transaction = charger.running.get(number)
    return transaction.started_at if transaction else now


def _changes(charger: "Charger", now: datetime, end: datetime) -> set[datetime]:
    """Return every moment until `end` at which a period may begin or end."""
    found: set[datetime] = set()
    for lying in charger.profiles:
        profile, schedule = lying.profile, lying.profile["chargingSchedule"]
        found |= {_moment(profile[name], now) for name in ("validFrom", "validTo") if name in profile}
        start = _start(charger, lying, lying.connector, now)
        every = timedelta(seconds=EVERY_S.get(profile.get("recurrencyKind", ""), 0))
        if every and start < now:
            start += every * ((now - start) // every)
        while start < end:
            offsets = [period["startPeriod"] for period in schedule["chargingSchedulePeriod"]]
            offsets += [schedule["duration"]] if "duration" in schedule else []
            found |= {start + timedelta(seconds=offset) for offset in offsets}
            if not every:
                break
            start += every
    return found


def _told(limit_w: Fraction | None, outlet: Outlet, unit: str) -> float:
    """Round down to a tenth; where nothing limits, the outlet's rating is what it can deliver."""
    watts = Fraction(outlet.max_power_w) if limit_w is None else min(limit_w, Fraction(outlet.max_power_w))
    value = watts if unit == "W" else watts / _per_ampere(outlet)
    return int(value * 10) / 10


def _per_ampere(outlet: Outlet, phases: int | None = None) -> int:
    """W of one ampere on the phases in use; more phases than there are do not count (errata 3.34)."""
    return outlet.voltage_v * (1 if outlet.is_dc else min(phases or outlet.phases, outlet.phases))


def _moment(text: str | None, otherwise: datetime) -> datetime:
    if text is None:
        return otherwise
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


REACTIONS: dict[str, Reaction] = {
    "SetChargingProfile": set_charging_profile,
    "ClearChargingProfile": clear_charging_profile,
    "GetCompositeSchedule": get_composite_schedule,
}
