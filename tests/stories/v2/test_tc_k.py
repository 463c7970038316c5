"""Smart charging of 2.x over a real socket: block K, and chapter 3 of part 6 (TC_K_*_CSMS)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db.models import F

from cpo.lib import clock
from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Criteria,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
    Recurrency,
)
from stations.models import (
    ChargingSession,
    ChargingStation,
    CompositeReport,
    Evse,
    InstalledProfile,
    PriorityCharging,
    ProfileReport,
)
from stations.services import (
    capabilities,
    charging_limits,
    composite_schedules,
    dynamic_charging,
    profile_reports,
    profile_upkeep,
    remote,
    smart_charging,
)
from stations.services.profile_reports import Scope
from tests.processes import Server
from tests.stories.raw import RawSocket, verdicts
from tests.stories.story import eventually, rows
from tests.stories.v2.device import accept, asked, reply
from tests.stories.v2.station import EVSE, TOKEN, event, station

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
NUMBERS = count(1)
STARTED = "2026-11-20T00:00:00Z"
EIGHT, SIX = Decimal(8), Decimal(6)


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
    """Answer the next SetChargingProfile, and the question that follows what was accepted."""
    told: dict[str, Any] = await accept(socket, "SetChargingProfile", status=status)
    return told


@asynccontextmanager
async def charging(server: Server, version: str) -> AsyncIterator[RawSocket]:
    """Open a station at whose EVSE 1 Bo charges."""
    async with station(server, version) as socket:
        began = event("Started", 0, register_wh=1000, idToken=TOKEN, evse=EVSE, triggerReason="Authorized")
        await socket.call("TransactionEvent", began)
        await eventually(lambda: ChargingSession.objects.active().exists())
        yield socket


# --- SetChargingProfile (K01 to K05)


@VERSIONS
async def test_tc_k_01_csms_a_default_profile_for_one_evse(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row = await installed(profile())
        told = await taken(socket)
        await reaches(row, "installed")

    assert (told["evseId"], told["chargingProfile"]["chargingProfilePurpose"]) == (1, "TxDefaultProfile")
    [schedule] = told["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 8, "numberPhases": 3}]
    assert {"validFrom", "validTo"} <= set(told["chargingProfile"])


@VERSIONS
async def test_tc_k_02_csms_a_tx_profile_without_a_transaction_is_not_sent(
    server: Server, version: str
) -> None:
    async with station(server, version) as socket:
        with pytest.raises(Exception, match=r"K01\.FR\.09"):
            await installed(profile(purpose=Purpose.TX))
        assert await socket.lives()


@VERSIONS
async def test_tc_k_03_csms_the_maximum_of_the_station(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row = await rows(lambda: smart_charging.station_maximum(ada(), amps=EIGHT))
        told = await taken(socket)
        await reaches(row, "installed")

    assert told["evseId"] == 0
    assert told["chargingProfile"]["chargingProfilePurpose"] == "ChargingStationMaxProfile"


@VERSIONS
async def test_tc_k_04_csms_a_profile_is_replaced_under_its_id(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        first = await rows(lambda: smart_charging.default_limit(ada(), evse_number=1, amps=EIGHT, source="x"))
        one = await taken(socket)
        await reaches(first, "installed")
        await rows(lambda: smart_charging.default_limit(ada(), evse_number=1, amps=SIX, source="x"))
        two = await taken(socket)

    assert one["chargingProfile"]["id"] == two["chargingProfile"]["id"]
    assert two["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 6


@VERSIONS
async def test_tc_k_10_csms_a_default_profile_for_all_evses(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await installed(profile(evse=0))
        told = await taken(socket)

    assert (told["evseId"], told["chargingProfile"]["chargingProfileKind"]) == (0, "Absolute")


@VERSIONS
async def test_tc_k_15_csms_a_station_without_smart_charging_is_learned(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row = await installed(profile(), may_fall_back=False)
        request = await asked(socket, "SetChargingProfile")
        await socket.send(f'[4, "{request[1]}", "NotSupported", "", {{}}]')
        await reaches(row, "refused")

    assert not await rows(lambda: capabilities.of(ada()).is_smart)


@VERSIONS
async def test_tc_k_19_csms_a_recurring_profile(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await installed(profile(kind=Kind.RECURRING, recurrency=Recurrency.DAILY))
        told = await taken(socket)

    assert told["chargingProfile"]["chargingProfileKind"] == "Recurring"
    assert told["chargingProfile"]["recurrencyKind"] == "Daily"


@VERSIONS
async def test_tc_k_60_csms_a_tx_profile_names_its_transaction(server: Server, version: str) -> None:
    async with charging(server, version) as socket:
        session = await rows(ChargingSession.objects.get)
        row = await rows(lambda: smart_charging.limit_session(session, amps=SIX))
        told = await taken(socket)
        await reaches(row, "installed")

    assert told["chargingProfile"]["transactionId"] == "tx-1"
    assert (told["evseId"], told["chargingProfile"]["chargingProfilePurpose"]) == (1, "TxProfile")


@VERSIONS
async def test_tc_k_37_csms_a_remote_start_carries_a_profile(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        evse = await rows(lambda: Evse.objects.get(station=ada(), number=1))
        made = profile(purpose=Purpose.TX, valid_from=None, valid_to=None)
        await rows(lambda: remote.start(ada(), id_token="BO-1", evse=evse, profile=made))
        told = await accept(socket, "RequestStartTransaction")

    sent = told["chargingProfile"]
    assert (sent["chargingProfilePurpose"], "transactionId" in sent) == ("TxProfile", False)
    assert sent["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 8


@VERSIONS
async def test_tc_k_70_csms_profiles_of_several_levels_lie_beside_each_other(
    server: Server, version: str
) -> None:
    async with station(server, version) as socket:
        low, high = await installed(profile()), await installed(profile(stack_level=1))
        told = [await taken(socket) for _ in range(2)]
        await reaches(low, "installed")
        await reaches(high, "installed")

    assert len({each["chargingProfile"]["id"] for each in told}) == 2


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


# --- ClearChargingProfile (K10)


@VERSIONS
async def test_tc_k_05_csms_a_profile_is_cleared_by_its_id(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row = await installed(profile())
        await taken(socket)
        await reaches(row, "installed")
        await accept(socket, "GetCompositeSchedule", status="Rejected")
        await rows(lambda: smart_charging.clear(row))
        told = await accept(socket, "ClearChargingProfile")
        await reaches(row, "cleared")

    assert told == {"chargingProfileId": row.profile_id}


@VERSIONS
@pytest.mark.parametrize("answer", ["Accepted", "Unknown"])
async def test_tc_k_06_and_08_csms_profiles_are_cleared_by_level_and_purpose(
    server: Server, version: str, answer: str
) -> None:
    criteria = Criteria(evse=1, purpose=Purpose.TX_DEFAULT, stack_level=0)
    async with station(server, version) as socket:
        await rows(lambda: smart_charging.clear_matching(ada(), criteria=criteria))
        told = await accept(socket, "ClearChargingProfile", status=answer)

    wanted = {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}
    assert told == {"chargingProfileCriteria": wanted}


async def test_k10_clearing_needs_a_criterion_that_is_ours(server: Server) -> None:
    """K10.FR.02 and K10.FR.06: nothing of the kind is sent."""
    async with station(server) as socket:
        for criteria in (Criteria(), Criteria(purpose=Purpose.EXTERNAL_CONSTRAINTS)):
            with pytest.raises(Exception, match="chargingProfile"):
                await rows(lambda found=criteria: smart_charging.clear_matching(ada(), criteria=found))
        assert await socket.lives()


# --- GetCompositeSchedule (K08)


@VERSIONS
@pytest.mark.parametrize("number", [1, 0])
async def test_tc_k_43_and_44_csms_the_composite_schedule_is_kept(
    server: Server, version: str, number: int
) -> None:
    period = {"startPeriod": 0, "limit": 16.5}
    schedule = {
        "evseId": number, "duration": 300, "scheduleStart": datetime.now(UTC).isoformat(), "chargingRateUnit": "A",
        "chargingSchedulePeriod": [period],
    }  # fmt: skip
    async with station(server, version) as socket:
        await rows(
            lambda: composite_schedules.ask(ada(), evse_number=number, duration_s=300, unit=RateUnit.A)
        )
        told = await accept(socket, "GetCompositeSchedule", schedule=schedule)
        report = await eventually(lambda: CompositeReport.objects.filter(status="Accepted").first())

    assert told == {"evseId": number, "duration": 300, "chargingRateUnit": "A"}
    assert report is not None
    assert report.schedule["chargingSchedulePeriod"][0]["limit"] in ("16.5", 16.5)


# --- GetChargingProfiles and ReportChargingProfiles (K09)


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


SCOPES = {
    "tc_k_29": (Scope(evse=0, purpose=Purpose.TX_DEFAULT), {"chargingProfilePurpose": "TxDefaultProfile"}),
    "tc_k_30": (Scope(evse=1, purpose=Purpose.TX_DEFAULT), {"chargingProfilePurpose": "TxDefaultProfile"}),
    "tc_k_31": (Scope(purpose=Purpose.TX_DEFAULT), {"chargingProfilePurpose": "TxDefaultProfile"}),
    "tc_k_32": (Scope(ids=(7,)), {"chargingProfileId": [7]}),
    "tc_k_33": (Scope(evse=1, stack_level=1), {"stackLevel": 1}),
    "tc_k_34": (Scope(evse=1, sources=("CSO",)), {"chargingLimitSource": ["CSO"]}),
    "tc_k_35": (Scope(evse=1, purpose=Purpose.TX), {"chargingProfilePurpose": "TxProfile"}),
    "tc_k_36": (
        Scope(evse=1, purpose=Purpose.TX, stack_level=1),
        {"chargingProfilePurpose": "TxProfile", "stackLevel": 1},
    ),
}


@VERSIONS
@pytest.mark.parametrize("case", SCOPES)
async def test_tc_k_29_to_36_csms_profiles_are_asked_for(server: Server, version: str, case: str) -> None:
    scope, criterion = SCOPES[case]
    async with station(server, version) as socket:
        row, request = await report(socket, scope)
        await told(socket, row.request_id, reported(70))

    assert request.pop("requestId") == row.request_id
    assert request == {"chargingProfile": criterion} | ({} if scope.evse is None else {"evseId": scope.evse})
    assert (await rows(lambda: ProfileReport.objects.get(pk=row.pk))).state == "complete"


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


# --- NotifyChargingLimit and ClearedChargingLimit (K11 to K13)


LIMIT = {"chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True}}


@VERSIONS
async def test_tc_k_48_and_50_csms_an_external_limit_counts_until_it_is_cleared(
    server: Server, version: str
) -> None:
    period = {"startPeriod": 0, "limit": 12}
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    async with station(server, version) as socket:
        answer = await socket.call(
            "NotifyChargingLimit", LIMIT | {"evseId": 1, "chargingSchedule": [schedule]}
        )
        [found] = await rows(lambda: charging_limits.in_force(ada()))
        ours = await rows(lambda: composite_schedules.computed(ada(), evse_number=1))
        cleared = await socket.call("ClearedChargingLimit", {"chargingLimitSource": "EMS", "evseId": 1})

    assert (answer[2], cleared[2], found.is_grid_critical) == ({}, {}, True)
    assert ours.periods[0].limit == 12
    assert not await rows(lambda: charging_limits.in_force(ada()))


@VERSIONS
async def test_tc_k_51_csms_a_limit_is_released_during_a_transaction(server: Server, version: str) -> None:
    async with charging(server, version) as socket:
        await socket.call("NotifyChargingLimit", LIMIT)
        released = await socket.call("ClearedChargingLimit", {"chargingLimitSource": "EMS"})
        began = event("Updated", 1, register_wh=1200, triggerReason="ChargingRateChanged")
        assert (await socket.call("TransactionEvent", began))[0] == 3

    assert released[2] == {}
    assert not await rows(lambda: charging_limits.in_force(ada()))


@VERSIONS
async def test_tc_k_52_csms_an_external_constraint_in_a_report_is_gone_with_its_limit(
    server: Server, version: str
) -> None:
    external = reported(-1, chargingProfilePurpose="ChargingStationExternalConstraints")
    async with station(server, version) as socket:
        row, _ = await report(socket, Scope(purpose=Purpose.EXTERNAL_CONSTRAINTS))
        await told(socket, row.request_id, external, evseId=0, chargingLimitSource="EMS")
        held = await rows(lambda: InstalledProfile.objects.get(profile_id=-1))
        with pytest.raises(Exception, match=r"K10\.FR\.06"):
            await rows(lambda: smart_charging.clear(held))
        await socket.call("ClearedChargingLimit", {"chargingLimitSource": "EMS"})

    assert (await reaches(held, "cleared")).on_station is None


# --- NotifyEVChargingNeeds and NotifyEVChargingSchedule (K15 to K20)


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


@VERSIONS
async def test_tc_k_53_csms_a_vehicle_gets_a_schedule_for_its_needs(server: Server, version: str) -> None:
    async with charging(server, version) as socket:
        answer, sent = await needed(socket, needs())
        chosen = await socket.call("NotifyEVChargingSchedule", planned(11))

    [schedule] = sent["chargingProfile"]["chargingSchedule"]
    periods = schedule["chargingSchedulePeriod"]
    assert (answer, chosen[2]["status"]) == ("Accepted", "Accepted")
    assert sent["chargingProfile"]["transactionId"] == "tx-1"
    assert 11.9 <= periods[0]["limit"] <= 12.1  # 4.6 kWh in two hours is 10 A; a fifth more
    assert periods[1]["limit"] == 16


@VERSIONS
async def test_tc_k_55_csms_a_schedule_beyond_the_limits_is_renegotiated(
    server: Server, version: str
) -> None:
    async with charging(server, version) as socket:
        _, first = await needed(socket, needs())
        await socket.send(json.dumps([2, "plan-1", "NotifyEVChargingSchedule", planned(16)]))
        chosen, again = sorted([await socket.read(), await socket.read()], key=lambda frame: -int(frame[0]))

    assert chosen[2]["status"] == "Rejected"
    assert again[3]["chargingProfile"]["id"] == first["chargingProfile"]["id"]


@VERSIONS
async def test_tc_k_57_csms_new_needs_of_the_vehicle_change_its_profile(server: Server, version: str) -> None:
    async with charging(server, version) as socket:
        _, first = await needed(socket, needs())
        _, second = await needed(socket, needs(hours=1.5))

    limits = [
        each["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"] for each in (first, second)
    ]
    assert first["chargingProfile"]["id"] == second["chargingProfile"]["id"]
    assert limits[1][0]["limit"] > limits[0][0]["limit"]


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


# --- priority and dynamic schedules (2.1 K21, K22, K28)


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
