"""Rows of a form and rows inside of them, added in a real browser and sent."""

from typing import Any

from stations.models import Command
from tests import factories

FIELDS = {
    "chargingProfile.id": "7",
    "chargingProfile.stackLevel": "0",
    "chargingProfile.chargingSchedule.0.id": "1",
    "chargingProfile.chargingSchedule.0.chargingSchedulePeriod.0.startPeriod": "0",
    "chargingProfile.chargingSchedule.0.chargingSchedulePeriod.0.limit": "16",
    "chargingProfile.chargingSchedule.0.chargingSchedulePeriod.1.startPeriod": "60",
    "chargingProfile.chargingSchedule.0.chargingSchedulePeriod.1.limit": "8",
    "chargingProfile.chargingSchedule.1.id": "2",
    "chargingProfile.chargingSchedule.1.chargingSchedulePeriod.0.startPeriod": "0",
    "chargingProfile.chargingSchedule.1.chargingSchedulePeriod.1.startPeriod": "90",
}
CHOICES = {
    "evseId": "1",
    "chargingProfile.chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfile.chargingProfileKind": "Relative",
    "chargingProfile.chargingSchedule.0.chargingRateUnit": "A",
    "chargingProfile.chargingSchedule.1.chargingRateUnit": "W",
}


def add_row(page: Any, rows: str) -> None:
    page.click(f'[data-rows="{rows}"] > [data-add-row]')


def test_rows_in_rows_are_added_and_sent(ada_at_the_browser: Any, live_server_process: Any) -> None:
    page = ada_at_the_browser
    factories.station("BEO-1", is_online=True, ocpp_version="2.1")
    page.goto(f"{live_server_process.http}/stations/BEO-1/?tab=commands&action=SetChargingProfile")
    name = "chargingProfile.chargingSchedule"
    for rows in (f"{name}.0.chargingSchedulePeriod", name, f"{name}.1.chargingSchedulePeriod"):
        add_row(page, rows)
    for field, value in FIELDS.items():
        page.fill(f'[name="{field}"]', value)
    for field, value in CHOICES.items():
        page.select_option(f'[name="{field}"]', value)
    page.click("button:has-text('Send SetChargingProfile')")
    page.wait_for_url("**tab=commands**")

    sent = Command.objects.get().payload["chargingProfile"]["chargingSchedule"]
    assert [[period["startPeriod"] for period in one["chargingSchedulePeriod"]] for one in sent] == [
        [0, 60],
        [0, 90],
    ]
