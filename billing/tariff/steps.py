"""Bill in steps: once per session for energy, once for charging and parking time together, once for a reservation.

OCPI 2.3.0 mod_cdrs#CDR "step_size". Only volumes that have a price count; the step is the one of the component that
priced the last of them, and the surplus is billed there.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from . import money
from .periods import ChargingPeriod
from .restrictions import Moment, Rule


class Category(StrEnum):
    """The subtotal of a CDR that a line belongs to (OCPI 2.3.0 mod_cdrs#CDR total_..._cost)."""

    FIXED = "fixed"
    ENERGY = "energy"
    TIME = "time"
    PARKING = "parking"
    RESERVATION = "reservation"


class ParkThenCharge(StrEnum):
    """Which total is rounded up when charging resumes after a paid parking time.

    The specification says "only the total parking duration", and also "the last period": they disagree here.
    """

    PARKING = "parking"
    LAST = "last"


class Draft:
    """A line in the making: a volume and the rule that prices it. Energy in kWh, time in s, 1 for a flat fee."""

    __slots__ = ("billed", "category", "moment", "period", "quantity", "rule")

    def __init__(
        self, category: Category, rule: Rule, period: ChargingPeriod, moment: Moment, quantity: Decimal
    ) -> None:
        self.category = category
        self.rule = rule
        self.period = period
        self.moment = moment
        self.quantity = quantity
        self.billed = quantity


def apply_steps(drafts: Sequence[Draft], park_then_charge: ParkThenCharge = ParkThenCharge.PARKING) -> None:
    """Round the billed volumes up, in place."""
    energy, timed, reserved = [], [], []
    parks = charges = False
    for draft in drafts:
        category = draft.category
        if category is Category.ENERGY:
            energy.append(draft)
        elif category is Category.TIME:
            timed.append(draft)
            charges = True
        elif category is Category.PARKING:
            timed.append(draft)
            parks = True
        elif category is Category.RESERVATION and draft.rule.timed:
            reserved.append(draft)
    if parks and charges:
        kept = timed[-1].category if park_then_charge is ParkThenCharge.LAST else Category.PARKING
        timed = [draft for draft in timed if draft.category is kept]
    _round_up(energy, money.WH_PER_KWH)
    _round_up(timed, 1)
    _round_up(reserved, 1)


def _round_up(drafts: Sequence[Draft], units: int) -> None:
    """Add what is missing to a whole number of steps to the last draft; a step is in 1/units of the volume."""
    if not drafts:
        return
    last = drafts[-1]
    total = sum([draft.quantity for draft in drafts], money.ZERO) * units
    last.billed = last.quantity + (money.round_up_to(total, last.rule.component.step_size) - total) / units
