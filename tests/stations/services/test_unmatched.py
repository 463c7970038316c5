"""Stops without a transaction of ours: kept, matched when that is no guess, merged by hand (quirk 3, T3, T4)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, MeterSample, ReviewItem, UnmatchedStop
from stations.services import review, sessions, unmatched
from stations.services.errors import DoesNotFit
from tests import factories

pytestmark = pytest.mark.django_db
BEGAN = clock.now().replace(microsecond=0) - timedelta(hours=3)


def at(minute: float) -> datetime:
    return BEGAN + timedelta(minutes=minute)


def stopped(station: ChargingStation, transaction_id: str = "-1", **fields: Any) -> int | None:
    facts: dict[str, Any] = {
        "ended_at": at(30), "meter_stop_wh": Decimal(3000), "reason": "Local", "id_token": "BO-1",
        "received_at": clock.now(),
    } | fields  # fmt: skip
    facts.setdefault("key", f"{transaction_id}/{facts['ended_at']}/{facts['meter_stop_wh']}")
    return sessions.stop(station, facts=sessions.Stop(transaction_id=transaction_id, **facts))


def started(
    station: ChargingStation, *, minute: float = 0, number: int = 1, **fields: Any
) -> ChargingSession:
    facts: dict[str, Any] = {
        "id_token": "BO-1",
        "meter_start_wh": Decimal(1000),
        "key": f"{minute}/{number}/{fields}",
    }
    evse = factories.evse(station, number).pk
    return sessions.start(
        station,
        facts=sessions.Start(evse_id=evse, connector_number=1, started_at=at(minute), **facts | fields),
    ).session


@pytest.fixture
def station() -> ChargingStation:
    factories.token("BO-1")
    return factories.station(connectors=2)


def reread(session: ChargingSession) -> ChargingSession:
    session.refresh_from_db()
    return session


def test_case_t4_a_stop_that_came_before_its_start_ends_it_when_it_comes(station: ChargingStation) -> None:
    assert stopped(station) is None
    session = started(station)

    assert unmatched.match() == 1

    assert (reread(session).status, session.energy_wh, session.ended_at) == ("ended", 2000, at(30))
    assert "matched_stop" in session.flags
    assert "it ended session" in ReviewItem.objects.get().resolution


def test_a_start_over_the_same_socket_is_matched_at_once(station: ChargingStation) -> None:
    stopped(station)

    assert started(station, may_have_stopped=True).status == "ended"


def test_a_stop_that_is_said_again_is_one_row_and_one_item(station: ChargingStation) -> None:
    for _ in range(3):
        assert stopped(station) is None

    assert UnmatchedStop.objects.count() == ReviewItem.objects.count() == 1
    assert ReviewItem.objects.get().count == 3


def test_a_matched_stop_that_is_said_again_changes_nothing(station: ChargingStation) -> None:
    session = started(station)

    assert [stopped(station), stopped(station)] == [session.pk, session.pk]
    assert ReviewItem.objects.count() == 0


def test_its_transaction_data_is_kept_and_counts(station: ChargingStation) -> None:
    kind = ("Energy.Active.Import.Register", "", "Outlet", "Sample.Periodic", "Wh")
    stopped(station, meter_stop_wh=None, samples=((0, at(10), kind, 0, Decimal(2500)),))
    session = started(station)

    unmatched.match()

    assert reread(session).energy_wh == 1500
    assert MeterSample.objects.get().session_id == session.pk


def test_stops_of_several_visits_find_each_its_own(station: ChargingStation) -> None:
    stopped(station, ended_at=at(30), meter_stop_wh=Decimal(3000))
    stopped(station, ended_at=at(90), meter_stop_wh=Decimal(6000))
    first, second = started(station), started(station, minute=60, meter_start_wh=Decimal(3000))

    assert unmatched.match() == 2

    assert [reread(first).energy_wh, reread(second).energy_wh] == [2000, 3000]


@pytest.mark.parametrize(
    "other",
    [{"id_token": "EVE"}, {"meter_start_wh": Decimal(9000)}, {"minute": 31}],
)
def test_another_token_register_or_time_does_not_fit(station: ChargingStation, other: dict[str, Any]) -> None:
    stopped(station)
    session = started(station, **other)

    assert unmatched.match() == 0
    assert reread(session).status == "active"


def test_between_two_that_fit_nobody_guesses(station: ChargingStation) -> None:
    stopped(station)
    started(station)
    started(station, number=2)

    assert unmatched.match() == 0


def test_a_number_of_the_chargers_own_ends_only_what_started_later(station: ChargingStation) -> None:
    before = started(station)
    assert stopped(station, "777") is None
    assert unmatched.match() == 0
    sessions.close(before, reason="x", by="user:ada")
    ChargingSession.objects.update(started_at=at(29))

    after = started(station, number=2)
    assert unmatched.match() == 1
    assert reread(after).status == "ended"


def test_the_session_of_another_station_is_never_touched(station: ChargingStation) -> None:
    stopped(station)
    started(factories.station())

    assert unmatched.match() == 0


def test_it_corrects_a_session_that_a_rule_has_closed(station: ChargingStation) -> None:
    session = started(station)
    sessions.close(session, reason="no sign", by="rule")

    assert stopped(station) == session.pk

    assert (reread(session).energy_wh, "corrected" in session.flags) == (2000, True)


def test_an_operator_merges_what_nobody_could_guess(station: ChargingStation) -> None:
    session, _ = started(station), started(station, number=2)
    stopped(station)
    stop = UnmatchedStop.objects.get()

    unmatched.merge(stop, session, by="user:ada")

    stop.refresh_from_db()
    assert (reread(session).status, stop.matched_by) == ("ended", "user:ada")
    assert ReviewItem.objects.get().resolved_by == "user:ada"


def test_a_merge_happens_once_and_only_with_what_may_have_ended(station: ChargingStation) -> None:
    session, other = started(station), started(station, number=2)
    ended = factories.session(station, started_at=at(0), ended=True)
    stopped(station)
    stop = UnmatchedStop.objects.get()

    for wrong in (ended, factories.session(started_at=at(0)), started(station, minute=45)):
        with pytest.raises(DoesNotFit):
            unmatched.merge(stop, wrong, by="user:ada")
    unmatched.merge(stop, session, by="user:ada")
    with pytest.raises(DoesNotFit):
        unmatched.merge(stop, other, by="user:ada")


def test_what_an_operator_dismissed_is_not_matched_later(station: ChargingStation) -> None:
    stopped(station)
    review.resolve(ReviewItem.objects.get(), by="user:ada", resolution="a test of the installer")
    started(station)

    assert unmatched.match() == 0
