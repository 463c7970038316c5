"""Use cases of block K over a real socket, beyond the test cases of part 6 (those are in test_tc_k.py)."""

from decimal import Decimal

import pytest

from stations.charging_profiles import (
    ChargingSchedule,
    ChargingSchedulePeriod,
    Criteria,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
)
from stations.models import ChargingSession, Evse, InstalledProfile, PriorityCharging, ProfileReport
from stations.services import capabilities, dynamic_charging, profile_upkeep, smart_charging
from stations.services.profile_reports import Scope
from tests.processes import Server
from tests.stories.raw import verdicts
from tests.stories.story import eventually, rows
from tests.stories.v2.device import accept, asked, reply
from tests.stories.v2.smart_charging import (
    EIGHT,
    SIX,
    ada,
    charging,
    installed,
    needed,
    needs,
    profile,
    reaches,
    report,
    reported,
    taken,
    told,
)
from tests.stories.v2.station import EVSE, TOKEN, event, station

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


@VERSIONS
async def test_k01_a_refused_unit_is_tried_in_the_other_one(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row = await installed(profile())
        await taken(socket, "Rejected")
        again = await taken(socket)
        await reaches(row, "installed")

    assert again["chargingProfile"]["chargingSchedule"][0]["chargingRateUnit"] == "W"


@VERSIONS
async def test_k01_an_unanswered_profile_stays_wished(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row = await installed(profile())
        request = await asked(socket, "SetChargingProfile")
        await reaches(row, "unknown")
        await reply(socket, request, {"status": "Accepted"})  # late
        await reaches(row, "installed")


async def test_k01_two_profiles_of_one_place_take_turns(server: Server) -> None:
    """K01.FR.06: the one that lies there is cleared before the other is sent, and comes back after it."""
    async with station(server, "2.1") as socket:
        kept = await rows(lambda: smart_charging.default_limit(ada(), evse_number=1, amps=EIGHT))
        await taken(socket)
        await reaches(kept, "installed")
        await accept(socket, "GetCompositeSchedule", status="Rejected")
        evse = await rows(lambda: Evse.objects.get(station=ada(), number=1))
        [passing] = await rows(lambda: smart_charging.set_limit(evse, amps=SIX, source="load balancer"))
        gone = await accept(socket, "ClearChargingProfile")
        await taken(socket)
        await reaches(passing, "installed")

    assert gone == {"chargingProfileId": kept.profile_id}
    assert (await reaches(kept, "displaced")).is_wanted


async def test_k10_clearing_needs_a_criterion_that_is_ours(server: Server) -> None:
    """K10.FR.02 and K10.FR.06: nothing of the kind is sent."""
    async with station(server) as socket:
        for criteria in (Criteria(), Criteria(purpose=Purpose.EXTERNAL_CONSTRAINTS)):
            with pytest.raises(Exception, match="chargingProfile"):
                await rows(lambda found=criteria: smart_charging.clear_matching(ada(), criteria=found))
        assert await socket.lives()


@VERSIONS
async def test_k09_a_report_in_parts_shows_what_we_did_not_put_there(server: Server, version: str) -> None:
    """ReportChargingProfiles in two parts, of two sources."""
    async with station(server, version) as socket:
        row, _ = await report(socket, Scope())
        await told(socket, row.request_id, reported(70), tbc=True)
        await told(socket, row.request_id, reported(-9), chargingLimitSource="EMS", evseId=0)

    found = await rows(lambda: list(InstalledProfile.objects.order_by("profile_id")))
    assert [(each.profile_id, each.source, each.evse_number) for each in found] == [
        (-9, "station:EMS", 0),
        (70, "station:CSO", 1),
    ]
    assert {each.state for each in found} == {"installed"}
    assert not await rows(profile_upkeep.sweep)  # it is not ours to clear


async def test_k09_what_the_station_has_lost_is_sent_again(server: Server) -> None:
    async with station(server) as socket:
        row = await installed(profile())
        await taken(socket)
        await reaches(row, "installed")
        await accept(socket, "GetCompositeSchedule", status="Rejected")
        asked_for, _ = await report(socket, Scope(), status="NoProfiles")
        await reaches(row, "wanted")
        await rows(profile_upkeep.sweep)
        await taken(socket)
        await reaches(row, "installed")

    assert (await rows(lambda: ProfileReport.objects.get(pk=asked_for.pk))).missing == [row.profile_id]


async def test_k09_a_report_that_nobody_asked_for_is_flagged(server: Server) -> None:
    async with station(server) as socket:
        await told(socket, 4711, reported(70))

    assert not await rows(InstalledProfile.objects.exists)
    assert "unasked_report" in str(await verdicts())


@VERSIONS
async def test_k15_needs_without_a_transaction_are_processed_when_it_begins(
    server: Server, version: str
) -> None:
    async with station(server, version) as socket:
        answer = await socket.call("NotifyEVChargingNeeds", needs())
        began = event("Started", 0, register_wh=1000, idToken=TOKEN, evse=EVSE, triggerReason="Authorized")
        await socket.call("TransactionEvent", began)
        await eventually(lambda: ChargingSession.objects.active().exists())
        await rows(profile_upkeep.sweep)
        sent = await taken(socket)

    assert answer[2] == {"status": "Processing"}
    assert sent["chargingProfile"]["transactionId"] == "tx-1"


async def test_k18_needs_of_iso_15118_20_are_powers(server: Server) -> None:
    v2x = {"maxChargePower": 9000, "minChargePower": 1000, "evTargetEnergyRequest": 40000}
    wanted = {
        "requestedEnergyTransfer": "DC_BPT",
        "controlMode": "DynamicControl",
        "v2xChargingParameters": v2x,
    }
    async with charging(server, "2.1") as socket:
        answer, sent = await needed(socket, {"evseId": 1, "chargingNeeds": wanted})

    [schedule] = sent["chargingProfile"]["chargingSchedule"]
    assert answer == "Accepted"
    assert (schedule["chargingRateUnit"], len(schedule["chargingSchedulePeriod"])) == ("W", 1)


async def test_k18_what_cannot_be_planned_does_not_end_the_transaction(server: Server) -> None:
    """K18.FR.04: Rejected would."""
    wanted = {"requestedEnergyTransfer": "AC_three_phase", "controlMode": "ScheduledControl"}
    async with charging(server, "2.1") as socket:
        await rows(lambda: capabilities.learn(ada(), "no_smart_charging", reason="a test"))
        answer = await socket.call("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": wanted})

    assert answer[2] == {"status": "NoChargingProfile"}


async def test_k21_priority_charging_is_asked_for_and_told(server: Server) -> None:
    async with charging(server, "2.1") as socket:
        session = await rows(ChargingSession.objects.get)
        await rows(lambda: dynamic_charging.use_priority(session, activate=True))
        request = await accept(socket, "UsePriorityCharging")
        await eventually(lambda: PriorityCharging.objects.filter(answer="Accepted").exists())
        answer = await socket.call("NotifyPriorityCharging", {"transactionId": "tx-1", "activated": True})

    assert (request, answer[2]) == ({"transactionId": "tx-1", "activate": True}, {})
    assert (await rows(PriorityCharging.objects.get)).is_active


async def test_k28_a_dynamic_profile_is_updated_and_pulled(server: Server) -> None:
    period = ChargingSchedulePeriod(
        0, limit=EIGHT, discharge_limit=-EIGHT, setpoint=SIX, operation_mode=OperationMode.CENTRAL_SETPOINT
    )
    made = profile(
        kind=Kind.DYNAMIC, schedules=(ChargingSchedule(RateUnit.A, (period,)),), dyn_update_interval_s=30
    )
    async with station(server, "2.1") as socket:
        row = await installed(made, may_fall_back=False)
        sent = await taken(socket)
        await reaches(row, "installed")
        await accept(socket, "GetCompositeSchedule", status="Rejected")
        await rows(lambda: dynamic_charging.update(row, values={"setpoint": -SIX}))
        request = await accept(socket, "UpdateDynamicSchedule")
        pulled = await socket.call("PullDynamicScheduleUpdate", {"chargingProfileId": row.profile_id})
        unknown = await socket.call("PullDynamicScheduleUpdate", {"chargingProfileId": 4711})

    assert sent["chargingProfile"]["chargingProfileKind"] == "Dynamic"
    assert request == {"chargingProfileId": row.profile_id, "scheduleUpdate": {"setpoint": -6}}
    assert pulled[2]["scheduleUpdate"] == {"limit": 8, "dischargeLimit": -8, "setpoint": -6}
    assert unknown[2]["status"] == "Rejected"


async def test_k28_a_setpoint_beyond_its_limits_is_not_sent(server: Server) -> None:
    period = ChargingSchedulePeriod(
        0, limit=EIGHT, setpoint=SIX, operation_mode=OperationMode.CENTRAL_SETPOINT
    )
    made = profile(kind=Kind.DYNAMIC, schedules=(ChargingSchedule(RateUnit.A, (period,)),))
    async with station(server, "2.1") as socket:
        row = await installed(made, may_fall_back=False)
        await taken(socket)
        await reaches(row, "installed")
        with pytest.raises(Exception, match=r"V2X\.05"):
            await rows(lambda: dynamic_charging.update(row, values={"setpoint": Decimal(9)}))
