"""The display tab of a station's page."""

from collections.abc import Callable

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import ChargingStation, Command, DisplayMessage, SessionCost
from stations.services import device_model, display_messages, display_reports, variable_keys
from stations.services.device_model import Told
from stations.services.display_reports import Told as Lying
from stations.services.display_rows import Content, Message
from tests import factories

TAB = "/stations/ADA-1/?tab=display"
ACT = "/stations/ADA-1/display/"
HELLO = Message((Content("Hello", language="en"), Content("Hallo", language="de")), priority="InFront")
FORM = {
    "content": "Hello", "language": "en", "format": "UTF8", "priority": "InFront", "where": "station",
    "content_2": "Hallo", "language_2": "de",
}  # fmt: skip


@pytest.fixture
def station(db: None) -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="2.1")


def page(client: Client) -> str:
    return client.get(TAB).content.decode()


def posted(client: Client, path: str, fields: dict[str, object]) -> str:
    return client.post(ACT + path, fields, follow=True).content.decode()


def test_an_empty_tab_says_what_to_do(ada: Client, station: ChargingStation) -> None:
    text = page(ada)

    assert "No message is known" in text
    assert "not told" in text


def test_it_shows_what_lies_there_and_how_it_differs(ada: Client, station: ChargingStation) -> None:
    display_messages.was_put(station, 1, HELLO, state="accepted")
    other = Message((Content("Bye", language="en"),))
    told = [Lying(1, other), Lying(9, other)]
    display_reports.take_part(station.pk, request_id=1, is_last=True, told=told)

    text = page(ada)
    for words in ("Hello", "Hallo", "It shows: Bye", "Different", "Not ours", "#9"):
        assert words in text, words


def test_a_message_in_two_languages_is_written(ada: Client, station: ChargingStation) -> None:
    posted(ada, "", FORM)

    info = Command.objects.get().payload["message"]
    assert (info["message"]["content"], info["messageExtra"][0]["language"]) == ("Hello", "de")
    assert (DisplayMessage.objects.get().requested_by, AuditEvent.objects.filter(object_id="ADA-1").count()) == (
        "user:ada", 1,
    )  # fmt: skip


def test_a_message_is_written_in_place_of_another(ada: Client, station: ChargingStation) -> None:
    display_messages.was_put(station, 5, HELLO, state="accepted")

    posted(ada, "", FORM | {"replaces": "5", "when": "Idle"})

    assert Command.objects.get().payload["message"]["id"] == 5


def test_a_message_for_a_session(ada: Client, station: ChargingStation) -> None:
    session = factories.session(station)

    posted(ada, "", FORM | {"session": session.transaction_id})

    assert Command.objects.get().payload["message"]["transactionId"] == session.transaction_id


def test_a_message_for_all_stations_of_the_site(ada: Client, station: ChargingStation) -> None:
    factories.station("ADA-2", location=station.location, ocpp_version="2.0.1")
    factories.station("ADA-3", location=station.location, ocpp_version="1.6")

    text = posted(ada, "", FORM | {"where": "site"})

    assert set(Command.objects.values_list("station__identity", flat=True)) == {"ADA-1", "ADA-2"}
    assert ("2 stations are asked" in text, "ADA-3:" in text) == (True, True)


def test_a_message_of_the_site_is_cleared_everywhere(ada: Client, station: ChargingStation) -> None:
    factories.station("ADA-2", location=station.location, ocpp_version="2.1")
    posted(ada, "", FORM | {"where": "site"})
    display_messages.was_put(station, 1, HELLO, state="accepted")
    assert "Clear at the site" in page(ada)

    posted(ada, "1/clear/", {"where": "site"})

    cleared = Command.objects.filter(action="ClearDisplayMessage")
    assert set(cleared.values_list("station__identity", flat=True)) == {"ADA-1", "ADA-2"}


@pytest.mark.parametrize(
    "fields",
    [{"content": ""}, {"priority": "Loud"}, {"ends_at": "2020-01-01T00:00"}, {"session": "tx-9"}],
    ids=["nothing", "priority", "past", "session"],
)
def test_what_cannot_be_is_refused(ada: Client, station: ChargingStation, fields: dict[str, object]) -> None:
    posted(ada, "", FORM | fields)

    assert not Command.objects.exists()


def test_what_the_station_cannot_show_takes_a_second_word(ada: Client, station: ChargingStation) -> None:
    key = variable_keys.parse("DisplayMessageCtrlr/SupportedPriorities")
    device_model.store(station.pk, told=[Told(key, "NormalCycle")], at=clock.now())

    assert "does not know the priority" in posted(ada, "", FORM)
    posted(ada, "", FORM | {"anyway": "on"})

    assert Command.objects.get().action == "SetDisplayMessage"


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("1/clear/", "ClearDisplayMessage"),
        ("1/again/", "SetDisplayMessage"),
        ("read/", "GetDisplayMessages"),
    ],
)
def test_a_button_asks_the_station(ada: Client, station: ChargingStation, path: str, action: str) -> None:
    display_messages.was_put(station, 1, HELLO, state="accepted")

    posted(ada, path, {})

    assert Command.objects.get().action == action


def test_a_driver_is_told_something(ada: Client, station: ChargingStation) -> None:
    session = factories.session(station)
    assert "Tell a driver" in page(ada)

    posted(ada, "driver/", {"session": str(session.uid), "text": "Now 0.32 EUR/kWh", "language": "en"})
    posted(ada, "driver/", {"session": "nobody", "text": "x"})

    cost = SessionCost.objects.get()
    assert (cost.personal_message, cost.is_untold) == ("Now 0.32 EUR/kWh", True)


def test_texts_for_when_we_are_away_are_set(ada: Client, station: ChargingStation) -> None:
    key = variable_keys.parse("TariffCostCtrlr/TotalCostFallbackMessage")
    device_model.store(station.pk, told=[Told(key, "Ask us")], at=clock.now())
    assert "Ask us" in page(ada)

    posted(ada, "fallback/", {"TariffFallbackMessage": "See the sign", "TotalCostFallbackMessage": "Ask us"})
    posted(ada, "fallback/", {"TariffFallbackMessage": "", "TotalCostFallbackMessage": "Ask us"})

    [change] = Command.objects.get(action="SetVariables").payload["setVariableData"]
    assert (change["variable"]["name"], change["attributeValue"]) == ("TariffFallbackMessage", "See the sign")


def test_a_viewer_reads_only(person: Callable[..., Client], station: ChargingStation) -> None:
    viewer = person("viewer")
    display_messages.was_put(station, 1, HELLO, state="accepted")

    text = page(viewer)
    assert ("Hello" in text, "Write a message" in text, "Clear" in text) == (True, False, False)
    assert viewer.post(ACT, FORM).status_code == 403
