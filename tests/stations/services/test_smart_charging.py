"""Charging profiles: installed, refused, kept up, cleared (OCPP 1.6 sections 3.13, 5.5, 5.16; quirk 25)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from cpo.lib import clock
from stations.charging_profiles import Criteria, Kind, Purpose, RateUnit, Recurrency, from_v2
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    CompositeReport,
    InstalledProfile,
    LearnedCapability,
    ProfileTemplate,
    ReviewItem,
    Variable,
)
from stations.services import (
    capabilities,
    commands,
    composite_schedules,
    profile_rows,
    profile_shapes,
    profile_upkeep,
    quirks,
    smart_charging,
)
from stations.services.errors import NotOpen, StationOffline, UnsuitedProfile
from tests import factories

pytestmark = pytest.mark.django_db
SIXTEEN = Decimal(16)
SET, CLEAR, ASK = "SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule"


@pytest.fixture
def ada() -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


@contextmanager
def refused(kind: type[Exception], match: str | None = None) -> Iterator[None]:
    """Expect the error, whose transaction is undone as a request's is."""
    with pytest.raises(kind, match=match), transaction.atomic():
        yield


def now_s() -> str:
    return clock.now().replace(microsecond=0).isoformat()


def told(station: ChargingStation, **keys: str) -> None:
    now = clock.now()
    for name, value in keys.items():
        Variable.objects.create(station=station, name=name, value=value, reported_at=now)


def claimed(station: ChargingStation, action: str = SET) -> Command:
    """Take the command that waits, as the station's socket would; questions that nobody asked stay behind."""
    command = commands.claim(station.pk, epoch=station.epoch)
    assert command is not None
    assert command.action == action
    return command


def answer(
    station: ChargingStation, status: str = "Accepted", *, action: str = SET, **members: Any
) -> Command:
    command = claimed(station, action)
    commands.answered(command.uid, station_id=station.pk, result={"status": status, **members})
    return command


def schedule_of(command: Command) -> dict[str, Any]:
    found: dict[str, Any] = command.payload["csChargingProfiles"]["chargingSchedule"]
    return found


def limits(command: Command) -> list[Any]:
    return [period["limit"] for period in schedule_of(command)["chargingSchedulePeriod"]]


def state(row: InstalledProfile) -> str:
    row.refresh_from_db()
    return str(row.state)


def evening(station: ChargingStation, **fields: Any) -> ProfileTemplate:
    """Make a template that halves the current from 17:00 to 21:00 by the site's clock."""
    periods = [
        {"start_s": 0, "limit": "32"},
        {"start_s": 61_200, "limit": "16"},
        {"start_s": 75_600, "limit": "32"},
    ]
    values = {
        "operator": station.location.operator, "name": "Evening", "kind": "Recurring", "recurrency": "Daily",
        "periods": periods, "created_at": clock.now(), "last_updated": clock.now(),
    }  # fmt: skip
    return ProfileTemplate.objects.create(**values | fields)


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
    with pytest.raises(UnsuitedProfile) as caught, transaction.atomic():
        smart_charging.default_limit(station, **{"evse_number": 1, "amps": SIXTEEN} | words)
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


# --- clear


def installed(station: ChargingStation, **words: Any) -> InstalledProfile:
    row = smart_charging.default_limit(station, **{"amps": SIXTEEN} | words)
    answer(station)
    Command.objects.filter(status="queued").delete()  # the verification
    return row


@pytest.mark.parametrize("status", ["Accepted", "Unknown"])
def test_a_profile_is_cleared_by_its_id(ada: ChargingStation, status: str) -> None:
    row = installed(ada)

    smart_charging.clear(row)
    assert answer(ada, status, action=CLEAR).payload == {"id": 1}

    assert state(row) == "cleared"
    assert row.on_station is None


def test_a_profile_that_was_never_sent_is_cleared_without_a_word(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)

    assert smart_charging.clear(row) is None

    assert state(row) == "cleared"
    assert Command.objects.get().status == "cancelled"


def test_a_clearing_without_an_answer_is_repeated(ada: ChargingStation) -> None:
    row = installed(ada)
    smart_charging.clear(row)
    commands.timed_out(claimed(ada, CLEAR).uid, station_id=ada.pk, reason="silence")
    assert state(row) == "installed"

    InstalledProfile.objects.update(next_try_at=clock.now())
    assert profile_upkeep.retry() == 1
    answer(ada, action=CLEAR)
    assert state(row) == "cleared"


