"""The hardware of a simulated connector: cable, car, relay and a meter that counts exactly.

Energy is a Fraction of Wh inside, so that small steps add up to the last Wh; the register shows whole Wh.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

TAPER_FROM_PERCENT = 80
TRICKLE_PERCENT = 10


@dataclass
class Car:
    """A battery and what it takes. All in Wh and W."""

    battery_wh: int = 60_000
    stored_wh: Fraction = Fraction(20_000)
    max_power_w: int = 11_000

    @property
    def soc_percent(self) -> int:
        return int(self.stored_wh * 100 / self.battery_wh)

    @property
    def accepts_w(self) -> int:
        """Full power up to 80 %, from there in a straight line down to a tenth, nothing when full."""
        if self.stored_wh >= self.battery_wh:
            return 0
        if self.soc_percent < TAPER_FROM_PERCENT:
            return self.max_power_w
        left = Fraction(100 - self.soc_percent, 100 - TAPER_FROM_PERCENT)
        return max(int(self.max_power_w * left), self.max_power_w * TRICKLE_PERCENT // 100)


@dataclass
class Outlet:
    """One connector.

    `drive_w` makes it deliver exactly that power, whatever the car would take; at the register `stop_at` (Wh)
    nothing flows any more; `limit_w` is what a charging profile allows.
    """

    number: int
    max_power_w: int = 11_000
    phases: int = 3
    voltage_v: int = 230
    is_dc: bool = False
    register: Fraction = Fraction(0)
    status: str = "Available"
    error_code: str = "NoError"
    operative: bool = True
    car: Car | None = None
    closed: bool = False
    drive_w: Fraction | None = None
    limit_w: int | None = None
    stop_at: Fraction | None = None
    next_operative: bool | None = field(default=None, repr=False)

    @property
    def register_wh(self) -> int:
        """What the meter shows: whole Wh, never less than before."""
        return int(self.register)

    @property
    def power_w(self) -> Fraction:
        """What flows now."""
        if not self.closed or self.car is None:
            return Fraction(0)
        if self.stop_at is not None and self.register >= self.stop_at:
            return Fraction(0)
        if self.drive_w is not None:
            return self.drive_w
        limits = [self.max_power_w, self.car.accepts_w] + ([self.limit_w] if self.limit_w is not None else [])
        return Fraction(min(limits))

    @property
    def is_paused(self) -> bool:
        """Whether only a charging profile keeps the car from charging."""
        is_full = self.stop_at is not None and self.register >= self.stop_at
        wants = self.drive_w is None and self.car is not None and self.car.accepts_w > 0
        return self.closed and self.limit_w == 0 and wants and not is_full

    def advance(self, milliseconds: int) -> None:
        """Let so much time pass at the present power."""
        energy_wh = self.power_w * milliseconds / 3_600_000
        if self.stop_at is not None:
            energy_wh = min(energy_wh, max(self.stop_at - self.register, Fraction(0)))
        self.register += energy_wh
        if self.car is not None:
            self.car.stored_wh = min(self.car.stored_wh + energy_wh, Fraction(self.car.battery_wh))

    def sampled_values(self, measurands: list[str], context: str) -> list[dict[str, str]]:
        """The meter's readings as OCPP 1.6 SampledValue objects (section 7.43)."""
        values: list[dict[str, str]] = []
        for measurand in measurands:
            for fields in self._read(measurand):
                values.append({"context": context, "format": "Raw", "measurand": measurand} | fields)
        return values

    def _read(self, measurand: str) -> list[dict[str, str]]:
        location = {"location": "Outlet"}
        if measurand == "Energy.Active.Import.Register":
            return [{"value": str(self.register_wh), "unit": "Wh"} | location]
        if measurand == "Power.Active.Import":
            return [{"value": str(int(self.power_w)), "unit": "W"} | location]
        if measurand == "SoC" and self.car is not None and self.is_dc:
            return [{"value": str(self.car.soc_percent), "unit": "Percent", "location": "EV"}]
        if measurand == "Voltage":
            return self._per_phase(str(self.voltage_v), "V", "-N")
        if measurand == "Current.Import":
            amperes = Decimal(int(self.power_w)) / (self.voltage_v * (1 if self.is_dc else self.phases))
            return self._per_phase(str(amperes.quantize(Decimal("0.1"))), "A", "")
        return []

    def _per_phase(self, value: str, unit: str, suffix: str) -> list[dict[str, str]]:
        fields = {"value": value, "unit": unit, "location": "Outlet"}
        if self.is_dc:
            return [fields]
        return [fields | {"phase": f"L{phase}{suffix}"} for phase in range(1, self.phases + 1)]

    def remembered(self) -> dict[str, Any]:
        """What survives a loss of power: the meter and the operator's switch."""
        return {"number": self.number, "register": str(self.register), "operative": self.operative}
