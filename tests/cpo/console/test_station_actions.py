"""What is done to a station: add, change, password, commands."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from cpo.models import AuditEvent
from stations.models import ChargingStation, Command
from stations.services import provisioning
from tests import factories

FIELDS = {"name": "Left", "security_profile": "1", "registration": "Accepted"}


@pytest.fixture
def station(db: None) -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


def messages_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_a_new_station_shows_its_password_once_and_it_works(ada: Client) -> None:
    response = ada.post("/new/station/", FIELDS | {"identity": "ADA-9"})

    found = re.search(r'id="password">([^<]+)<', response.content.decode())
    station = ChargingStation.objects.get(identity="ADA-9")
    assert found
    assert provisioning.password_matches(
        found[1].encode(), salt=bytes(station.secret_salt), expected=bytes(station.secret_hash)
    )
    assert response.headers["Cache-Control"] == "no-store"
    assert found[1] not in ada.get("/stations/ADA-9/edit/").content.decode()


def test_the_password_is_in_no_audit_event(ada: Client) -> None:
    text = ada.post("/new/station/", FIELDS | {"identity": "ADA-9"}).content.decode()

    found = re.search(r'id="password">([^<]+)<', text)
    assert found
    assert found[1] not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize("identity", ["", "a b", "a/b", "x" * 49, "ADA-1", "a:b"])
def test_an_identity_that_cannot_be_is_told_at_its_field(
    ada: Client, station: ChargingStation, identity: str
) -> None:
    response = ada.post("/new/station/", FIELDS | {"identity": identity})

    assert response.status_code == 422
    assert b'id="id_identity_error"' in response.content
    assert ChargingStation.objects.count() == 1


def test_a_limited_operator_cannot_put_a_station_out_of_his_scope(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    other = factories.location(factories.operator("DE", "XYZ"))
    olaf = person("operator", operators=[factories.operator()])

    for location in ("", str(other.pk)):
        response = olaf.post("/new/station/", FIELDS | {"identity": "ADA-9", "location": location})
        assert response.status_code == 422


def test_a_change_is_saved_and_the_password_stays(ada: Client, station: ChargingStation) -> None:
    provisioning.set_password(station, password="correct-horse-battery")

    ada.post("/stations/ADA-1/edit/", FIELDS | {"location": station.location_id, "registration": "Pending"})

    fresh = ChargingStation.objects.get()
    assert (fresh.name, fresh.registration, fresh.location_id) == ("Left", "Pending", station.location_id)
    assert bytes(fresh.secret_hash) == bytes(station.secret_hash)


def test_a_new_password_replaces_the_old_one(ada: Client, station: ChargingStation) -> None:
    before = bytes(station.secret_hash)

    response = ada.post("/stations/ADA-1/password/")

    assert b'id="password"' in response.content
    assert bytes(ChargingStation.objects.get().secret_hash) != before


def test_a_harmless_command_is_queued_at_once(ada: Client, station: ChargingStation) -> None:
    response = ada.post(
        "/stations/ADA-1/commands/", {"action": "TriggerMessage", "requestedMessage": "Heartbeat"}
    )

    command = Command.objects.get()
    assert response.headers["Location"] == "/stations/ADA-1/?tab=commands&action=TriggerMessage"
    assert (command.action, command.payload) == ("TriggerMessage", {"requestedMessage": "Heartbeat"})
    assert command.requested_by == "user:ada"
    assert AuditEvent.objects.get().facts["id"] == command.uid


def test_a_dangerous_command_is_confirmed_first(ada: Client, station: ChargingStation) -> None:
    response = ada.post("/stations/ADA-1/commands/", {"action": "Reset", "type": "Hard"})
    assert b"Are you sure?" in response.content
    assert not Command.objects.exists()

    ada.post("/stations/ADA-1/commands/", {"action": "Reset", "type": "Hard", "confirmed": "yes"})
    assert Command.objects.get().payload == {"type": "Hard"}


def test_first_line_support_gives_safe_commands_only(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    support = person("support")

    support.post("/stations/ADA-1/commands/", {"action": "Reset", "type": "Hard", "confirmed": "yes"})
    assert not Command.objects.exists()

    support.post("/stations/ADA-1/commands/", {"action": "Reset", "type": "Soft", "confirmed": "yes"})
    assert Command.objects.get().payload == {"type": "Soft"}


def test_a_field_that_is_wrong_keeps_what_was_typed(ada: Client, station: ChargingStation) -> None:
    response = ada.post(
        "/stations/ADA-1/commands/",
        {"action": "RemoteStartTransaction", "idTag": "x" * 30, "connectorId": "1"},
    )

    assert response.status_code == 422
    assert b"x" * 30 in response.content


def test_an_offline_station_waits_only_when_it_is_told_to(ada: Client, station: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)
    fields = {"action": "TriggerMessage", "requestedMessage": "Heartbeat"}

    response = ada.post("/stations/ADA-1/commands/", fields, follow=True)
    assert "is offline" in response.content.decode()
    assert not Command.objects.exists()

    ada.post("/stations/ADA-1/commands/", fields | {"queue": "yes"})
    assert Command.objects.get().status == "queued"


def test_an_action_that_the_station_does_not_know_is_refused(ada: Client, station: ChargingStation) -> None:
    response = ada.post("/stations/ADA-1/commands/", {"action": "SetVariables"}, follow=True)

    assert "does not know SetVariables" in response.content.decode()


def test_a_command_that_waits_can_be_taken_back(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/commands/", {"action": "TriggerMessage", "requestedMessage": "Heartbeat"})

    ada.post(f"/commands/{Command.objects.get().uid}/cancel/")

    assert Command.objects.get().status == "cancelled"


def test_a_link_fills_the_form(ada: Client, station: ChargingStation) -> None:
    text = ada.get(
        "/stations/ADA-1/?tab=commands&action=RemoteStartTransaction&connectorId=2"
    ).content.decode()

    assert re.search(r'<option value="2" selected>2</option>', text)


@pytest.mark.parametrize(
    "address", ["/stations/?q=%00", "/stations/%00/", "/sessions/?q=a%00", "/stations/?after=%00"]
)
def test_a_nul_character_is_a_bad_request(ada: Client, address: str) -> None:
    assert ada.get(address).status_code == 400
