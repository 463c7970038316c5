"""Composite schedules: computed, told, compared (OCPP 1.6 section 5.7)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cpo.lib import clock
from stations.charging_profiles import Kind, Purpose, RateUnit
from stations.models import (
    ChargingStation,
    Command,
    CompositeReport,
    LearnedCapability,
    ReviewItem,
)
from stations.services import (
    commands,
    composite_schedules,
    profile_shapes,
    smart_charging,
)
from stations.services.errors import UnsuitedProfile
from tests import factories
from tests.stations.services.profiles import ASK, SIXTEEN, answer, claimed, installed, now_s, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


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
    assert "allows more" in ReviewItem.objects.get().summary


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
