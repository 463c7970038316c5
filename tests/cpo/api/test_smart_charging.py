"""/charging-profiles/, and what lies below /stations/{id}/ of smart charging."""

from datetime import timedelta

import pytest

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import Command, InstalledProfile, ProfileTemplate, Variable
from stations.services import capabilities, commands, profile_templates
from tests import factories
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db
STATION = "stations/ADA-1/charging-profiles/"
COMPOSITE = "stations/ADA-1/composite-schedule/"
EVENING = {
    "name": "Evening", "kind": "Recurring", "recurrency": "Daily",
    "periods": [{"start_s": 0, "limit": 32}, {"start_s": 61_200, "limit": 10.5, "number_phases": 3}],
}  # fmt: skip


@pytest.fixture
def ada():
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


def accept(station, **result):
    command = commands.claim(station.pk, epoch=station.epoch)
    commands.answered(command.uid, station_id=station.pk, result={"status": "Accepted"} | result)
    return command


def fields(answer):
    assert answer.status_code == 400, answer.content
    return parsed(answer)["error"]["fields"]


# --- the library


def test_a_profile_of_the_library_lives_its_life(api, ada):
    made = api.post("charging-profiles/", EVENING, expect=201)
    assert made["operator"] == "NL*OPN"
    assert [period["limit"] for period in made["periods"]] == [32, pytest.approx(10.5)]

    path = f"charging-profiles/{made['id']}/"
    assert api("PUT", path, EVENING | {"name": "Night", "stack_level": 2}).status_code == 200
    assert api.get(path)["stack_level"] == 2
    assert [row["name"] for row in api.get("charging-profiles/")["results"]] == ["Night"]

    assert api("DELETE", path).status_code == 204
    assert not ProfileTemplate.objects.exists()
    assert AuditEvent.objects.filter(action="charging_profile.write").count() == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"periods": []}, "periods"),
        ({"periods": [{"start_s": 60, "limit": 1}]}, "periods.0.start_s"),
        ({"periods": [{"start_s": 0, "limit": 1}, {"start_s": 0, "limit": 2}]}, "periods.1.start_s"),
        ({"periods": [{"start_s": 0, "limit": 1}, {"start_s": 86_400, "limit": 2}]}, "periods"),
        ({"periods": [{"start_s": 0, "limit": -1}]}, "periods.0.limit"),
        ({"periods": [{"start_s": 0, "limit": 1, "number_phases": 4}]}, "periods.0.number_phases"),
        ({"recurrency": ""}, "recurrency"),
        ({"purpose": "ChargingStationMaxProfile", "kind": "Relative"}, "kind"),
        ({"purpose": "ChargePointMaxProfile"}, "purpose"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-01-01"}, "valid_to"),
        ({"operator": "XX*YYY"}, "operator"),
    ],
)
def test_what_no_station_could_follow_is_refused_with_its_place(api, ada, change, field):
    assert field in fields(api("POST", "charging-profiles/", EVENING | change))


def test_a_name_is_taken_once(api, ada):
    api.post("charging-profiles/", EVENING, expect=201)

    assert fields(api("POST", "charging-profiles/", EVENING)) == {
        "name": ["there is a profile of this name already"]
    }


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("support", 403), ("operator", 201)])
def test_operators_write_the_library(client_of, ada, role, status):
    assert client_of(role)("POST", "charging-profiles/", EVENING).status_code == status


# --- on a station


def test_a_limit_is_installed_and_seen(api, ada):
    row = api.post(STATION, {"evse": 1, "limit_a": 10}, expect=202)
    assert (row["state"], row["profile_id"], row["wanted"]) == ("sent", 1, True)

    accept(ada)

    (seen,) = api.get(STATION)["results"]
    assert (seen["state"], seen["on_station"]["chargingProfilePurpose"]) == ("installed", "TxDefaultProfile")
    assert api.get(f"{STATION}{row['id']}/")["answers"][0]["answer"] == "Accepted"
    assert api.get(f"{STATION}?state=cleared")["results"] == []


def test_a_profile_of_the_library_is_installed(api, ada):
    template = profile_templates.save(
        operator=ada.location.operator, name="Ten", periods=[{"start_s": 0, "limit": "10"}], stack_level=1
    )

    row = api.post(STATION, {"template": template.uid, "evse": 2, "stack_level": 3}, expect=202)

    assert (row["template"], row["stack_level"], row["evse"]) == (template.uid, 3, 2)
    assert accept(ada).payload["connectorId"] == 2


def test_a_profile_of_ones_own_is_installed(api, ada):
    profile = {
        "stackLevel": 1, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative",
        "chargingSchedule": [
            {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7400.5}]}
        ],
    }  # fmt: skip

    api.post(STATION, {"profile": profile}, expect=202)

    sent = accept(ada).payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
    assert str(sent[0]["limit"]) == "7400.5"


