"""The library of charging profiles and the smart charging tab of a station."""

from typing import Any

import pytest
from django.test import Client

from cpo.console import profile_words
from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import (
    ChargingStation,
    Command,
    InstalledProfile,
    LearnedCapability,
    Operator,
    ProfileTemplate,
    Variable,
)
from stations.services import capabilities, commands, profile_templates, smart_charging
from tests import factories

TAB = "/stations/ADA-1/?tab=smart-charging"
DO = "/stations/ADA-1/smart-charging/"
LIMIT = {"place": "TxDefaultProfile:1", "amount": "16", "unit": "A", "fall_back": "on"}


@pytest.fixture
def station(db: None) -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


def operator_of(station: ChargingStation) -> Operator:
    assert station.location is not None
    return station.location.operator


def accept(station: ChargingStation, **result: Any) -> Command:
    command = commands.claim(station.pk, epoch=1)
    assert command is not None
    commands.answered(command.uid, station_id=station.pk, result={"status": "Accepted"} | result)
    return command


def form(*periods: tuple[str, str], **fields: str) -> dict[str, str]:
    """Fill in the form of a profile."""
    rows: dict[str, str] = {}
    for number, (start, limit) in enumerate(periods or [("00:00", "32"), ("17:00", "10")]):
        rows |= {
            f"period-{number}-start": start,
            f"period-{number}-limit": limit,
            f"period-{number}-number_phases": "",
        }
    return {
        "name": "Evening", "purpose": "TxDefaultProfile", "kind": "Recurring:Daily", "rate_unit": "A",
        "stack_level": "0", "is_local_time": "on", "period-TOTAL_FORMS": str(len(periods) or 2),
        "period-INITIAL_FORMS": "0",
    } | rows | fields  # fmt: skip


def said(response: Any) -> str:
    return str(response.content.decode())


# --- the library


def test_a_profile_is_written_with_its_periods(ada: Client, station: ChargingStation) -> None:
    operator = str(operator_of(station).pk)
    response = ada.post("/charging-profiles/new/", form(operator=operator), follow=True)

    template = ProfileTemplate.objects.get()
    assert "Evening is saved" in said(response)
    assert [period["start_s"] for period in template.periods] == [0, 61_200]
    assert (template.kind, template.recurrency, template.is_local_time) == ("Recurring", "Daily", True)
    assert AuditEvent.objects.get().object_id == template.uid


def test_a_week_is_written_by_its_days(ada: Client, station: ChargingStation) -> None:
    operator = str(operator_of(station).pk)
    fields = form(("Mon 00:00", "32"), ("Sat 06:30", "10"), kind="Recurring:Weekly", operator=operator)
    ada.post("/charging-profiles/new/", fields)

    template = ProfileTemplate.objects.get()
    assert [period["start_s"] for period in template.periods] == [0, 5 * 86_400 + 23_400]
    assert "Sat 06:30 10 A" in said(ada.get("/charging-profiles/"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (form(("late", "10")), "such as 17:00"),
        (form(("00:00", "")), "needs a time and a limit"),
        (form(("01:00", "10")), "starts at 0"),
        (form(("00:00", "10"), ("25:00", "9")), "after the day or week is over"),
        (form(purpose="ChargingStationMaxProfile", kind="Relative"), "no start of charging"),
        (form(("Mon 00:00", "10")), "such as 17:00"),
    ],
)
def test_what_cannot_be_keeps_what_was_typed(
    ada: Client, station: ChargingStation, fields: dict[str, str], words: str
) -> None:
    operator = str(operator_of(station).pk)
    response = ada.post("/charging-profiles/new/", fields | {"operator": operator})

    assert response.status_code == 422
    assert words in said(response)
    assert 'value="Evening"' in said(response)
    assert not ProfileTemplate.objects.exists()


def test_a_profile_is_changed_and_deleted(ada: Client, station: ChargingStation) -> None:
    template = profile_templates.save(
        operator=operator_of(station), name="Old", periods=[{"start_s": 0, "limit": "10"}]
    )
    smart_charging.install_template(station, template=template)
    assert "ADA-1" in said(ada.get(f"/charging-profiles/{template.uid}/"))

    ada.post(f"/charging-profiles/{template.uid}/", form(name="New"))
    template.refresh_from_db()
    assert (template.name, len(template.periods)) == ("New", 2)

    assert "is deleted" in said(ada.post(f"/charging-profiles/{template.uid}/delete/", follow=True))
    assert InstalledProfile.objects.exists()


def test_the_preview_follows_what_is_typed(ada: Client, station: ChargingStation) -> None:
    data = ada.get("/charging-profiles/preview.json", form()).json()
    assert data["series"][0]["values"] == [32.0, 10.0, 10.0]
    assert data["at"][1] - data["at"][0] == 61_200

    assert "error" in ada.get("/charging-profiles/preview.json", form(("late", "1"))).json()


@pytest.mark.parametrize(
    ("seconds", "recurrency", "text"),
    [
        (0, "", "00:00"),
        (61_200, "Daily", "17:00"),
        (93_600, "", "26:00"),
        (86_400 * 6 + 60, "Weekly", "Sun 00:01"),
    ],
)
def test_times_are_read_as_they_are_written(seconds: int, recurrency: str, text: str) -> None:
    assert profile_words.clock(seconds, recurrency) == text
    assert profile_words.start_s(text, recurrency) == seconds


