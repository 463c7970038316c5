"""Security events: stored once, critical ones alerted (2.1 A04 and appendix 1, 1.6 white paper section 8)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import events
from stations.events import SecurityEventRecorded
from stations.models import ChargingStation, Command, ReviewItem, SecurityEvent
from stations.services import review, security
from tests import factories

pytestmark = pytest.mark.django_db
NOON = factories.NOON
CRITICAL = {
    "FirmwareUpdated", "SettingSystemTime", "StartupOfTheDevice", "ResetOrReboot", "SecurityLogWasCleared",
    "MemoryExhaustion", "TamperDetectionActivated", "InvalidFirmwareSignature", "InvalidFirmwareSigningCertificate",
    "InvalidCsmsCertificate", "InvalidChargingStationCertificate", "DiscardedRenewedClientCertificate",
    "InvalidTLSVersion", "InvalidTLSCipherSuite", "MaintenanceLoginAccepted", "MaintenanceLoginFailed",
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
def test_it_alerts_what_the_appendix_calls_critical_and_nothing_else(
    station: ChargingStation, type: str
) -> None:
    event = recorded(station, type)

    assert event.is_critical == (type in CRITICAL)
    assert ReviewItem.objects.exists() == (type in CRITICAL)


def test_what_a_version_thinks_of_an_event_counts(station: ChargingStation) -> None:
    assert not recorded(station, "InvalidTLSVersion", is_critical=False).is_critical
    assert not ReviewItem.objects.exists()


def test_it_knows_the_types_of_the_white_paper_and_of_both_editions_of_the_appendix() -> None:
    assert len(security.IS_CRITICAL) == 18 + 9
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


def ordered(station: ChargingStation, action: str, status: str | None, *, minutes: int = -2) -> None:
    moment = NOON + timedelta(minutes=minutes)
    Command.objects.create(
        station=station,
        action=action,
        status="answered",
        result={} if status is None else {"status": status},
        created_at=moment,
        expires_at=moment,
        answered_at=moment,
    )


@pytest.mark.parametrize(
    ("type", "action", "status"),
    [
        ("ResetOrReboot", "Reset", "Accepted"),
        ("StartupOfTheDevice", "Reset", "Accepted"),
        ("StartupOfTheDevice", "ChangeConfiguration", "RebootRequired"),
        ("FirmwareUpdated", "UpdateFirmware", None),
        ("FirmwareUpdated", "SignedUpdateFirmware", "Accepted"),
        ("StartupOfTheDevice", "SignedUpdateFirmware", "AcceptedCanceled"),
    ],
)
def test_what_we_ordered_waits_for_nobody(
    station: ChargingStation, type: str, action: str, status: str | None
) -> None:
    ordered(station, action, status)

    event = recorded(station, type)

    assert event.is_critical
    assert not ReviewItem.objects.exists()


@pytest.mark.parametrize(
    ("type", "action", "status", "minutes"),
    [
        ("ResetOrReboot", "Reset", "Rejected", -2),
        ("ResetOrReboot", "Reset", "Accepted", -60),
        ("ResetOrReboot", "Reset", "Accepted", 60),
        ("ResetOrReboot", "ChangeConfiguration", "Accepted", -2),
        ("FirmwareUpdated", "Reset", "Accepted", -2),
        ("TamperDetectionActivated", "Reset", "Accepted", -2),
    ],
)
def test_what_we_did_not_order_waits_for_an_operator(
    station: ChargingStation, type: str, action: str, status: str, minutes: int
) -> None:
    ordered(station, action, status, minutes=minutes)

    recorded(station, type)

    assert ReviewItem.objects.count() == 1


def test_a_restart_of_another_station_excuses_nothing(station: ChargingStation) -> None:
    ordered(factories.station("BEA-1"), "Reset", "Accepted")

    recorded(station, "ResetOrReboot")

    assert ReviewItem.objects.count() == 1


def test_a_station_whose_clock_is_wrong_is_excused_by_the_moment_it_came(station: ChargingStation) -> None:
    ordered(station, "Reset", "Accepted")

    recorded(station, "ResetOrReboot", at=NOON - timedelta(days=9))

    assert not ReviewItem.objects.exists()


def test_the_clock_that_we_told_at_the_boot_waits_for_nobody(station: ChargingStation) -> None:
    station.last_boot_at = NOON

    recorded(station, "SettingSystemTime")
    recorded(station, "SettingSystemTime", at=NOON + timedelta(hours=1), now=NOON + timedelta(hours=1))

    assert ReviewItem.objects.count() == 1
