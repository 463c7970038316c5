"""Rounding, and how amounts are written."""

from decimal import Decimal

import pytest

from billing.tariff import money


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1.005", "EUR", "1.01"),
        ("-1.005", "EUR", "-1.01"),
        ("10.5", "JPY", "11"),
        ("1.2345", "kwd", "1.235"),
        ("2", "USD", "2.00"),
    ],
)
def test_it_rounds_half_up_to_the_minor_unit(amount, currency, expected):
    assert str(money.to_minor(Decimal(amount), currency)) == expected


def test_pieces_of_a_third_add_up_to_the_whole():
    pieces = money.Pieces()

    parts = [pieces.add(Decimal(1), 3) for _ in range(3)]

    assert parts == [Decimal("0.3333333333"), Decimal("0.3333333334"), Decimal("0.3333333333")]
    assert sum(parts) == 1


def test_lines_rounded_for_themselves_need_not_add_up_to_the_whole():
    pieces = money.EachRounded()

    assert [pieces.add(Decimal(1), 3) for _ in range(3)] == [Decimal("0.3333")] * 3


@pytest.mark.parametrize(
    ("amount", "text"),
    [("5", "5.00"), ("5.5", "5.50"), ("0.029", "0.029"), ("3.94615", "3.9462"), ("1E+3", "1000.00")],
)
def test_amounts_show_two_to_four_decimals(amount, text):
    assert money.amount_text(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("0.500", "0.5"), ("20.0", "20"), ("0", "0"), ("1E-9", "0.000000001")],
)
def test_numbers_have_neither_exponent_nor_needless_zeros(number, text):
    assert money.plain(Decimal(number)) == text


def test_trimmed_numbers_have_no_exponent():
    assert str(money.trim(Decimal("1200.00"))) == "1200"
    assert str(money.trim(Decimal("0.2500"))) == "0.25"


@pytest.mark.parametrize("seconds", [0, 1, 59, 1320, 7103, 86_399])
def test_four_decimals_of_an_hour_find_whole_seconds_again(seconds):
    assert money.whole_seconds(money.hours(seconds)) == seconds


def test_a_step_of_nothing_rounds_nothing():
    assert money.round_up_to(Decimal("7.3"), 0) == Decimal("7.3")
    assert money.round_up_to(Decimal("7.3"), 5) == 10
