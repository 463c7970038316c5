"""Ada's 2.x station with real keys, as stories about certificates play it."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from cpo.lib import clock
from stations.models import ChargingStation, Command, ReviewItem, StationCertificate
from stations.services import certificate_signing, commands
from tests import pki
from tests.charger_v2 import Charger
from tests.processes import Server
from tests.stories.story import PASSWORD, eventually, rows

VERSIONS = ("2.0.1", "2.1")
Row = TypeVar("Row", bound=Model)


def at_adas(server: Server, version: str = "2.0.1", **habits: Any) -> Charger:
    """Give Ada's station, which knows whose it is; `habits` are those of its key store."""
    station = Charger(f"{server.ws}/ocpp", "ADA-1", PASSWORD, version=version)
    station.model_of["SecurityCtrlr", 0, "OrganizationName"].value = pki.OPERATOR
    for name, value in habits.items():
        setattr(station.vault, name, value)
    return station


async def asked(ask: Callable[[ChargingStation], Any]) -> Any:
    """Ask something of Ada's station through a service."""
    return await rows(lambda: ask(ChargingStation.objects.get(identity="ADA-1")))


async def answered(ask: Callable[[ChargingStation], Command]) -> Command:
    """The same, and wait for the station's answer."""
    return await rows(lambda: commands.wait(ask(ChargingStation.objects.get(identity="ADA-1")), timeout_s=5))


async def first(found: QuerySet[Row]) -> Row:
    """Wait until there is a row, and return it."""
    row = await eventually(found.first)
    assert row is not None
    return row


async def certificate(*states: str) -> StationCertificate:
    """Wait for a certificate in one of these states."""
    return await first(StationCertificate.objects.filter(state__in=states).order_by("-id"))


async def review(kind: str = "certificate_wanted") -> ReviewItem:
    """Wait for what an operator is told."""
    return await first(ReviewItem.objects.filter(kind=kind))


def make_due() -> None:
    """Let the time pass until the next try, and be the sweep."""
    StationCertificate.objects.exclude(next_try_at=None).update(next_try_at=clock.now())
    certificate_signing.work(certificate_signing.due())
