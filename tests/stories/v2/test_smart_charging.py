"""Use cases of block K over a real socket, beyond the test cases of part 6 (those are in test_tc_k.py)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.charging_profiles import (
    ChargingSchedule,
    ChargingSchedulePeriod,
    Criteria,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
)
from stations.models import (
    ChargingSession,
    Evse,
    InstalledProfile,
    PriorityCharging,
    ProfileReport,
    ReviewItem,
)
from stations.services import (
    capabilities,
    charging_limits,
    charging_needs,
    composite_schedules,
    dynamic_charging,
    profile_upkeep,
    remote,
    smart_charging,
)
from stations.services.errors import NotOpen, UnsuitedProfile
from stations.services.profile_reports import Scope
from tests.processes import Server
from tests.stories.raw import RawSocket, opened, verdicts
from tests.stories.story import eventually, rows
from tests.stories.v2.device import accept, asked, reply
from tests.stories.v2.smart_charging import (
    EIGHT,
    SIX,
    STARTED,
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
    """GetChargingProfiles, and ReportChargingProfiles in two parts, of two sources."""
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


async def test_k19_needs_in_dynamic_control_are_answered_with_one_schedule_of_powers(server: Server) -> None:
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


# --- each further use case (K02 to K29)


async def limit_told(socket: RawSocket, source: str, amps: float, **fields: Any) -> None:
    """Tell a limit of somebody else's in A."""
    period = {"startPeriod": 0, "limit": amps}
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    limit = {"chargingLimitSource": source} | fields.pop("limit", {})
    payload = {"chargingLimit": limit, "chargingSchedule": [schedule]} | fields
    assert (await socket.call("NotifyChargingLimit", payload))[2] == {}


async def may_draw(evse_number: int = 1) -> Decimal | None:
    found = await rows(lambda: composite_schedules.computed(ada(), evse_number=evse_number, unit=RateUnit.A))
    limit: Decimal | None = found.periods[0].limit
    return limit


@VERSIONS
async def test_k02_central_smart_charging_changes_a_limit_while_a_car_charges(
    server: Server, version: str
) -> None:
    async with charging(server, version) as socket:
        session = await rows(ChargingSession.objects.get)
        await rows(lambda: smart_charging.limit_session(session, amps=EIGHT))
        first = await taken(socket)
        row = await rows(lambda: smart_charging.limit_session(session, amps=SIX))
        second = await taken(socket)
        await reaches(row, "installed")

    assert first["chargingProfile"]["id"] == second["chargingProfile"]["id"]
    assert await may_draw() == SIX


@VERSIONS
async def test_k03_a_local_controller_gets_defaults_and_a_maximum_for_its_group(
    server: Server, version: str
) -> None:
    async with station(server, version) as socket:
        await rows(lambda: smart_charging.station_maximum(ada(), amps=Decimal(20)))
        top = await taken(socket)
        await accept(socket, "GetCompositeSchedule", status="Rejected")
        await rows(lambda: smart_charging.default_limit(ada(), evse_number=0, amps=EIGHT))
        default = await taken(socket)

    told = [(each["evseId"], each["chargingProfile"]["chargingProfilePurpose"]) for each in (top, default)]
    assert told == [(0, "ChargingStationMaxProfile"), (0, "TxDefaultProfile")]


@VERSIONS
async def test_k04_internal_load_balancing_is_left_to_the_station_below_its_maximum(
    server: Server, version: str
) -> None:
    async with station(server, version) as socket:
        row = await rows(lambda: smart_charging.station_maximum(ada(), amps=Decimal(20)))
        await taken(socket)
        await reaches(row, "installed")

    assert (await may_draw(1), await may_draw(2)) == (20, 20)  # each may have all of it: the station shares


@pytest.mark.parametrize("status", ["Accepted", "Rejected"])
async def test_k05_a_remote_start_with_a_profile_is_its_session_s_own(server: Server, status: str) -> None:
    async with station(server, "2.1") as socket:
        evse = await rows(lambda: Evse.objects.get(station=ada(), number=1))
        made = profile(purpose=Purpose.TX, valid_from=None, valid_to=None)
        command = await rows(lambda: remote.start(ada(), id_token="BO-1", evse=evse, profile=made))
        told = await accept(socket, "RequestStartTransaction", status=status)
        await eventually(lambda: type(command).objects.filter(pk=command.pk, status="answered").exists())

    assert told["chargingProfile"]["chargingProfilePurpose"] == "TxProfile"
    assert (await rows(lambda: command.remote.state)) == ("accepted" if status == "Accepted" else "refused")


@VERSIONS
async def test_k06_a_profile_outlives_an_offline_time_of_its_transaction(
    server: Server, version: str
) -> None:
    async with charging(server, version) as socket:
        session = await rows(ChargingSession.objects.get)
        row = await rows(lambda: smart_charging.limit_session(session, amps=SIX))
        await taken(socket)
        await reaches(row, "installed")
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:  # no boot: it was only offline
        late = event("Updated", 1, register_wh=1200, offline=True)
        assert (await socket.call("TransactionEvent", late))[2] == {}
        kept = await reaches(row, "installed")

    assert (kept.profile_id, kept.tries, await may_draw()) == (row.profile_id, 0, SIX)


