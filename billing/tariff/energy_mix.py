"""Where the energy of a tariff comes from (OCPI 2.3.0 mod_locations#EnergyMix); carried along, never priced."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .wire import Node, without_empty


@dataclass(frozen=True, slots=True)
class EnergyShare:
    """A part of the energy mix: a source in percent, or an impact in g/kWh."""

    name: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class EnergyMix:
    """Where the energy comes from (OCPI 2.3.0 mod_locations#EnergyMix)."""

    is_green_energy: bool
    energy_sources: tuple[EnergyShare, ...] = ()
    environ_impact: tuple[EnergyShare, ...] = ()
    supplier_name: str | None = None
    energy_product_name: str | None = None

    @classmethod
    def read(cls, node: Node) -> EnergyMix:
        return cls(
            is_green_energy=node.need("is_green_energy").flag(),
            energy_sources=tuple(
                EnergyShare(item.need("source").text(), item.need("percentage").number())
                for item in node.list("energy_sources")
            ),
            environ_impact=tuple(
                EnergyShare(item.need("category").text(), item.need("amount").number())
                for item in node.list("environ_impact")
            ),
            supplier_name=node.optional_text("supplier_name"),
            energy_product_name=node.optional_text("energy_product_name"),
        )

    def write(self) -> dict[str, object]:
        return without_empty(
            {
                "is_green_energy": self.is_green_energy,
                "energy_sources": [{"source": s.name, "percentage": s.value} for s in self.energy_sources],
                "environ_impact": [{"category": s.name, "amount": s.value} for s in self.environ_impact],
                "supplier_name": self.supplier_name,
                "energy_product_name": self.energy_product_name,
            }
        )
