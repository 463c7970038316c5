"""Contract ids in every way in which they are written."""

import pytest

from stations import contract_ids


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("DE8AACA2B3C4D5", ["DE-8AA-CA2B3C4D5"]),
        ("DE-8AA-CA2B3C4D5", ["DE8AACA2B3C4D5"]),
        (
            "DE*8AA*CA2B3C4D5*3",
            ["DE8AACA2B3C4D53", "DE-8AA-CA2B3C4D5-3", "DE8AACA2B3C4D5", "DE-8AA-CA2B3C4D5"],
        ),
        ("NL-TNM-000122045-K", ["NLTNM000122045K", "NLTNM000122045", "NL-TNM-000122045"]),
        ("SOMETHING-ELSE", ["SOMETHINGELSE"]),
        ("SHORT", []),
    ],
)
def test_other_spellings_of_a_contract_id(told: str, expected: list[str]) -> None:
    assert list(contract_ids.spellings(told)) == expected