# --- the tab


def test_an_empty_tab_says_what_to_do(ada: Client, station: ChargingStation) -> None:
    text = said(ada.get(TAB))

    assert "Nothing limits this station" in text
    assert "The library is empty" in text
    assert "not known: tried" in text


def test_a_limit_is_set_seen_and_taken_back(ada: Client, station: ChargingStation) -> None:
    response = ada.post(f"{DO}limit/", LIMIT, follow=True)
    assert "Profile 1 is on its way" in said(response)
    accept(station)
    row = InstalledProfile.objects.get()

    text = said(ada.get(TAB))
    assert "16 A" in text
    assert "installed" in text

    Command.objects.filter(status="queued").delete()
    ada.post(f"{DO}{row.uid}/clear/")
    assert accept(station).payload == {"id": 1}
    assert AuditEvent.objects.filter(action="command.dangerous").count() == 2


def test_a_running_session_is_a_place(ada: Client, station: ChargingStation) -> None:
    factories.session(station, transaction_id="5")
    assert "Running: connector 1, BO-1" in said(ada.get(TAB))

    ada.post(f"{DO}limit/", LIMIT | {"place": "TxProfile:1"})

    assert accept(station).payload["csChargingProfiles"]["transactionId"] == 5


def test_a_profile_of_the_library_is_installed(ada: Client, station: ChargingStation) -> None:
    template = profile_templates.save(
        operator=operator_of(station), name="Ten", periods=[{"start_s": 0, "limit": "10"}]
    )

    ada.post(f"{DO}install/", {"template": template.uid, "evse": "2", "fall_back": "on"})

    assert InstalledProfile.objects.get().template == template
    assert accept(station).payload["connectorId"] == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": "-1"}, "Limit: "),
        ({"place": "TxProfile:1"}, "What to limit: "),
        ({"amount": ""}, "Limit: "),
    ],
)
def test_a_limit_that_cannot_be_is_told(
    ada: Client, station: ChargingStation, fields: dict[str, str], words: str
) -> None:
    assert words in said(ada.post(f"{DO}limit/", LIMIT | fields, follow=True))
    assert not Command.objects.exists()


def test_a_rule_that_is_broken_is_told(ada: Client, station: ChargingStation) -> None:
    Variable.objects.create(station=station, name="MaxChargingProfilesInstalled", value="1")
    ada.post(f"{DO}limit/", LIMIT)
    accept(station)

    text = said(ada.post(f"{DO}limit/", LIMIT | {"place": "TxDefaultProfile:2"}, follow=True))

    assert "holds 1 profiles at most" in text


def test_an_offline_station_is_told_unless_it_may_wait(ada: Client, station: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)
    assert "is offline" in said(ada.post(f"{DO}limit/", LIMIT, follow=True))

    ada.post(f"{DO}limit/", LIMIT | {"queue": "yes"})
    assert InstalledProfile.objects.get().state == "wanted"
    assert "waiting" in said(ada.get(TAB))


def test_profiles_are_cleared_by_what_they_are(ada: Client, station: ChargingStation) -> None:
    ada.post(f"{DO}clear/", {"evse": "2", "purpose": "TxDefaultProfile"})

    assert accept(station).payload == {"connectorId": 2, "chargingProfilePurpose": "TxDefaultProfile"}


def test_a_refusal_is_shown_with_every_try(ada: Client, station: ChargingStation) -> None:
    ada.post(f"{DO}limit/", LIMIT | {"place": "ChargingStationMaxProfile:0", "fall_back": ""})
    command = commands.claim(station.pk, epoch=1)
    assert command is not None
    commands.answered(command.uid, station_id=station.pk, result={"status": "Rejected"})

    text = said(ada.get(TAB))
    assert "Over, cleared, refused" in text
    assert "ChargingStationMaxProfile A: Rejected" in text


def test_the_station_is_asked_and_differences_stand_out(ada: Client, station: ChargingStation) -> None:
    ada.post(f"{DO}limit/", LIMIT)
    accept(station)
    Command.objects.filter(status="queued").delete()
    ada.post(f"{DO}ask/?evse=1&unit=A")
    schedule = {
        "chargingRateUnit": "A",
        "duration": 3600,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 20}],
    }
    accept(station, connectorId=1, scheduleStart=clock.now().isoformat(), chargingSchedule=schedule)

    text = said(ada.get(f"{TAB}&evse=1"))
    assert "the station allows more" in text
    assert "20 A" in text

    data = ada.get("/stations/ADA-1/composite.json?evse=1").json()
    assert [one["kind"] for one in data["series"]] == ["ours", "theirs"]
    assert data["marks"][0]["more"] is True


def test_what_was_learned_is_shown_and_forgotten(ada: Client, station: ChargingStation) -> None:
    capabilities.learn(station, "watts_only", reason="TxProfile W was accepted after TxProfile A")
    assert "was accepted after" in said(ada.get(TAB))

    ada.post(f"{DO}forget/")

    assert not LearnedCapability.objects.exists()


def test_a_viewer_sees_and_has_no_buttons(person: Any, station: ChargingStation) -> None:
    text = said(person("viewer").get(TAB))

    assert "Charging profiles" in text
    assert "Limit now" not in text
    assert "Ask the station" not in text