def test_criteria_must_all_match(ada: ChargingStation) -> None:
    rows = [installed(ada, evse_number=n) for n in (1, 2)]

    smart_charging.clear_matching(ada, criteria=Criteria(evse=2, purpose=Purpose.TX_DEFAULT, stack_level=0))
    command = answer(ada, action=CLEAR)

    assert command.payload == {
        "connectorId": 2,
        "chargingProfilePurpose": "TxDefaultProfile",
        "stackLevel": 0,
    }
    assert [state(row) for row in rows] == ["installed", "cleared"]


def test_no_criteria_clear_everything(ada: ChargingStation) -> None:
    rows = [installed(ada, evse_number=n) for n in (1, 2)]

    smart_charging.clear_matching(ada, criteria=Criteria())
    assert answer(ada, action=CLEAR).payload == {}

    assert [state(row) for row in rows] == ["cleared", "cleared"]


# --- by hand


def by_hand(station: ChargingStation, **members: Any) -> None:
    profile = {
        "chargingProfileId": 40, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 8}]},
    }  # fmt: skip
    payload = {"connectorId": 1, "csChargingProfiles": profile | members}
    commands.queue(station, action=SET, payload=payload)
    answer(station)


def test_a_profile_sent_as_a_plain_command_is_kept(ada: ChargingStation) -> None:
    by_hand(ada)

    row = InstalledProfile.objects.get()
    assert (row.profile_id, row.state, row.source, row.is_wanted) == (40, "installed", "command", False)
    assert smart_charging.default_limit(ada, evse_number=2, amps=SIXTEEN).profile_id == 41
    assert profile_upkeep.retry() == 0  # it is nobody's wish, in either direction


def test_a_plain_command_replaces_what_lies_in_its_place(ada: ChargingStation) -> None:
    row = installed(ada, evse_number=1)

    by_hand(ada)

    assert state(row) == "cleared"
    assert "replaced by profile 40" in row.detail


def test_a_plain_clear_is_believed(ada: ChargingStation) -> None:
    row = installed(ada)

    commands.queue(ada, action=CLEAR, payload={})
    answer(ada, action=CLEAR)

    assert state(row) == "cleared"


# --- limits of whoever manages power


def test_a_limit_for_an_outlet_is_its_default_and_its_transactions(ada: ChargingStation) -> None:
    session = factories.session(ada, transaction_id="5")

    rows = smart_charging.set_limit(session.evse, amps=Decimal(10), source="load_balancer")

    assert [row.purpose for row in rows] == ["TxDefaultProfile", "TxProfile"]
    assert {answer(ada).payload["connectorId"] for _ in rows} == {1}


def test_the_same_limit_again_sends_nothing(ada: ChargingStation) -> None:
    smart_charging.set_limit(ada, amps=SIXTEEN)
    answer(ada)

    smart_charging.set_limit(ada, amps=SIXTEEN)
    assert not Command.objects.filter(status="queued").exists()

    smart_charging.set_limit(ada, amps=Decimal(17))
    assert limits(answer(ada)) == [17]


def test_a_limit_that_is_lifted_lets_the_one_below_come_back(ada: ChargingStation) -> None:
    told(ada, ChargeProfileMaxStackLevel="0")
    night = installed(ada, evse_number=1)
    smart_charging.set_limit(ada.evses.get(number=1), amps=Decimal(6), source="load_balancer")
    answer(ada)
    assert state(night) == "displaced"

    smart_charging.lift_limit(ada.evses.get(number=1), source="load_balancer")
    answer(ada, action=CLEAR)
    profile_upkeep.sweep()

    assert limits(answer(ada)) == [16]
    assert state(night) == "installed"


def test_a_limit_waits_for_a_station_that_is_away(ada: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)
    ada.refresh_from_db()
    (row,) = smart_charging.set_limit(ada, amps=SIXTEEN)
    assert row.state == "wanted"
    assert not Command.objects.exists()

    ChargingStation.objects.update(is_online=True)
    profile_upkeep.sweep()
    answer(ada)
    assert state(row) == "installed"


