"""Over the API: what vehicles and others want, remote starts with limits, priority, streams, transfers."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cpo.lib import clock
from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    Purpose,
    RateUnit,
)
from stations.charging_profiles.profile import OperationMode
from stations.models import ChargingNeeds, Command, DERControl, EventStream, InstalledProfile, StartLimit
from stations.services import charging_limits, charging_needs, der_control, event_streams, smart_charging
from tests import factories
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db
STATION = "stations/ADA-1/"
NEEDS = {
    "requestedEnergyTransfer": "DC",
    "dcChargingParameters": {"evMaxCurrent": 100, "evMaxVoltage": 400, "energyAmount": 20000},
}  # fmt: skip


@pytest.fixture
def ada(db):
    factories.token("BO-1")
    return factories.station("ADA-1", is_online=True, ocpp_version="2.1")


def sent(action):
    return Command.objects.filter(action=action).latest("pk").payload


def needed(session):
    return charging_needs.told(
        session.station, evse_number=session.evse.number, wire=NEEDS, max_tuples=None, at=clock.now(),
        knows_no_profile=True,
    )  # fmt: skip


def test_limits_of_others_are_listed(api, ada):
    period = {"startPeriod": 0, "limit": 12}
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    charging_limits.told(
        ada, evse_number=0, source="EMS", is_grid_critical=True, schedules=[schedule], at=clock.now()
    )

    [found] = parsed(api("GET", STATION + "external-limits/"))["results"]
    assert (found["source"], found["grid_critical"], found["cleared_at"]) == ("EMS", True, None)


def test_needs_are_listed_and_renegotiated(api, ada):
    session = factories.session(ada)
    assert needed(session) == "Accepted"
    answer = api("POST", f"sessions/{session.uid}/renegotiate/", {"max_w": 7000})

    assert answer.status_code == 202
    [found] = parsed(api("GET", STATION + "charging-needs/"))["results"]
    assert (found["transfer"], found["max_w"], found["session"]) == ("DC", 7000, session.uid)
    [schedule] = sent("SetChargingProfile")["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"][0]["limit"] == 7000


def test_a_vehicle_that_told_nothing_is_not_renegotiated_with(api, ada):
    session = factories.session(ada)

    assert api("POST", f"sessions/{session.uid}/renegotiate/", {}).status_code == 400
    assert not ChargingNeeds.objects.exists()


def test_a_report_of_profiles_is_asked_for(api, ada):
    answer = api("POST", STATION + "profile-reports/", {"evse": 1, "purpose": "TxProfile"})

    assert answer.status_code == 202
    assert sent("GetChargingProfiles")["chargingProfile"] == {"chargingProfilePurpose": "TxProfile"}
    [found] = parsed(api("GET", STATION + "profile-reports/"))["results"]
    assert (found["state"], found["evse"]) == ("asked", 1)


@pytest.mark.parametrize("wrong", [{"purpose": "Sideways"}, {"ids": [1], "stack_level": 2}])
def test_a_report_that_cannot_be_is_refused(api, ada, wrong):
    assert api("POST", STATION + "profile-reports/", wrong).status_code == 400


def dynamic(ada):
    period = ChargingSchedulePeriod(
        0, limit=Decimal(11000), setpoint=Decimal(3000), discharge_limit=Decimal(-8000),
        operation_mode=OperationMode.CENTRAL_SETPOINT,
    )  # fmt: skip
    made = ChargingProfile(
        id=0, stack_level=0, purpose=Purpose.TX_DEFAULT, kind=Kind.DYNAMIC,
        schedules=(ChargingSchedule(RateUnit.W, (period,)),), evse=1,
    )  # fmt: skip
    row = smart_charging.install(ada, profile=made, may_fall_back=False)
    InstalledProfile.objects.filter(pk=row.pk).update(on_station=row.profile, state="installed")
    return row


def test_a_dynamic_profile_gets_new_values(api, ada):
    row = dynamic(ada)
    path = f"{STATION}charging-profiles/{row.uid}/values/"

    assert api("PUT", path, {"setpoint": -4000}).status_code == 202
    assert sent("UpdateDynamicSchedule")["scheduleUpdate"] == {"setpoint": -4000}
    assert api("PUT", path, {"setpoint": -9000}).status_code == 400
    assert api("PUT", path, {}).status_code == 400


def test_priority_is_asked_for(api, ada):
    session = factories.session(ada)
    path = f"sessions/{session.uid}/priority/"

    assert api("GET", path).status_code == 404
    assert api("PUT", path, {"wanted": True}).status_code == 202
    assert sent("UsePriorityCharging") == {"transactionId": session.transaction_id, "activate": True}
    assert (parsed(api("GET", path))["wanted"], parsed(api("GET", path))["active"]) == (True, False)


@pytest.mark.parametrize(
    ("version", "action"), [("1.6", "RemoteStartTransaction"), ("2.1", "RequestStartTransaction")]
)
def test_a_start_goes_with_a_limit_and_limits(api, version, action):
    factories.token("BO-1")
    factories.station("ADA-1", is_online=True, ocpp_version=version)
    body = {"id_token": "BO-1", "connector_id": 1, "limit_a": 10, "limits": {"max_energy_wh": "5000"}}
    answer = api("POST", STATION + "start/", body)

    assert answer.status_code == 202
    schedule = sent(action)["chargingProfile"]["chargingSchedule"]
    [period] = (schedule if version == "1.6" else schedule[0])["chargingSchedulePeriod"]
    assert (period["limit"], StartLimit.objects.get().max_energy_wh) == (10, 5000)


def test_a_start_goes_with_a_profile_of_the_library(api, ada):
    made = api(
        "POST",
        "charging-profiles/",
        {"name": "Half", "operator": str(ada.location.operator), "periods": [{"start_s": 0, "limit": 16}]},
    )
    assert made.status_code == 201, made.content
    body = {"id_token": "BO-1", "template": parsed(made)["id"]}

    assert api("POST", STATION + "start/", body).status_code == 202
    assert sent("RequestStartTransaction")["chargingProfile"]["chargingProfilePurpose"] == "TxProfile"


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit_a": 10, "limit_w": 10},
        {"template": "none"},
        {"limits": {"max_soc_percent": 101}},
        {"connector_id": 9},
    ],
)
def test_a_start_that_cannot_be_is_not_sent(api, ada, wrong):
    assert api("POST", STATION + "start/", {"id_token": "BO-1"} | wrong).status_code == 400
    assert not Command.objects.exists()


def test_streams_are_listed_adjusted_and_ended(api, ada):
    event_streams.opened(
        ada.pk, stream_id=3, monitor_id=7, interval_s=10, values_at_once=None, at=clock.now()
    )

    [found] = parsed(api("GET", STATION + "event-streams/"))
    assert (found["id"], found["values_a_minute"]) == (3, 0)
    assert api("PUT", STATION + "event-streams/3/", {"interval_s": 60}).status_code == 202
    assert sent("AdjustPeriodicEventStream") == {"id": 3, "params": {"interval": 60}}
    assert api("DELETE", STATION + "event-streams/3/").status_code == 202
    assert sent("ClearVariableMonitoring") == {"id": [7]}
    assert api("POST", STATION + "event-streams/read/").status_code == 202
    EventStream.objects.update(closed_at=clock.now())
    assert api("DELETE", STATION + "event-streams/3/").status_code == 409
    assert api("PUT", STATION + "event-streams/4/", {"interval_s": 60}).status_code == 404


def test_a_drivers_transfers_are_permitted_and_left_open_again(api, ada):
    path = "tokens/BO-1/energy-transfers/"

    assert api("GET", path).status_code == 404
    assert parsed(api("PUT", path, {"modes": ["DC_BPT"]}))["modes"] == ["DC_BPT"]
    assert api("PUT", path, {"modes": ["sideways"]}).status_code == 400
    assert api("PUT", path, {"modes": []}).status_code == 204
    assert api("GET", path).status_code == 404


def test_a_lost_control_is_given_again(api, ada):
    settings = {"setpoint": 10, "unit": "PctMaxVar"}
    made = der_control.put(
        ada, type="FixedVar", is_default=False, priority=1, settings=settings, starts_at=clock.now(),
        duration_s=Decimal(900),
    )  # fmt: skip
    path = f"{STATION}der-controls/{made.control.control_id}/again/"
    assert api("POST", path).status_code == 409
    DERControl.objects.update(state="lost")

    assert api("POST", path).status_code == 202
    assert sent("SetDERControl")["fixedVar"]["setpoint"] == 10


def test_moments_of_a_renegotiation_are_read(api, ada):
    session = factories.session(ada)
    needed(session)
    soon = (clock.now() + timedelta(hours=2)).isoformat()

    assert api("POST", f"sessions/{session.uid}/renegotiate/", {"departure_at": soon}).status_code == 202
