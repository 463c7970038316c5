"""P6: how many bills a second one core prices, with explanation.

A ten-period session (eight of charging, two of parking, metered to the Wh, over 17:00 and 20:00 local time) against a
four-element tariff with times of day, a weekday, a power limit and VAT. The bill is priced and explained in full;
the figure is bills per second of process CPU time, the best of several rounds on a shared machine.
"""

from __future__ import annotations

import gc
import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.tariff import ChargingPeriod, Tariff, Usage, price

TARGET = 3000
ROUNDS = 12
BILLS_PER_ROUND = 400
START = datetime(2025, 3, 6, 15, 40, tzinfo=UTC)
QUARTER = timedelta(minutes=25)

TARIFF = {
    "country_code": "NL",
    "party_id": "OCO",
    "id": "bench",
    "currency": "EUR",
    "tax_included": "NO",
    "last_updated": "2025-01-01T00:00:00Z",
    "elements": [
        {"price_components": [{"type": "FLAT", "price": "0.35", "vat": "21", "step_size": 1}]},
        {
            "price_components": [
                {"type": "ENERGY", "price": "0.59", "vat": "21", "step_size": 1},
                {"type": "TIME", "price": "0.60", "vat": "21", "step_size": 60},
            ],
            "restrictions": {"start_time": "17:00", "end_time": "20:00", "day_of_week": ["THURSDAY"]},
        },
        {
            "price_components": [{"type": "ENERGY", "price": "0.49", "vat": "21", "step_size": 1}],
            "restrictions": {"max_power": "22"},
        },
        {
            "price_components": [
                {"type": "ENERGY", "price": "0.55", "vat": "21", "step_size": 1},
                {"type": "TIME", "price": "0.30", "vat": "21", "step_size": 60},
                {"type": "PARKING_TIME", "price": "3.00", "vat": "21", "step_size": 300},
            ]
        },
    ],
}


def usage() -> Usage:
    """Make the session: eight charging periods of 25 minutes, then two of parking."""
    seconds = int(QUARTER.total_seconds())
    periods = []
    for number in range(10):
        start = START + QUARTER * number
        charges = number < 8
        periods.append(
            ChargingPeriod(
                start=start,
                end=start + QUARTER,
                energy_kwh=Decimal("4.137") + Decimal(number) / 100 if charges else Decimal(0),
                time_s=seconds if charges else 0,
                parking_s=0 if charges else seconds,
                max_power=Decimal(11 + 4 * number),
            )
        )
    return Usage(START, START + QUARTER * 10, "Europe/Amsterdam", tuple(periods))


def measure() -> dict[str, dict[str, object]]:
    """Return the entry for the table of figures."""
    tariff, session = Tariff.from_ocpi(TARIFF), usage()
    best = 0.0
    price(session, tariff).explanation()
    gc.collect()
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(BILLS_PER_ROUND):
            price(session, tariff).explanation()
        best = max(best, BILLS_PER_ROUND / (time.process_time() - begin))
    return {
        "P6": {"value": round(best), "unit": "bills/s", "target": TARGET, "floor": None, "textbook": None}
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
