"""Charging profiles of 2.1 beyond those of 1.6: dynamic ones, and those for priority (K21, K28)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpo.simulator import smart_charging
from cpo.simulator.answers import Answer, Payload, Reaction
from cpo.simulator.smart_charging import TRANSACTION, Lying
from cpo.simulator.transaction import timestamp
from cpo.simulator.v2 import translation
from cpo.simulator.wire import CallFailed

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}
INVALID = REJECTED | {"statusInfo": {"reasonCode": "InvalidProfile"}}
PRIORITY = "PriorityCharging"
HIGHEST = 99  # a level above all that are taken: nothing of the transaction's own counts beside it


@dataclass
class Schedules:
    """What came, in the words of 2.x, as (EVSE, profile) by id; transactions that have priority."""

    installed: dict[int, tuple[int, Payload]] = field(default_factory=dict)
    priority: set[str] = field(default_factory=set)


async def set_charging_profile(station: "Charger", payload: Payload) -> Answer:
    """K01: as on any station; a priority profile waits for its use, a dynamic one asks for its values."""
    profile, evse = payload["chargingProfile"], payload["evseId"]
    period = profile["chargingSchedule"][0]["chargingSchedulePeriod"][0]
    if profile["chargingProfilePurpose"] == PRIORITY:
        if "limit" not in period or (evse and evse not in station.outlets):
            return Answer(INVALID)
        station.schedules.installed[profile["id"]] = evse, profile
        return Answer(ACCEPTED)
    told = await translation.set_charging_profile(station, payload)
    if told["status"] != "Accepted":
        return Answer(told)
    station.schedules.installed[profile["id"]] = evse, profile
    interval_s = int(profile.get("dynUpdateInterval") or 0)
    if profile["chargingProfileKind"] != "Dynamic" or not interval_s:
        return Answer(told)
    return Answer(told, then=lambda: _pull(station, profile["id"], interval_s))


async def clear_charging_profile(station: "Charger", payload: Payload) -> Payload:
    """K10; a priority profile is known here only."""
    told = await translation.clear_charging_profile(station, payload)
    criteria = payload.get("chargingProfileCriteria") or {}
    gone = [
        id
        for id, (evse, profile) in station.schedules.installed.items()
        if profile["chargingProfilePurpose"] == PRIORITY
        and payload.get("chargingProfileId") in (None, id)
        and criteria.get("chargingProfilePurpose") in (None, PRIORITY)
        and criteria.get("evseId") in (None, evse)
        and criteria.get("stackLevel") in (None, profile["stackLevel"])
    ]
    for id in gone:
        del station.schedules.installed[id]
    return ACCEPTED if gone else told


async def update_dynamic_schedule(station: "Charger", payload: Payload) -> Payload:
    """K28.FR.06 and K28.FR.11."""
    is_taken = _renew(station, payload["chargingProfileId"], payload["scheduleUpdate"])
    return ACCEPTED if is_taken else INVALID


async def use_priority_charging(station: "Charger", payload: Payload) -> Answer:
    """K21: without a priority profile there is none to use."""
    running = [t for t in station.running.values() if t.id == payload["transactionId"]]
    if not running:
        return Answer(REJECTED | {"statusInfo": {"reasonCode": "TxNotFound"}})
    [transaction], is_wanted = running, payload["activate"]
    profile = _priority_profile(station, transaction.evse)
    if is_wanted and profile is None:
        return Answer({"status": "NoProfile"})
    if is_wanted == (transaction.id in station.schedules.priority):
        return Answer(ACCEPTED)
    station.profiles = [each for each in station.profiles if each.profile["stackLevel"] != HIGHEST]
    station.schedules.priority ^= {transaction.id}
    if is_wanted and profile is not None:
        schedule = profile["chargingSchedule"][0]
        taken = {
            "chargingProfileId": profile["id"], "stackLevel": HIGHEST, "chargingProfilePurpose": TRANSACTION,
            "chargingProfileKind": profile["chargingProfileKind"], "chargingSchedule": schedule,
        }  # fmt: skip
        station.profiles = [*station.profiles, Lying(transaction.evse, taken)]
    smart_charging.apply(station)  # type: ignore[arg-type]
    told = {"transactionId": transaction.id, "activated": is_wanted}
    return Answer(ACCEPTED, then=lambda: _tell(station, "NotifyPriorityCharging", told))


async def _tell(station: "Charger", action: str, payload: Payload) -> None:
    await station.send_parts(action, [payload])


async def _pull(station: "Charger", id: int, interval_s: int) -> None:
    """K28.FR.10: ask for the values of a dynamic profile while it lies here."""
    while id in station.schedules.installed:
        await station.clock.sleep(interval_s)
        if not station.online or all(lying.profile["chargingProfileId"] != id for lying in station.profiles):
            return
        try:
            answer = await station.call("PullDynamicScheduleUpdate", {"chargingProfileId": id})
        except CallFailed:
            return
        if answer["status"] != "Accepted" or not _renew(station, id, answer["scheduleUpdate"]):
            return


def _renew(station: "Charger", id: int, values: Payload) -> bool:
    """Let new values of a dynamic profile hold from now on."""
    evse, profile = station.schedules.installed.get(id, (0, {}))
    if profile.get("chargingProfileKind") != "Dynamic":
        return False
    schedule = profile["chargingSchedule"][0]
    period = schedule["chargingSchedulePeriod"][0] | values
    renewed: Any = profile | {
        "chargingSchedule": [schedule | {"chargingSchedulePeriod": [period]}],
        "dynUpdateTime": timestamp(station.clock.now()),
    }
    station.schedules.installed[id] = evse, renewed
    for lying in station.profiles:
        if lying.profile["chargingProfileId"] == id:
            lying.profile["chargingSchedule"]["chargingSchedulePeriod"] = [period]
    smart_charging.apply(station)  # type: ignore[arg-type]
    return True


def _priority_profile(station: "Charger", evse: int) -> Payload | None:
    found = [
        profile
        for number, profile in station.schedules.installed.values()
        if profile["chargingProfilePurpose"] == PRIORITY and number in (0, evse)
    ]
    return max(found, key=lambda profile: profile["stackLevel"], default=None)


REACTIONS: dict[str, Reaction] = {
    "ClearChargingProfile": clear_charging_profile,
    "SetChargingProfile": set_charging_profile,
    "UpdateDynamicSchedule": update_dynamic_schedule,
    "UsePriorityCharging": use_priority_charging,
}
