"""Contract certificates for vehicles, fetched from a pool (OCPP 2.1 M01, M02).

The station passes a vehicle's EXI message on, the pool answers with another; nobody here can read either. A vehicle of
ISO 15118-20 may be given several contracts, one for each time that it asks.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from django.conf import settings
from django.core.cache import cache as remembered
from django.utils.module_loading import import_string

from stations import contract_ids
from stations.models import ChargingStation, ReviewItem
from stations.services import alerts
from stations.services.errors import StationsError

KEPT_S = 300  # seconds in which a vehicle asks for its further contracts; then the pool is asked afresh
MOST = 32  # contracts of one answer of a pool


class NoContract(StationsError):
    """There is no contract certificate for this vehicle; the text says why and may be shown."""


class PoolUnavailable(StationsError):
    """The pool cannot be asked, or its answer cannot be read."""


@dataclass(frozen=True, slots=True)
class ContractWish:
    """What a vehicle asks for. `most`: how many contracts it takes (ISO 15118-20), None for the one of ISO 15118-2."""

    action: str  # Install or Update
    schema_version: str  # such as urn:iso:15118:2:2013:MsgDef
    request: str  # EXI, Base64
    most: int | None = None
    emaids: tuple[str, ...] = ()  # the contracts that it wants first


@dataclass(frozen=True, slots=True)
class Offer:
    """One contract of a pool's answer."""

    response: str  # EXI, Base64
    emaid: str = ""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What the vehicle gets now, and how many further contracts it may ask for; None: it did not say that it can."""

    response: str
    remaining: int | None = None


class ContractPool(Protocol):
    """Where contract certificates for vehicles come from."""

    def exchange(self, wish: ContractWish) -> Sequence[Offer]:
        """Return what there is for the vehicle, nothing if there is none; raise `PoolUnavailable`."""
        ...


@cache
def _load(path: str) -> ContractPool:
    pool: ContractPool = import_string(path)()
    return pool


def exchange(station: ChargingStation, wish: ContractWish, *, longest: int) -> Exchanged:
    """Fetch the answer to a vehicle, of at most `longest` characters; raise `NoContract` (M01.FR.04, .07).

    What a pool fails at is told to an operator: a driver stands there and cannot charge.
    """
    if not settings.CONTRACT_CERTIFICATE_POOL:
        raise NoContract("no contract certificate pool is set up here")
    name = _name(station, wish)
    offers: list[str] | None = remembered.get(name) if wish.most is not None else None
    if offers is None:
        offers = _asked(station, wish)
    fitting = [offer for offer in offers if len(offer) <= longest]
    if not fitting:
        raise NoContract(f"the pool's answer is longer than {longest} characters")
    if wish.most is None:
        return Exchanged(fitting[0])
    first, *rest = fitting
    if rest:
        remembered.set(name, rest, KEPT_S)
    else:
        remembered.delete(name)
    return Exchanged(first, remaining=len(rest))


def _asked(station: ChargingStation, wish: ContractWish) -> list[str]:
    try:
        offers = list(_load(settings.CONTRACT_CERTIFICATE_POOL).exchange(wish))[:MOST]
    except PoolUnavailable as error:
        alerts.alert(
            ReviewItem.Kind.CERTIFICATE_WANTED,
            "contract-pool",
            summary=f"The contract certificate pool failed: {error}"[:255],
            station=station,
            facts={"action": wish.action, "schema": wish.schema_version, "problem": str(error)},
        )
        raise NoContract(str(error)) from error
    alerts.settle("contract-pool", why="the pool answers again")
    wanted = [contract_ids.plain(emaid) for emaid in wish.emaids]
    offers.sort(key=lambda offer: _place(contract_ids.plain(offer.emaid), wanted))
    found = [offer.response for offer in offers if _is_base64(offer.response)][: wish.most]
    if not found:
        raise NoContract("the pool has no contract for this vehicle")
    return found


def _place(emaid: str, wanted: list[str]) -> int:
    return wanted.index(emaid) if emaid in wanted else len(wanted)


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


def _name(station: ChargingStation, wish: ContractWish) -> str:
    """Name a vehicle's wish: the same message of the same station asks for the next contract."""
    text = "\0".join((str(station.pk), wish.action, wish.schema_version, wish.request, *wish.emaids))
    return f"contracts:{hashlib.sha256(text.encode()).hexdigest()}"
