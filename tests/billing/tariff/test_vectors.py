"""Each file of tests/vectors/tariff names the paragraph it checks and carries cases with amounts worked out by hand."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from billing.tariff import ParkThenCharge, Policy, ReservationOutcome
from billing.tariff.documents import price_documents

FOLDER = Path(__file__).parents[2] / "vectors" / "tariff"


def cases():
    for path in sorted(FOLDER.glob("*.json")):
        vector = json.loads(path.read_text(), parse_float=Decimal)
        for case in vector["cases"]:
            yield pytest.param(vector, case, id=f"{path.stem}: {case['name']}")


def cdr(case):
    """Lay the periods of a case, [minutes, dimensions, tariff id?], end to end from a local start."""
    zone = case.get("time_zone", "Europe/Amsterdam")
    now = datetime.fromisoformat(case["start"]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start, periods = now, list[dict]()
    for minutes, volumes, *tariff_id in case["periods"]:
        dimensions = [{"type": name, "volume": volume} for name, volume in volumes.items()]
        periods.append({"start_date_time": now.isoformat(), "dimensions": dimensions})
        periods[-1] |= {"tariff_id": tariff_id[0]} if tariff_id else {}
        now += timedelta(seconds=round(Decimal(minutes) * 60))
    return {
        "start_date_time": start.isoformat(),
        "end_date_time": now.isoformat(),
        "cdr_location": {"time_zone": zone},
        "charging_periods": periods,
    }


def same(expected, found):
    if isinstance(expected, dict):
        return all(same(value, found[key]) for key, value in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    if expected is None or found is None or expected.isalpha():
        return expected == found
    return Decimal(expected) == Decimal(found)


@pytest.mark.parametrize(("vector", "case"), list(cases()))
def test_it_prices_the_vector(vector, case):
    outcome = case.get("reservation")
    policy = Policy(park_then_charge=ParkThenCharge(vector.get("park_then_charge", "parking")))

    report = price_documents(
        vector["tariff"],
        cdr(case),
        version=vector.get("ocpi"),
        reservation=ReservationOutcome(outcome) if outcome else None,
        policy=policy,
    )

    for key, expected in case["expect"].items():
        assert same(expected, report[key]), f"{key}: {report[key]}\n" + "\n".join(report["explanation"])