# --- what ends


def test_a_profile_ends_with_its_validity(ada: ChargingStation) -> None:
    row = installed(ada, until=clock.now() + timedelta(hours=1))
    assert profile_upkeep.end_over() == 0

    InstalledProfile.objects.update(valid_to=clock.now())
    assert profile_upkeep.end_over() == 1
    assert state(row) == "ended"


def test_a_transaction_profile_ends_with_its_transaction(ada: ChargingStation) -> None:
    session = factories.session(ada)
    row = smart_charging.limit_session(session, amps=SIXTEEN)
    answer(ada)
    ChargingSession.objects.update(status="ended")

    profile_upkeep.end_over()

    assert state(row) == "ended"
    assert not Command.objects.filter(action=CLEAR).exists()  # the station drops it by itself


def test_a_default_that_stood_for_a_transaction_is_cleared_after_it(ada: ChargingStation) -> None:
    quirks.override(ada, flag="tx_default_profile_only", value=True, by="ada")
    row = smart_charging.limit_session(factories.session(ada), amps=SIXTEEN)
    answer(ada)
    Command.objects.filter(status="queued").delete()
    ChargingSession.objects.update(status="ended")

    profile_upkeep.sweep()
    answer(ada, action=CLEAR)

    assert state(row) == "cleared"


def test_a_wish_for_each_transaction_is_given_to_the_next_one(ada: ChargingStation) -> None:
    wish = profile_shapes.of_limit(
        SIXTEEN, RateUnit.A, purpose=Purpose.TX, evse=1, stack_level=0, now=clock.now()
    )
    row = smart_charging.install(ada, profile=wish, each_transaction=True)
    assert state(row) == "standing"
    factories.session(ada, number=2)
    assert profile_upkeep.give_to_new() == 0

    factories.session(ada, number=1, transaction_id="77")
    assert profile_upkeep.give_to_new() == 1
    assert profile_upkeep.give_to_new() == 0
    assert answer(ada).payload["csChargingProfiles"]["transactionId"] == 77


# --- after a boot, after a reconnect


def test_after_a_boot_what_must_hold_is_sent_again(ada: ChargingStation) -> None:
    row = installed(ada)
    ada.boot_count = 1
    ada.save()

    assert profile_upkeep.after_boot(ada) == 1
    assert profile_upkeep.after_boot(ada) == 0  # it is on its way
    assert claimed(ada).priority == commands.AUTOMATIC
    assert state(row) == "sent"


def test_a_transaction_profile_waits_until_its_transaction_lives(ada: ChargingStation) -> None:
    session = factories.session(ada)
    smart_charging.limit_session(session, amps=SIXTEEN)
    answer(ada)
    Command.objects.filter(status="queued").delete()
    booted = clock.now() - timedelta(minutes=2)
    ChargingStation.objects.update(boot_count=1, last_boot_at=booted)
    ada.refresh_from_db()
    assert profile_upkeep.after_boot(ada) == 0
    assert profile_upkeep.recheck() == 0

    ChargingSession.objects.update(last_reading_at=clock.now())
    assert profile_upkeep.recheck() == 1
    claimed(ada)


def test_a_boot_that_was_missed_is_made_up_for(ada: ChargingStation) -> None:
    installed(ada)
    ChargingStation.objects.update(boot_count=1, last_boot_at=clock.now() - timedelta(minutes=2))

    assert profile_upkeep.recheck() == 1
    claimed(ada)


def test_after_a_reconnect_the_station_is_asked_and_told_again_if_it_forgot(ada: ChargingStation) -> None:
    row = installed(ada, evse_number=1)
    ChargingStation.objects.update(epoch=2)
    ada.refresh_from_db()
    assert profile_upkeep.recheck() == 1

    unlimited = {
        "chargingRateUnit": "A",
        "duration": 3600,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32}],
    }
    told_ = {
        "connectorId": 1,
        "scheduleStart": now_s(),
        "chargingSchedule": unlimited,
    }
    answer(ada, action=ASK, **told_)
    assert state(row) == "unknown"

    assert profile_upkeep.retry() == 1
    claimed(ada)


