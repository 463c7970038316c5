"""The simulated 2.1 station against the real server: DER controls, dynamic schedules, priority, held connectors."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from cpo.simulator.v2 import grid, translation
from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
)
from stations.models import (
    ChargingSession,
    ChargingStation,
    DERAlarm,
    DERControl,
    GridSignal,
    InstalledProfile,
    PriorityCharging,
)
from stations.services import der_control, der_reports, dynamic_charging, smart_charging, v2x
from tests.charger_v2 import Charger
from tests.processes import Server
from tests.stories.story import PASSWORD, eventually, rows
from tests.stories.v2.smart_charging import reaches

TOKEN = {"idToken": "BO-1", "type": "ISO14443"}
VAR = {"setpoint": 20, "unit": "PctMaxVar"}
Make = Callable[[], Charger]


@pytest.fixture
def charger(server: Server, ada: ChargingStation) -> Make:
    return lambda: Charger(f"{server.ws}/ocpp", "ADA-1", PASSWORD, version="2.1", connectors=2)


def ada() -> ChargingStation:
    return ChargingStation.objects.get(identity="ADA-1")


async def control(priority: int, **fields: Any) -> DERControl:
    facts = {"type": "FixedVar", "is_default": True, "priority": priority, "settings": VAR} | fields
    made = await rows(lambda: der_control.put(ada(), **facts))
    found: DERControl = made.control
    return found


async def control_is(row: DERControl, state: str) -> None:
    assert await eventually(lambda: DERControl.objects.filter(pk=row.pk, state=state).exists())


async def test_of_two_controls_the_one_with_the_lower_priority_is_followed_and_reported(
    charger: Make,
) -> None:
    async with charger() as station:
        await station.come_up()
        weak = await control(3)
        await control_is(weak, "accepted")
        strong = await control(1)
        await control_is(strong, "accepted")
        await control_is(weak, "superseded")
        await rows(lambda: der_reports.ask(ada()))
        await eventually(lambda: DERControl.objects.filter(pk=strong.pk, reported_at__isnull=False).exists())
        await rows(lambda: der_control.clear(ada(), is_default=True))
        await control_is(strong, "cleared")

    assert (station.grid.controls, station.failures) == ({}, [])


async def test_a_scheduled_control_begins_and_ends(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        made = await control(1, is_default=False, starts_at=clock.now(), duration_s=Decimal(900))
        await control_is(made, "ended")

    assert [told["started"] for told in station.calls("NotifyDERStartStop")] == [True, False]


async def test_a_deviation_is_an_alarm_until_it_ends(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await grid.deviate(station, "VoltWatt", "OverVoltage")
        await grid.deviate(station, "VoltWatt", "OverVoltage", ended=True)

    assert (await rows(DERAlarm.objects.get)).ended_at is not None


def dynamic(**fields: Any) -> ChargingProfile:
    period = ChargingSchedulePeriod(
        0, limit=Decimal(9000), setpoint=Decimal(5000), operation_mode=OperationMode.CENTRAL_SETPOINT
    )
    return ChargingProfile(
        id=0, stack_level=0, purpose=Purpose.TX_DEFAULT, kind=Kind.DYNAMIC,
        schedules=(ChargingSchedule(RateUnit.W, (period,)),), evse=1, **fields,
    )  # fmt: skip


async def test_a_dynamic_schedule_follows_its_updates(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        row = await rows(lambda: smart_charging.install(ada(), profile=dynamic(), may_fall_back=False))
        await reaches(row, "installed")
        before = station.outlets[1].limit_w
        await rows(lambda: dynamic_charging.update(row, values={"limit": Decimal(6000)}))
        await eventually(lambda: station.outlets[1].limit_w == 6000 or None)

    assert before == 9000


async def test_a_dynamic_schedule_asks_for_its_values(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        made = dynamic(dyn_update_interval_s=60)
        row = await rows(lambda: smart_charging.install(ada(), profile=made, may_fall_back=False))
        await reaches(row, "installed")
        assert await eventually(lambda: station.calls("PullDynamicScheduleUpdate") or None)
        await rows(lambda: smart_charging.clear(InstalledProfile.objects.get(pk=row.pk)))
        await reaches(row, "cleared")

    assert station.failures == []


async def test_priority_lifts_the_limit_of_a_session(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await station.plug(1)
        await station.start(TOKEN)
        session = await eventually(lambda: ChargingSession.objects.select_related("station", "evse").first())
        limited = await rows(lambda: smart_charging.limit_session(session, watts=Decimal(5000)))
        await reaches(limited, "installed")
        await rows(lambda: dynamic_charging.use_priority(session, activate=True))
        await eventually(lambda: PriorityCharging.objects.filter(answer="NoProfile").exists())
        schedule = ChargingSchedule(
            RateUnit.W, (ChargingSchedulePeriod(0, limit=Decimal(10000)),), start_schedule=station.clock.now()
        )
        made = ChargingProfile(
            id=0, stack_level=0, purpose=Purpose.PRIORITY_CHARGING, kind=Kind.ABSOLUTE, schedules=(schedule,)
        )
        row = await rows(lambda: smart_charging.install(ada(), profile=made, may_fall_back=False))
        await reaches(row, "installed")
        await rows(lambda: dynamic_charging.use_priority(session, activate=True))
        assert await eventually(lambda: PriorityCharging.objects.filter(is_active=True).exists())

    assert station.outlets[1].limit_w == 10000


@pytest.mark.parametrize(("charges", "state"), [(True, "accepted"), (False, "refused")])
async def test_a_grid_signal_counts_for_who_charges(charger: Make, charges: bool, state: str) -> None:
    async with charger() as station:
        await station.come_up()
        if charges:
            await station.plug(1)
            await station.start(TOKEN)
        await rows(lambda: v2x.signal(ada(), -3))
        assert await eventually(lambda: GridSignal.objects.filter(state=state).exists())


async def test_a_reservation_that_nobody_used_is_told_as_expired(charger: Make) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
    async with charger() as station:
        await station.come_up()
        answer = await translation.reserve_now(
            station, {"id": 5, "evseId": 1, "idToken": TOKEN, "expiryDateTime": soon}
        )
        assert answer.then is not None
        await asyncio.wait_for(answer.then(), 5)

    told = station.calls("ReservationStatusUpdate")
    assert told == [{"reservationId": 5, "reservationUpdateStatus": "Expired"}]
