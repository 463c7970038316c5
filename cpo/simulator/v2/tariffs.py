"""Tariffs in the simulated station (OCPP 2.1 I07 to I11): defaults by EVSE, and those of running transactions."""

from typing import TYPE_CHECKING

from cpo.simulator.answers import Payload, Reaction

if TYPE_CHECKING:
    from cpo.simulator.v2.station import ChargingStation

PRICES_AT_MOST = 20  # elements of one tariff that fit into it
ACCEPTED = {"status": "Accepted"}
PARTS = ("energy", "chargingTime", "idleTime", "fixedFee", "reservationTime", "reservationFixed")


async def set_default_tariff(station: "ChargingStation", payload: Payload) -> Payload:
    """I07: one for each EVSE; EVSE 0 is all of them. The same id may not mean two tariffs."""
    tariff, evse = payload["tariff"], payload["evseId"]
    if evse and evse not in station.outlets:
        return {"status": "Rejected", "statusInfo": {"reasonCode": "UnknownEvse"}}
    if _is_long(tariff):
        return {"status": "TooManyElements"}
    numbers = [evse] if evse else list(station.outlets)
    others = {n: known for n, known in station.tariffs.items() if n not in numbers}
    if any(known["tariffId"] == tariff["tariffId"] and known != tariff for known in others.values()):
        return {"status": "DuplicateTariffId"}
    station.tariffs = others | {number: tariff for number in numbers}
    return ACCEPTED


async def get_tariffs(station: "ChargingStation", payload: Payload) -> Payload:
    """I08."""
    evse = payload["evseId"]
    if evse and evse not in station.outlets:
        return {"status": "Rejected", "statusInfo": {"reasonCode": "UnknownEvse"}}
    found: dict[tuple[str, str], Payload] = {}
    defaults = [(number, "DefaultTariff", tariff) for number, tariff in sorted(station.tariffs.items())]
    drivers = [
        (transaction.evse, "DriverTariff", station.driver_tariffs[transaction.id])
        for transaction in station.running.values()
        if transaction.id in station.driver_tariffs
    ]
    for number, kind, tariff in [*defaults, *drivers]:
        if evse in (0, number):
            given = found.setdefault((tariff["tariffId"], kind), _assigned(tariff, kind))
            given["evseIds"].append(number)
    return (
        {"status": "Accepted", "tariffAssignments": list(found.values())} if found else {"status": "NoTariff"}
    )


def _assigned(tariff: Payload, kind: str) -> Payload:
    valid = {"validFrom": tariff["validFrom"]} if "validFrom" in tariff else {}
    return {"tariffId": tariff["tariffId"], "tariffKind": kind, "evseIds": [], **valid}


async def clear_tariffs(station: "ChargingStation", payload: Payload) -> Payload:
    """I09: those of these ids, or all; of one EVSE or of all."""
    evse, ids = payload.get("evseId"), payload.get("tariffIds")
    here = {n: tariff["tariffId"] for n, tariff in station.tariffs.items() if evse in (None, 0, n)}
    wanted = list(dict.fromkeys(ids or here.values()))
    gone = {n for n, known in here.items() if known in wanted}
    station.tariffs = {n: tariff for n, tariff in station.tariffs.items() if n not in gone}
    results = [
        {"tariffId": one, "status": "Accepted" if one in here.values() else "NoTariff"} for one in wanted
    ]
    return {"clearTariffsResult": results or [{"status": "NoTariff"}]}


async def change_transaction_tariff(station: "ChargingStation", payload: Payload) -> Payload:
    """I11: not into another currency."""
    tariff = payload["tariff"]
    running = next((one for one in station.running.values() if one.id == payload["transactionId"]), None)
    if running is None:
        return {"status": "TxNotFound"}
    now = station.driver_tariffs.get(running.id) or station.tariffs.get(running.evse)
    if now is not None and now["currency"] != tariff["currency"]:
        return {"status": "NoCurrencyChange"}
    if _is_long(tariff):
        return {"status": "TooManyElements"}
    station.driver_tariffs[running.id] = tariff
    return ACCEPTED


def _is_long(tariff: Payload) -> bool:
    return sum(len(tariff.get(part, {}).get("prices", ())) for part in PARTS) > PRICES_AT_MOST


REACTIONS: dict[str, Reaction] = {
    "ChangeTransactionTariff": change_transaction_tariff,
    "ClearTariffs": clear_tariffs,
    "GetTariffs": get_tariffs,
    "SetDefaultTariff": set_default_tariff,
}
