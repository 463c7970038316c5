"""Rows of the money: tariffs, what a session looked like at its start, CDRs, and what could not be billed."""

from billing.models.cdrs import Cdr, ImmutableRow
from billing.models.jobs import BillingJob
from billing.models.snapshots import SessionSnapshot
from billing.models.tariffs import Tariff, TariffAssignment, TariffVersion

__all__ = [
    "BillingJob",
    "Cdr",
    "ImmutableRow",
    "SessionSnapshot",
    "Tariff",
    "TariffAssignment",
    "TariffVersion",
]
