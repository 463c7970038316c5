"""What tests of charging profiles share: a station that answers, and short words for both sides."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from cpo.lib import clock
from stations.models import (
    ChargingStation,
    Command,
    InstalledProfile,
    ProfileTemplate,
    Variable,
)
from stations.services import (
    commands,
    smart_charging,
)

SIXTEEN = Decimal(16)
SET, CLEAR, ASK = "SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule"


@contextmanager
def refused(kind: type[Exception], match: str | None = None) -> Iterator[None]:
    """Expect the error, whose transaction is undone as a request's is."""
    with pytest.raises(kind, match=match), transaction.atomic():
        yield


def now_s() -> str:
    return clock.now().replace(microsecond=0).isoformat()


def told(station: ChargingStation, **keys: str) -> None:
    now = clock.now()
    for name, value in keys.items():
        Variable.objects.create(station=station, name=name, value=value, reported_at=now)


def claimed(station: ChargingStation, action: str = SET) -> Command:
    """Take the command that waits, as the station's socket would; questions that nobody asked stay behind."""
    command = commands.claim(station.pk, epoch=station.epoch)
    assert command is not None
    assert command.action == action
    return command


def answer(
    station: ChargingStation, status: str = "Accepted", *, action: str = SET, **members: Any
) -> Command:
    command = claimed(station, action)
    commands.answered(command.uid, station_id=station.pk, result={"status": status, **members})
    return command


def schedule_of(command: Command) -> dict[str, Any]:
    found: dict[str, Any] = command.payload["csChargingProfiles"]["chargingSchedule"]
    return found


def limits(command: Command) -> list[Any]:
    return [period["limit"] for period in schedule_of(command)["chargingSchedulePeriod"]]


def state(row: InstalledProfile) -> str:
    row.refresh_from_db()
    return str(row.state)


def evening(station: ChargingStation, **fields: Any) -> ProfileTemplate:
    """Make a template that halves the current from 17:00 to 21:00 by the site's clock."""
    periods = [
        {"start_s": 0, "limit": "32"},
        {"start_s": 61_200, "limit": "16"},
        {"start_s": 75_600, "limit": "32"},
    ]
    operator = station.location and station.location.operator
    values = {
        "operator": operator, "name": "Evening", "kind": "Recurring", "recurrency": "Daily",
        "periods": periods, "created_at": clock.now(), "last_updated": clock.now(),
    }  # fmt: skip
    return ProfileTemplate.objects.create(**values | fields)


def installed(station: ChargingStation, **words: Any) -> InstalledProfile:
    row = smart_charging.default_limit(station, **{"amps": SIXTEEN} | words)
    answer(station)
    Command.objects.filter(status="queued").delete()  # the verification
    return row
