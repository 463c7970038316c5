"""How outlets hang on the grid: phases in use, rotations, voltages, direct current."""

from decimal import Decimal

import pytest

from stations.load_balancing import Wiring
from stations.load_balancing.wiring import believed_v, rotation_of, to_neutral, used_by_power, used_phases


def test_a_vehicle_on_one_phase_loads_the_rotated_phase_only() -> None:
    assert Wiring("231", used="1").phases == (2,)


def test_all_phases_count_while_nobody_knows() -> None:
    assert Wiring("312").phases == (3, 1, 2)


def test_a_power_counts_on_the_phases_in_use() -> None:
    assert Wiring("123", used="12").amps_of(Decimal(9200)) == Decimal(20)
    assert Wiring("1").watts_of(Decimal(16)) == Decimal(3680)


def test_direct_current_costs_more_at_the_fuse_than_the_vehicle_gets() -> None:
    wiring = Wiring(is_dc=True, yield_factor=Decimal("0.9"))
    assert wiring.amps_of(Decimal(62100)) == Decimal(100)
    assert wiring.watts_of(Decimal(100)) == Decimal(62100)


@pytest.mark.parametrize(
    ("told", "believed"), [(None, 230), (Decimal(224), 224), (Decimal(400), "230.9"), (Decimal(2), 230)]
)
def test_a_voltage_is_believed_where_it_can_be_true(told: Decimal | None, believed: object) -> None:
    assert believed_v(told, Decimal(230)) == Decimal(str(believed))


def test_a_voltage_between_phases_becomes_one_to_the_neutral() -> None:
    assert to_neutral(Decimal(400), "AC_3_PHASE") == Decimal("230.9")
    assert to_neutral(Decimal(400), "DC") == Decimal(400)


def test_currents_tell_the_phases_in_use() -> None:
    assert used_phases({"L1": Decimal(15), "L2": Decimal("0.2"), "L3": Decimal(0)}) == "1"
    assert used_phases({"L1": Decimal(15), "L2": Decimal(14)}) == "12"
    assert used_phases({"L1": Decimal("0.3")}) == ""


def test_power_and_one_current_tell_how_many_phases() -> None:
    assert used_by_power(Decimal(11000), Decimal(16), Decimal(230)) == "123"
    assert used_by_power(Decimal(3600), Decimal(16), Decimal(230)) == "1"
    assert used_by_power(Decimal(100), Decimal(1), Decimal(230)) == ""


@pytest.mark.parametrize(
    ("told", "number", "rotation"),
    [
        ("1.RST, 2.STR", 2, "231"),
        ("TRS", 1, "312"),
        ("1.NotApplicable", 1, ""),
        ("0.RST", 1, ""),
        ("", 1, ""),
    ],
)
def test_a_rotation_is_read_as_stations_tell_it(told: str, number: int, rotation: str) -> None:
    assert rotation_of(told, number) == rotation
