"""Smart charging over a real socket (OCPP 1.6 sections 3.13, 5.5, 5.7, 5.16, errata 3.8, 3.25, 3.37; quirk 25)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from cpo.simulator import smart_charging as simulated
from stations.charging_profiles import Criteria, Purpose, RateUnit
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    CompositeReport,
    InstalledProfile,
    ReviewItem,
)
from stations.services import (
    capabilities,
    composite_schedules,
    profile_shapes,
    profile_upkeep,
    quirks,
    smart_charging,
)
from stations.services.errors import UnsuitedProfile
from tests.charger import (
    Charger,
    Transaction,
    WallClock,
    accepts,
    answers,
    answers_late,
    keeps_silent,
    refuses,
    rejects,
)
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
Ada = ChargingStation
SIXTEEN = Decimal(16)


def fresh(ada: Ada) -> ChargingStation:
    return ChargingStation.objects.get(pk=ada.pk)


async def default(ada: Ada, amps: Decimal = SIXTEEN, **options: Any) -> InstalledProfile:
    """Let every transaction of connector 1 draw so much."""
    options = {"evse_number": 1} | options
    return await rows(lambda: smart_charging.default_limit(fresh(ada), amps=amps, **options))


async def maximum(ada: Ada, amps: Decimal = SIXTEEN, **options: Any) -> InstalledProfile:
    return await rows(lambda: smart_charging.station_maximum(fresh(ada), amps=amps, **options))


async def reaches(row: InstalledProfile, state: str) -> InstalledProfile:
    """Wait until a profile is in this state and return it."""
    found = await eventually(lambda: InstalledProfile.objects.filter(pk=row.pk, state=state).first())
    assert found is not None
    return found


async def sweep() -> int:
    """Do what the worker does every few seconds."""
    return await rows(profile_upkeep.sweep)


@asynccontextmanager
async def up(charger: Make, **reactions: Any) -> AsyncIterator[Charger]:
    """Open a station in real time, with these reactions."""
    async with charger(clock=WallClock()) as station:
        station.reactions |= reactions
        await station.come_up()
        yield station


async def charging(station: Charger) -> Transaction:
    """Let Bo charge at connector 1 until the story ends."""
    await station.plug(1)
    transaction = await station.start_transaction("BO-1", 1)
    await station.set_status(1, "Charging")
    await asyncio.sleep(0)  # the answer is in; who learns the number of it runs now
    assert transaction.id is not None
    return transaction


async def session_of(transaction: Transaction) -> ChargingSession:
    number = str(transaction.id)
    found = ChargingSession.objects.select_related("station", "evse")
    return await rows(lambda: found.get(transaction_id=number))


async def limited(transaction: Transaction, amps: Decimal = SIXTEEN) -> InstalledProfile:
    session = await session_of(transaction)
    return await rows(lambda: smart_charging.limit_session(session, amps=amps))


def purposes(station: Charger) -> list[str]:
    return [
        call["csChargingProfiles"]["chargingProfilePurpose"]
        for call in station.calls("SetChargingProfile", "in")
    ]


# --- SetChargingProfile (5.16)


async def test_set_charging_profile_is_accepted_verified_and_followed(charger: Make, ada: Ada) -> None:
    async with up(charger) as station:
        transaction = await charging(station)
        before_w = station.outlets[1].power_w
        row = await default(ada, Decimal(8))
        await eventually(lambda: InstalledProfile.objects.filter(is_verified=True).exists())
        await station.meter_values(transaction)
        session = await session_of(transaction)

    assert (before_w, station.outlets[1].limit_w) == (11_000, 8 * 690)
    assert session.power_w == 8 * 690  # errata 3.8: a new default holds for what already charges
    assert (await reaches(row, "installed")).answers[0]["answer"] == "Accepted"


async def test_set_charging_profile_limits_a_running_transaction_by_its_id(charger: Make, ada: Ada) -> None:
    async with up(charger) as station:
        transaction = await charging(station)
        await reaches(await limited(transaction, Decimal(10)), "installed")
        limit_w = station.outlets[1].limit_w
        await station.stop_transaction(transaction)
        await eventually(lambda: ChargingSession.objects.filter(status="ended").exists())
        await sweep()

    (call,) = station.calls("SetChargingProfile", "in")
    assert (call["connectorId"], call["csChargingProfiles"]["transactionId"]) == (1, transaction.id)
    assert limit_w == 6900
    await eventually(lambda: InstalledProfile.objects.get().state == "ended")  # 3.13.1: it goes with it
    assert station.profiles == []


async def test_a_new_limit_replaces_the_profile_of_the_same_id(charger: Make, ada: Ada) -> None:
    async with up(charger) as station:
        await reaches(await default(ada), "installed")
        row = await default(ada, Decimal(10))
        await eventually(
            lambda: InstalledProfile.objects.filter(pk=row.pk, answers__0__answer="Accepted").exists()
        )

    ids = [
        call["csChargingProfiles"]["chargingProfileId"] for call in station.calls("SetChargingProfile", "in")
    ]
    assert ids == [1, 1]
    assert [
        lying.profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] for lying in station.profiles
    ] == [10]


async def test_set_charging_profile_shares_a_maximum_of_the_whole_station(charger: Make, ada: Ada) -> None:
    async with up(charger) as station:
        await reaches(await maximum(ada, Decimal(20)), "installed")
        await charging(station)

    assert station.calls("SetChargingProfile", "in")[0]["connectorId"] == 0
    assert station.outlets[1].limit_w == 20 * 690


async def test_a_pause_by_a_limit_of_nothing_ends_no_transaction(charger: Make, ada: Ada) -> None:
    async with charger(clock=WallClock()) as station:
        await station.come_up()
        visit = asyncio.create_task(station.charge("BO-1"))
        await eventually(lambda: ChargingSession.objects.active().exists())
        await default(ada, Decimal(0))
        await eventually(lambda: InstalledProfile.objects.filter(state="installed").exists())
        paused, running = station.outlets[1].is_paused, list(station.running)
        station.running[1].ask_to_stop("Local")
        await visit

    assert (paused, running) == (True, [1])


# --- refused by the station: the ladder of fall-backs (quirk 25)


def only(*allowed: str) -> Any:
    """Refuse every profile whose purpose or unit is not allowed, as many stations do."""

    async def reaction(station: Charger, payload: dict[str, Any]) -> dict[str, Any]:
        profile = payload["csChargingProfiles"]
        words = {profile["chargingProfilePurpose"], profile["chargingSchedule"]["chargingRateUnit"]}
        if not words <= set(allowed):
            return {"status": "Rejected"}
        return await simulated.set_charging_profile(station, payload)

    return reaction


async def test_a_unit_that_is_rejected_is_tried_in_the_other_one(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=only("TxDefaultProfile", "W")) as station:
        row = await reaches(await default(ada), "installed")

    units = [
        call["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"]
        for call in station.calls("SetChargingProfile", "in")
    ]
    assert units == ["A", "W"]
    assert row.adaptations == ["watts"]
    assert (await rows(lambda: capabilities.of(fresh(ada)))).units == {RateUnit.W}


async def test_a_maximum_that_is_rejected_becomes_a_shared_default(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=only("TxDefaultProfile", "A")) as station:
        row = await reaches(await maximum(ada, Decimal(32)), "installed")
        again = await reaches(await maximum(ada, Decimal(30)), "installed")

    assert purposes(station)[:3] == ["ChargePointMaxProfile", "ChargePointMaxProfile", "TxDefaultProfile"]
    assert set(row.adaptations) == {"shared", "default_instead"}
    assert again.pk == row.pk
    assert purposes(station)[3:] == ["TxDefaultProfile"]  # it was learned


async def test_a_station_that_limits_transactions_only_is_told_with_each_of_them(
    charger: Make, ada: Ada
) -> None:
    async with up(charger, SetChargingProfile=only("TxProfile", "A")) as station:
        row = await reaches(await default(ada), "standing")
        transaction = await charging(station)
        await sweep()
        part = await eventually(lambda: row.parts.filter(state="installed").select_related("session").first())

    assert part is not None
    assert part.session is not None
    assert part.session.transaction_id == str(transaction.id)
    assert station.outlets[1].limit_w == 11_040


async def test_without_a_way_that_is_accepted_it_is_refused(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=rejects()) as station:
        await charging(station)
        session = await rows(lambda: ChargingSession.objects.select_related("station", "evse").get())
        row = await rows(lambda: smart_charging.limit_session(session, amps=SIXTEEN))
        found = await reaches(row, "refused")

    assert purposes(station) == ["TxProfile", "TxProfile", "TxDefaultProfile", "TxDefaultProfile"]
    assert "Rejected" in found.detail


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
async def test_a_station_without_smart_charging_is_asked_once(charger: Make, ada: Ada, code: str) -> None:
    async with up(charger, SetChargingProfile=refuses(code)) as station:
        await reaches(await default(ada), "refused")

    assert len(station.calls("SetChargingProfile", "in")) == 1
    assert not (await rows(lambda: capabilities.of(fresh(ada)))).is_smart


async def test_not_supported_is_an_answer_about_this_purpose(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=answers({"status": "NotSupported"})) as station:
        await reaches(await maximum(ada, may_fall_back=False), "refused")

    assert purposes(station) == ["ChargePointMaxProfile"]


async def test_a_callerror_for_one_unit_leads_to_the_other(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=refuses("PropertyConstraintViolation")) as station:
        row = await default(ada, may_fall_back=True)
        await eventually(lambda: Command.objects.filter(status="failed").count() >= 2)
        station.reactions["SetChargingProfile"] = accepts()
        await eventually(lambda: InstalledProfile.objects.filter(pk=row.pk).exclude(state="sent").exists())

    assert len(station.calls("SetChargingProfile", "in")) >= 2


# --- no answer, a late answer, a station that is away


async def test_an_unanswered_profile_is_unknown_and_sent_again(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=keeps_silent()) as station:
        row = await reaches(await default(ada), "unknown")
        del station.reactions["SetChargingProfile"]
        station.reactions["SetChargingProfile"] = accepts()
        await rows(lambda: InstalledProfile.objects.update(next_try_at=clock.now()))
        await sweep()
        await reaches(row, "installed")

    first, second = station.calls("SetChargingProfile", "in")
    assert first == second


async def test_a_late_answer_is_kept_and_believed(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=answers_late(2, accepts())):
        row = await default(ada)
        await reaches(row, "unknown")
        await reaches(row, "installed")

    command = await rows(lambda: Command.objects.filter(action="SetChargingProfile").get())
    assert (command.status, command.answered_late) == ("timed_out", True)


async def test_a_profile_for_a_station_that_is_away_waits_for_it(charger: Make, ada: Ada) -> None:
    row = await default(ada, queue_offline=True)
    assert row.state == "wanted"

    async with up(charger) as station:
        await reaches(row, "installed")

    assert len(station.calls("SetChargingProfile", "in")) == 1


async def test_a_limit_of_a_load_balancer_is_kept_for_a_station_that_is_away(charger: Make, ada: Ada) -> None:
    await rows(lambda: smart_charging.set_limit(fresh(ada), watts=Decimal(4000), source="load_balancer"))
    assert not await rows(lambda: Command.objects.exists())

    async with up(charger):
        await eventually(
            lambda: InstalledProfile.objects.filter(state="installed").exists()
        )  # after its boot


# --- after a boot, after a reconnect (errata 3.37)


async def test_after_a_boot_what_must_hold_is_sent_again(charger: Make, ada: Ada) -> None:
    async with up(charger) as station:
        await reaches(await default(ada), "installed")
        await station.kill()
        station.profiles = []  # it forgets, against the errata
        await station.come_up()
        await eventually(
            lambda: Command.objects.filter(action="SetChargingProfile", status="answered").count() == 2
        )

    assert [lying.key[0] for lying in station.profiles] == ["TxDefaultProfile"]
    again = await rows(lambda: Command.objects.filter(action="SetChargingProfile").order_by("-id").first())
    assert again is not None
    assert again.requested_by == profile_upkeep.BY_US


async def test_after_a_reconnect_a_forgotten_profile_is_noticed_and_sent_again(
    charger: Make, ada: Ada
) -> None:
    await rows(lambda: quirks.override(ada, flag="no_boot_on_reconnect", value=True, by="ada"))
    async with up(charger) as station:
        row = await reaches(await default(ada, Decimal(10)), "installed")
        await eventually(lambda: InstalledProfile.objects.filter(is_verified=True).exists())
        await station.kill()
        station.profiles = []
        await eventually(lambda: not fresh(ada).is_online)
        await station.connect()
        await eventually(lambda: fresh(ada).is_online)
        await rows(profile_upkeep.recheck)
        await reaches(row, "unknown")
        await sweep()
        await reaches(row, "installed")

    assert len(station.profiles) == 1


# --- ClearChargingProfile (5.5)


@pytest.mark.parametrize("status", ["Accepted", "Unknown"])
async def test_clear_charging_profile_by_id(charger: Make, ada: Ada, status: str) -> None:
    async with up(charger) as station:
        row = await reaches(await default(ada), "installed")
        if status == "Unknown":
            station.profiles = []
        await rows(lambda: smart_charging.clear(row))
        await reaches(row, "cleared")

    assert station.calls("ClearChargingProfile", "in") == [{"id": 1}]
    assert station.profiles == []


async def test_clear_charging_profile_with_criteria_that_must_all_match(charger: Make, ada: Ada) -> None:
    async with up(charger) as station:
        first = await reaches(await default(ada, evse_number=1), "installed")
        second = await reaches(await default(ada, evse_number=2), "installed")
        criteria = Criteria(evse=2, purpose=Purpose.TX_DEFAULT)
        await rows(lambda: smart_charging.clear_matching(fresh(ada), criteria=criteria))
        await reaches(second, "cleared")

    assert [lying.connector for lying in station.profiles] == [1]
    assert (await rows(lambda: InstalledProfile.objects.get(pk=first.pk).state)) == "installed"


async def test_clear_charging_profile_unanswered_is_asked_again(charger: Make, ada: Ada) -> None:
    async with up(charger) as station:
        row = await reaches(await default(ada), "installed")
        whole = station.reactions["ClearChargingProfile"]
        station.reactions["ClearChargingProfile"] = keeps_silent()
        await rows(lambda: smart_charging.clear(row))
        await eventually(lambda: InstalledProfile.objects.filter(pk=row.pk, tries=1).exists())
        station.reactions["ClearChargingProfile"] = whole
        await rows(lambda: InstalledProfile.objects.update(next_try_at=clock.now()))
        await sweep()
        await reaches(row, "cleared")

    assert station.profiles == []


async def test_clear_charging_profile_that_is_not_implemented_is_shown(charger: Make, ada: Ada) -> None:
    async with up(charger, ClearChargingProfile=refuses("NotImplemented")) as station:
        row = await reaches(await default(ada), "installed")
        await rows(lambda: smart_charging.clear(row))
        await eventually(lambda: ReviewItem.objects.filter(kind="charging_profile").exists())

    found = await rows(lambda: InstalledProfile.objects.get(pk=row.pk))
    assert (found.state, found.is_wanted) == ("installed", False)
    assert len(station.profiles) == 1


# --- GetCompositeSchedule (5.7)


async def asked(ada: Ada, evse_number: int = 1, **options: Any) -> CompositeReport:
    """Ask for a composite schedule and wait for what comes of it."""
    found = CompositeReport.objects.filter(evse_number=evse_number).exclude(status="asked")
    await rows(lambda: composite_schedules.ask(fresh(ada), evse_number=evse_number, **options))
    report = await eventually(found.first)
    assert report is not None
    return report


async def test_get_composite_schedule_is_what_we_compute(charger: Make, ada: Ada) -> None:
    """GetCompositeSchedule is answered from the station's own arithmetic (section 5.7)."""
    async with up(charger) as station:
        await charging(station)
        await reaches(await default(ada, Decimal(10)), "installed")
        await reaches(await maximum(ada, Decimal(14)), "installed")
        report = await asked(ada, unit=RateUnit.A, duration_s=3600)

    theirs = composite_schedules.told(report)
    assert theirs is not None
    ours = await rows(
        lambda: composite_schedules.computed(ada, evse_number=1, start=theirs.start, duration_s=3600)
    )
    assert [period.limit for period in ours.periods] == [10]
    assert composite_schedules.differences(ours, theirs) == []


