"""Charging profiles: installed, or refused before they are sent (OCPP 1.6 sections 3.13, 5.16)."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from cpo.lib import clock
from stations.charging_profiles import Purpose, RateUnit, Recurrency, from_v2
from stations.models import (
    ChargingStation,
    Command,
    InstalledProfile,
)
from stations.services import (
    profile_shapes,
    smart_charging,
)
from stations.services.errors import NotOpen, StationOffline, UnsuitedProfile
from tests import factories
from tests.stations.services.profiles import (
    SIXTEEN,
    answer,
    evening,
    limits,
    refused,
    schedule_of,
    state,
    told,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


# --- install


def test_a_default_is_sent_and_installed(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN, requested_by="user:ada")
    assert (row.state, row.profile_id) == ("sent", 1)

    payload = answer(ada).payload

    assert payload["connectorId"] == 1
    assert payload["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile"
    assert state(row) == "installed"
    assert from_v2(row.on_station).schedules[0].periods[0].limit == 16


def test_a_station_gets_ids_of_its_own(ada: ChargingStation) -> None:
    other = factories.station("ADA-2", is_online=True, ocpp_version="1.6")
    rows = [smart_charging.default_limit(ada, evse_number=n, amps=SIXTEEN) for n in (1, 2)]

    assert [row.profile_id for row in rows] == [1, 2]
    assert smart_charging.default_limit(other, evse_number=1, amps=SIXTEEN).profile_id == 1


def test_the_same_place_is_changed_and_not_doubled(ada: ChargingStation) -> None:
    first = smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    answer(ada)

    second = smart_charging.default_limit(ada, evse_number=1, amps=Decimal(10))

    assert second.pk == first.pk
    assert second.profile_id == 1


def test_a_newer_wish_takes_the_waiting_one_back(ada: ChargingStation) -> None:
    smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)

    row = smart_charging.default_limit(ada, evse_number=1, amps=Decimal(10))

    assert list(Command.objects.order_by("id").values_list("status", flat=True)) == ["cancelled", "queued"]
    assert limits(answer(ada)) == [10]
    assert state(row) == "installed"


def test_the_maximum_is_absolute_and_backdated(ada: ChargingStation) -> None:
    smart_charging.station_maximum(ada, watts=Decimal(11_000))

    command = answer(ada)

    assert command.payload["connectorId"] == 0
    assert command.payload["csChargingProfiles"]["chargingProfilePurpose"] == "ChargePointMaxProfile"
    assert command.payload["csChargingProfiles"]["chargingProfileKind"] == "Absolute"
    assert schedule_of(command)["startSchedule"] < clock.now().isoformat()


def test_a_session_is_limited_by_its_transaction_id(ada: ChargingStation) -> None:
    session = factories.session(ada, number=2, transaction_id="4711")

    row = smart_charging.limit_session(session, amps=Decimal("9.57"))
    command = answer(ada)

    assert command.payload["connectorId"] == 2
    assert command.payload["csChargingProfiles"]["transactionId"] == 4711
    assert limits(command) == [Decimal("9.5")]  # one digit, never more than asked for
    assert row.session == session


def test_a_session_that_is_over_is_not_limited(ada: ChargingStation) -> None:
    with refused(NotOpen):
        smart_charging.limit_session(factories.session(ada, ended=True), amps=SIXTEEN)


def test_a_template_by_the_sites_clock_is_laid_into_utc(ada: ChargingStation) -> None:
    row = smart_charging.install_template(ada, template=evening(ada), evse_number=0)

    command = answer(ada)
    row.refresh_from_db()
    zone = profile_shapes.zone_of(ada)
    start = from_v2(row.on_station).schedules[0].start_schedule
    assert start is not None
    assert start.astimezone(zone).strftime("%H:%M") == "00:00"
    assert command.payload["csChargingProfiles"]["recurrencyKind"] == "Daily"
    assert row.adaptations == ["site_clock"]
    assert limits(command) == [32, 16, 32]


def test_a_weekly_template_starts_on_monday(ada: ChargingStation) -> None:
    template = evening(ada, recurrency="Weekly", is_local_time=False)
    wish = profile_shapes.of_template(
        template, evse=0, now=factories.NOON, zone=profile_shapes.zone_of(ada)
    )  # a Saturday

    assert wish.recurrency is Recurrency.WEEKLY
    assert wish.schedules[0].start_schedule is not None
    assert wish.schedules[0].start_schedule.isoformat() == "2025-02-24T00:00:00+00:00"


# --- refused before anything is sent


def refuse(station: ChargingStation, **words: Any) -> str:
    options: dict[str, Any] = {"evse_number": 1, "amps": SIXTEEN} | words
    with pytest.raises(UnsuitedProfile) as caught, transaction.atomic():
        smart_charging.default_limit(station, **options)
    assert not Command.objects.exists()
    return f"{caught.value.path}: {caught.value.message}"


def test_a_transaction_profile_needs_a_transaction(ada: ChargingStation) -> None:
    wish = profile_shapes.of_limit(
        SIXTEEN, RateUnit.A, purpose=Purpose.TX, evse=1, stack_level=0, now=clock.now()
    )
    with refused(UnsuitedProfile, match="no transaction is running on EVSE 1"):
        smart_charging.install(ada, profile=wish)


def test_a_maximum_belongs_to_the_whole_station(ada: ChargingStation) -> None:
    wish = profile_shapes.of_limit(
        SIXTEEN, RateUnit.A, purpose=Purpose.STATION_MAX, evse=1, stack_level=0, now=clock.now()
    )
    with refused(UnsuitedProfile, match=r"evseId: .*EVSE 0"):
        smart_charging.install(ada, profile=wish)


def test_the_highest_stack_level_is_kept_to(ada: ChargingStation) -> None:
    told(ada, ChargeProfileMaxStackLevel="3")
    template = evening(ada, stack_level=4)

    with refused(UnsuitedProfile, match="stackLevel"):
        smart_charging.install_template(ada, template=template)

    assert smart_charging.default_limit(ada, amps=SIXTEEN).stack_level == 3  # a limit lies on top


def test_the_number_of_profiles_is_kept_to(ada: ChargingStation) -> None:
    told(ada, MaxChargingProfilesInstalled="1")
    smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    answer(ada)

    smart_charging.default_limit(ada, evse_number=1, amps=Decimal(10))  # in its own place
    with refused(UnsuitedProfile, match="holds 1 profiles"):
        smart_charging.default_limit(ada, evse_number=2, amps=SIXTEEN)


def test_the_number_of_periods_is_kept_to(ada: ChargingStation) -> None:
    told(ada, ChargingScheduleMaxPeriods="2")

    with refused(UnsuitedProfile, match="3 periods"):
        smart_charging.install_template(ada, template=evening(ada))


@pytest.mark.parametrize(
    ("words", "path"),
    [({"evse_number": 7}, "evseId"), ({"amps": Decimal(-1)}, "limit"), ({"watts": SIXTEEN}, "limit")],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    ada: ChargingStation, words: dict[str, Any], path: str
) -> None:
    assert refuse(ada, **words).startswith(path)


def test_a_station_that_is_away_is_told_later_or_not_at_all(ada: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)
    with refused(StationOffline):
        smart_charging.default_limit(ada, amps=SIXTEEN)
    assert not InstalledProfile.objects.exists()

    row = smart_charging.default_limit(ada, amps=SIXTEEN, queue_offline=True)
    assert (row.state, Command.objects.get().status) == ("wanted", "queued")
