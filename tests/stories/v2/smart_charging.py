"""What stories about smart charging of 2.x say: profiles of ours, reports, limits and needs of vehicles."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db.models import F

from cpo.lib import clock
from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    Purpose,
    RateUnit,
)
from stations.models import ChargingSession, ChargingStation, InstalledProfile, ProfileReport
from stations.services import profile_reports, smart_charging
from stations.services.profile_reports import Scope
from tests.processes import Server
from tests.stories.raw import RawSocket
from tests.stories.story import eventually, rows
from tests.stories.v2.device import accept, reply
from tests.stories.v2.station import EVSE, TOKEN, event, station

NUMBERS = count(1)
STARTED = "2026-11-20T00:00:00Z"
EIGHT, SIX = Decimal(8), Decimal(6)
LIMIT = {"chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True}}


def ada() -> ChargingStation:
    return ChargingStation.objects.get(identity="ADA-1")


def profile(**changes: Any) -> ChargingProfile:
    """Give a default profile of EVSE 1 with 8 A, as the test cases describe it."""
    now = clock.now().replace(microsecond=0)
    period = changes.pop("period", ChargingSchedulePeriod(0, EIGHT, number_phases=3))
    schedule = ChargingSchedule(RateUnit.A, (period,), start_schedule=now, duration_s=300)
    fields = {
        "id": 0, "stack_level": 0, "purpose": Purpose.TX_DEFAULT, "kind": Kind.ABSOLUTE, "schedules": (schedule,),
        "evse": 1, "valid_from": now, "valid_to": now + timedelta(minutes=5),
    }  # fmt: skip
    return ChargingProfile(**fields | changes)


async def installed(made: ChargingProfile, **options: Any) -> InstalledProfile:
    return await rows(lambda: smart_charging.install(ada(), profile=made, **options))


async def reaches(row: InstalledProfile, state: str) -> InstalledProfile:
    found = await eventually(lambda: InstalledProfile.objects.filter(pk=row.pk, state=state).first())
    assert found is not None
    return found


async def taken(socket: RawSocket, status: str = "Accepted") -> dict[str, Any]:
    """Answer the next SetChargingProfile; a question about the schedule that comes before it is refused."""
    request = await socket.read()
    while request[2] == "GetCompositeSchedule":
        await reply(socket, request, {"status": "Rejected"})
        request = await socket.read()
    assert request[2] == "SetChargingProfile", request
    await reply(socket, request, {"status": status})
    told: dict[str, Any] = request[3]
    return told


@asynccontextmanager
async def charging(server: Server, version: str) -> AsyncIterator[RawSocket]:
    """Open a station at whose EVSE 1 Bo charges."""
    async with station(server, version) as socket:
        began = event("Started", 0, register_wh=1000, idToken=TOKEN, evse=EVSE, triggerReason="Authorized")
        await socket.call("TransactionEvent", began)
        await eventually(lambda: ChargingSession.objects.active().exists())
        yield socket


def reported(number: int, **changes: Any) -> dict[str, Any]:
    """Give a ChargingProfileType as a station tells it."""
    period = {"startPeriod": 0, "limit": 10}
    schedule = {
        "id": 1,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [period],
        "startSchedule": STARTED,
    }
    return {
        "id": number, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    } | changes  # fmt: skip


async def told(socket: RawSocket, request_id: int, *profiles: dict[str, Any], **fields: Any) -> None:
    part = {"requestId": request_id, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": profiles}
    assert (await socket.call("ReportChargingProfiles", part | fields))[2] == {}


async def report(
    socket: RawSocket, scope: Scope, status: str = "Accepted"
) -> tuple[ProfileReport, dict[str, Any]]:
    """Ask for a report that the station accepts; give its row and what was sent."""
    row = await rows(lambda: profile_reports.ask(ada(), scope=scope))
    request = await accept(socket, "GetChargingProfiles", status=status)
    await eventually(lambda: ProfileReport.objects.exclude(state="asked").filter(pk=row.pk).exists())
    return row, request


def needs(hours: float = 2, **fields: Any) -> dict[str, Any]:
    """Give the needs of a car that wants 4.6 kWh on one phase within some hours."""
    ac = {"energyAmount": 4600, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 230}
    departure = (datetime.now(UTC) + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    wanted = {"requestedEnergyTransfer": "AC_single_phase", "departureTime": departure}
    return {
        "evseId": 1,
        "maxScheduleTuples": 3,
        "chargingNeeds": wanted | {"acChargingParameters": ac},
    } | fields


async def needed(socket: RawSocket, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Tell needs; give the answer and the profile that follows, whichever is there first."""
    await socket.send(json.dumps([2, f"needs-{next(NUMBERS)}", "NotifyEVChargingNeeds", payload]))
    frames = sorted([await socket.read(), await socket.read()], key=lambda frame: -int(frame[0]))
    answer, request = frames
    assert (answer[0], request[2]) == (3, "SetChargingProfile")
    await reply(socket, request, {"status": "Accepted"})
    profile_id = request[3]["chargingProfile"]["id"]
    lies = InstalledProfile.objects.filter(
        profile_id=profile_id, installed_at__gte=F("sent_at"), state="installed"
    )
    await eventually(lies.exists)
    return answer[2]["status"], request[3]


def planned(limit: float) -> dict[str, Any]:
    """Give the schedule that a car chose, with one limit in A."""
    period = {"startPeriod": 0, "limit": limit, "numberPhases": 1}
    return {
        "timeBase": datetime.now(UTC).isoformat(), "evseId": 1,
        "chargingSchedule": {"id": 1, "chargingRateUnit": "A", "duration": 600, "chargingSchedulePeriod": [period]},
    }  # fmt: skip
