"""The simulated station follows charging profiles by its own arithmetic (OCPP 1.6 section 3.13)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cpo.simulator import smart_charging
from cpo.simulator.answers import Refusal
from cpo.simulator.charger import Charger
from cpo.simulator.clock import StoryClock
from cpo.simulator.transaction import Transaction

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)  # a Monday


@pytest.fixture
def charger() -> Charger:
    return Charger("ws://nowhere", "ADA-1", connectors=2, power_w=22_000, clock=StoryClock(NOON))


def profile(limit: float = 10, **members: Any) -> dict[str, Any]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": schedule | members.pop("schedule", {}),
    } | members  # fmt: skip


async def put(charger: Charger, connector: int = 1, **members: Any) -> str:
    payload = {"connectorId": connector, "csChargingProfiles": profile(**members)}
    return str((await smart_charging.set_charging_profile(charger, payload))["status"])


async def composite(charger: Charger, connector: int = 1, hours: int = 24, unit: str = "A") -> list[Any]:
    payload = {"connectorId": connector, "duration": hours * 3600, "chargingRateUnit": unit}
    answer = await smart_charging.get_composite_schedule(charger, payload)
    found = answer["chargingSchedule"]["chargingSchedulePeriod"]
    return [(period["startPeriod"], period["limit"]) for period in found]


def begin(charger: Charger, connector: int = 1, number: int = 7) -> None:
    charger.running[connector] = Transaction(connector, "BO-1", 0, NOON, id=number)


async def test_a_default_limits_its_outlet_and_no_other(charger: Charger) -> None:
    assert await put(charger) == "Accepted"

    assert [outlet.limit_w for outlet in charger.outlets.values()] == [6900, None]


async def test_less_than_six_amperes_pause(charger: Charger) -> None:
    await put(charger, limit=5.9)

    assert charger.outlets[1].limit_w == 0


async def test_a_transaction_profile_leads_and_goes_with_its_transaction(charger: Charger) -> None:
    await put(charger, limit=10)
    begin(charger)
    await put(charger, limit=16, chargingProfileId=2, chargingProfilePurpose="TxProfile", transactionId=7)
    assert charger.outlets[1].limit_w == 11_040

    del charger.running[1]
    smart_charging.end(charger, 1)
    assert charger.outlets[1].limit_w == 6900


async def test_the_maximum_is_shared_by_those_that_charge(charger: Charger) -> None:
    await put(charger, 0, limit=32, chargingProfilePurpose="ChargePointMaxProfile")
    for number in (1, 2):
        begin(charger, number)
    smart_charging.apply(charger)

    assert [outlet.limit_w for outlet in charger.outlets.values()] == [11_040, 11_040]


async def test_the_higher_level_leads_until_it_is_over(charger: Charger) -> None:
    await put(charger, limit=10)
    ends = (NOON + timedelta(hours=1)).isoformat()
    await put(charger, limit=20, chargingProfileId=2, stackLevel=1, validTo=ends)

    assert await composite(charger, hours=2) == [(0, 20), (3600, 10)]


async def test_a_daily_profile_recurs(charger: Charger) -> None:
    periods = [{"startPeriod": 0, "limit": 32}, {"startPeriod": 61_200, "limit": 10}]
    schedule = {"startSchedule": "2026-05-01T00:00:00Z", "chargingSchedulePeriod": periods}
    await put(charger, chargingProfileKind="Recurring", recurrencyKind="Daily", schedule=schedule)

    assert await composite(charger) == [(0, 31.8), (18_000, 10), (43_200, 31.8)]  # its rating is 31.8 A


async def test_a_duration_ends_in_what_it_could_deliver(charger: Charger) -> None:
    begin(charger)
    await put(charger, limit=10, schedule={"duration": 600})

    assert await composite(charger, hours=1, unit="W") == [(0, 6900), (600, 22_000)]


@pytest.mark.parametrize(
    "members",
    [
        {"stackLevel": 6},
        {"chargingProfilePurpose": "ChargePointMaxProfile"},
        {"chargingProfilePurpose": "TxProfile"},
        {"schedule": {"chargingSchedulePeriod": [{"startPeriod": n, "limit": 6} for n in range(25)]}},
    ],
    ids=["level", "maximum of a connector", "no transaction", "too many periods"],
)
async def test_what_it_cannot_hold_is_rejected(charger: Charger, members: dict[str, Any]) -> None:
    assert await put(charger, **members) == "Rejected"
    assert charger.profiles == []


async def test_no_connector_is_a_callerror(charger: Charger) -> None:
    with pytest.raises(Refusal):
        await put(charger, 3)


async def test_the_number_of_profiles_is_bounded(charger: Charger) -> None:
    for level in range(6):
        await put(charger, 1, chargingProfileId=level, stackLevel=level)
        await put(charger, 2, chargingProfileId=10 + level, stackLevel=level)

    assert len(charger.profiles) == 10


async def test_clearing_wants_all_that_is_given(charger: Charger) -> None:
    await put(charger, 1, chargingProfileId=1)
    await put(charger, 2, chargingProfileId=2)

    assert await smart_charging.clear_charging_profile(charger, {"connectorId": 2, "id": 1}) == {
        "status": "Unknown"
    }
    assert await smart_charging.clear_charging_profile(charger, {"connectorId": 2}) == {"status": "Accepted"}
    assert await smart_charging.clear_charging_profile(charger, {}) == {"status": "Accepted"}
    assert charger.outlets[1].limit_w is None
