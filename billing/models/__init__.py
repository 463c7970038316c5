"""Rows of the money: tariffs, what a session looked like at its start, CDRs, and what could not be billed."""

from billing.models.cdrs import Cdr, ImmutableRow
from billing.models.jobs import BillingJob
from billing.models.payments import Payment, PaymentNotice, Refund
from billing.models.snapshots import SessionSnapshot
from billing.models.tariffs import Tariff, TariffAssignment, TariffVersion

__all__ = [
    "BillingJob",
    "Cdr",
    "ImmutableRow",
    "Payment",
    "PaymentNotice",
    "Refund",
    "SessionSnapshot",
    "Tariff",
    "TariffAssignment",
    "TariffVersion",
]
