"""SetDefaultTariff, GetTariffs, ClearTariffs and ChangeTransactionTariff (I07 to I11, 2.1)."""

from typing import Any

from django.utils.dateparse import parse_datetime

from stations.models import Command, StationTariff
from stations.ocpp.route import Payload
from stations.services import station_tariffs
from stations.services.station_tariffs import Lying

State = StationTariff.State


def write_default(*, evse_number: int, document: dict[str, Any]) -> tuple[str, Payload]:
    """Write SetDefaultTariff (I07)."""
    return "SetDefaultTariff", {"evseId": evse_number, "tariff": document}


def write_read(*, evse_number: int) -> tuple[str, Payload]:
    """Write GetTariffs (I09)."""
    return "GetTariffs", {"evseId": evse_number}


def write_clear(*, tariff_ids: list[str], evse_number: int) -> tuple[str, Payload]:
    """Write ClearTariffs; what is left out means all (I10)."""
    payload: Payload = {"tariffIds": tariff_ids} if tariff_ids else {}
    return "ClearTariffs", payload | ({"evseId": evse_number} if evse_number else {})


def write_change(*, transaction_id: str, document: dict[str, Any]) -> tuple[str, Payload]:
    """Write ChangeTransactionTariff (I11)."""
    return "ChangeTransactionTariff", {"transactionId": transaction_id, "tariff": document}


def set_default_tariff(command: Command, answer: Payload | None) -> None:
    """Take the station's word (TariffSetStatusEnumType)."""
    payload = command.payload
    if answer is not None:
        word = answer["status"]
        state = State.ACCEPTED if word == "Accepted" else State.REFUSED
    else:
        word = command.error_code or command.status
        was_unsent = command.status in (Command.Status.EXPIRED, Command.Status.CANCELLED)
        state = State.REFUSED if command.error_code or was_unsent else State.UNKNOWN
    station_tariffs.install_answered(
        command.station,
        payload["tariff"]["tariffId"],
        payload["evseId"],
        state=state,
        reason="" if state == State.ACCEPTED else word,
    )


def get_tariffs(command: Command, answer: Payload | None) -> None:
    """Take what lies on the station; NoTariff is an answer too (I09.FR.03)."""
    if answer is None or answer["status"] not in ("Accepted", "NoTariff"):
        return
    found = [
        Lying(
            tariff_id=str(one["tariffId"]),
            kind=str(one["tariffKind"]),
            evse_numbers=tuple(one.get("evseIds") or ()),
            valid_from=parse_datetime(one["validFrom"]) if one.get("validFrom") else None,
        )
        for one in answer.get("tariffAssignments") or []
    ]
    station_tariffs.reported(command.station, command.payload["evseId"], found)


def clear_tariffs(command: Command, answer: Payload | None) -> None:
    """Take which tariffs are gone: cleared now, or never there (I10.FR.01 to I10.FR.06)."""
    if answer is None:
        return
    asked, evse_number = command.payload.get("tariffIds") or [], command.payload.get("evseId") or 0
    results = answer["clearTariffsResult"]
    gone = [one["tariffId"] for one in results if one["status"] != "Rejected" and one.get("tariffId")]
    is_empty = any(one["status"] == "NoTariff" and not one.get("tariffId") for one in results)
    station_tariffs.cleared(
        command.station,
        tariff_ids=gone or (asked if is_empty else []),
        evse_number=evse_number,
        is_empty=is_empty,
    )


def change_transaction_tariff(command: Command, answer: Payload | None) -> None:
    """Keep the station's word to a change of tariff."""
    payload = command.payload
    station_tariffs.change_answered(
        command.station,
        payload["transactionId"],
        payload["tariff"]["tariffId"],
        word=answer["status"] if answer is not None else command.error_code or command.status,
    )
