"""TransactionEvents of 2.x: the same session from every order, with doubles and gaps (E01 to E15, case T6)."""

import itertools
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations import readings
from stations.models import ChargingSession, ChargingStation, Command, ReviewItem, TransactionEvent
from stations.services import transactions
from stations.services.ingest import EventRow
from stations.services.transactions import Said, Taken
from tests import factories

pytestmark = pytest.mark.django_db
BEGAN = clock.now().replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def station() -> ChargingStation:
    factories.token("BO-1")
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="2.0.1")


def said(station: ChargingStation, seq_no: int, type: str = "Updated", **facts: Any) -> Said:
    """Say one event: `register` in Wh is read with it, `minute` after the begin."""
    at = BEGAN + timedelta(minutes=facts.pop("minute", seq_no))
    register, token = facts.pop("register", None), facts.pop("token", None)
    evse = facts.pop("evse", 1)
    context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(type, "Sample.Periodic")
    found = (
        ()
        if register is None
        else (
            readings.Reading(
                at, "Energy.Active.Import.Register", "", "Outlet", context, Decimal(register), "Wh"
            ),
        )
    )
    row = EventRow(
        station_id=station.pk,
        transaction_id=facts.pop("transaction_id", "tx-1"),
        seq_no=seq_no,
        at=at,
        received_at=clock.now(),
        type=type,
        trigger=facts.pop("trigger", "MeterValuePeriodic"),
        charging_state=facts.pop("state", "Charging"),
        is_offline=False,
        evse_id=station.evses.get(number=evse).pk if evse else 0,
        connector_number=1 if evse else 0,
        id_token=token or "",
        stop_reason=facts.pop("reason", ""),
        remote_start_id=None,
        reservation_id="",
    )
    kind = facts.pop("token_type", "ISO14443" if token else None)
    assert not facts
    return Said(row=row, id_token_type=kind, found=found)


def story(station: ChargingStation) -> list[Said]:
    return [
        said(station, 0, "Started", register=1000, token="BO-1"),
        said(station, 1, register=1500),
        said(station, 2, register=2500),
        said(station, 3, "Ended", register=4000, reason="EVDisconnected"),
    ]


def tell(station: ChargingStation, events: list[Said]) -> list[Taken]:
    return [transactions.take(station, said=event) for event in events]


def session() -> ChargingSession:
    return ChargingSession.objects.get()


def facts_of(found: ChargingSession) -> dict[str, Any]:
    names = ("id_token", "status", "started_at", "ended_at", "energy_wh", "stop_reason", "evse_id", "flags")
    return {name: getattr(found, name) for name in names}


def test_a_transaction_becomes_a_session_with_its_energy(station: ChargingStation) -> None:
    tell(station, story(station))

    found = session()
    assert (found.status, found.energy_wh, found.stop_reason) == ("ended", 3000, "EVDisconnected")
    assert (found.started_at, found.ended_at) == (BEGAN, BEGAN + timedelta(minutes=3))
    assert (found.id_token, found.authorization_status, found.flags) == ("BO-1", "Accepted", [])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::3])
def test_every_order_gives_the_same_session(station: ChargingStation, order: tuple[int, ...]) -> None:
    events = story(station)

    tell(station, [events[index] for index in order])

    found = facts_of(session())
    assert found["flags"] in ([], ["corrected"])
    assert (found["energy_wh"], found["id_token"]) == (3000, "BO-1")
    assert (found["started_at"], found["ended_at"]) == (BEGAN, BEGAN + timedelta(minutes=3))


def test_doubled_events_change_nothing(station: ChargingStation) -> None:
    events = story(station)
    doubled = [*events, *events, *reversed(events)]
    random.Random(7).shuffle(doubled)

    taken = tell(station, [*events, *doubled])

    assert [t.is_new for t in taken].count(True) == 4
    assert TransactionEvent.objects.count() == 4
    assert session().energy_wh == 3000


def test_a_gap_is_flagged_and_the_station_is_asked(station: ChargingStation) -> None:
    first, _, _, last = story(station)

    tell(station, [first, last])

    assert session().flags == ["events_missing"]
    assert session().energy_wh == 3000


