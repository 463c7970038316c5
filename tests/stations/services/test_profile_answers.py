"""Charging profiles: refused, tried in another way, unanswered, late (quirk 25)."""

from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.charging_profiles import RateUnit, from_v2
from stations.models import (
    ChargingStation,
    Command,
    InstalledProfile,
    ReviewItem,
)
from stations.services import (
    capabilities,
    commands,
    profile_rows,
    profile_upkeep,
    quirks,
    smart_charging,
)
from tests import factories
from tests.stations.services.profiles import ASK, SIXTEEN, answer, claimed, limits, schedule_of, state, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


# --- units and fall-backs


def test_amperes_become_watts_where_only_power_is_allowed(ada: ChargingStation) -> None:
    told(ada, ChargingScheduleAllowedChargingRateUnit="Power")

    row = smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    command = answer(ada)

    assert schedule_of(command)["chargingRateUnit"] == "W"
    assert schedule_of(command)["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 11_040, "numberPhases": 3}
    ]
    assert row.adaptations == ["watts"]


def test_watts_become_amperes_on_the_phases_of_the_outlet(ada: ChargingStation) -> None:
    told(ada, ChargingScheduleAllowedChargingRateUnit="Current")
    ada.evses.get(number=1).connectors.update(power_type="AC_1_PHASE")

    smart_charging.default_limit(ada, evse_number=1, watts=Decimal(3680))

    assert schedule_of(answer(ada))["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 16, "numberPhases": 1}
    ]


