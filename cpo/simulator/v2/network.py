"""Network profiles of the simulated station: slots, the order of trying them, the way back (B09, B10, A05)."""

from typing import TYPE_CHECKING

from cpo.simulator.answers import Payload
from cpo.simulator.security import TLS
from cpo.simulator.security_profiles import KEY, ROOT
from cpo.simulator.v2.variables import Key, Variable, key_of

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger
    from cpo.simulator.v2.station import ChargingStation

SLOTS, FIRST = "1,2,3", "1"  # the slots, and the one it leaves the factory with
PRIORITY: Key = ("OCPPCommCtrlr", 0, "NetworkConfigurationPriority")
ACTIVE: Key = ("OCPPCommCtrlr", 0, "ActiveNetworkProfile")
PROFILE: Key = ("SecurityCtrlr", 0, "SecurityProfile")


def variables(station: "ChargingStation") -> dict[Key, Variable]:
    """What a station tells of its connections."""
    return {
        PRIORITY: Variable(FIRST, "SequenceList", members=SLOTS, reboot=True),
        ACTIVE: Variable(FIRST, "integer", readonly=True),
        ("OCPPCommCtrlr", 0, "NetworkProfileConnectionAttempts"): Variable("1", "integer", least=1, most=1),
        PROFILE: Variable(station.configuration[KEY].value, "integer", readonly=True),
    }


async def set_network_profile(station: "Charger", payload: Payload) -> Payload:
    """B09: keep it for the slot; never with a lower profile (B09.FR.04), nor over the connection in use."""
    slot, data = str(payload["configurationSlot"]), payload["connectionData"]
    is_lower = data["securityProfile"] < int(station.model_of[PROFILE].value)
    if slot not in SLOTS.split(",") or slot == station.model_of[ACTIVE].value or is_lower:
        return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidNetworkConf"}}
    station.network_profiles[int(slot)] = data
    return {"status": "Accepted"}


def refused(station: "Charger", asked: Payload) -> Payload | None:
    """Refuse an order with an empty slot, or whose profile lacks a root or certificate (A05.FR.02, .03, B10.FR.02)."""
    if key_of(asked) != PRIORITY:
        return None
    active = station.model_of[ACTIVE].value
    others = [slot.strip() for slot in asked["attributeValue"].split(",") if slot.strip() != active]
    if all(slot.isdigit() and _may(station, int(slot)) for slot in others):
        return None
    place = {name: asked[name] for name in ("component", "variable", "attributeType") if name in asked}
    return place | {
        "attributeStatus": "Rejected",
        "attributeStatusInfo": {"reasonCode": "InvalidNetworkConf"},
    }


def _may(station: "Charger", slot: int) -> bool:
    data = station.network_profiles.get(slot)
    if data is None:
        return False
    profile = data["securityProfile"]
    has_root = profile < 2 or any(use == ROOT for use, _ in station.vault.roots)
    return has_root and (profile < 3 or TLS in station.vault.own)


async def come_up(station: "Charger") -> None:
    """Try the slots in their order; where none works, the connection that worked before (B10.FR.03, B10.FR.07)."""
    former = (
        station.model_of[ACTIVE].value,
        station.url,
        station.secure_url,
        station.configuration[KEY].value,
    )
    for slot in station.model_of[PRIORITY].value.split(","):
        if slot == former[0]:
            break
        _use(station, station.network_profiles[int(slot)])
        try:
            await station.come_up()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next slot is tried
            station._note("connect", error)
            _, station.url, station.secure_url, station.configuration[KEY].value = former
            continue
        _arrived(station, slot)
        return
    await station.come_up()


def _use(station: "Charger", data: Payload) -> None:
    profile = data["securityProfile"]
    if profile < 2:
        station.url = data["ocppCsmsUrl"]
    else:
        station.secure_url = data["ocppCsmsUrl"]
    station.configuration[KEY].value = str(profile)


def _arrived(station: "Charger", slot: str) -> None:
    """Take the new connection for good; slots with a lower profile are forgotten (A05.FR.06)."""
    before = station.model_of[ACTIVE].value
    has_risen = int(station.configuration[KEY].value) > int(station.model_of[PROFILE].value)
    station.model_of[ACTIVE].value, station.model_of[PROFILE].value = slot, station.configuration[KEY].value
    if has_risen:
        order = [one for one in station.model_of[PRIORITY].value.split(",") if one != before]
        station.model_of[PRIORITY].value = ",".join(order)
