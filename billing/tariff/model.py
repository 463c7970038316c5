"""The OCPI 2.3.0 tariff object as frozen values, read from and written to every OCPI version.

Units as in OCPI: prices per kWh or per hour, restrictions in kWh, A, kW and seconds, dates and times of day local
to the location. Older versions are translated up: 2.2.1 prices are without tax, 2.1.1 does not know tax at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from . import money
from .energy_mix import EnergyMix
from .errors import CannotExpress, InvalidTariff
from .shapes import NEWEST, Shape, shape_of
from .vocabulary import (
    RESERVATION_KINDS,
    DayOfWeek,
    Dimension,
    ReservationRestriction,
    TariffType,
    TaxIncluded,
)
from .wire import Node, without_empty, write_moment

__all__ = [
    "RESERVATION_KINDS",
    "DayOfWeek",
    "Dimension",
    "DisplayText",
    "EnergyMix",
    "PriceComponent",
    "PriceLimit",
    "ReservationRestriction",
    "Tariff",
    "TariffElement",
    "TariffRestrictions",
    "TariffType",
    "TaxIncluded",
]

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:00)?")
_DATE = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_PRICE_STEP = Decimal("1E-6")  # of a price without tax that is computed from one with tax


@dataclass(frozen=True, slots=True)
class DisplayText:
    """A text in one language (OCPI 2.3.0 types#DisplayText)."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """The least or most that a session costs (OCPI 2.3.0 mod_tariffs#PriceLimit)."""

    before_taxes: Decimal
    after_taxes: Decimal | None = None

    @classmethod
    def read(cls, node: Node, shape: Shape) -> PriceLimit:
        before, after = str(shape.before_taxes), node.get(str(shape.after_taxes))
        return cls(node.need(before).not_negative(), after.not_negative() if after else None)

    def write(self, shape: Shape) -> dict[str, object]:
        return without_empty(
            {str(shape.before_taxes): self.before_taxes, str(shape.after_taxes): self.after_taxes}
        )


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """What a unit of one dimension costs: per kWh, per hour, or once for FLAT. `step_size` in Wh or s, 0: none."""

    type: Dimension
    price: Decimal
    vat: Decimal | None = None  # percent; None: no VAT applicable
    step_size: int = 0

    @classmethod
    def read(cls, node: Node, shape: Shape) -> PriceComponent:
        step, vat = node.get("step_size"), node.get("vat") if shape.has_parties else None
        return cls(
            type=node.need("type").choice(Dimension),
            price=node.need("price").number(),
            vat=vat.not_negative() if vat else None,
            step_size=step.integer() if step else 0,
        )

    def write(self, shape: Shape, tax_included: TaxIncluded) -> dict[str, object]:
        price = self.price
        if tax_included is TaxIncluded.YES and not shape.has_tax_included:
            price = money.trim(money.before_tax(price, self.vat or money.ZERO).quantize(_PRICE_STEP))
        vat = self.vat if shape.has_parties else None
        return without_empty(
            {"type": str(self.type), "price": price, "vat": vat, "step_size": self.step_size}
        )


@dataclass(frozen=True, slots=True)
class TariffRestrictions:
    """When an element applies: all that are set must hold (OCPI 2.3.0 mod_tariffs#TariffRestrictions)."""

    start_time: time | None = None
    end_time: time | None = None
    start_date: date | None = None
    end_date: date | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    day_of_week: tuple[DayOfWeek, ...] = ()
    reservation: ReservationRestriction | None = None
    unknown: tuple[str, ...] = ()  # names that no known OCPI version has: such an element is never priced

    @classmethod
    def read(cls, node: Node) -> TariffRestrictions:
        members = {key: member for key in node.members() if (member := node.get(key))}
        known = {key: _READERS[key](member) for key, member in members.items() if key in _READERS}
        unknown = tuple(key for key in members if key not in _READERS)
        return cls(**known, unknown=unknown)  # type: ignore[arg-type]  # _READERS gives each key its type

    def write(self, shape: Shape, path: str) -> dict[str, object]:
        if self.unknown:
            raise CannotExpress(f"{path}.{self.unknown[0]}", "is no OCPI restriction")
        if self.reservation and not (shape.has_tax_included or self.reservation in RESERVATION_KINDS):
            raise CannotExpress(
                f"{path}.reservation", f"{self.reservation} is unknown to OCPI {shape.version}"
            )
        values = {name: getattr(self, name) for name in _READERS}
        missing = [name for name in _SINCE_PARTIES if values[name] is not None]
        if missing and not shape.has_parties:
            raise CannotExpress(f"{path}.{missing[0]}", f"is unknown to OCPI {shape.version}")
        return without_empty({name: _write_restriction(value) for name, value in values.items()})


@dataclass(frozen=True, slots=True)
class TariffElement:
    """Price components under one set of restrictions (OCPI 2.3.0 mod_tariffs#TariffElement)."""

    price_components: tuple[PriceComponent, ...]
    restrictions: TariffRestrictions | None = None

    @classmethod
    def read(cls, node: Node, shape: Shape) -> TariffElement:
        components = tuple(PriceComponent.read(item, shape) for item in node.need("price_components").items())
        if not components:
            node.need("price_components").fail("must not be empty")
        restrictions = node.get("restrictions")
        return cls(components, TariffRestrictions.read(restrictions) if restrictions else None)

    def write(self, shape: Shape, tax_included: TaxIncluded, path: str) -> dict[str, object]:
        restrictions = self.restrictions.write(shape, f"{path}.restrictions") if self.restrictions else None
        components = [component.write(shape, tax_included) for component in self.price_components]
        return without_empty({"price_components": components, "restrictions": restrictions})


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff of OCPI 2.3.0 (mod_tariffs#Tariff), whichever version it came from."""

    id: str
    currency: str
    elements: tuple[TariffElement, ...]
    tax_included: TaxIncluded = TaxIncluded.NO
    country_code: str | None = None  # None where an older version or a careless sender left the owner out
    party_id: str | None = None
    type: TariffType | None = None  # None: for every session
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: str | None = None
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    preauthorize_amount: Decimal | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None
    energy_mix: EnergyMix | None = None
    last_updated: datetime | None = None
    vat_unknown: bool = False  # an OCPI 2.1.1 price excludes a VAT that nobody names
    rules: object = field(default=None, init=False, repr=False, compare=False)  # the engine's compiled form

    @property
    def states_vat(self) -> bool:
        """Tell whether any component names a rate; if none does, the taxes on a price are unknown."""
        return any(c.vat is not None for element in self.elements for c in element.price_components)

    @classmethod
    def from_ocpi(cls, data: Mapping[str, object], version: str = NEWEST) -> Tariff:
        """Read a tariff of the given version; raises InvalidTariff with the path of the first fault."""
        node, shape = Node(data, InvalidTariff), shape_of(version)
        elements = tuple(TariffElement.read(item, shape) for item in node.need("elements").items())
        if not elements:
            node.need("elements").fail("must not be empty")
        newer = {**_read_parties(node, shape)} if shape.has_parties else {}
        energy_mix, amount = node.get("energy_mix"), node.get("preauthorize_amount")
        return cls(
            id=node.optional_text("id") or "",
            currency=_currency(node.need("currency")),
            elements=elements,
            tax_included=_tax_included(node, shape, elements),
            tariff_alt_text=tuple(
                DisplayText(item.need("language").text(), item.need("text").text())
                for item in node.list("tariff_alt_text")
            ),
            tariff_alt_url=node.optional_text("tariff_alt_url"),
            preauthorize_amount=amount.not_negative() if amount and shape.has_tax_included else None,
            energy_mix=EnergyMix.read(energy_mix) if energy_mix else None,
            last_updated=node.optional_moment("last_updated"),
            vat_unknown=not shape.has_parties,
            **newer,  # type: ignore[arg-type]  # typed where it is built
        )

    def to_ocpi(self, version: str = NEWEST) -> dict[str, object]:
        """Write the tariff for a partner of the given version, numbers as Decimal.

        Raises CannotExpress where the version has no words for something that changes the price.
        """
        shape = shape_of(version)
        self._refuse_what_is_too_new(shape)
        document: dict[str, object] = {}
        if shape.has_parties:
            document |= {"country_code": self.country_code, "party_id": self.party_id}
        document |= {"id": self.id, "currency": self.currency}
        if shape.has_parties:
            document |= {"type": str(self.type) if self.type else None}
        document |= {
            "tariff_alt_text": [{"language": t.language, "text": t.text} for t in self.tariff_alt_text],
            "tariff_alt_url": self.tariff_alt_url,
        }
        if shape.has_parties:
            document |= {
                "min_price": self.min_price.write(shape) if self.min_price else None,
                "max_price": self.max_price.write(shape) if self.max_price else None,
            }
        if shape.has_tax_included:
            document |= {"preauthorize_amount": self.preauthorize_amount}
        document["elements"] = [
            element.write(shape, self.tax_included, f"elements[{index}]")
            for index, element in enumerate(self.elements)
        ]
        if shape.has_tax_included:
            document["tax_included"] = str(self.tax_included)
        if shape.has_parties:
            document |= {"start_date_time": self.start_date_time, "end_date_time": self.end_date_time}
        document |= {
            "energy_mix": self.energy_mix.write() if self.energy_mix else None,
            "last_updated": self.last_updated,
        }
        return without_empty(
            {k: write_moment(v) if isinstance(v, datetime) else v for k, v in document.items()}
        )

    def _refuse_what_is_too_new(self, shape: Shape) -> None:
        """Refuse what an older version would turn into another price."""
        if self.tax_included is TaxIncluded.YES and not shape.has_tax_included and not self.states_vat:
            reason = f"is YES without a VAT rate; OCPI {shape.version} knows prices without tax only"
            raise CannotExpress("tax_included", reason)
        for name in ("min_price", "max_price"):
            if getattr(self, name) and not shape.has_parties:
                raise CannotExpress(name, f"is unknown to OCPI {shape.version}")


def _read_parties(node: Node, shape: Shape) -> Mapping[str, object]:
    """Read what OCPI 2.1.1 does not have."""
    kind, least, most = node.get("type"), node.get("min_price"), node.get("max_price")
    return {
        "country_code": node.optional_text("country_code"),
        "party_id": node.optional_text("party_id"),
        "type": kind.choice(TariffType) if kind else None,
        "min_price": PriceLimit.read(least, shape) if least else None,
        "max_price": PriceLimit.read(most, shape) if most else None,
        "start_date_time": node.optional_moment("start_date_time"),
        "end_date_time": node.optional_moment("end_date_time"),
    }


def _tax_included(node: Node, shape: Shape, elements: tuple[TariffElement, ...]) -> TaxIncluded:
    """Read the field, or say in its words what an older version means by its prices.

    A 2.2.1 component without `vat` has no VAT applicable; a tariff without any is free of tax as a whole.
    2.1.1 prices exclude VAT, and nothing says how much comes on top.
    """
    if shape.has_tax_included:
        return node.need("tax_included").choice(TaxIncluded)
    stated = any(c.vat is not None for element in elements for c in element.price_components)
    return TaxIncluded.NO if stated or not shape.has_parties else TaxIncluded.NOT_APPLICABLE


def _currency(node: Node) -> str:
    text = node.text().strip().upper()
    if not re.fullmatch("[A-Z]{3}", text):
        node.fail("must be an ISO 4217 code")
    return text


def _time(node: Node) -> time:
    if not _TIME.fullmatch(node.text()):
        node.fail("must be a time of day like 07:30")
    return time.fromisoformat(node.text())


def _date(node: Node) -> date:
    if not _DATE.fullmatch(node.text()):
        node.fail("must be a date like 2024-12-31")
    try:
        return date.fromisoformat(node.text())
    except ValueError:
        node.fail("is no day of the calendar")


def _days(node: Node) -> tuple[DayOfWeek, ...]:
    return tuple(item.choice(DayOfWeek) for item in node.items())


def _reservation(node: Node) -> ReservationRestriction:
    return node.choice(ReservationRestriction)


def _write_restriction(value: object) -> object:
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, date | StrEnum):
        return str(value)
    return [str(day) for day in value] if isinstance(value, tuple) else value


_READERS = {
    "start_time": _time,
    "end_time": _time,
    "start_date": _date,
    "end_date": _date,
    "min_kwh": Node.not_negative,
    "max_kwh": Node.not_negative,
    "min_current": Node.number,
    "max_current": Node.number,
    "min_power": Node.number,
    "max_power": Node.number,
    "min_duration": Node.integer,
    "max_duration": Node.integer,
    "day_of_week": _days,
    "reservation": _reservation,
}
_SINCE_PARTIES = ("min_current", "max_current", "reservation")
