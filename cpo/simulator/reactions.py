"""What an OCPP 1.6 station does when the central system calls (section 5). One function per message."""

from typing import TYPE_CHECKING

from cpo.simulator import files, local_list, reservations, security, security_profiles, smart_charging
from cpo.simulator.answers import Answer, Payload, Reaction, Refusal

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger

KNOWN_VENDOR = "org.opencpo.simulator"


async def remote_start_transaction(charger: "Charger", payload: Payload) -> Answer:
    """Accept if a connector is free (5.11); the charging itself begins after the answer."""
    wanted = payload.get("connectorId")
    free = [number for number in charger.outlets if charger.is_free(number, payload["idTag"])]
    number = wanted if wanted in free else (free[0] if free and wanted is None else None)
    if number is None:
        return Answer({"status": "Rejected"})
    smart_charging.begin(charger, number, payload.get("chargingProfile"))
    return Answer({"status": "Accepted"}, then=lambda: charger.charge_remotely(number, payload["idTag"]))


async def remote_stop_transaction(charger: "Charger", payload: Payload) -> Answer:
    """Accept if that transaction is running here (5.12)."""
    for transaction in charger.running.values():
        if transaction.id == payload["transactionId"]:
            transaction.ask_to_stop("Remote")
            return Answer({"status": "Accepted"})
    return Answer({"status": "Rejected"})


async def reset(charger: "Charger", payload: Payload) -> Answer:
    """End what runs, go away, come back (5.14)."""
    return Answer({"status": "Accepted"}, then=lambda: charger.reboot(f"{payload['type']}Reset"))


async def change_availability(charger: "Charger", payload: Payload) -> Answer:
    """At once, or after the transaction that is running (5.2). Connector 0 is the whole station."""
    number, operative = payload["connectorId"], payload["type"] == "Operative"
    if number and number not in charger.outlets:
        return Answer({"status": "Rejected"})
    numbers = [number] if number else list(charger.outlets)
    busy = [n for n in numbers if n in charger.running]
    for n in busy:
        charger.outlets[n].next_operative = operative
    rest = [n for n in numbers if n not in busy]
    return Answer(
        {"status": "Scheduled" if busy else "Accepted"}, then=lambda: charger.set_operative(rest, operative)
    )


async def unlock_connector(charger: "Charger", payload: Payload) -> Answer:
    """End the transaction first, then unlock (5.18)."""
    outlet = charger.outlets.get(payload["connectorId"])
    if outlet is None:
        return Answer({"status": "NotSupported"})
    transaction = charger.running.get(outlet.number)
    if transaction is not None:
        transaction.ask_to_stop("UnlockCommand")
    return Answer({"status": "Unlocked"})


async def trigger_message(charger: "Charger", payload: Payload) -> Answer:
    """Send what was asked for, after the answer (5.17)."""
    number = payload.get("connectorId")
    if number is not None and number not in {0, *charger.outlets}:
        return Answer({"status": "Rejected"})
    wanted = {
        "BootNotification": charger.boot,
        "Heartbeat": charger.heartbeat,
        "StatusNotification": lambda: charger.report_status(number),
        "MeterValues": lambda: charger.report_meters(number),
        "DiagnosticsStatusNotification": lambda: files.trigger_log(charger),
        "FirmwareStatusNotification": lambda: files.trigger_firmware(charger),
    }.get(payload["requestedMessage"])
    if wanted is None:
        return Answer({"status": "NotImplemented"})
    return Answer({"status": "Accepted"}, then=wanted)


async def get_configuration(charger: "Charger", payload: Payload) -> Payload:
    """Tell the keys asked for, or all; a hidden key is told without its value (5.8)."""
    asked = payload.get("key") or list(charger.configuration)
    known = [name for name in asked if name in charger.configuration]
    entries = []
    for name in known:
        key = charger.configuration[name]
        entries.append({"key": name, "readonly": key.readonly} | ({} if key.hidden else {"value": key.value}))
    unknown = [name for name in asked if name not in charger.configuration]
    return {"configurationKey": entries} | ({"unknownKey": unknown} if unknown else {})


async def change_configuration(charger: "Charger", payload: Payload) -> Answer | Payload:
    """Set one key (5.3)."""
    if payload["key"] == security_profiles.KEY:
        return security_profiles.change(charger, payload["value"])
    key = charger.configuration.get(payload["key"])
    if key is None:
        return {"status": "NotSupported"}
    if key.readonly or (key.number and not payload["value"].isdigit()):
        return {"status": "Rejected"}
    key.value = payload["value"]
    if payload["key"] == "AuthorizationKey":
        charger.password = payload["value"]
        if charger.memory is not None:
            charger.memory.save(charger)
    return {"status": "RebootRequired" if key.reboot else "Accepted"}


async def clear_cache(charger: "Charger", payload: Payload) -> Payload:
    charger.known_tags.clear()
    return {"status": "Accepted"}


async def data_transfer(charger: "Charger", payload: Payload) -> Answer | Payload:
    """Echo to our own vendor id, speak Plug & Charge; others are not known here (5.6)."""
    if payload["vendorId"] == security.VENDOR:
        return await security.data_transfer(charger, payload)
    if payload["vendorId"] != KNOWN_VENDOR:
        return {"status": "UnknownVendorId"}
    if payload.get("messageId") not in {None, "Echo"}:
        return {"status": "UnknownMessageId"}
    return {"status": "Accepted"} | ({"data": payload["data"]} if "data" in payload else {})


async def not_implemented(charger: "Charger", payload: Payload) -> Payload:
    raise Refusal("NotImplemented")


REACTIONS: dict[str, Reaction] = {
    "CancelReservation": reservations.cancel_reservation,
    "ReserveNow": reservations.reserve_now,
    "RemoteStartTransaction": remote_start_transaction,
    "RemoteStopTransaction": remote_stop_transaction,
    "Reset": reset,
    "ChangeAvailability": change_availability,
    "UnlockConnector": unlock_connector,
    "TriggerMessage": trigger_message,
    "GetConfiguration": get_configuration,
    "ChangeConfiguration": change_configuration,
    "ClearCache": clear_cache,
    "DataTransfer": data_transfer,
    **files.REACTIONS,
    **local_list.REACTIONS,
    **security.REACTIONS,
    **smart_charging.REACTIONS,
}
