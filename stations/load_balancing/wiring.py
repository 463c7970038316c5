"""How an outlet hangs on the grid: phases and their rotation, voltages, what a direct current costs on the AC side."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal

TENTH = Decimal("0.1")
ROOT_OF_3 = Decimal("1.7320508")
LINE_TO_LINE_V = 320  # more than any voltage between a phase and the neutral
PLAUSIBLE = (Decimal("0.8"), Decimal("1.2"))  # of the nominal voltage: else a reading is none
PRESENT_A = Decimal(1)  # on a phase: the vehicle draws from it
CHARGES_A = Decimal(3)  # on some phase: the vehicle charges, so its phases can be told
ROTATIONS = {"RST": "123", "RTS": "132", "SRT": "213", "STR": "231", "TRS": "312", "TSR": "321"}
COUNTS = {"AC_1_PHASE": 1, "AC_2_PHASE": 2, "AC_2_PHASE_SPLIT": 2, "AC_3_PHASE": 3, "DC": 3}


@dataclass(frozen=True, slots=True)
class Wiring:
    """An outlet: phases of the grid behind its L1, L2, L3; V between a phase and the neutral.

    `used` are those of its own phases from which the vehicle draws, where they are known. For direct current
    `yield_factor` is the power at the vehicle per apparent power at the fuse (efficiency by power factor).
    """

    rotation: str = "123"
    voltage_v: Decimal = Decimal(230)
    is_dc: bool = False
    yield_factor: Decimal = Decimal(1)
    used: str = ""

    @property
    def phases(self) -> tuple[int, ...]:
        """The phases of the grid from which it draws."""
        own = [int(phase) for phase in self.used if int(phase) <= len(self.rotation)]
        if self.is_dc or not own:
            return tuple(int(phase) for phase in self.rotation)
        return tuple(int(self.rotation[phase - 1]) for phase in own)

    @property
    def watts_per_amp(self) -> Decimal:
        """W at the outlet for one A on each phase in use."""
        factor = self.yield_factor if self.is_dc else Decimal(1)
        return self.voltage_v * len(self.phases) * factor

    def amps_of(self, watts: Decimal) -> Decimal:
        """Return the current on each phase at a power, rounded up."""
        return (watts / self.watts_per_amp).quantize(TENTH, rounding=ROUND_UP)

    def watts_of(self, amps: Decimal) -> Decimal:
        """Return the power at a current on each phase, rounded down."""
        return (amps * self.watts_per_amp).quantize(TENTH, rounding=ROUND_DOWN)


def count_of(power_type: str) -> int:
    """Return how many phases of the grid a kind of connector takes."""
    return COUNTS.get(power_type, 3)


def to_neutral(voltage_v: Decimal, power_type: str) -> Decimal:
    """Return the voltage between a phase and the neutral: some write the one between phases (400 for 230)."""
    if power_type == "AC_3_PHASE" and voltage_v > LINE_TO_LINE_V:
        return (voltage_v / ROOT_OF_3).quantize(TENTH)
    return voltage_v


def believed_v(measured_v: Decimal | None, nominal_v: Decimal) -> Decimal:
    """Return a measured voltage if it can be true, else the nominal one."""
    if measured_v is None:
        return nominal_v
    measured_v = to_neutral(measured_v, "AC_3_PHASE")
    low, high = PLAUSIBLE
    return measured_v if low * nominal_v <= measured_v <= high * nominal_v else nominal_v


def used_phases(currents_a: Mapping[str, Decimal]) -> str:
    """Tell from currents on L1, L2, L3 which of them a vehicle draws from: '1', '12', '123'; '' while it rests."""
    if max(currents_a.values(), default=Decimal(0)) < CHARGES_A:
        return ""
    return "".join(phase for phase in "123" if currents_a.get(f"L{phase}", Decimal(0)) >= PRESENT_A)


def used_by_power(power_w: Decimal, current_a: Decimal, voltage_v: Decimal) -> str:
    """Tell from the power and one current how many phases are in use; '' where that cannot be told."""
    if current_a < CHARGES_A:
        return ""
    count = round(power_w / (current_a * voltage_v))
    return "123"[:count] if 1 <= count <= 3 else ""


def rotation_of(told: str, connector: int) -> str:
    """Read the rotation that a station tells (1.6 ConnectorPhaseRotation '1.RST,2.STR', 2.x 'RST'); '' if unknown."""
    for part in told.replace(" ", "").split(","):
        number, dot, word = part.rpartition(".")
        if (not dot or number == str(connector)) and word.upper() in ROTATIONS:
            return ROTATIONS[word.upper()]
    return ""
