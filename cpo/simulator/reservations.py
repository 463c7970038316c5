"""Reservations as a station keeps them (OCPP 1.6 sections 3.11, 5.1 and 5.13). Expiry runs on the wall's clock."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cpo.simulator.answers import Answer, Payload

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger

ANY = 0  # connector 0: one of all stays free for the driver


@dataclass
class Held:
    """One reservation; on connector 0 it marks none."""

    id: int
    connector: int
    id_tag: str
    parent_id_tag: str
    expires_at: datetime


async def reserve_now(charger: "Charger", payload: Payload) -> Answer:
    """Hold a connector, or one of all, if nothing speaks against it (5.13)."""
    held = Held(
        payload["reservationId"],
        payload["connectorId"],
        payload["idTag"],
        payload.get("parentIdTag", ""),
        datetime.fromisoformat(payload["expiryDate"].replace("Z", "+00:00")),
    )
    word = _objection(charger, held)
    if word:
        return Answer({"status": word})
    former = charger.reservations.get(held.id)
    charger.reservations[held.id] = held
    return Answer({"status": "Accepted"}, then=lambda: _hold(charger, held, former))


async def cancel_reservation(charger: "Charger", payload: Payload) -> Answer:
    """Let it go if it is here (5.1)."""
    held = charger.reservations.pop(payload["reservationId"], None)
    if held is None:
        return Answer({"status": "Rejected"})
    return Answer({"status": "Accepted"}, then=lambda: release(charger, held))


def fits(charger: "Charger", held: Held, id_tag: str) -> bool:
    """Whether this token, or its group, is the one for whom it is held."""
    if held.id_tag.upper() == id_tag.upper():
        return True
    return bool(held.parent_id_tag) and charger.groups.get(id_tag) == held.parent_id_tag


def admits(charger: "Charger", connector: int, id_tag: str | None) -> bool:
    """Whether reservations let this token charge there."""
    others = [h for h in charger.reservations.values() if id_tag is None or not fits(charger, h, id_tag)]
    if any(held.connector == connector for held in others):
        return False
    free = [n for n in charger.outlets if n != connector and charger.is_idle(n)]
    return len(free) >= sum(held.connector == ANY for held in others)


def taken_by(charger: "Charger", connector: int, id_tag: str) -> Held | None:
    """Give the reservation that ends with this transaction; the station forgets it."""
    for held in list(charger.reservations.values()):
        if held.connector in (connector, ANY) and fits(charger, held, id_tag):
            return charger.reservations.pop(held.id)
    return None


def drop(charger: "Charger", connector: int) -> None:
    """Forget what is held on a connector that is faulted or out of service (5.13)."""
    for held in list(charger.reservations.values()):
        if held.connector == connector:
            del charger.reservations[held.id]


async def release(charger: "Charger", held: Held) -> None:
    """Make the connector available again and say so."""
    outlet = charger.outlets.get(held.connector)
    if outlet is not None and outlet.status == "Reserved":
        await charger.set_status(held.connector, "Available")


def _objection(charger: "Charger", held: Held) -> str:
    """Give the status word of a refusal; empty when there is none (7.40)."""
    if held.id in charger.reservations:
        return ""
    if held.connector == ANY:
        if charger.configuration["ReserveConnectorZeroSupported"].value != "true":
            return "Rejected"
        idle = sum(charger.is_idle(number) for number in charger.outlets)
        return "" if idle > sum(h.connector == ANY for h in charger.reservations.values()) else "Occupied"
    outlet = charger.outlets.get(held.connector)
    if outlet is None:
        return "Rejected"
    if outlet.status == "Faulted":
        return "Faulted"
    if not outlet.operative:
        return "Unavailable"
    return "" if charger.is_idle(held.connector) else "Occupied"


async def _hold(charger: "Charger", held: Held, former: Held | None) -> None:
    if former is not None and former.connector != held.connector:
        await release(charger, former)
    if held.connector != ANY:
        await charger.set_status(held.connector, "Reserved")
    await asyncio.sleep(max((held.expires_at - datetime.now(UTC)).total_seconds(), 0))
    if charger.reservations.get(held.id) is held:
        del charger.reservations[held.id]
        await release(charger, held)
        await charger.reservation_over(held)
