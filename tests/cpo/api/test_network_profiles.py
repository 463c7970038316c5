"""/stations/{id}/network-profiles/: slots and their order, shown and set (OCPP 2.1 B09, B10)."""

import pytest

from cpo.lib import clock
from stations.models import Command, PasswordChange, SecurityProfileChange
from stations.services import device_model
from stations.services.device_model import Told
from stations.services.network_profiles import ACTIVE, PRIORITY
from tests import factories

PATH = "stations/ADA-1/network-profiles/"
SLOT = {"slot": 1, "url": "wss://next.example/ocpp", "security_profile": 2, "confirmed": True}


@pytest.fixture
def ada(db):
    found = factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="2.1", secret_hash=b"x")
    slots = {"values_list": "0,1,2", "data_type": "SequenceList"}
    device_model.store(found.pk, told=[Told(PRIORITY, "0", None, slots), Told(ACTIVE, "0")], at=clock.now())
    return found


def test_slots_are_shown_as_told_and_as_set(api, ada):
    api.post(PATH, SLOT, expect=202)
    found = api.get(PATH)

    assert (found["active_slot"], found["priority"], found["has_fallen_back"]) == (0, [0], False)
    assert [(slot["slot"], slot["place"], slot["state"]) for slot in found["slots"]] == [
        (0, 1, None), (1, None, "asked"), (2, None, None),
    ]  # fmt: skip


def test_a_password_goes_with_the_profile_and_is_told_nowhere(api, ada):
    answer = api.post(PATH, SLOT | {"password": "a-new-password-4711", "more": {"identity": "B"}}, expect=202)

    assert PasswordChange.objects.get().status == "queued"
    assert Command.objects.get().payload["connectionData"]["identity"] == "B"
    assert "4711" not in str(answer) + str(list(Command.objects.values()))


@pytest.mark.parametrize(
    ("change", "status"),
    [({"confirmed": False}, 409), ({"slot": 9}, 409), ({"security_profile": 0}, 409), ({"url": ""}, 400)],
)
def test_what_cannot_be_set_is_refused(api, ada, change, status):
    assert api("POST", PATH, SLOT | change).status_code == status
    assert not Command.objects.exists()


def test_a_slot_is_set_variable_by_variable(api, ada):
    api.post(PATH, SLOT | {"by_variables": True}, expect=202)

    assert set(Command.objects.values_list("action", flat=True)) == {"SetVariables"}


def test_the_order_is_set(api, ada):
    answer = api("PUT", f"{PATH}priority/", {"slots": [1, 0], "restart": True, "confirmed": True})

    assert [command["action"] for command in answer.json()] == ["SetVariables", "Reset"]
    assert api.get(PATH)["wished_priority"] == "1,0"
    assert api("PUT", f"{PATH}priority/", {"slots": [1, 1], "confirmed": True}).status_code == 400


def test_the_station_is_asked(api, ada):
    [command] = api.post(f"{PATH}read/", {}, expect=202)

    assert command["action"] == "GetReport"


def test_a_rise_says_how_the_station_connects(api, ada):
    body = {"profile": 2, "trusts_us": True, "connection": {"url": "wss://us.example/ocpp", "slot": 2}}
    steps = api.post("stations/ADA-1/security-profile/", body, expect=202)["steps"]

    assert [step["step"] for step in steps] == ["slot", "profile", "restart", "return"]
    assert SecurityProfileChange.objects.get().steps[0]["data"]["ocppCsmsUrl"] == "wss://us.example/ocpp"


def test_without_a_free_slot_it_says_so(api, ada):
    factories.station("ADA-2", is_online=True, ocpp_version="2.0.1", secret_hash=b"x")

    answer = api("POST", "stations/ADA-2/security-profile/", {"profile": 2, "trusts_us": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_slot")