@VERSIONS
async def test_k07_a_transaction_begun_offline_charges_by_the_default(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row = await rows(lambda: smart_charging.default_limit(ada(), evse_number=1, amps=EIGHT))
        await taken(socket)
        await reaches(row, "installed")
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        began = event("Started", 0, register_wh=1000, idToken=TOKEN, evse=EVSE, offline=True)
        answer = await socket.call("TransactionEvent", began)

    assert answer[2]["idTokenInfo"]["status"] == "Accepted"
    assert await may_draw() == EIGHT


@VERSIONS
async def test_k08_a_station_that_allows_more_than_its_profiles_is_found_out(
    server: Server, version: str
) -> None:
    told_ = {
        "evseId": 1, "duration": 3600, "scheduleStart": clock.now().isoformat(), "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32}],
    }  # fmt: skip
    async with station(server, version) as socket:
        row = await rows(lambda: smart_charging.default_limit(ada(), evse_number=1, amps=EIGHT))
        await taken(socket)
        await accept(socket, "GetCompositeSchedule", schedule=told_)
        await eventually(lambda: InstalledProfile.objects.filter(pk=row.pk, is_verified=False).exists())

    assert await rows(ReviewItem.objects.filter(kind="charging_profile", resolved_at=None).count) == 1


@VERSIONS
async def test_k11_an_external_limit_during_a_transaction_counts_for_it(server: Server, version: str) -> None:
    async with charging(server, version) as socket:
        await limit_told(socket, "EMS", 10, evseId=1)
        changed = event("Updated", 1, register_wh=1200, triggerReason="ChargingRateChanged")
        assert (await socket.call("TransactionEvent", changed))[2] == {}

    assert await may_draw() == 10


@VERSIONS
async def test_k12_a_newer_external_limit_takes_the_place_of_the_older(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await limit_told(socket, "SO", 10)
        await limit_told(socket, "SO", 14)

    [found] = await rows(lambda: charging_limits.in_force(ada()))
    assert (found.evse_number, found.source, await may_draw()) == (0, "SO", 14)


@VERSIONS
async def test_k13_a_released_limit_of_one_source_leaves_the_others(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await limit_told(socket, "SO", 14)
        await limit_told(socket, "EMS", 10)
        await socket.call("ClearedChargingLimit", {"chargingLimitSource": "EMS"})

    assert await may_draw() == 14


@VERSIONS
async def test_k14_a_local_controllers_limit_is_told_by_each_station(server: Server, version: str) -> None:
    """K14.FR.05: the controller sets it, the station behind it says so; ours stays below it."""
    async with station(server, version) as socket:
        await rows(lambda: smart_charging.station_maximum(ada(), amps=Decimal(20)))
        await taken(socket)
        await limit_told(socket, "EMS", 12, limit={"isGridCritical": True})

    assert await may_draw() == 12


@VERSIONS
async def test_k16_a_renegotiation_replaces_the_schedule_under_its_id(server: Server, version: str) -> None:
    async with charging(server, version) as socket:
        _, first = await needed(socket, needs())
        session = await rows(ChargingSession.objects.get)
        row = await rows(lambda: charging_needs.renegotiate(session, max_w=Decimal(1840)))
        second = await taken(socket)
        await reaches(row, "installed")

    assert first["chargingProfile"]["id"] == second["chargingProfile"]["id"]
    periods = second["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert [period["limit"] for period in periods] == [8]


async def test_k16_a_vehicle_without_needs_is_not_renegotiated_with(server: Server) -> None:
    async with charging(server, "2.1"):
        session = await rows(ChargingSession.objects.get)
        with pytest.raises(UnsuitedProfile):
            await rows(lambda: charging_needs.renegotiate(session, max_w=Decimal(1840)))


@VERSIONS
async def test_k17_a_vehicle_that_leaves_sooner_gets_more(server: Server, version: str) -> None:
    async with charging(server, version) as socket:
        _, first = await needed(socket, needs())
        answer, second = await needed(socket, needs(hours=1.5))

    limits = [
        each["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"]
        for each in (first, second)
    ]
    assert (answer, limits[1] > limits[0]) == ("Accepted", True)


def dynamic_needs(energy_wh: int, **fields: Any) -> dict[str, Any]:
    """Give the needs of a vehicle that feeds back too, in dynamic control mode."""
    v2x = {"maxChargePower": 9000, "minChargePower": 1000, "evTargetEnergyRequest": energy_wh}
    wanted = {
        "requestedEnergyTransfer": "DC_BPT",
        "controlMode": "DynamicControl",
        "v2xChargingParameters": v2x,
    }
    departure = (clock.now() + timedelta(hours=10)).isoformat()
    return {"evseId": 1, "chargingNeeds": wanted | {"departureTime": departure} | fields}


async def test_k20_new_energy_needs_in_dynamic_control_change_the_schedule(server: Server) -> None:
    """K20.FR.03."""
    async with charging(server, "2.1") as socket:
        _, first = await needed(socket, dynamic_needs(20_000))
        _, second = await needed(socket, dynamic_needs(40_000))

    powers = [
        each["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"]
        for each in (first, second)
    ]
    assert first["chargingProfile"]["id"] == second["chargingProfile"]["id"]
    assert (powers[0] < powers[1], first["chargingProfile"]["chargingSchedule"][0]["chargingRateUnit"]) == (
        True,
        "W",
    )


@pytest.mark.parametrize("answer", ["Rejected", "NoProfile"])
async def test_k21_a_refused_priority_is_shown_as_such(server: Server, answer: str) -> None:
    async with charging(server, "2.1") as socket:
        session = await rows(ChargingSession.objects.get)
        await rows(lambda: dynamic_charging.use_priority(session, activate=True))
        await accept(socket, "UsePriorityCharging", status=answer)
        found = await eventually(lambda: PriorityCharging.objects.exclude(answer="").first())

    assert (found.answer, found.is_active, found.is_wanted) == (answer, False, True)


async def test_k22_a_driver_who_asks_for_priority_at_the_station_has_it(server: Server) -> None:
    async with charging(server, "2.1") as socket:
        for activated in (True, False, True):
            told_ = {"transactionId": "tx-1", "activated": activated}
            assert (await socket.call("NotifyPriorityCharging", told_))[2] == {}

    found = await rows(PriorityCharging.objects.get)
    assert (found.is_active, found.is_wanted) == (True, None)


async def test_k23_an_energy_manager_at_the_station_limits_all_its_evses(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await limit_told(socket, "EMS", 16)
        await limit_told(socket, "EMS", 6, evseId=1)

    assert (await may_draw(1), await may_draw(2)) == (6, 16)


async def test_k24_what_an_energy_manager_set_through_a_controller_is_in_the_report(server: Server) -> None:
    external = reported(-4, chargingProfilePurpose="ChargingStationExternalConstraints")
    async with station(server, "2.1") as socket:
        asked_for, request = await report(socket, Scope(sources=("EMS",)))
        await told(socket, asked_for.request_id, external, evseId=0, chargingLimitSource="EMS")

    assert request["chargingProfile"] == {"chargingLimitSource": ["EMS"]}
    held = await rows(lambda: InstalledProfile.objects.get(profile_id=-4))
    assert (held.source, held.is_wanted, await may_draw()) == ("station:EMS", False, 10)


async def test_k25_an_energy_manager_that_acts_as_controller_answers_for_the_station(server: Server) -> None:
    """It may refuse a maximum of ours because its own holds: that is no reason to send it again and again."""
    async with station(server, "2.1") as socket:
        row = await rows(lambda: smart_charging.station_maximum(ada(), amps=Decimal(20), may_fall_back=False))
        await accept(socket, "SetChargingProfile", status="Rejected")
        found = await reaches(row, "refused")
        await limit_told(socket, "EMS", 10)

    assert (found.on_station, await may_draw()) == (None, 10)


async def test_k26_of_a_local_and_a_cloud_manager_the_lower_limit_holds(server: Server) -> None:
    async with charging(server, "2.1") as socket:
        session = await rows(ChargingSession.objects.get)
        row = await rows(lambda: smart_charging.limit_session(session, amps=EIGHT))
        await taken(socket)
        await reaches(row, "installed")
        await limit_told(socket, "EMS", 16)
        cloud = await may_draw()
        await limit_told(socket, "EMS", 6)

    assert (cloud, await may_draw()) == (8, 6)


async def test_k27_local_generation_is_added_to_what_may_be_drawn(server: Server) -> None:
    async with station(server, "2.1") as socket:
        row = await rows(lambda: smart_charging.station_maximum(ada(), amps=EIGHT))
        await taken(socket)
        await reaches(row, "installed")
        await limit_told(socket, "EMS", 4, limit={"isLocalGeneration": True})

    assert await may_draw() == 12


async def test_k29_a_dynamic_profile_of_an_external_system_is_shown_not_steered(server: Server) -> None:
    """K29.FR.04: its values change at the station; asked for them, we have none."""
    external = reported(
        -5, chargingProfilePurpose="ChargingStationExternalConstraints", chargingProfileKind="Dynamic",
        dynUpdateTime=STARTED,
    )  # fmt: skip
    async with station(server, "2.1") as socket:
        asked_for, _ = await report(socket, Scope())
        await told(socket, asked_for.request_id, external, evseId=0, chargingLimitSource="SO")
        answer = await socket.call("PullDynamicScheduleUpdate", {"chargingProfileId": -5})
        held = await rows(lambda: InstalledProfile.objects.get(profile_id=-5))
        with pytest.raises(NotOpen):
            await rows(lambda: dynamic_charging.update(held, values={"limit": EIGHT}))

    assert (answer[2]["status"], held.source) == ("Rejected", "station:SO")
