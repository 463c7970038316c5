"""Tariffs that lie on stations: installed, reported, cleared, changed in a transaction (OCPP 2.1 I07 to I11).

Documents are TariffTypes, which billing writes: this module knows only their id and what the station said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from cpo.lib import clock, events
from stations.events import EnergyServicesChanged
from stations.models import ChargingSession, ChargingStation, Command, SessionCost, StationTariff
from stations.services import requests
from stations.services.errors import NotOpen

State, Kind = StationTariff.State, StationTariff.Kind


class Installed(NamedTuple):
    """A tariff and the command that carries it to the station."""

    tariff: StationTariff
    command: Command


@dataclass(frozen=True, slots=True)
class Lying:
    """A tariff as the station reports it, with the EVSEs that have it."""

    tariff_id: str
    kind: str
    evse_numbers: tuple[int, ...] = ()
    valid_from: datetime | None = None


@transaction.atomic(savepoint=False)
def install(
    station: ChargingStation,
    document: dict[str, Any],
    *,
    evse_number: int = 0,
    valid_from: datetime | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = True,
) -> Installed:
    """Give an EVSE (0: each of the station) its default tariff (I07); the station's answer changes the row."""
    row, _ = StationTariff.objects.update_or_create(
        station=station, evse_number=evse_number, tariff_id=document["tariffId"], kind=Kind.DEFAULT,
        defaults={
            "document": document, "state": State.WANTED, "reason": "", "valid_from": valid_from,
            "requested_by": requested_by[:100], "changed_at": clock.now(),
        },
    )  # fmt: skip
    command = requests.queue(
        station, "default_tariff", facts={"evse_number": evse_number, "document": document},
        requested_by=requested_by, user=user, queue_offline=queue_offline, subject=f"tariff:{row.pk}",
    )  # fmt: skip
    return Installed(row, command)


@transaction.atomic(savepoint=False)
def install_answered(
    station: ChargingStation, tariff_id: str, evse_number: int, *, state: str, reason: str = ""
) -> None:
    """Take the station's word. A tariff without a date takes the place of those before it there (I07.FR.22)."""
    row, _ = StationTariff.objects.update_or_create(
        station=station, evse_number=evse_number, tariff_id=tariff_id, kind=Kind.DEFAULT,
        defaults={"state": state, "reason": reason[:64], "changed_at": clock.now()},
    )  # fmt: skip
    if state == State.ACCEPTED and row.valid_from is None:
        others = StationTariff.objects.filter(station=station, kind=Kind.DEFAULT, state=State.ACCEPTED)
        if evse_number:
            others = others.filter(evse_number=evse_number)
        others.exclude(pk=row.pk).update(state=State.CLEARED, reason="replaced", changed_at=clock.now())
    _publish(station)


@transaction.atomic(savepoint=False)
def read(
    station: ChargingStation, *, evse_number: int = 0, requested_by: str = "", user: Any = None
) -> Command:
    """Ask which tariffs lie on the station, or on an EVSE (I09)."""
    return requests.queue(
        station, "read_tariffs", facts={"evse_number": evse_number}, requested_by=requested_by, user=user,
        subject="tariffs",
    )  # fmt: skip


@transaction.atomic(savepoint=False)
def reported(station: ChargingStation, evse_number: int, found: Sequence[Lying]) -> None:
    """Take what lies there; what was not named is gone (I09.FR.01 to I09.FR.07)."""
    now, seen = clock.now(), []
    every = set(station.evses.filter(is_removed=False).values_list("number", flat=True))
    for one in found:
        rows = StationTariff.objects.filter(station=station, tariff_id=one.tariff_id, kind=one.kind)
        is_everywhere = not one.evse_numbers or every <= set(one.evse_numbers)
        numbers = (0,) if is_everywhere and rows.filter(evse_number=0).exists() else one.evse_numbers or (0,)
        for number in numbers:
            row, _ = StationTariff.objects.update_or_create(
                station=station, evse_number=number, tariff_id=one.tariff_id, kind=one.kind,
                defaults={"state": State.ACCEPTED, "reason": "", "reported_at": now},
                create_defaults={
                    "state": State.ACCEPTED, "reported_at": now, "changed_at": now, "valid_from": one.valid_from,
                },
            )  # fmt: skip
            seen.append(row.pk)
    gone = StationTariff.objects.filter(station=station, state__in=[State.ACCEPTED, State.UNKNOWN])
    if evse_number:
        gone = gone.filter(evse_number=evse_number)
    gone.exclude(pk__in=seen).update(state=State.CLEARED, reason="not there", changed_at=now)
    _publish(station)


@transaction.atomic(savepoint=False)
def clear(
    station: ChargingStation,
    *,
    tariff_ids: Sequence[str] = (),
    evse_number: int = 0,
    requested_by: str = "",
    user: Any = None,
) -> Command:
    """Take tariffs away: these, those of an EVSE, or all (I10)."""
    facts = {"tariff_ids": list(tariff_ids), "evse_number": evse_number}
    return requests.queue(
        station, "clear_tariffs", facts=facts, requested_by=requested_by, user=user, subject="tariffs"
    )


@transaction.atomic(savepoint=False)
def cleared(
    station: ChargingStation, *, tariff_ids: Sequence[str] = (), evse_number: int = 0, is_empty: bool = False
) -> None:
    """Note that these tariffs are gone; `is_empty`: the station has none that the request was about (I10.FR.06)."""
    rows = StationTariff.objects.filter(station=station).exclude(state=State.CLEARED)
    if tariff_ids or not is_empty:
        rows = rows.filter(tariff_id__in=list(tariff_ids))
    if evse_number:
        rows = rows.filter(evse_number=evse_number)
    rows.update(state=State.CLEARED, reason="", changed_at=clock.now())
    _publish(station)


@transaction.atomic(savepoint=False)
def change(
    session: ChargingSession, document: dict[str, Any], *, requested_by: str = "", user: Any = None
) -> Command:
    """Let a running session's station go on with another tariff (I11); raise `NotOpen` when the session is over."""
    if session.status == ChargingSession.Status.ENDED:
        raise NotOpen("the session has already ended")
    facts = {"transaction_id": session.transaction_id, "document": document}
    return requests.queue(
        session.station, "change_tariff", facts=facts, requested_by=requested_by, user=user,
        subject=f"session:{session.pk}",
    )  # fmt: skip


@transaction.atomic(savepoint=False)
def change_answered(station: ChargingStation, transaction_id: str, tariff_id: str, *, word: str) -> None:
    """Keep what the station said to a change of tariff (ChangeTransactionTariffResponse)."""
    session = ChargingSession.objects.filter(station=station, transaction_id=transaction_id).first()
    if session is None:
        return
    SessionCost.objects.update_or_create(
        session=session,
        defaults={"changed_to": tariff_id, "change_answer": word[:64], "changed_at": clock.now()},
    )
    _publish(station)


def _publish(station: ChargingStation) -> None:
    events.publish(EnergyServicesChanged(station.pk))