async def test_get_composite_schedule_of_the_grid_connection(charger: Make, ada: Ada) -> None:
    async with up(charger):
        await reaches(await maximum(ada, Decimal(14)), "installed")
        report = await asked(ada, evse_number=0, unit=RateUnit.A)

    theirs = composite_schedules.told(report)
    assert theirs is not None
    assert theirs.periods[0].limit == 14


async def test_get_composite_schedule_rejected(charger: Make, ada: Ada) -> None:
    async with up(charger, GetCompositeSchedule=rejects()):
        report = await asked(ada)

    assert (report.status, report.schedule) == ("Rejected", None)


async def test_get_composite_schedule_unanswered_and_late(charger: Make, ada: Ada) -> None:
    late = answers_late(2, answers({"status": "Rejected"}))
    async with up(charger, GetCompositeSchedule=late):
        report = await asked(ada)
        await eventually(lambda: CompositeReport.objects.filter(status="Rejected").exists())

    assert report.status == "unanswered"


async def test_a_schedule_that_makes_no_sense_is_no_schedule(charger: Make, ada: Ada) -> None:
    odd = answers({"status": "Accepted", "connectorId": 1})
    async with up(charger, GetCompositeSchedule=odd):
        report = await asked(ada)

    assert (report.status, report.schedule) == ("Accepted", None)
    assert "required" in report.detail


