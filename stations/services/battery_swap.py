"""Battery swaps: asked for by us or begun at the station, what came in and what went out (OCPP 2.1 block S)."""

from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Max

from cpo.lib import clock, events
from stations.events import EnergyServicesChanged
from stations.models import BatterySwap, ChargingStation, Command
from stations.services import authorization, requests, review
from stations.services.errors import InvalidPayload

State = BatterySwap.State
BEFORE_IN = (State.REQUESTED, State.ACCEPTED, State.UNKNOWN, State.REFUSED)
Batteries = list[dict[str, Any]]  # serial_number, slot, charge_percent, health_percent


class Asked(NamedTuple):
    """A swap and the command that asks for it."""

    swap: BatterySwap
    command: Command


@transaction.atomic(savepoint=False)
def request(
    station: ChargingStation,
    *,
    id_token: str,
    id_token_type: str = "Central",  # noqa: S107 - a type of token
    requested_by: str = "",
    user: Any = None,
) -> Asked:
    """Ask the station to let this driver swap (S02). Raise `InvalidPayload` for a token that may not (S02.FR.03)."""
    decision = authorization.authorize(id_token, station=station, type=id_token_type)
    if decision.status != "Accepted":
        raise InvalidPayload("id_token", f"may not swap here: {decision.status}")
    ChargingStation.objects.select_for_update().get(pk=station.pk)  # two requests never get one number
    highest = BatterySwap.objects.filter(station=station).aggregate(highest=Max("request_id"))["highest"]
    swap = BatterySwap.objects.create(
        station=station, request_id=max(highest or 0, 0) + 1, id_token=id_token, token=decision.token,
        state=State.REQUESTED, requested_by=requested_by[:100], created_at=clock.now(),
    )  # fmt: skip
    facts = {"request_id": swap.request_id, "id_token": id_token, "id_token_type": id_token_type}
    command = requests.queue(
        station, "battery_swap", facts=facts, requested_by=requested_by, user=user, subject=f"swap:{swap.pk}"
    )
    return Asked(swap, command)


@transaction.atomic(savepoint=False)
def answered(station: ChargingStation, request_id: int, *, state: str, reason: str = "") -> None:
    """Take the station's word; batteries that came in since say more."""
    swap = _newest(station, request_id)
    if swap is None or swap.state not in (State.REQUESTED, State.UNKNOWN):
        return
    swap.state, swap.reason = state, reason[:255]
    swap.save(update_fields=["state", "reason"])
    _publish(station)


@transaction.atomic(savepoint=False)
def inserted(
    station: ChargingStation, request_id: int, *, id_token: str, id_token_type: str, batteries: Batteries
) -> BatterySwap:
    """Note the driver's batteries (S03.FR.01). A repeated message changes nothing; who may not swap is told."""
    swap = _newest(station, request_id)
    if swap is not None and _serials(swap.batteries_in) == _serials(batteries):
        return swap
    if swap is None or swap.state not in BEFORE_IN or swap.batteries_in:
        swap = _begin(station, request_id, id_token, id_token_type)
    swap.batteries_in, swap.in_at, swap.state = batteries, clock.now(), State.INSERTED
    swap.save()
    _publish(station)
    return swap


@transaction.atomic(savepoint=False)
def taken(
    station: ChargingStation, request_id: int, *, id_token: str, id_token_type: str, batteries: Batteries
) -> BatterySwap:
    """Note the charged batteries that were taken; what came in may not have been told yet."""
    return _end(station, request_id, State.DONE, id_token, id_token_type, batteries)


@transaction.atomic(savepoint=False)
def not_taken(
    station: ChargingStation, request_id: int, *, id_token: str, id_token_type: str, batteries: Batteries
) -> BatterySwap:
    """Note that nobody took the charged batteries in time: the driver left without, somebody must look."""
    swap = _end(station, request_id, State.NOT_TAKEN, id_token, id_token_type, batteries)
    review.raise_item(
        "station_alert",
        key=f"swap:{swap.pk}",
        summary=f"{station.identity}: {swap.id_token} left batteries and took none",
        station=station,
        facts={"request": swap.request_id, "in": sorted(_serials(swap.batteries_in))},
    )
    return swap


def _end(
    station: ChargingStation,
    request_id: int,
    state: str,
    id_token: str,
    id_token_type: str,
    batteries: Batteries,
) -> BatterySwap:
    swap = _newest(station, request_id)
    is_over = swap is not None and swap.state in (State.DONE, State.NOT_TAKEN)
    if swap is not None and is_over and _serials(swap.batteries_out) == _serials(batteries):
        return swap
    if swap is None or is_over:
        swap = _begin(station, request_id, id_token, id_token_type)
    swap.batteries_out, swap.out_at, swap.state = batteries, clock.now(), state
    swap.save()
    _publish(station)
    return swap


def _begin(station: ChargingStation, request_id: int, id_token: str, id_token_type: str) -> BatterySwap:
    decision = authorization.authorize(id_token, station=station, type=id_token_type)
    swap = BatterySwap.objects.create(
        station=station, request_id=request_id, id_token=id_token, token=decision.token, state=State.ACCEPTED,
        reason="" if decision.status == "Accepted" else f"token: {decision.status}", created_at=clock.now(),
    )  # fmt: skip
    if decision.status != "Accepted":
        review.raise_item(
            "unauthorised_energy",
            key=f"swap_token:{swap.pk}",
            summary=f"{station.identity}: batteries swapped with {id_token}, which may not",
            station=station,
            facts={"request": request_id, "status": decision.status},
        )
    return swap


def _newest(station: ChargingStation, request_id: int) -> BatterySwap | None:
    rows = BatterySwap.objects.select_for_update().filter(station=station, request_id=request_id)
    return rows.order_by("-id").first()


def _serials(batteries: Batteries) -> set[str]:
    return {str(battery["serial_number"]) for battery in batteries}


def _publish(station: ChargingStation) -> None:
    events.publish(EnergyServicesChanged(station.pk))
