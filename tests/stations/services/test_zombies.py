"""Sessions whose charger will never end them: each rule, and the sweep that obeys them (field notes, demand 5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Connector, Evse, ReviewItem
from stations.services import sessions, zombies
from stations.services.zombies import Limits, OpenSession, Over
from tests import factories

LIMITS = Limits(
    next_start_s=120, available_s=300, boot_s=600, silent_s=21_600, offline_s=259_200, long_s=604_800
)
NOW = datetime.fromisoformat("2026-03-01T12:00:00+00:00")


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def running(**fields: Any) -> OpenSession:
    """A session of an hour at an online station whose connector charges; its last reading is a minute old."""
    known: dict[str, Any] = {
        "id": 1, "station_id": 1, "started_at": ago(hours=1), "created_at": ago(hours=1),
        "last_reading_at": ago(minutes=1), "status": "Charging", "status_at": ago(hours=1),
        "status_heard_at": ago(hours=1), "is_online": True, "online_changed_at": ago(days=9), "booted_at": ago(days=9),
        "is_removed": False, "next_started_at": None, "next_created_at": None, "next_is_metered": False,
    }  # fmt: skip
    return OpenSession(**known | fields)


def word(it: OpenSession, limits: Limits = LIMITS) -> Over | None:
    return zombies.judge(it, limits, NOW)


def rule(it: OpenSession) -> str | None:
    found = word(it)
    return found.rule if found else None


def test_a_session_with_readings_is_left_alone() -> None:
    assert word(running()) is None


def test_the_next_start_ends_the_session_before_it_with_its_last_reading() -> None:
    it = running(
        last_reading_at=ago(minutes=20), next_started_at=ago(minutes=10), next_created_at=ago(minutes=10)
    )

    assert word(it) == Over("next_start", "the next session started", ago(minutes=20))


def test_the_next_start_is_the_latest_that_the_session_before_it_can_have_lasted() -> None:
    it = running(next_started_at=ago(minutes=10), next_created_at=ago(minutes=10), next_is_metered=True)

    found = word(it)
    assert found is not None
    assert found.ended_at == ago(minutes=10)


def test_a_start_that_came_to_nothing_ends_nobody_elses_session() -> None:
    assert word(running(next_started_at=ago(minutes=10), next_created_at=ago(minutes=10))) is None


def test_a_queue_may_deliver_the_stop_after_the_next_start() -> None:
    it = running(last_reading_at=None, next_started_at=ago(minutes=10), next_created_at=ago(seconds=119))

    assert word(it) is None


@pytest.mark.parametrize(("minutes", "found"), [(4, None), (6, "available")])
def test_an_available_connector_ends_the_session_after_a_grace(minutes: int, found: str | None) -> None:
    heard = ago(minutes=minutes)
    it = running(status="Available", status_at=heard, status_heard_at=heard, last_reading_at=ago(minutes=20))

    assert rule(it) == found


def test_the_session_lasted_until_the_connector_became_available() -> None:
    it = running(
        status="Available",
        status_at=ago(minutes=15),
        status_heard_at=ago(minutes=6),
        last_reading_at=ago(minutes=20),
    )

    found = word(it)
    assert found is not None
    assert found.ended_at == ago(minutes=15)


def test_an_available_that_was_said_before_the_start_means_nothing() -> None:
    assert word(running(status="Available", status_heard_at=ago(hours=2))) is None


def test_readings_after_an_available_are_stronger() -> None:
    assert word(running(status="Available", status_heard_at=ago(minutes=30))) is None


def test_a_station_that_has_just_come_back_is_given_time_to_empty_its_queue() -> None:
    back = {"online_changed_at": ago(minutes=1), "last_reading_at": ago(days=2), "created_at": ago(days=2)}

    assert word(running(status="Available", status_heard_at=ago(hours=30), **back)) is None
    assert word(running(status="Unavailable", **back)) is None


def test_a_boot_without_resuming_ends_the_session() -> None:
    it = running(
        status="Available",
        status_heard_at=ago(hours=2),
        booted_at=ago(minutes=11),
        last_reading_at=ago(minutes=20),
    )

    assert rule(it) == "boot"


@pytest.mark.parametrize(
    "resumed",
    [
        {"last_reading_at": ago(minutes=5)},
        {"status": "Charging"},
        {"booted_at": ago(minutes=9)},
        {"is_online": False},
    ],
)
def test_a_boot_after_which_it_goes_on_ends_nothing(resumed: dict[str, Any]) -> None:
    facts = {"status": "Available", "status_heard_at": ago(hours=2), "booted_at": ago(minutes=11)}

    assert word(running(**facts | {"last_reading_at": ago(minutes=20)} | resumed)) is None


def test_hours_without_a_reading_end_a_session_that_no_car_is_at() -> None:
    it = running(
        status="Faulted", last_reading_at=ago(hours=7), created_at=ago(hours=9), started_at=ago(hours=9)
    )

    assert word(it) == Over("silent", "no reading for too long", ago(hours=7))


def test_hours_without_a_reading_are_a_question_while_a_car_is_there() -> None:
    found = word(running(last_reading_at=ago(hours=7), created_at=ago(hours=9)))

    assert found is not None
    assert (found.rule, found.is_certain) == ("silent", False)


@pytest.mark.parametrize(("days", "found"), [(2.9, None), (3.1, "offline")])
def test_a_station_that_is_away_may_be_charging_for_days(days: float, found: str | None) -> None:
    away = {"is_online": False, "status": "Available", "status_heard_at": ago(days=days)}

    assert (
        rule(
            running(
                **away,
                online_changed_at=ago(days=days),
                created_at=ago(days=4),
                last_reading_at=ago(days=days),
            )
        )
        == found
    )


def test_a_removed_connector_ends_its_session() -> None:
    assert rule(running(is_removed=True, last_reading_at=ago(minutes=20))) == "removed"


def test_case_t9_a_session_of_forty_days_is_a_question_and_stays_open() -> None:
    found = word(running(started_at=ago(days=40), created_at=ago(days=40)))

    assert found is not None
    assert (found.rule, found.is_certain) == ("long", False)


def test_nought_turns_a_rule_off() -> None:
    off = Limits(0, 0, 0, 0, 0, 0)
    it = running(
        status="Available", status_heard_at=ago(days=50), last_reading_at=ago(days=60), created_at=ago(days=60),
        next_started_at=ago(days=50), next_created_at=ago(days=50), booted_at=ago(days=49),
    )  # fmt: skip

    assert word(it, off) is None


@dataclass
class Left:
    """A session that its charger left behind a day ago with 3 kWh, at a station that is online now."""

    station: ChargingStation
    session: ChargingSession


@pytest.fixture
def left(db: None) -> Left:
    day = clock.now() - timedelta(days=1)
    station = factories.station(is_online=True, online_changed_at=day - timedelta(days=9))
    session = factories.session(
        station, started_at=day, created_at=day, last_reading_at=day + timedelta(minutes=30),
        register_wh=Decimal(4000), energy_wh=Decimal(3000),
    )  # fmt: skip
    factories.samples(session, (10, "2000"), (30, "4000"))
    at = day + timedelta(minutes=40)
    Connector.objects.update(status="Available", status_at=at, last_updated=at)
    return Left(station, session)


def test_the_sweep_closes_with_the_last_good_reading_and_tells_an_operator(left: Left) -> None:
    assert zombies.sweep().closed == 1

    left.session.refresh_from_db()
    assert (left.session.status, left.session.energy_wh, left.session.meter_stop_wh) == ("ended", 3000, 4000)
    assert left.session.flags == ["energy_estimated", "closed_by:rule"]
    assert left.session.stop_reason == "the connector became available"
    item = ReviewItem.objects.get()
    assert (item.kind, item.session, item.facts["rule"]) == ("stale_session", left.session, "available")


def test_the_sweep_closes_once(left: Left) -> None:
    assert [zombies.sweep().closed, zombies.sweep().closed] == [1, 0]
    assert ReviewItem.objects.get().count == 1


def test_a_session_without_energy_is_closed_without_a_word(left: Left) -> None:
    empty = factories.session(factories.station(), last_reading_at=None)
    Evse.objects.filter(pk=empty.evse_id).update(is_removed=True)
    ChargingSession.objects.filter(pk=empty.pk).update(created_at=empty.started_at)

    zombies.sweep()

    empty.refresh_from_db()
    assert (empty.status, empty.energy_wh, empty.ended_at) == ("ended", 0, empty.started_at)
    assert not ReviewItem.objects.filter(session=empty).exists()


def test_what_is_closed_is_judged_again_under_its_lock(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Any] = []
    real = zombies.judge

    def reading_meanwhile(it: OpenSession, limits: Limits, now: datetime) -> Over | None:
        if not judged:
            ChargingSession.objects.update(last_reading_at=clock.now())
        judged.append(found := real(it, limits, now))
        return found

    monkeypatch.setattr(zombies, "judge", reading_meanwhile)

    assert zombies.sweep().closed == 0
    assert [found is not None for found in judged] == [True, False]


def test_energy_after_the_next_start_is_not_the_old_sessions(left: Left) -> None:
    factories.samples(left.session, (90, "9000"))
    began = left.session.started_at + timedelta(hours=1)
    other = factories.session(left.station, started_at=began, created_at=began, last_reading_at=began)
    ChargingSession.objects.filter(pk=left.session.pk).update(last_reading_at=began + timedelta(minutes=30))

    zombies.sweep()

    left.session.refresh_from_db()
    assert (left.session.ended_at, left.session.energy_wh) == (other.started_at, 3000)


def test_the_real_stop_resolves_the_item_and_takes_the_flag_away(left: Left) -> None:
    zombies.sweep()
    facts = sessions.Stop(left.session.transaction_id, clock.now(), Decimal(7000), "EVDisconnected")

    sessions.stop(left.station, facts=facts)

    left.session.refresh_from_db()
    assert (left.session.energy_wh, left.session.flags) == (6000, ["closed_by:rule", "corrected"])
    assert ReviewItem.objects.get().resolved_by == "station"


def test_a_question_is_asked_once_and_settled_when_the_session_ends(left: Left) -> None:
    Connector.objects.update(status="Charging")
    zombies.sweep()
    zombies.sweep()
    item = ReviewItem.objects.get()
    assert (item.count, item.resolved_at) == (1, None)

    sessions.close(left.session, reason="the car left", by="user:ada")
    zombies.sweep()

    item.refresh_from_db()
    assert item.resolution == "the session has ended"


def test_the_sweep_costs_one_query_while_all_is_well(db: None, django_assert_max_num_queries: Any) -> None:
    station = factories.station()
    for _ in range(5):
        factories.session(station, started_at=clock.now(), last_reading_at=clock.now())

    with django_assert_max_num_queries(2):
        zombies.sweep()