async def test_a_profile_that_is_accepted_and_not_followed_is_found_out(charger: Make, ada: Ada) -> None:
    async with up(charger, SetChargingProfile=accepts()):
        row = await reaches(await default(ada, Decimal(8)), "installed")
        await eventually(lambda: InstalledProfile.objects.filter(pk=row.pk, is_verified=False).exists())

    assert await rows(lambda: ReviewItem.objects.filter(kind="charging_profile").count()) == 1


# --- refused before anything is sent


async def test_combinations_that_cannot_be_are_never_sent(charger: Make, ada: Ada) -> None:
    def refusals() -> list[str]:
        found = []
        for purpose, evse in (
            (Purpose.STATION_MAX, 1),
            (Purpose.TX, 0),
            (Purpose.TX, 1),
            (Purpose.TX_DEFAULT, 9),
        ):
            wish = profile_shapes.of_limit(
                SIXTEEN, RateUnit.A, purpose=purpose, evse=evse, stack_level=0, now=clock.now()
            )
            with pytest.raises(UnsuitedProfile) as caught:
                smart_charging.install(fresh(ada), profile=wish)
            found.append(caught.value.path)
        return found

    async with up(charger) as station:
        assert await rows(refusals) == ["evseId", "evseId", "evseId", "evseId"]
        await station.heartbeat()

    assert station.calls("SetChargingProfile", "in") == []
    assert not await rows(lambda: InstalledProfile.objects.exists())
