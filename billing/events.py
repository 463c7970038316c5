"""What happened to money: published after commit by `billing/services`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CdrIssued:
    cdr_id: int
    session_id: int | None


@dataclass(frozen=True, slots=True)
class TariffChanged:
    tariff_id: int
