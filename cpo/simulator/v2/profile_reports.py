"""Charging profiles that lie on the simulated station, told when somebody asks (K09)."""

from typing import TYPE_CHECKING

from cpo.simulator.answers import Answer, Payload, Reaction

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

OURS = "CSO"  # who set them: ChargingLimitSourceEnumType
CRITERIA = ("chargingProfilePurpose", "stackLevel")


async def get_charging_profiles(station: "Charger", payload: Payload) -> Answer:
    """K09: what fits, an EVSE at a time, after the answer."""
    found: dict[int, list[Payload]] = {}
    for evse, profile in station.schedules.installed.values():
        is_here = payload.get("evseId") in (None, evse) and _lies(station, profile)
        if is_here and _is_wanted(profile, payload["chargingProfile"]):
            found.setdefault(evse, []).append(profile)
    if not found:
        return Answer({"status": "NoProfiles"})
    last = [*found][-1]
    parts = [
        {
            "requestId": payload["requestId"], "chargingLimitSource": OURS, "evseId": evse, "chargingProfile": profiles,
            "tbc": evse != last,
        }
        for evse, profiles in found.items()
    ]  # fmt: skip
    return Answer({"status": "Accepted"}, then=lambda: station.send_parts("ReportChargingProfiles", parts))


def _lies(station: "Charger", profile: Payload) -> bool:
    """Tell whether it still has an effect: one for priority waits, the others may have ended with a transaction."""
    is_waiting = profile["chargingProfilePurpose"] == "PriorityCharging"
    return is_waiting or any(one.profile["chargingProfileId"] == profile["id"] for one in station.profiles)


def _is_wanted(profile: Payload, wanted: Payload) -> bool:
    if "chargingProfileId" in wanted:
        return profile["id"] in wanted["chargingProfileId"]
    is_ours = OURS in wanted.get("chargingLimitSource", [OURS])
    return is_ours and all(profile[name] == wanted[name] for name in CRITERIA if name in wanted)


REACTIONS: dict[str, Reaction] = {"GetChargingProfiles": get_charging_profiles}