def test_the_missing_events_close_the_gap(station: ChargingStation) -> None:
    first, second, third, last = story(station)

    tell(station, [first, last, second, third])

    assert session().flags == []


def test_an_end_without_its_start_is_a_session_with_a_flag(station: ChargingStation) -> None:
    tell(station, story(station)[2:])

    assert session().status == "ended"
    assert "start_missing" in session().flags


def test_readings_after_the_end_correct_the_energy(station: ChargingStation) -> None:
    events = story(station)
    silent_end = said(station, 3, "Ended", reason="PowerLoss")
    tell(station, [*events[:2], silent_end])
    assert session().energy_wh == 500

    tell(station, [events[2]])

    assert session().energy_wh == 1500
    assert session().billed_at is None


def test_a_token_that_is_not_accepted_is_answered_and_the_session_kept(station: ChargingStation) -> None:
    (taken,) = tell(station, [said(station, 0, "Started", register=0, token="NOBODY")])

    assert taken.decision is not None
    assert taken.decision.status == "Invalid"
    assert session().flags == ["unauthorised"]
    assert ReviewItem.objects.get().kind == "unauthorised_energy"


def test_the_token_may_come_after_the_cable(station: ChargingStation) -> None:
    plugged = said(station, 0, "Started", trigger="CablePluggedIn", state="EVConnected")
    authorized = said(station, 1, token="BO-1", trigger="Authorized")

    tell(station, [plugged, authorized])

    assert (session().id_token, session().authorization_status) == ("BO-1", "Accepted")


def test_the_evse_may_come_after_the_token(station: ChargingStation) -> None:
    authorized = said(station, 0, "Started", token="BO-1", evse=0, trigger="Authorized")
    tell(station, [authorized])
    assert session().flags == ["evse_unknown"]

    tell(station, [said(station, 1, evse=2, trigger="CablePluggedIn")])

    assert (session().evse.number, session().flags) == (2, [])


def test_nobody_authorized_and_energy_flowed(station: ChargingStation) -> None:
    tell(station, [said(station, 0, "Started", register=0), said(station, 1, "Ended", register=500)])

    assert session().authorization_status == "Invalid"
    assert "unauthorised" in session().flags


def test_nobody_authorized_and_nothing_flowed(station: ChargingStation) -> None:
    tell(station, [said(station, 0, "Started", register=5), said(station, 1, "Ended", register=5)])

    assert session().authorization_status == "Accepted"
    assert session().flags == []


def test_a_station_that_asks_nobody_charges_for_all(station: ChargingStation) -> None:
    start = said(station, 0, "Started", register=0, token_type="NoAuthorization")
    (taken,) = tell(station, [start])

    assert taken.decision is not None
    assert taken.decision.status == "Accepted"
    assert session().authorization_status == "Accepted"


def test_another_token_stops_but_does_not_take_over_the_session(station: ChargingStation) -> None:
    factories.token("CY-2")
    events = story(station)[:2]
    stop = said(station, 2, "Ended", token="CY-2", register=2000, trigger="StopAuthorized", reason="Local")

    tell(station, [*events, stop])

    assert (session().id_token, session().stop_id_token) == ("BO-1", "CY-2")


def test_an_id_that_is_used_again_is_another_session(station: ChargingStation) -> None:
    tell(station, story(station))

    tell(station, [said(station, 0, "Started", register=4000, token="BO-1", minute=30)])

    assert ChargingSession.objects.count() == 2
    newest = ChargingSession.objects.latest("id")
    assert (newest.transaction_id, newest.status) == ("tx-1", "active")


def test_a_running_session_shows_its_energy(station: ChargingStation) -> None:
    tell(station, story(station)[:3])

    assert (session().status, session().energy_wh, session().register_wh) == ("active", 1500, 2500)


def test_a_transaction_that_the_station_no_longer_knows_ends_with_its_last_reading(
    station: ChargingStation,
) -> None:
    tell(station, story(station)[:3])

    transactions.told(session(), messages_in_queue=False, ongoing=False)

    assert (session().status, session().energy_wh) == ("ended", 1500)
    assert "energy_estimated" in session().flags
    tell(station, story(station)[3:])
    assert (session().energy_wh, "corrected" in session().flags) == (3000, True)
    assert not Command.objects.filter(status="failed").exists()
