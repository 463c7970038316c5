"""Security events: stored once, critical ones alerted (1.6 security white paper A04 and section 8)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import events
from stations.events import SecurityEventRecorded
from stations.models import ChargingStation, ReviewItem, SecurityEvent
from stations.services import review, security
from tests import factories

pytestmark = pytest.mark.django_db
NOON = factories.NOON
CRITICAL = {
    "FirmwareUpdated", "SettingSystemTime", "StartupOfTheDevice", "ResetOrReboot", "SecurityLogWasCleared",
    "MemoryExhaustion", "TamperDetectionActivated",
}  # fmt: skip


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1")


def recorded(
    station: ChargingStation, type: str = "TamperDetectionActivated", **fields: Any
) -> SecurityEvent:
    values: dict[str, Any] = {"at": NOON, "tech_info": "", "now": NOON + timedelta(seconds=2)}
    return security.record(station, type=type, **values | fields)


def test_it_stores_what_the_station_said(station: ChargingStation) -> None:
    event = recorded(station, tech_info="lid open")

    event.refresh_from_db()
    assert (event.type, event.at, event.tech_info) == ("TamperDetectionActivated", NOON, "lid open")
    assert (event.station, event.received_at) == (station, NOON + timedelta(seconds=2))


@pytest.mark.parametrize("type", security.IS_CRITICAL)
def test_it_alerts_what_the_white_paper_calls_critical_and_nothing_else(
    station: ChargingStation, type: str
) -> None:
    event = recorded(station, type)

    assert event.is_critical == (type in CRITICAL)
    assert ReviewItem.objects.exists() == (type in CRITICAL)


def test_it_knows_the_eighteen_types_of_the_white_paper() -> None:
    assert len(security.IS_CRITICAL) == 18
    assert set(security.IS_CRITICAL) >= CRITICAL


def test_it_stores_a_type_that_nobody_knows(station: ChargingStation) -> None:
    event = recorded(station, "VendorsOwnEvent")

    assert not event.is_critical
    assert not ReviewItem.objects.exists()


@pytest.fixture
def heard() -> Iterator[list[SecurityEventRecorded]]:
    found: list[SecurityEventRecorded] = []
    listener = events.subscribe(SecurityEventRecorded)(found.append)
    yield found
    events.unsubscribe(SecurityEventRecorded, listener)


def test_it_stores_a_repetition_once_and_alerts_once(
    station: ChargingStation,
    heard: list[SecurityEventRecorded],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = recorded(station)
        again = recorded(station, now=NOON + timedelta(hours=1))

    assert again == first
    assert heard == [SecurityEventRecorded(station.pk, first.pk)]
    assert ReviewItem.objects.get().count == 1


@pytest.mark.parametrize(
    "other", [{"type": "ResetOrReboot"}, {"at": NOON + timedelta(seconds=1)}, {"tech_info": "x"}]
)
def test_it_tells_events_apart_by_type_moment_and_text(
    station: ChargingStation, other: dict[str, Any]
) -> None:
    recorded(station)
    recorded(station, **other)

    assert SecurityEvent.objects.count() == 2


def test_the_same_event_of_another_station_is_another_event(station: ChargingStation) -> None:
    recorded(station)
    recorded(factories.station("BEA-1"))

    assert SecurityEvent.objects.count() == ReviewItem.objects.count() == 2


def test_it_counts_up_the_open_item_of_the_same_type(station: ChargingStation) -> None:
    for minutes in range(3):
        recorded(station, at=NOON + timedelta(minutes=minutes))

    item = ReviewItem.objects.get()
    assert (item.kind, item.count, item.station) == ("security_event", 3, station)
    assert (item.summary, item.facts["at"]) == ("ADA-1: TamperDetectionActivated", NOON.isoformat())


def test_what_was_resolved_hides_no_later_event(station: ChargingStation) -> None:
    recorded(station)
    review.resolve(ReviewItem.objects.get(), by="user:ada")

    recorded(station, at=NOON + timedelta(days=1))

    assert ReviewItem.objects.filter(resolved_at=None).count() == 1


def test_it_cuts_what_is_too_long_and_still_knows_a_repetition(station: ChargingStation) -> None:
    event = recorded(station, "T" * 80, tech_info="i" * 400)

    assert (len(event.type), len(event.tech_info)) == (50, 255)
    assert recorded(station, "T" * 80, tech_info="i" * 400) == event


def test_a_wish_for_a_certificate_is_one_open_item(station: ChargingStation) -> None:
    security.certificate_wanted(station, now=NOON)
    item = security.certificate_wanted(station, now=NOON + timedelta(minutes=1))

    item.refresh_from_db()
    assert (item.kind, item.count, item.station) == ("certificate_wanted", 2, station)


def test_a_wish_after_the_last_was_settled_is_told_again(station: ChargingStation) -> None:
    review.resolve(security.certificate_wanted(station, now=NOON), by="user:ada")

    security.certificate_wanted(station, now=NOON + timedelta(minutes=1))

    assert ReviewItem.objects.filter(resolved_at=None).count() == 1
