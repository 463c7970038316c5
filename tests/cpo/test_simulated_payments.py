"""What a simulated station of 2.1 does for who pays on the web: codes that ours are equal to, an EVSE kept free."""

from pathlib import Path

import pytest

from cpo.simulator.clock import StoryClock
from cpo.simulator.v2 import payments
from cpo.simulator.v2.charger import Charger
from stations import one_time_passwords
from tests.factories import NOON

TOLD = {
    "Enabled": "true", "URLTemplate": "https://ada.example/pay/{chargingstationid}/{evse}/{totp}/{version}",
    "ValidityTime": "30", "Length": "10", "SharedSecret": "correct-horse",
}  # fmt: skip


@pytest.fixture
def station() -> Charger:
    found = Charger("ws://127.0.0.1:1/ocpp/", "ADA-1", connectors=2, clock=StoryClock(NOON))
    for name, value in TOLD.items():
        found.model_of["WebPaymentsCtrlr", 0, name].value = value
    return found


def test_its_display_shows_the_password_that_we_expect(station: Charger) -> None:
    number = one_time_passwords.interval(NOON, validity_s=30)
    totp = one_time_passwords.password("correct-horse", number, length=10)

    assert payments.url(station, 2) == f"https://ada.example/pay/ADA-1/2/{totp}/v1"


def test_without_a_secret_its_display_shows_nothing(station: Charger, tmp_path: Path) -> None:
    station.model_of["WebPaymentsCtrlr", 0, "SharedSecret"].value = ""

    assert payments.show(station, tmp_path) == []


def test_its_codes_are_drawn(station: Charger, tmp_path: Path) -> None:
    assert len(payments.show(station, tmp_path)) == 2
    assert (tmp_path / "ADA-1-2.svg").read_text().startswith("<?xml")


async def test_it_keeps_the_evse_for_who_pays_until_the_start_or_the_end_of_the_time(
    station: Charger,
) -> None:
    await payments.notify_web_payment_started(station, {"evseId": 1, "timeout": 60})
    assert (station.is_free(1, "X"), station.is_free(2, "X")) == (False, True)

    payments.started(station, {"evseId": 1})
    assert not payments.is_kept(station, 1)
