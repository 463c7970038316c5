"""What a 2.x station does when the central system calls (part 2). One function per message."""

from typing import TYPE_CHECKING, Any

from cpo.simulator import files
from cpo.simulator.answers import Answer, Payload, Reaction
from cpo.simulator.transaction import timestamp
from cpo.simulator.v2 import (
    certificates,
    customers,
    display,
    grid,
    monitoring,
    network,
    payments,
    profile_reports,
    publishing,
    schedules,
    tariffs,
    translation,
    variables,
)

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

KNOWN_VENDOR = "org.opencpo.simulator"
ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


async def get_variables(station: "Charger", payload: Payload) -> Payload:
    """B06."""
    station.read_clock()
    return {
        "getVariableResult": [variables.read(station.model_of, one) for one in payload["getVariableData"]]
    }


async def set_variables(station: "Charger", payload: Payload) -> Payload:
    """B05."""
    results = [
        network.refused(station, one) or variables.write(station.model_of, one)
        for one in payload["setVariableData"]
    ]
    station.take_over_variables()
    return {"setVariableResult": results}


async def get_report(station: "Charger", payload: Payload) -> Answer:
    """B07 and B08: the answer first, then the parts."""
    station.read_clock()
    keys = variables.chosen(station.model_of, payload)
    if not keys:
        return Answer({"status": "EmptyResultSet"})
    now = timestamp(station.clock.now())
    parts = variables.parts(station.model_of, keys, payload["requestId"], now)
    return Answer(ACCEPTED, then=lambda: station.send_parts("NotifyReport", parts))


async def request_start_transaction(station: "Charger", payload: Payload) -> Answer:
    """F01, F02: accept if an EVSE is free; the charging begins after the answer."""
    token, wanted = payload["idToken"], payload.get("evseId")
    payments.started(station, payload)
    free = [number for number in station.outlets if station.is_free(number, token["idToken"])]
    evse = wanted if wanted in free else (free[0] if free and wanted is None else None)
    if evse is None:
        return Answer(REJECTED)
    if "chargingProfile" in payload:
        asked = {"evseId": evse, "chargingProfile": payload["chargingProfile"]}
        station.profile_for[evse] = asked
    return Answer(ACCEPTED, then=lambda: station.charge_remotely(evse, token, payload["remoteStartId"]))


async def request_stop_transaction(station: "Charger", payload: Payload) -> Answer:
    """F03."""
    for transaction in station.running.values():
        if transaction.id == payload["transactionId"]:
            transaction.ask_to_stop("Remote")
            return Answer(ACCEPTED)
    return Answer(REJECTED)


async def get_transaction_status(station: "Charger", payload: Payload) -> Payload:
    """E14."""
    asked = payload.get("transactionId")
    if asked is None:
        return {"messagesInQueue": bool(station.outbox.records)}
    ongoing = any(transaction.id == asked for transaction in station.running.values())
    return {"ongoingIndicator": ongoing, "messagesInQueue": station.outbox.has_of(asked)}


async def reset(station: "Charger", payload: Payload) -> Answer:
    """B11, B12: OnIdle waits until nobody charges. An EVSE cannot be reset alone here."""
    if "evseId" in payload:
        return Answer(REJECTED)
    if payload["type"] == "OnIdle" and station.running:
        return Answer({"status": "Scheduled"}, then=station.reboot_when_idle)
    return Answer(ACCEPTED, then=lambda: station.reboot("ImmediateReset"))


async def change_availability(station: "Charger", payload: Payload) -> Answer:
    """G03, G04: at once, or after the transaction that is running. Without an EVSE the whole station."""
    number, operative = (payload.get("evse") or {}).get("id"), payload["operationalStatus"] == "Operative"
    if number is not None and number not in station.outlets:
        return Answer(REJECTED)
    numbers = [number] if number is not None else list(station.outlets)
    busy = [n for n in numbers if n in station.running]
    for n in busy:
        station.outlets[n].next_operative = operative
    rest = [n for n in numbers if n not in busy]
    status = {"status": "Scheduled" if busy else "Accepted"}
    return Answer(status, then=lambda: station.set_operative(rest, operative))


