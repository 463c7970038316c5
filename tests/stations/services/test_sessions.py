"""Charging sessions as a function of what chargers said (OCPP 1.6 sections 4.8 and 4.10)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from stations.events import SessionEnded, SessionStarted
from stations.models import ChargingSession, ChargingStation, ReviewItem
from stations.services import sessions
from stations.services.errors import NotOpen
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def start_facts(station: ChargingStation, *, key: str = "key-1", **fields: Any) -> sessions.Start:
    fields.setdefault("id_token", "BO-1")
    fields.setdefault("started_at", NOON)
    fields.setdefault("meter_start_wh", Decimal(1000))
    return sessions.Start(evse_id=factories.evse(station).pk, connector_number=1, key=key, **fields)


def stop_facts(session: ChargingSession | None = None, **fields: Any) -> sessions.Stop:
    fields.setdefault("transaction_id", session.transaction_id if session else "0")
    fields.setdefault("ended_at", NOON + timedelta(hours=1))
    fields.setdefault("meter_stop_wh", Decimal("13345.5"))
    fields.setdefault("reason", "Local")
    return sessions.Stop(**fields)


def stopped(station: ChargingStation, facts: sessions.Stop) -> ChargingSession:
    return ChargingSession.objects.get(pk=sessions.stop(station, facts=facts))


@pytest.fixture
def station() -> ChargingStation:
    factories.token("BO-1")
    return factories.station()


@pytest.fixture
def session(station: ChargingStation) -> ChargingSession:
    return sessions.start(station, facts=start_facts(station))[0]


def test_a_start_is_stored_with_a_transaction_id_of_31_bits(station: ChargingStation) -> None:
    session, decision, _ = sessions.start(station, facts=start_facts(station))

    assert decision.status == "Accepted"
    assert 0 < int(session.transaction_id) < 2**31


def test_a_repeated_start_gets_the_same_transaction_id(station: ChargingStation) -> None:
    first, _, _ = sessions.start(station, facts=start_facts(station))
    again, decision, _ = sessions.start(station, facts=start_facts(station))

    assert (again.pk, decision.status) == (first.pk, "Accepted")
    assert ChargingSession.objects.count() == 1


def test_a_repeated_start_is_answered_as_the_first_time_although_the_token_was_blocked_since(
    station: ChargingStation, session: ChargingSession
) -> None:
    token = session.token
    assert token is not None
    token.status = "Blocked"
    token.save(update_fields=["status"])

    assert sessions.start(station, facts=start_facts(station))[1].status == "Accepted"


def test_an_unknown_token_is_stored_all_the_same_and_shown_to_an_operator(station: ChargingStation) -> None:
    session, decision, _ = sessions.start(station, facts=start_facts(station, id_token="NOBODY"))

    assert decision.status == "Invalid"
    assert ChargingSession.objects.get(pk=session.pk).flags == ["unauthorised"]
    assert ReviewItem.objects.get().kind == ReviewItem.Kind.UNAUTHORISED_ENERGY


def test_a_start_is_announced_after_the_commit(
    station: ChargingStation, django_capture_on_commit_callbacks: Any, heard: list[object]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        session, _, _ = sessions.start(station, facts=start_facts(station))

    assert heard == [SessionStarted(session.pk, station.pk)]


def test_a_stop_ends_the_session_with_the_metered_energy(
    station: ChargingStation, session: ChargingSession
) -> None:
    ended = stopped(station, stop_facts(session))

    assert (ended.status, ended.energy_wh, ended.needs_review) == ("ended", Decimal("12345.5"), False)


def test_a_repeated_stop_changes_nothing_and_is_announced_once(
    station: ChargingStation,
    session: ChargingSession,
    django_capture_on_commit_callbacks: Any,
    heard: list[object],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        sessions.stop(station, facts=stop_facts(session))
        sessions.stop(station, facts=stop_facts(session))

    assert heard == [SessionEnded(session.pk, station.pk)]
    assert ReviewItem.objects.count() == 0


def test_a_second_stop_with_another_register_is_work_for_an_operator(
    station: ChargingStation, session: ChargingSession
) -> None:
    sessions.stop(station, facts=stop_facts(session))
    sessions.stop(station, facts=stop_facts(session, meter_stop_wh=Decimal(99999)))

    session.refresh_from_db()
    assert session.energy_wh == Decimal("12345.5")
    assert ReviewItem.objects.get().kind == ReviewItem.Kind.UNMATCHED_STOP


def test_a_stop_for_a_number_that_we_never_gave_touches_no_session(
    station: ChargingStation, session: ChargingSession
) -> None:
    assert sessions.stop(station, facts=stop_facts(transaction_id="424242", id_token="BO-1")) is None

    session.refresh_from_db()
    assert session.status == "active"
    assert ReviewItem.objects.get().facts["transaction_id"] == "424242"


def test_a_stop_with_id_minus_one_finds_the_only_session_of_its_token(
    station: ChargingStation, session: ChargingSession
) -> None:
    ended = stopped(station, stop_facts(transaction_id="-1", id_token="bo-1"))

    assert (ended.pk, "matched_stop" in ended.flags) == (session.pk, True)


def test_a_stop_with_id_zero_is_not_guessed_between_two_sessions(station: ChargingStation) -> None:
    sessions.start(station, facts=start_facts(station, key="a"))
    sessions.start(station, facts=start_facts(station, key="b"))

    assert sessions.stop(station, facts=stop_facts(transaction_id="0", id_token="BO-1")) is None


def test_a_stop_before_its_start_never_makes_a_negative_duration(
    station: ChargingStation, session: ChargingSession
) -> None:
    ended = stopped(station, stop_facts(session, ended_at=NOON - timedelta(hours=1)))

    assert ended.ended_at == ended.started_at
    assert "stop_before_start" in ended.flags


def test_a_register_below_the_start_is_kept_and_flagged_never_negative(
    station: ChargingStation, session: ChargingSession
) -> None:
    ended = stopped(station, stop_facts(session, meter_stop_wh=Decimal(10)))

    assert ended.energy_wh >= 0
    assert ended.needs_review
    assert ReviewItem.objects.get().kind == ReviewItem.Kind.ODD_READINGS


def test_the_same_number_at_two_stations_names_two_sessions(session: ChargingSession) -> None:
    other = factories.station()

    assert sessions.stop(other, facts=stop_facts(session)) is None

    session.refresh_from_db()
    assert session.status == "active"


def test_closing_by_hand_ends_with_the_last_good_reading(session: ChargingSession) -> None:
    ChargingSession.objects.filter(pk=session.pk).update(
        register_wh=Decimal(4000), energy_wh=Decimal(3000), last_reading_at=NOON + timedelta(minutes=30)
    )

    closed = sessions.close(session, reason="Other", by="ada")

    assert closed.ended_at == NOON + timedelta(minutes=30)
    assert "energy_estimated" in closed.flags


def test_a_closed_session_cannot_be_closed_again(session: ChargingSession) -> None:
    closed = sessions.close(session, reason="Other", by="ada")

    with pytest.raises(NotOpen):
        sessions.close(closed, reason="Other", by="ada")
