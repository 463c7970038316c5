"""Smart charging of 2.x over a real socket: block K, and chapter 3 of part 6 (TC_K_*_CSMS)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Criteria,
    Kind,
    Purpose,
    RateUnit,
    Recurrency,
)
from stations.models import ChargingSession, ChargingStation, CompositeReport, Evse, InstalledProfile
from stations.services import capabilities, composite_schedules, smart_charging
from tests.processes import Server
from tests.stories.raw import RawSocket
from tests.stories.story import eventually, rows
from tests.stories.v2.device import accept, asked, reply
from tests.stories.v2.station import EVSE, TOKEN, event, station

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
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
