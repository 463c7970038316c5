"""What happened to money: published after commit by `billing/services`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CdrIssued:
    cdr_id: int
    session_id: int | None


@dataclass(frozen=True, slots=True)
class TariffChanged:
    tariff_id: int


@dataclass(frozen=True, slots=True)
class PaymentChanged:
    """A payment of ours made a step, or was given back."""

    payment_id: int
    station_id: int
