"""On a station's page: what vehicles and others want, starts with limits, priority, streams; limits of a session."""

import pytest
from django.test import Client

from cpo.models import AuditEvent
from stations.models import ChargingNeeds, ChargingSession, Command, DERControl, SessionLimit, StartLimit
from tests import factories
from tests.cpo.console import network_v2

pytestmark = pytest.mark.django_db
PAGE = "/stations/BEO-1/"


@pytest.fixture
def session(db: None) -> ChargingSession:
    factories.token("BO-1")
    found: ChargingSession = network_v2.build().station.sessions.get()
    return found


def sent(action: str) -> dict[str, object]:
    found: dict[str, object] = Command.objects.filter(action=action).latest("pk").payload
    return found


def page(client: Client, tab: str) -> str:
    return client.get(f"{PAGE}?tab={tab}").content.decode()


def test_the_tab_shows_what_others_want(ada: Client, session: ChargingSession) -> None:
    shown = page(ada, "vehicles")

    words = ("EMS", "critical for the grid", "DC", "A schedule is sent", "not ours", "1 of ours was missing")
    assert [word for word in words if word not in shown] == []


def test_an_older_station_has_no_priority(ada: Client) -> None:
    station = factories.station("BEO-1", is_online=True, ocpp_version="2.0.1")
    factories.session(station)

    assert "Give it priority" not in page(ada, "vehicles")


def test_profiles_are_asked_for(ada: Client, session: ChargingSession) -> None:
    ada.post(f"{PAGE}vehicles/ask/", {"evse": "0", "purpose": "TxDefaultProfile"})

    told = sent("GetChargingProfiles")
    assert (told["evseId"], told["chargingProfile"]) == (0, {"chargingProfilePurpose": "TxDefaultProfile"})
    assert AuditEvent.objects.filter(object_id="BEO-1").exists()


def test_a_vehicle_is_renegotiated_with(ada: Client, session: ChargingSession) -> None:
    ada.post(f"{PAGE}vehicles/{session.uid}/renegotiate/", {"kilowatts": "7"})

    assert ChargingNeeds.objects.get().max_w == 7000


@pytest.mark.parametrize(("word", "activate"), [("yes", True), ("no", False)])
def test_priority_is_given_and_taken_back(
    ada: Client, session: ChargingSession, word: str, activate: bool
) -> None:
    ada.post(f"{PAGE}vehicles/{session.uid}/priority/", {"wanted": word})

    assert sent("UsePriorityCharging") == {"transactionId": "tx-1", "activate": activate}


def test_a_session_is_started_with_a_limit(ada: Client, session: ChargingSession) -> None:
    body = {
        "id_token": "BO-1",
        "evse": "2",
        "amount": "11",
        "unit": "kW",
        "kilowatt_hours": "5",
        "minutes": "30",
    }
    ada.post(f"{PAGE}start/", body)

    limit = StartLimit.objects.get()
    assert (limit.max_energy_wh, limit.max_time_s, sent("RequestStartTransaction")["evseId"]) == (
        5000,
        1800,
        2,
    )
    assert "chargingProfile" in sent("RequestStartTransaction")


@pytest.mark.parametrize("wrong", [{"id_token": ""}, {"minutes": "0"}, {"soc_percent": "101"}, {"evse": "9"}])
def test_a_start_that_cannot_be_is_not_sent(
    ada: Client, session: ChargingSession, wrong: dict[str, str]
) -> None:
    ada.post(f"{PAGE}start/", {"id_token": "BO-1", "evse": "1"} | wrong)

    assert not Command.objects.filter(action="RequestStartTransaction").exists()


def test_the_start_form_is_there_for_every_version(ada: Client) -> None:
    factories.station("BEO-1", is_online=True, ocpp_version="1.6")

    assert "Start charging" in page(ada, "start")


def test_a_running_session_gets_limits_and_shows_them(ada: Client, session: ChargingSession) -> None:
    ada.post(f"/sessions/{session.uid}/limits/", {"kilowatt_hours": "12.5", "soc_percent": "80"})

    row = SessionLimit.objects.get()
    assert (row.max_energy_wh, row.max_time_s, row.max_soc_percent) == (12500, None, 80)
    shown = ada.get(f"/sessions/{session.uid}/").content.decode()
    assert "It ends at" in shown
    assert "battery at 80 %" in shown


def test_limits_that_cannot_be_change_nothing(ada: Client, session: ChargingSession) -> None:
    ada.post(f"/sessions/{session.uid}/limits/", {"soc_percent": "101"})

    assert SessionLimit.objects.get().max_energy_wh == 20000


def test_streams_are_shown_adjusted_and_ended(ada: Client, session: ChargingSession) -> None:
    assert "every 10 s" in page(ada, "streams")
    ada.post(f"{PAGE}streams/3/adjust/", {"interval_s": "60"})
    ada.post(f"{PAGE}streams/3/close/")
    ada.post(f"{PAGE}streams/read/")

    assert sent("AdjustPeriodicEventStream") == {"id": 3, "params": {"interval": 60}}
    assert sent("ClearVariableMonitoring") == {"id": [7]}
    assert sent("GetPeriodicEventStream") == {}


def test_a_lost_control_is_sent_again(ada: Client, session: ChargingSession) -> None:
    DERControl.objects.update(state="lost")
    lost = DERControl.objects.get()
    assert "Send again" in page(ada, "energy")
    ada.post(f"{PAGE}energy/again/{lost.control_id}/")

    assert DERControl.objects.filter(state="wanted").count() == 1