def test_a_refused_unit_is_tried_in_the_other_one_and_learned(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    answer(ada, "Rejected")
    assert schedule_of(answer(ada))["chargingRateUnit"] == "W"

    assert state(row) == "installed"
    assert [given["answer"] for given in row.answers] == ["Rejected", "Accepted"]
    assert capabilities.of(ada).units == {RateUnit.W}


def test_what_was_learned_ends_with_the_firmware_or_is_forgotten(ada: ChargingStation) -> None:
    capabilities.learn(ada, "watts_only", reason="it said so")
    assert capabilities.of(ada).units == {RateUnit.W}

    ada.firmware_version = "2.0"
    assert capabilities.of(ada).units == frozenset()

    assert capabilities.forget(ada) == 1


def test_a_refused_maximum_becomes_a_shared_default(ada: ChargingStation) -> None:
    told(ada, ChargingScheduleAllowedChargingRateUnit="Current")
    row = smart_charging.station_maximum(ada, amps=Decimal(33))
    answer(ada, "NotSupported")

    command = answer(ada)

    assert command.payload["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile"
    assert (command.payload["connectorId"], limits(command)) == (0, [16.5])
    assert state(row) == "installed"
    assert set(row.adaptations) == {"shared", "default_instead"}
    assert not capabilities.of(ada).has_maximum


def test_the_last_rung_gives_it_to_each_transaction(ada: ChargingStation) -> None:
    told(ada, ChargingScheduleAllowedChargingRateUnit="Current")
    factories.session(ada, number=2, transaction_id="12")
    row = smart_charging.station_maximum(ada, amps=Decimal(32))
    answer(ada, "Rejected")
    answer(ada, "Rejected")

    profile = answer(ada).payload["csChargingProfiles"]

    assert (profile["chargingProfilePurpose"], profile["transactionId"]) == ("TxProfile", 12)
    assert state(row) == "standing"
    assert row.parts.get().state == "installed"


def test_without_fall_backs_the_first_refusal_is_the_last(ada: ChargingStation) -> None:
    row = smart_charging.station_maximum(ada, amps=SIXTEEN, may_fall_back=False)
    answer(ada, "Rejected")

    assert state(row) == "refused"
    assert "Rejected" in row.detail
    assert commands.claim(ada.pk, epoch=1) is None


def test_every_rung_refused_is_a_refusal(ada: ChargingStation) -> None:
    told(ada, ChargingScheduleAllowedChargingRateUnit="Current")
    row = smart_charging.limit_session(factories.session(ada), amps=SIXTEEN)
    for _ in ("TxProfile", "TxDefaultProfile"):
        answer(ada, "Rejected")

    assert state(row) == "refused"
    assert not ReviewItem.objects.exists()  # the operator who asked sees it


def test_a_station_without_smart_charging_is_not_asked_on(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)
    command = claimed(ada)
    commands.failed(command.uid, station_id=ada.pk, code="NotImplemented", description="")

    assert state(row) == "refused"
    assert not capabilities.of(ada).is_smart
    assert not Command.objects.filter(status="queued").exists()


def test_a_callerror_is_a_refusal_of_this_way_only(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)
    command = claimed(ada)
    commands.failed(command.uid, station_id=ada.pk, code="PropertyConstraintViolation", description="")

    assert schedule_of(answer(ada))["chargingRateUnit"] == "W"
    assert state(row) == "installed"


def test_a_refused_change_leaves_what_lay_there(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)
    answer(ada)
    answer(ada, action=ASK)  # the verification
    smart_charging.default_limit(ada, amps=Decimal(40), may_fall_back=False)
    answer(ada, "Rejected")

    assert state(row) == "installed"
    assert from_v2(row.on_station).schedules[0].periods[0].limit == 16
    assert "Rejected" in row.detail


@pytest.mark.parametrize(
    ("flags", "asked", "sent"),
    [
        ({}, "0", 0),
        ({"no_zero_limit": True}, "0", 6),
        ({"no_zero_limit": True, "min_limit_a": 8}, "3", 8),
        ({"min_limit_a": 8}, "7", 0),
        ({"min_limit_a": 8}, "8", 8),
    ],
)
def test_a_limit_of_nothing_pauses_only_where_it_may(
    ada: ChargingStation, flags: dict[str, Any], asked: str, sent: int
) -> None:
    for flag, value in flags.items():
        quirks.override(ada, flag=flag, value=value, by="ada")

    smart_charging.limit_session(factories.session(ada), amps=Decimal(asked))

    assert limits(answer(ada)) == [sent]


@pytest.mark.parametrize(
    ("flag", "purpose"),
    [("tx_profile_only", "TxProfile"), ("tx_default_profile_only", "TxDefaultProfile")],
)
def test_a_known_make_is_asked_in_its_own_way_at_once(ada: ChargingStation, flag: str, purpose: str) -> None:
    quirks.override(ada, flag=flag, value=True, by="ada")
    factories.session(ada, transaction_id="1")

    smart_charging.station_maximum(ada, amps=SIXTEEN)

    assert answer(ada).payload["csChargingProfiles"]["chargingProfilePurpose"] == purpose


# --- no answer, late answer


def test_an_answer_that_never_came_leaves_it_unknown_and_is_tried_again(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)
    command = claimed(ada)
    commands.timed_out(command.uid, station_id=ada.pk, reason="silence")
    assert state(row) == "unknown"
    assert profile_upkeep.retry() == 0  # not yet

    InstalledProfile.objects.update(next_try_at=clock.now())
    assert profile_upkeep.retry() == 1
    assert answer(ada).payload == command.payload


def test_a_late_acceptance_counts(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)
    command = claimed(ada)
    commands.timed_out(command.uid, station_id=ada.pk, reason="silence")

    commands.answered(command.uid, station_id=ada.pk, result={"status": "Accepted"})

    assert state(row) == "installed"


def test_silence_for_ever_is_work_for_an_operator(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)
    for _ in range(profile_rows.TRIES):
        commands.timed_out(claimed(ada).uid, station_id=ada.pk, reason="silence")
        InstalledProfile.objects.update(next_try_at=clock.now())
        profile_upkeep.retry()

    assert state(row) == "unknown"
    assert ReviewItem.objects.get().kind == "charging_profile"
    assert not Command.objects.filter(status="queued").exists()


def test_a_command_that_expired_is_sent_when_the_station_is_back(ada: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)
    row = smart_charging.default_limit(ada, amps=SIXTEEN, queue_offline=True)
    Command.objects.update(expires_at=clock.now())
    commands.expire()
    assert state(row) == "wanted"

    ChargingStation.objects.update(is_online=True)
    assert profile_upkeep.retry() == 1
    answer(ada)
    assert state(row) == "installed"


def test_a_command_that_an_operator_takes_back_is_no_wish_any_more(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)

    commands.cancel(Command.objects.get(), by="ada")

    assert state(row) == "cleared"
    assert profile_upkeep.sweep() == 0
