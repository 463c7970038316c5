"""Charging profiles: cleared, sent by hand, set aside by limits (OCPP 1.6 section 5.5)."""

from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.charging_profiles import Criteria, Purpose
from stations.models import (
    ChargingStation,
    Command,
    InstalledProfile,
)
from stations.services import (
    commands,
    profile_upkeep,
    smart_charging,
)
from tests import factories
from tests.stations.services.profiles import (
    CLEAR,
    SET,
    SIXTEEN,
    answer,
    claimed,
    installed,
    limits,
    state,
    told,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


# --- clear


@pytest.mark.parametrize("status", ["Accepted", "Unknown"])
def test_a_profile_is_cleared_by_its_id(ada: ChargingStation, status: str) -> None:
    row = installed(ada)

    smart_charging.clear(row)
    assert answer(ada, status, action=CLEAR).payload == {"id": 1}

    assert state(row) == "cleared"
    assert row.on_station is None


def test_a_profile_that_was_never_sent_is_cleared_without_a_word(ada: ChargingStation) -> None:
    row = smart_charging.default_limit(ada, amps=SIXTEEN)

    assert smart_charging.clear(row) is None

    assert state(row) == "cleared"
    assert Command.objects.get().status == "cancelled"


def test_a_clearing_without_an_answer_is_repeated(ada: ChargingStation) -> None:
    row = installed(ada)
    smart_charging.clear(row)
    commands.timed_out(claimed(ada, CLEAR).uid, station_id=ada.pk, reason="silence")
    assert state(row) == "installed"

    InstalledProfile.objects.update(next_try_at=clock.now())
    assert profile_upkeep.retry() == 1
    answer(ada, action=CLEAR)
    assert state(row) == "cleared"


def test_criteria_must_all_match(ada: ChargingStation) -> None:
    rows = [installed(ada, evse_number=n) for n in (1, 2)]

    smart_charging.clear_matching(ada, criteria=Criteria(evse=2, purpose=Purpose.TX_DEFAULT, stack_level=0))
    command = answer(ada, action=CLEAR)

    assert command.payload == {
        "connectorId": 2,
        "chargingProfilePurpose": "TxDefaultProfile",
        "stackLevel": 0,
    }
    assert [state(row) for row in rows] == ["installed", "cleared"]


def test_no_criteria_clear_everything(ada: ChargingStation) -> None:
    rows = [installed(ada, evse_number=n) for n in (1, 2)]

    smart_charging.clear_matching(ada, criteria=Criteria())
    assert answer(ada, action=CLEAR).payload == {}

    assert [state(row) for row in rows] == ["cleared", "cleared"]


# --- by hand


def by_hand(station: ChargingStation, **members: Any) -> None:
    profile = {
        "chargingProfileId": 40, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 8}]},
    }  # fmt: skip
    payload = {"connectorId": 1, "csChargingProfiles": profile | members}
    commands.queue(station, action=SET, payload=payload)
    answer(station)


def test_a_profile_sent_as_a_plain_command_is_kept(ada: ChargingStation) -> None:
    by_hand(ada)

    row = InstalledProfile.objects.get()
    assert (row.profile_id, row.state, row.source, row.is_wanted) == (40, "installed", "command", False)
    assert smart_charging.default_limit(ada, evse_number=2, amps=SIXTEEN).profile_id == 41
    assert profile_upkeep.retry() == 0  # it is nobody's wish, in either direction


def test_a_plain_command_replaces_what_lies_in_its_place(ada: ChargingStation) -> None:
    row = installed(ada, evse_number=1)

    by_hand(ada)

    assert state(row) == "cleared"
    assert "replaced by profile 40" in row.detail


def test_a_plain_clear_is_believed(ada: ChargingStation) -> None:
    row = installed(ada)

    commands.queue(ada, action=CLEAR, payload={})
    answer(ada, action=CLEAR)

    assert state(row) == "cleared"


# --- limits of whoever manages power


def test_a_limit_for_an_outlet_is_its_default_and_its_transactions(ada: ChargingStation) -> None:
    session = factories.session(ada, transaction_id="5")

    rows = smart_charging.set_limit(session.evse, amps=Decimal(10), source="load_balancer")

    assert [row.purpose for row in rows] == ["TxDefaultProfile", "TxProfile"]
    assert {answer(ada).payload["connectorId"] for _ in rows} == {1}


def test_the_same_limit_again_sends_nothing(ada: ChargingStation) -> None:
    smart_charging.set_limit(ada, amps=SIXTEEN)
    answer(ada)

    smart_charging.set_limit(ada, amps=SIXTEEN)
    assert not Command.objects.filter(status="queued").exists()

    smart_charging.set_limit(ada, amps=Decimal(17))
    assert limits(answer(ada)) == [17]


def test_a_limit_that_is_lifted_lets_the_one_below_come_back(ada: ChargingStation) -> None:
    told(ada, ChargeProfileMaxStackLevel="0")
    night = installed(ada, evse_number=1)
    smart_charging.set_limit(ada.evses.get(number=1), amps=Decimal(6), source="load_balancer")
    answer(ada)
    assert state(night) == "displaced"

    smart_charging.lift_limit(ada.evses.get(number=1), source="load_balancer")
    answer(ada, action=CLEAR)
    profile_upkeep.sweep()

    assert limits(answer(ada)) == [16]
    assert state(night) == "installed"


def test_a_limit_waits_for_a_station_that_is_away(ada: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)
    ada.refresh_from_db()
    (row,) = smart_charging.set_limit(ada, amps=SIXTEEN)
    assert row.state == "wanted"
    assert not Command.objects.exists()

    ChargingStation.objects.update(is_online=True)
    profile_upkeep.sweep()
    answer(ada)
    assert state(row) == "installed"