async def unlock_connector(station: "Charger", payload: Payload) -> Payload:
    """F05: not while an authorised transaction runs (F05.FR.02)."""
    if payload["evseId"] not in station.outlets or payload["connectorId"] != 1:
        return {"status": "UnknownConnector"}
    busy = payload["evseId"] in station.running
    return {"status": "OngoingAuthorizedTransaction" if busy else "Unlocked"}


async def trigger_message(station: "Charger", payload: Payload) -> Answer:
    """F06: send what was asked for, after the answer."""
    number = (payload.get("evse") or {}).get("id")
    if number is not None and number not in station.outlets:
        return Answer(REJECTED)
    hardware: Any = station  # that of 1.6 as well
    wanted = {
        "BootNotification": lambda: station.boot("Triggered"),
        "FirmwareStatusNotification": lambda: files.trigger_firmware(hardware),
        "Heartbeat": station.heartbeat,
        "LogStatusNotification": lambda: files.trigger_log(hardware),
        "MeterValues": lambda: station.report_meters(number),
        "PublishFirmwareStatusNotification": lambda: publishing.trigger(station),
        "StatusNotification": lambda: station.report_status(number),
        "TransactionEvent": lambda: station.report_transactions(number),
    }.get(payload["requestedMessage"]) or certificates.triggered(station, payload["requestedMessage"])
    if wanted is None:
        return Answer({"status": "NotImplemented"})
    return Answer(ACCEPTED, then=wanted)


async def clear_cache(station: "Charger", payload: Payload) -> Payload:
    """C11."""
    station.known_tags.clear()
    return ACCEPTED


async def data_transfer(station: "Charger", payload: Payload) -> Payload:
    """P01: echo to our own vendor id; others are not known here."""
    if payload["vendorId"] != KNOWN_VENDOR:
        return {"status": "UnknownVendorId"}
    return ACCEPTED | ({"data": payload["data"]} if "data" in payload else {})


REACTIONS: dict[str, Reaction] = {
    "CancelReservation": translation.cancel_reservation,
    "CertificateSigned": certificates.certificate_signed,
    "ChangeAvailability": change_availability,
    "ClearCache": clear_cache,
    "ClearDisplayMessage": display.clear_display_message,
    "ClearChargingProfile": translation.clear_charging_profile,
    "CostUpdated": display.cost_updated,
    "DataTransfer": data_transfer,
    "DeleteCertificate": certificates.delete_certificate,
    "GetBaseReport": get_report,
    "GetCompositeSchedule": translation.get_composite_schedule,
    "GetDisplayMessages": display.get_display_messages,
    "GetInstalledCertificateIds": certificates.get_installed_certificate_ids,
    "GetLocalListVersion": translation.get_local_list_version,
    "GetLog": files.get_log,
    "GetReport": get_report,
    "GetTransactionStatus": get_transaction_status,
    "GetVariables": get_variables,
    "InstallCertificate": certificates.install_certificate,
    "RequestStartTransaction": request_start_transaction,
    "RequestStopTransaction": request_stop_transaction,
    "ReserveNow": translation.reserve_now,
    "Reset": reset,
    "SendLocalList": translation.send_local_list,
    "SetChargingProfile": translation.set_charging_profile,
    "SetDisplayMessage": display.set_display_message,
    "SetNetworkProfile": network.set_network_profile,
    "SetVariables": set_variables,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
    "UpdateFirmware": translation.update_firmware,
    **customers.REACTIONS,
    **grid.REACTIONS,
    **schedules.REACTIONS,
    **monitoring.REACTIONS,
    **payments.REACTIONS,
    **profile_reports.REACTIONS,
    **publishing.REACTIONS,
    **tariffs.REACTIONS,
}
