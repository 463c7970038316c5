"""Charging profiles: over, given to each transaction, sent again after a boot (1.6 errata 3.37)."""

from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.charging_profiles import Purpose, RateUnit
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    InstalledProfile,
)
from stations.services import (
    commands,
    profile_shapes,
    profile_upkeep,
    quirks,
    smart_charging,
)
from tests import factories
from tests.stations.services.profiles import (
    ASK,
    CLEAR,
    SIXTEEN,
    answer,
    claimed,
    evening,
    installed,
    now_s,
    state,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> ChargingStation:
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")


# --- what ends


def test_a_profile_ends_with_its_validity(ada: ChargingStation) -> None:
    row = installed(ada, until=clock.now() + timedelta(hours=1))
    assert profile_upkeep.end_over() == 0

    InstalledProfile.objects.update(valid_to=clock.now())
    assert profile_upkeep.end_over() == 1
    assert state(row) == "ended"


def test_a_transaction_profile_ends_with_its_transaction(ada: ChargingStation) -> None:
    session = factories.session(ada)
    row = smart_charging.limit_session(session, amps=SIXTEEN)
    answer(ada)
    ChargingSession.objects.update(status="ended")

    profile_upkeep.end_over()

    assert state(row) == "ended"
    assert not Command.objects.filter(action=CLEAR).exists()  # the station drops it by itself


def test_a_default_that_stood_for_a_transaction_is_cleared_after_it(ada: ChargingStation) -> None:
    quirks.override(ada, flag="tx_default_profile_only", value=True, by="ada")
    row = smart_charging.limit_session(factories.session(ada), amps=SIXTEEN)
    answer(ada)
    Command.objects.filter(status="queued").delete()
    ChargingSession.objects.update(status="ended")

    profile_upkeep.sweep()
    answer(ada, action=CLEAR)

    assert state(row) == "cleared"


def test_a_wish_for_each_transaction_is_given_to_the_next_one(ada: ChargingStation) -> None:
    wish = profile_shapes.of_limit(
        SIXTEEN, RateUnit.A, purpose=Purpose.TX, evse=1, stack_level=0, now=clock.now()
    )
    row = smart_charging.install(ada, profile=wish, each_transaction=True)
    assert state(row) == "standing"
    factories.session(ada, number=2)
    assert profile_upkeep.give_to_new() == 0

    factories.session(ada, number=1, transaction_id="77")
    assert profile_upkeep.give_to_new() == 1
    assert profile_upkeep.give_to_new() == 0
    assert answer(ada).payload["csChargingProfiles"]["transactionId"] == 77


# --- after a boot, after a reconnect


def test_after_a_boot_what_must_hold_is_sent_again(ada: ChargingStation) -> None:
    row = installed(ada)
    ada.boot_count = 1
    ada.save()

    assert profile_upkeep.after_boot(ada) == 1
    assert profile_upkeep.after_boot(ada) == 0  # it is on its way
    assert claimed(ada).priority == commands.AUTOMATIC
    assert state(row) == "sent"


def test_a_transaction_profile_waits_until_its_transaction_lives(ada: ChargingStation) -> None:
    session = factories.session(ada)
    smart_charging.limit_session(session, amps=SIXTEEN)
    answer(ada)
    Command.objects.filter(status="queued").delete()
    booted = clock.now() - timedelta(minutes=2)
    ChargingStation.objects.update(boot_count=1, last_boot_at=booted)
    ada.refresh_from_db()
    assert profile_upkeep.after_boot(ada) == 0
    assert profile_upkeep.recheck() == 0

    ChargingSession.objects.update(last_reading_at=clock.now())
    assert profile_upkeep.recheck() == 1
    claimed(ada)


def test_a_boot_that_was_missed_is_made_up_for(ada: ChargingStation) -> None:
    installed(ada)
    ChargingStation.objects.update(boot_count=1, last_boot_at=clock.now() - timedelta(minutes=2))

    assert profile_upkeep.recheck() == 1
    claimed(ada)


def test_after_a_reconnect_the_station_is_asked_and_told_again_if_it_forgot(ada: ChargingStation) -> None:
    row = installed(ada, evse_number=1)
    ChargingStation.objects.update(epoch=2)
    ada.refresh_from_db()
    assert profile_upkeep.recheck() == 1

    unlimited = {
        "chargingRateUnit": "A",
        "duration": 3600,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32}],
    }
    told_: dict[str, Any] = {
        "connectorId": 1,
        "scheduleStart": now_s(),
        "chargingSchedule": unlimited,
    }
    answer(ada, action=ASK, **told_)
    assert state(row) == "unknown"

    assert profile_upkeep.retry() == 1
    claimed(ada)


def test_a_change_of_the_clocks_lays_the_profile_again(ada: ChargingStation) -> None:
    row = smart_charging.install_template(ada, template=evening(ada))
    answer(ada)
    Command.objects.filter(status="queued").delete()
    assert profile_upkeep.recheck() == 0

    InstalledProfile.objects.update(utc_offset_s=-3600)
    assert profile_upkeep.recheck() == 1
    answer(ada)
    row.refresh_from_db()
    assert row.utc_offset_s != -3600
