"""The tariff engine: a pure library that turns an OCPI tariff and charging periods into an explained bill.

`price(usage, tariff) -> Bill` is the one door. See README.md for the map.
"""

from .bill import Bill, BillLine, Volumes
from .engine import DEFAULT, Policy, Rounding, price
from .errors import (
    CannotExpress,
    CannotPrice,
    InvalidTariff,
    InvalidUsage,
    TariffError,
    UnbalancedBill,
)
from .model import Tariff
from .periods import ChargingPeriod, ReservationOutcome, Usage
from .steps import ParkThenCharge
from .tax import Price, TaxAmount

__all__ = [
    "DEFAULT",
    "Bill",
    "BillLine",
    "CannotExpress",
    "CannotPrice",
    "ChargingPeriod",
    "InvalidTariff",
    "InvalidUsage",
    "ParkThenCharge",
    "Policy",
    "Price",
    "ReservationOutcome",
    "Rounding",
    "Tariff",
    "TariffError",
    "TaxAmount",
    "UnbalancedBill",
    "Usage",
    "Volumes",
    "price",
]