def test_a_change_of_the_clocks_lays_the_profile_again(ada: ChargingStation) -> None:
    row = smart_charging.install_template(ada, template=evening(ada))
    answer(ada)
    Command.objects.filter(status="queued").delete()
    assert profile_upkeep.recheck() == 0

    InstalledProfile.objects.update(utc_offset_s=-3600)
    assert profile_upkeep.recheck() == 1
    answer(ada)
    row.refresh_from_db()
    assert row.utc_offset_s != -3600


# --- composite schedules


def test_ours_is_computed_from_what_lies_there(ada: ChargingStation) -> None:
    installed(ada, evse_number=1)
    smart_charging.station_maximum(ada, amps=Decimal(10))  # not answered yet

    assert composite_schedules.computed(ada, evse_number=1).periods[0].limit == 16
    assert composite_schedules.computed(ada, evse_number=2).periods[0].limit is None

    answer(ada)
    assert composite_schedules.computed(ada, evse_number=1).periods[0].limit == 10


def report(station: ChargingStation, limit: int | str, *, status: str = "Accepted") -> CompositeReport:
    schedule = {
        "chargingRateUnit": "A",
        "duration": 3600,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }
    told_ = {
        "connectorId": 1,
        "scheduleStart": now_s(),
        "chargingSchedule": schedule,
    }
    answer(station, status, action=ASK, **(told_ if status == "Accepted" else {}))
    return CompositeReport.objects.get(evse_number=1)


def test_an_accepted_profile_is_verified(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    answer(ada)
    told_ = composite_schedules.told(report(ada, "16.0"))

    row.refresh_from_db()
    assert row.is_verified is True
    assert told_ is not None
    assert told_.periods[0].limit == 16


def test_a_profile_that_is_accepted_and_not_followed_is_shown(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    answer(ada)
    report(ada, 32)

    row.refresh_from_db()
    assert row.is_verified is False
    assert "more is allowed" in ReviewItem.objects.get().summary


def test_a_station_that_allows_less_knows_better(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    answer(ada)
    report(ada, 10)

    row.refresh_from_db()
    assert row.is_verified is True


def test_a_station_that_cannot_tell_is_not_asked_again(ada: ChargingStation) -> None:
    smart_charging.default_limit(ada, evse_number=1, amps=SIXTEEN)
    answer(ada)
    question = claimed(ada, ASK)
    commands.failed(question.uid, station_id=ada.pk, code="NotSupported", description="")
    smart_charging.default_limit(ada, evse_number=2, amps=SIXTEEN)
    answer(ada)

    assert LearnedCapability.objects.get().flag == "no_composite_schedule"
    assert not Command.objects.filter(status="queued").exists()


def test_no_answer_leaves_the_last_one_beside_the_word(ada: ChargingStation) -> None:
    composite_schedules.ask(ada, evse_number=1)
    report(ada, 16)
    composite_schedules.ask(ada, evse_number=1)
    commands.timed_out(claimed(ada, ASK).uid, station_id=ada.pk, reason="silence")

    found = CompositeReport.objects.get()
    assert found.status == "unanswered"
    assert composite_schedules.told(found) is not None


def test_differences_are_spans_with_both_limits(ada: ChargingStation) -> None:
    installed(ada, evse_number=1)
    composite_schedules.ask(ada, evse_number=1)
    theirs = composite_schedules.told(report(ada, 20))
    assert theirs is not None
    ours = composite_schedules.computed(ada, evse_number=1, start=theirs.start, duration_s=3600)

    (found,) = composite_schedules.differences(ours, theirs)

    assert (found.ours, found.theirs, found.is_more) == (16, 20, True)
    assert (found.end - found.begin) == timedelta(hours=1)


def test_a_profile_for_a_remote_start_has_no_transaction(ada: ChargingStation) -> None:
    wish = profile_shapes.of_limit(
        SIXTEEN, RateUnit.A, purpose=Purpose.TX, evse=1, stack_level=0, now=clock.now()
    )
    fitted = smart_charging.start_profile(ada, profile=wish)

    assert (fitted.transaction_id, fitted.kind) == (None, Kind.RELATIVE)
    with refused(UnsuitedProfile):
        smart_charging.start_profile(
            ada,
            profile=profile_shapes.of_limit(
                SIXTEEN, RateUnit.A, purpose=Purpose.TX_DEFAULT, evse=1, stack_level=0, now=clock.now()
            ),
        )
