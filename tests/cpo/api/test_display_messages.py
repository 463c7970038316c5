"""Messages on displays and news for drivers over the API."""

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, DisplayMessage, SessionCost
from stations.services import device_model, display_messages, variable_keys
from stations.services.device_model import Told
from stations.services.display_rows import Content, Message
from tests import factories

PATH = "stations/VOLT/display-messages/"
HELLO = Message((Content("Hello"),))
BODY = {"contents": [{"content": "Hello", "language": "en"}, {"content": "x:y", "format": "QRCODE"}]}


@pytest.fixture
def volt(db: None) -> ChargingStation:
    return factories.station("VOLT", is_online=True, epoch=1, ocpp_version="2.1")


def test_a_message_is_written_and_listed(api, volt):
    asked = api.post(
        PATH, BODY | {"priority": "InFront", "display": {"component": "Display", "evse": 1}}, expect=202
    )

    info = Command.objects.get().payload["message"]
    assert (asked["message"]["state"], asked["command"]["action"]) == ("wanted", "SetDisplayMessage")
    assert (info["display"], len(info["messageExtra"])) == ({"name": "Display", "evse": {"id": 1}}, 1)
    [row] = api.get(PATH)
    assert (row["id"], row["contents"][0]["content"], row["shown"], row["drift"]) == (1, "Hello", None, "")


def test_a_message_takes_the_place_of_another(api, volt):
    api.post(PATH, BODY | {"id": 7}, expect=202)
    api.post(PATH, BODY | {"id": 7, "when": "Idle"}, expect=202)

    assert (DisplayMessage.objects.get().message_id, DisplayMessage.objects.get().when) == (7, "Idle")


@pytest.mark.parametrize(
    "fields",
    [
        {"contents": []},
        {"contents": [{"content": ""}]},
        {"priority": "Loud"},
        {"ends_at": "2020-01-01T00:00:00Z"},
    ],
    ids=["none", "empty", "priority", "past"],
)
def test_what_cannot_be_is_refused(api, volt, fields):
    assert api("POST", PATH, BODY | fields).status_code == 400


def test_what_the_station_cannot_show_is_a_conflict(api, volt):
    key = variable_keys.parse("DisplayMessageCtrlr/SupportedFormats")
    device_model.store(volt.pk, told=[Told(key, "ASCII")], at=clock.now())

    assert api("POST", PATH, BODY).status_code == 409
    assert api("POST", PATH, BODY | {"anyway": True}).status_code == 202


@pytest.mark.parametrize("path", ["1/clear/", "1/again/", "read/"])
def test_what_lies_there_is_cleared_sent_again_and_read(api, volt, path):
    display_messages.was_put(volt, 1, HELLO, state="accepted")

    answer = api("POST", PATH + path, {"priority": "InFront"} if path == "read/" else None)
    assert answer.status_code == 202, answer.content

    actions = {
        "1/clear/": "ClearDisplayMessage",
        "1/again/": "SetDisplayMessage",
        "read/": "GetDisplayMessages",
    }
    assert Command.objects.get().action == actions[path]


def test_a_message_that_is_not_ours_cannot_be_sent_again(api, volt):
    assert api("POST", f"{PATH}4/again/").status_code == 404


def test_a_message_for_a_site_says_what_came_of_each_station(api, volt):
    factories.station("OLD", location=volt.location, ocpp_version="1.6", is_online=True)

    [old, new] = api.post(f"locations/{volt.location.uid}/display-messages/", BODY, expect=202)

    assert (old["station"], old["asked"], bool(old["fault"])) == ("OLD", None, True)
    assert (new["station"], new["asked"]["message"]["batch"] != "", new["fault"]) == ("VOLT", True, "")


def test_a_message_for_a_site_is_cleared_everywhere(api, volt):
    factories.station("WATT", location=volt.location, ocpp_version="2.1")
    display_messages.put_at(ChargingStation.objects.all(), HELLO, queue_offline=True)
    display_messages.put(volt, HELLO)
    batch = DisplayMessage.objects.exclude(batch="").first().batch

    outcomes = api.post(
        f"locations/{volt.location.uid}/display-messages/clear/", {"batch": batch}, expect=202
    )

    assert [(one["station"], bool(one["fault"])) for one in outcomes] == [("VOLT", False), ("WATT", True)]
    assert Command.objects.filter(action="ClearDisplayMessage").count() == 1


def test_a_driver_is_told_something(api, volt):
    session = factories.session(volt)

    said = api(
        "PUT", f"sessions/{session.uid}/driver-message/", {"text": "Now 0.32 EUR/kWh", "language": "en"}
    )

    assert said.json() == {"text": "Now 0.32 EUR/kWh", "language": "en", "told": False}
    assert SessionCost.objects.get().is_untold


def test_nobody_is_told_after_the_end(api, volt):
    session = factories.session(volt, ended=True)

    assert api("PUT", f"sessions/{session.uid}/driver-message/", {"text": "News"}).status_code == 409
