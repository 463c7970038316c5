"""Part 6, chapter 3: smart charging (TC_K_*_CSMS), each test case under its id."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from stations.charging_profiles import Criteria, Kind, Purpose, RateUnit, Recurrency
from stations.models import (
    ChargingNeeds,
    ChargingSession,
    CompositeReport,
    Evse,
    InstalledProfile,
    ProfileReport,
)
from stations.services import (
    capabilities,
    charging_limits,
    charging_needs,
    composite_schedules,
    remote,
    smart_charging,
)
from stations.services.profile_reports import Scope
from tests.processes import Server
from tests.stories.raw import RawSocket
from tests.stories.story import eventually, rows
from tests.stories.v2.device import accept, asked
from tests.stories.v2.smart_charging import (
    EIGHT,
    LIMIT,
    SIX,
    ada,
    charging,
    installed,
    needed,
    needs,
    planned,
    profile,
    reaches,
    report,
    reported,
    taken,
    told,
)
from tests.stories.v2.station import event, station

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


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


async def cleared(server: Server, version: str, answer: str) -> tuple[InstalledProfile, dict[str, Any]]:
    """Clear default profiles of EVSE 1 at level 0, of which one lies there; give it and what was sent."""
    criteria = Criteria(evse=1, purpose=Purpose.TX_DEFAULT, stack_level=0)
    async with station(server, version) as socket:
        row = await installed(profile())
        await taken(socket)
        await reaches(row, "installed")
        await accept(socket, "GetCompositeSchedule", status="Rejected")
        await rows(lambda: smart_charging.clear_matching(ada(), criteria=criteria))
        told = await accept(socket, "ClearChargingProfile", status=answer)
        return await reaches(row, "cleared"), told


@VERSIONS
async def test_tc_k_06_csms_a_profile_is_cleared_by_level_and_purpose(server: Server, version: str) -> None:
    row, told = await cleared(server, version, "Accepted")

    wanted = {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}
    assert told == {"chargingProfileCriteria": wanted}
    assert row.on_station is None


@VERSIONS
async def test_tc_k_08_csms_the_station_knows_no_such_profile(server: Server, version: str) -> None:
    """It had one, and lost it: what it says holds."""
    row, told = await cleared(server, version, "Unknown")

    wanted = {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}
    assert told == {"chargingProfileCriteria": wanted}
    assert row.on_station is None


# --- GetCompositeSchedule (K08)


async def composite_of(server: Server, version: str, number: int) -> tuple[dict[str, Any], CompositeReport]:
    """Ask for the composite schedule of an EVSE or, 0, of the station; give what was sent and what is kept."""
    schedule = {
        "evseId": number, "duration": 300, "scheduleStart": datetime.now(UTC).isoformat(), "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
    }  # fmt: skip
    async with station(server, version) as socket:
        await rows(
            lambda: composite_schedules.ask(ada(), evse_number=number, duration_s=300, unit=RateUnit.A)
        )
        told = await accept(socket, "GetCompositeSchedule", schedule=schedule)
        return told, await eventually(lambda: CompositeReport.objects.filter(status="Accepted").first())


@VERSIONS
async def test_tc_k_43_csms_the_composite_schedule_of_an_evse(server: Server, version: str) -> None:
    told, kept = await composite_of(server, version, 1)

    assert told == {"evseId": 1, "duration": 300, "chargingRateUnit": "A"}
    assert (kept.evse_number, Decimal(kept.schedule["chargingSchedulePeriod"][0]["limit"])) == (1, 10)


@VERSIONS
async def test_tc_k_44_csms_the_composite_schedule_of_the_station(server: Server, version: str) -> None:
    told, kept = await composite_of(server, version, 0)

    assert told == {"evseId": 0, "duration": 300, "chargingRateUnit": "A"}
    assert (kept.evse_number, Decimal(kept.schedule["chargingSchedulePeriod"][0]["limit"])) == (0, 10)


# --- GetChargingProfiles and ReportChargingProfiles (K09)


async def asked_for(server: Server, version: str, scope: Scope, **place: Any) -> dict[str, Any]:
    """Ask for profiles while Bo charges and let the station report one; give what was sent, without its id."""
    async with charging(server, version) as socket:
        row, request = await report(socket, scope)
        await told(socket, row.request_id, reported(70), **place)

    assert request.pop("requestId") == row.request_id
    assert (await rows(lambda: ProfileReport.objects.get(pk=row.pk))).state == "complete"
    assert await rows(lambda: InstalledProfile.objects.get(profile_id=70).state) == "installed"
    return request


@VERSIONS
async def test_tc_k_29_csms_profiles_of_the_station_itself(server: Server, version: str) -> None:
    """GetChargingProfiles with EVSE 0; the station answers with ReportChargingProfiles."""
    sent = await asked_for(server, version, Scope(evse=0, purpose=Purpose.TX_DEFAULT), evseId=0)

    assert sent == {"evseId": 0, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}


@VERSIONS
async def test_tc_k_30_csms_profiles_of_an_evse(server: Server, version: str) -> None:
    sent = await asked_for(server, version, Scope(evse=1, purpose=Purpose.TX_DEFAULT))

    assert sent == {"evseId": 1, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}


@VERSIONS
async def test_tc_k_31_csms_profiles_of_all_evses_in_parts(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        row, request = await report(socket, Scope(purpose=Purpose.TX_DEFAULT))
        await told(socket, row.request_id, reported(71), evseId=1, tbc=True)
        await told(socket, row.request_id, reported(72), evseId=2)

    assert "evseId" not in request
    found = await rows(
        lambda: list(InstalledProfile.objects.values_list("evse_number", "profile_id").order_by("pk"))
    )
    assert found == [(1, 71), (2, 72)]
    assert (await rows(lambda: ProfileReport.objects.get(pk=row.pk))).state == "complete"


@VERSIONS
async def test_tc_k_32_csms_a_profile_by_its_id(server: Server, version: str) -> None:
    sent = await asked_for(server, version, Scope(ids=(70,)))

    assert sent == {"chargingProfile": {"chargingProfileId": [70]}}


@VERSIONS
async def test_tc_k_33_csms_profiles_of_a_level(server: Server, version: str) -> None:
    sent = await asked_for(server, version, Scope(evse=1, stack_level=0))

    assert sent == {"evseId": 1, "chargingProfile": {"stackLevel": 0}}


@VERSIONS
async def test_tc_k_34_csms_profiles_of_a_source(server: Server, version: str) -> None:
    sent = await asked_for(server, version, Scope(evse=1, sources=("CSO",)))

    assert sent == {"evseId": 1, "chargingProfile": {"chargingLimitSource": ["CSO"]}}


@VERSIONS
async def test_tc_k_35_csms_profiles_of_a_purpose(server: Server, version: str) -> None:
    sent = await asked_for(server, version, Scope(evse=1, purpose=Purpose.TX_DEFAULT))

    assert sent == {"evseId": 1, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}


@VERSIONS
async def test_tc_k_36_csms_profiles_of_a_purpose_and_level(server: Server, version: str) -> None:
    sent = await asked_for(server, version, Scope(evse=1, purpose=Purpose.TX_DEFAULT, stack_level=0))

    assert sent == {
        "evseId": 1,
        "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0},
    }


# --- NotifyChargingLimit and ClearedChargingLimit (K11 to K13)


@VERSIONS
async def test_tc_k_48_csms_an_external_limit_counts(server: Server, version: str) -> None:
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 12}]}
    async with station(server, version) as socket:
        payload = LIMIT | {"evseId": 1, "chargingSchedule": [schedule]}
        answer = await socket.call("NotifyChargingLimit", payload)

    [found] = await rows(lambda: charging_limits.in_force(ada()))
    ours = await rows(lambda: composite_schedules.computed(ada(), evse_number=1))
    assert (answer[2], found.is_grid_critical, ours.periods[0].limit) == ({}, True, 12)


@VERSIONS
async def test_tc_k_50_csms_an_external_limit_is_released(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await socket.call("NotifyChargingLimit", LIMIT)
        answer = await socket.call("ClearedChargingLimit", {"chargingLimitSource": "EMS"})

    assert answer[2] == {}
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


async def lowered(socket: RawSocket) -> dict[str, Any]:
    """Let the vehicle have 8 A at the most (K16); give the profile that carries it, accepted."""
    session = await rows(ChargingSession.objects.get)
    row = await rows(lambda: charging_needs.renegotiate(session, max_w=EIGHT * 230))
    sent = await taken(socket)
    await reaches(row, "installed")
    return sent


async def chosen(socket: RawSocket, seq_no: int, amps: float) -> tuple[str, int]:
    """Tell the schedule that the vehicle chose, and that its rate changed; give both answers."""
    answer = await socket.call("NotifyEVChargingSchedule", planned(amps))
    changed = event("Updated", seq_no, register_wh=1200, triggerReason="ChargingRateChanged")
    return answer[2]["status"], int((await socket.call("TransactionEvent", changed))[0])


@VERSIONS
async def test_tc_k_58_csms_the_csms_renegotiates_a_schedule(server: Server, version: str) -> None:
    """K16.FR.06."""
    async with charging(server, version) as socket:
        await needed(socket, needs())
        sent = await lowered(socket)
        answers = await chosen(socket, 1, 8)

    assert (sent["evseId"], sent["chargingProfile"]["chargingProfilePurpose"]) == (1, "TxProfile")
    assert sent["chargingProfile"]["transactionId"] == "tx-1"
    assert sent["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 8
    assert answers == ("Accepted", 3)
    assert (await rows(ChargingNeeds.objects.get)).schedule_is_within


@VERSIONS
async def test_tc_k_59_csms_needs_that_are_told_again_are_answered_again(
    server: Server, version: str
) -> None:
    """K16.FR.12: the station should not tell them, but gets a profile when it does."""
    async with charging(server, version) as socket:
        await needed(socket, needs())
        first = await lowered(socket)
        status, second = await needed(socket, needs())
        answers = await chosen(socket, 1, 8)

    assert (status, answers) == ("Accepted", ("Accepted", 3))
    assert {sent["chargingProfile"]["transactionId"] for sent in (first, second)} == {"tx-1"}
    assert {sent["chargingProfile"]["chargingProfilePurpose"] for sent in (first, second)} == {"TxProfile"}
    assert {sent["evseId"] for sent in (first, second)} == {1}
