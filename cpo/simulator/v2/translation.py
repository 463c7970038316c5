"""Requests of 2.x that mean what a request of 1.6 means: said in its words, done by the same hardware.

Limits, reservations, lists and files lie on the simulated station once, whatever it speaks.
"""

from typing import Any

from cpo.simulator import files, local_list, reservations, smart_charging
from cpo.simulator.answers import Answer, Payload

PURPOSES = {"ChargingStationMaxProfile": "ChargePointMaxProfile"}
CHANGED = {"id": "chargingProfileId"}  # members of a profile


def _profile(profile: Payload) -> Payload:
    """Say a profile with one schedule in 1.6 words; a schedule to choose from means its first."""
    found = {CHANGED.get(name, name): value for name, value in profile.items()}
    purpose = profile["chargingProfilePurpose"]
    schedule = dict(profile["chargingSchedule"][0])
    return found | {"chargingProfilePurpose": PURPOSES.get(purpose, purpose), "chargingSchedule": schedule}


async def set_charging_profile(station: Any, payload: Payload) -> Payload:
    """K01: a purpose that is not the central system's, and an EVSE that is not there, are rejected."""
    profile, evse = payload["chargingProfile"], payload["evseId"]
    periods = profile["chargingSchedule"][0]["chargingSchedulePeriod"]
    if profile["chargingProfilePurpose"] == "ChargingStationExternalConstraints":
        return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}}
    if evse and evse not in station.outlets:
        return {"status": "Rejected", "statusInfo": {"reasonCode": "UnknownEvse"}}
    if not all("limit" in period for period in periods):
        return {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedParam"}}
    words = {"connectorId": evse, "csChargingProfiles": _profile(profile)}
    return await smart_charging.set_charging_profile(station, words)


async def clear_charging_profile(station: Any, payload: Payload) -> Payload:
    """K10."""
    criteria = payload.get("chargingProfileCriteria") or {}
    purpose = criteria.get("chargingProfilePurpose", "")
    words = {
        "id": payload.get("chargingProfileId"),
        "connectorId": criteria.get("evseId"),
        "chargingProfilePurpose": PURPOSES.get(purpose, purpose) or None,
        "stackLevel": criteria.get("stackLevel"),
    }
    return await smart_charging.clear_charging_profile(station, words)


async def get_composite_schedule(station: Any, payload: Payload) -> Payload:
    """K08."""
    asked = {name: value for name, value in payload.items() if name != "evseId"}
    told = await smart_charging.get_composite_schedule(station, asked | {"connectorId": payload["evseId"]})
    if told["status"] != "Accepted":
        return {"status": "Rejected"}
    schedule = told["chargingSchedule"] | {
        "evseId": payload["evseId"],
        "scheduleStart": told["scheduleStart"],
    }
    return {"status": "Accepted", "schedule": schedule}


async def reserve_now(station: Any, payload: Payload) -> Answer:
    """H01; without an EVSE any of them stays free."""
    words = {
        "reservationId": payload["id"],
        "connectorId": payload.get("evseId", reservations.ANY),
        "idTag": payload["idToken"]["idToken"],
        "parentIdTag": (payload.get("groupIdToken") or {}).get("idToken", ""),
        "expiryDate": payload["expiryDateTime"],
    }
    return await reservations.reserve_now(station, words)


async def cancel_reservation(station: Any, payload: Payload) -> Answer:
    """H02."""
    return await reservations.cancel_reservation(station, payload)


async def get_local_list_version(station: Any, payload: Payload) -> Payload:
    """D02."""
    told = await local_list.get_local_list_version(station, payload)
    return {"versionNumber": max(told["listVersion"], 0)}


async def send_local_list(station: Any, payload: Payload) -> Payload:
    """D01; an entry without its info is removed."""
    entries = [
        {"idTag": entry["idToken"]["idToken"]}
        | ({"idTagInfo": entry["idTokenInfo"]} if "idTokenInfo" in entry else {})
        for entry in payload.get("localAuthorizationList") or []
    ]
    words = {
        "listVersion": payload["versionNumber"],
        "updateType": payload["updateType"],
        "localAuthorizationList": entries,
    }
    told = await local_list.send_local_list(station, words)
    station.model_of["LocalAuthListCtrlr", 0, "Entries"].value = str(len(station.local_list.entries))
    return {"status": "Failed" if told["status"] == "NotSupported" else told["status"]}


async def update_firmware(station: Any, payload: Payload) -> Answer | Payload:
    """L01 with a signature, L02 without."""
    wanted, station.update_request_id = payload["firmware"], payload["requestId"]
    if "signingCertificate" in wanted and "signature" in wanted:
        return await files.signed_update_firmware(station, payload)
    words = {"location": wanted["location"], "retrieveDate": wanted["retrieveDateTime"]}
    unsigned = await files.update_firmware(station, words | {"retries": payload.get("retries", 0)})
    return Answer({"status": "Accepted"}, then=unsigned.then)