def test_a_running_transaction_is_limited(api, ada):
    factories.session(ada, transaction_id="9")

    api.post(STATION, {"purpose": "TxProfile", "evse": 1, "limit_w": 4000}, expect=202)

    assert accept(ada).payload["csChargingProfiles"]["transactionId"] == 9


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"limit_a": 1, "limit_w": 1}, ""),
        ({"limit_a": -1}, "limit_a"),
        ({"limit_a": 10, "evse": 9}, "evseId"),
        ({"limit_a": 10, "evse": 1, "purpose": "TxProfile"}, "evseId"),
        ({"limit_a": 10, "evse": 1, "purpose": "ChargingStationMaxProfile"}, "evseId"),
        ({"limit_a": 10, "stack_level": 9}, "stackLevel"),
        ({"template": "nobody's"}, "template"),
        ({"profile": {"stackLevel": 1}}, "profile.chargingProfilePurpose"),
        ({"profile": []}, "profile"),
    ],
)
def test_a_wrong_profile_is_refused_before_it_is_sent(api, ada, body, field):
    Variable.objects.create(station=ada, name="ChargeProfileMaxStackLevel", value="8")

    found = fields(api("POST", STATION, body))

    assert field in found or not field
    assert not Command.objects.exists()


def test_a_station_that_is_offline_answers_409_unless_it_may_wait(api, ada):
    type(ada).objects.update(is_online=False)

    refused = api("POST", STATION, {"limit_a": 10})
    assert (refused.status_code, parsed(refused)["error"]["code"]) == (409, "station_offline")

    assert api.post(STATION, {"limit_a": 10, "queue": True}, expect=202)["state"] == "wanted"


def test_one_profile_is_cleared(api, ada):
    row = api.post(STATION, {"evse": 1, "limit_a": 10}, expect=202)
    accept(ada)
    Command.objects.filter(status="queued").delete()

    answer = api("DELETE", f"{STATION}{row['id']}/")

    assert (answer.status_code, parsed(answer)["wanted"]) == (202, False)
    assert accept(ada).payload == {"id": 1}
    assert api.get(f"{STATION}{row['id']}/")["state"] == "cleared"


def test_profiles_are_cleared_by_criteria(api, ada):
    answer = api("DELETE", f"{STATION}?evse=2&purpose=TxDefaultProfile")

    assert answer.status_code == 202
    assert accept(ada).payload == {"connectorId": 2, "chargingProfilePurpose": "TxDefaultProfile"}
    assert api("DELETE", f"{STATION}?purpose=Nothing").status_code == 400


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("support", 403), ("operator", 202)])
def test_operators_install_and_clear(client_of, ada, role, status):
    assert client_of(role)("POST", STATION, {"limit_a": 10}).status_code == status
    assert client_of(role)("DELETE", STATION).status_code == status


# --- composite schedules, capabilities


def test_both_composite_schedules_stand_beside_each_other(api, ada):
    api.post(STATION, {"evse": 1, "limit_a": 10}, expect=202)
    accept(ada)
    Command.objects.filter(status="queued").delete()
    assert api.get(f"{COMPOSITE}?evse=1")["theirs"] is None

    api.post(COMPOSITE, {"evse": 1, "duration_s": 3600}, expect=202)
    periods = [{"startPeriod": 0, "limit": 10}, {"startPeriod": 1800, "limit": 32}]
    schedule = {"chargingRateUnit": "A", "duration": 3600, "chargingSchedulePeriod": periods}
    accept(ada, connectorId=1, scheduleStart=clock.now().isoformat(), chargingSchedule=schedule)

    found = api.get(f"{COMPOSITE}?evse=1&duration_s=3600")
    assert found["ours"]["periods"][0]["limit"] == 10
    assert [period["limit"] for period in found["theirs"]["periods"]] == [10, 32]
    assert [(each["ours"], each["theirs"], each["is_more"]) for each in found["differences"]] == [
        (10, 32, True)
    ]
    assert found["report"]["status"] == "Accepted"


def test_what_a_station_told_in_amperes_is_read_in_watts(api, ada):
    api.post(COMPOSITE, {"evse": 1}, expect=202)
    schedule = {
        "chargingRateUnit": "A",
        "duration": 3600,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
    }
    accept(ada, connectorId=1, scheduleStart=clock.now().isoformat(), chargingSchedule=schedule)

    assert api.get(f"{COMPOSITE}?evse=1&unit=W")["theirs"]["periods"][0]["limit"] == 6900


def test_support_asks_and_a_viewer_reads(client_of, ada):
    assert client_of("support")("POST", COMPOSITE, {}).status_code == 202
    assert client_of("viewer")("POST", COMPOSITE, {}).status_code == 403
    assert client_of("viewer")("GET", COMPOSITE).status_code == 200


def test_what_a_station_taught_us_is_seen_and_forgotten(api, ada):
    path = "stations/ADA-1/charging-capabilities/"
    capabilities.learn(ada, "watts_only", reason="it refused A")
    assert api.get(path)["units"] == ["W"]

    assert api("DELETE", path).status_code == 204

    assert api.get(path)["units"] == []


def test_the_list_of_a_station_costs_no_query_a_row(api, ada, django_assert_max_num_queries):
    now = clock.now()
    for number in range(30):
        InstalledProfile.objects.create(
            station=ada, profile_id=number + 1, purpose="TxProfile", wish={}, profile={}, state="ended",
            session=factories.session(ada, ended=True), created_at=now - timedelta(hours=1), last_updated=now,
        )  # fmt: skip

    with django_assert_max_num_queries(6):
        api.get(STATION)
