"""Reservations at the console: the tab of a station, the list of all; outcomes and wishes on the pages beside them."""

from datetime import timedelta

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import AvailabilityWish, ChargingStation, Command, Connector, Reservation
from stations.services import availability, remote, reservations
from tests import factories

TAB = "/stations/ADA-1/?tab=reservations"
FORM = {"connector": "1", "id_token": "BO-1", "minutes": "30"}


@pytest.fixture
def station(db: None) -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


def reserve(client: Client, **fields: str) -> str:
    return client.post("/stations/ADA-1/reserve/", FORM | fields, follow=True).content.decode()


def held(station: ChargingStation) -> Reservation:
    made = reservations.reserve(
        station, id_token="BO-1", expires_at=clock.now() + timedelta(hours=1), evse=factories.evse(station)
    )
    reservations.answered(station, number=made.reservation.number, status="reserved")
    made.reservation.refresh_from_db()
    return made.reservation


def test_the_form_asks_the_station(ada: Client, station: ChargingStation) -> None:
    assert "The station is asked" in reserve(ada)

    assert Command.objects.get().payload["connectorId"] == 1
    assert Reservation.objects.get().requested_by == "user:ada"


def test_any_connector_may_be_asked_for(ada: Client, station: ChargingStation) -> None:
    reserve(ada, connector="0")

    assert Command.objects.get().payload["connectorId"] == 0


@pytest.mark.parametrize("fields", [{"connector": "9"}, {"id_token": ""}, {"minutes": "1000000"}])
def test_what_cannot_be_is_said_at_its_field(
    ada: Client, station: ChargingStation, fields: dict[str, str]
) -> None:
    response = ada.post("/stations/ADA-1/reserve/", FORM | fields)

    assert (response.status_code, Reservation.objects.count()) == (422, 0)


def test_a_token_that_is_too_long_for_the_station_is_refused(ada: Client, station: ChargingStation) -> None:
    assert "idTag is too long" in reserve(ada, id_token="x" * 21)

    assert Reservation.objects.count() == 0


def test_an_offline_station_waits_only_when_told_so(ada: Client, station: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)

    assert "is offline" in reserve(ada)
    assert "The station is asked" in reserve(ada, queue="yes")


def test_the_tab_offers_change_and_cancel_of_what_is_held(ada: Client, station: ChargingStation) -> None:
    reservation = held(station)

    text = ada.get(TAB).content.decode()

    assert f"change={reservation.uid}" in text
    assert f"/reservations/{reservation.uid}/cancel/" in text


def test_a_change_takes_the_place_of_what_is_held(ada: Client, station: ChargingStation) -> None:
    reservation = held(station)
    assert reservation.uid in ada.get(f"{TAB}&change={reservation.uid}").content.decode()

    reserve(ada, replaces=reservation.uid, connector="2")

    changed = Reservation.objects.get()
    assert (changed.number, changed.evse.number) == (reservation.number, 2)


def test_cancelling_asks_the_station(ada: Client, station: ChargingStation) -> None:
    reservation = held(station)

    text = ada.post(f"/reservations/{reservation.uid}/cancel/", follow=True).content.decode()

    assert "asked to let it go" in text
    assert Command.objects.latest("id").action == "CancelReservation"


def test_cancelling_waits_for_a_station_that_is_away(ada: Client, station: ChargingStation) -> None:
    reservation = held(station)
    ChargingStation.objects.update(is_online=False)

    text = ada.post(f"/reservations/{reservation.uid}/cancel/", follow=True).content.decode()

    assert "as soon as it is back" in text
    assert Command.objects.latest("id").expires_at <= reservation.expires_at


def test_what_is_over_cannot_be_cancelled(ada: Client, station: ChargingStation) -> None:
    reservation = held(station)
    reservations.cancel_answered(station, number=reservation.number, is_cancelled=True)

    text = ada.post(f"/reservations/{reservation.uid}/cancel/", follow=True).content.decode()

    assert "already cancelled" in text


def test_the_list_is_filtered(ada: Client, station: ChargingStation) -> None:
    held(station)

    assert "BO-1" in ada.get("/reservations/?status=reserved&station=ADA-1&token=bo-1").content.decode()
    assert "No reservations here" in ada.get("/reservations/?status=used").content.decode()


def test_support_may_reserve_and_a_viewer_only_looks(person: type, station: ChargingStation) -> None:
    assert "The station is asked" in reserve(person("support"))
    assert "Hold a connector" not in person("viewer").get(TAB).content.decode()


def test_a_change_is_recorded(ada: Client, station: ChargingStation) -> None:
    reserve(ada)

    event = AuditEvent.objects.get()
    assert (event.action, event.facts["id_token"]) == ("reservation.write", "BO-1")


def test_a_command_shows_what_came_of_it(ada: Client, station: ChargingStation) -> None:
    session = factories.session(station)
    command = remote.stop(session)
    remote.answered(command, kind="stop", state="failed", reason="not_stopped", session=session)

    text = ada.get("/stations/ADA-1/?tab=commands").content.decode()

    assert "The session goes on: try again" in text
    assert "The session goes on: try again" in ada.get(f"/sessions/{session.uid}/").content.decode()


def test_a_session_names_the_reservation_that_it_used(ada: Client, station: ChargingStation) -> None:
    reservation, session = held(station), factories.session(station)
    reservations.use(session, number=str(reservation.number))

    assert "It used reservation no. 1" in ada.get(f"/sessions/{session.uid}/").content.decode()


def test_drift_of_a_wished_availability_is_shown_and_can_be_forgotten(
    ada: Client, station: ChargingStation
) -> None:
    command = availability.change(station, is_operative=False)
    Connector.objects.update(status="Unavailable")
    availability.answered(command, evse=None, is_operative=False, state="accepted")
    assert "In force" in ada.get("/stations/ADA-1/?tab=commands").content.decode()

    Connector.objects.update(status="Available")

    assert "the station reports otherwise" in ada.get("/stations/ADA-1/?tab=commands").content.decode()
    assert "Wanted out of service" in ada.get("/stations/ADA-1/").content.decode()
    ada.post(f"/stations/ADA-1/availability/{AvailabilityWish.objects.get().pk}/forget/")
    assert AvailabilityWish.objects.count() == 0
