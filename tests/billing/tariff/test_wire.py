"""Lenient reading, and paths of what cannot be read."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import pytest

from billing.tariff import InvalidTariff
from billing.tariff.wire import Node, write_moment


def node(value):
    return Node(value, InvalidTariff, "here")


@pytest.mark.parametrize(
    ("value", "number"),
    [("0.25", "0.25"), (" 3 ", "3"), (7, "7"), (Decimal("1.50"), "1.50"), (0.1, "0.1"), ("1E3", "1000")],
)
def test_numbers_come_in_many_forms(value, number):
    assert node(value).number() == Decimal(number)
    assert "E" not in str(node(value).number())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "must be a number"),
        ([], "must be a number"),
        ("a lot", "'a lot' is not a number"),
        ("NaN", "finite"),
        (float("inf"), "finite"),
        ("1E12", "too large"),
        ("1E-16", "more than 15 decimals"),
    ],
)
def test_it_refuses_what_is_no_number(value, reason):
    with pytest.raises(InvalidTariff, match=reason):
        node(value).number()


def test_a_large_zero_is_zero():
    assert node("0E15").number() == 0


@pytest.mark.parametrize(
    ("value", "reason"), [(-1, "must not be negative"), ("1.5", "must be a whole number")]
)
def test_it_refuses_what_is_no_count(value, reason):
    with pytest.raises(InvalidTariff, match=f"here: {reason}"):
        node(value).integer()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-10T09:00:00Z", datetime(2025, 3, 10, 9, tzinfo=UTC)),
        ("2025-03-10T09:00:00", datetime(2025, 3, 10, 9, tzinfo=UTC)),
        ("2025-03-10 09:00z", datetime(2025, 3, 10, 9, tzinfo=UTC)),
        ("2025-03-10T11:00:00.5+02:00", datetime(2025, 3, 10, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("1970-1-1T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_utc(text, moment):
    assert node(text).moment() == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2025-13-10T09:00:00Z", "2025-03-10", "0001-01-01T00:00:00+01:00"]
)
def test_it_refuses_what_is_no_time(text):
    with pytest.raises(InvalidTariff, match="is not an RFC 3339 date and time"):
        node(text).moment()


def test_fractions_of_a_second_are_written_only_where_there_are_any():
    assert write_moment(datetime(2025, 3, 10, 9, tzinfo=UTC)) == "2025-03-10T09:00:00Z"
    assert write_moment(datetime(2025, 3, 10, 9, 0, 0, 120_000, tzinfo=UTC)) == "2025-03-10T09:00:00.12Z"


def test_a_number_is_a_text_too_but_a_flag_is_not():
    assert node(12).text() == "12"
    with pytest.raises(InvalidTariff, match="must be a string"):
        node(True).text()


def test_a_flag_is_true_or_false():
    assert node(False).flag() is False
    with pytest.raises(InvalidTariff, match="must be true or false"):
        node("yes").flag()


def test_a_choice_names_what_it_could_be():
    kind = StrEnum("Kind", [("RED", "RED"), ("BLUE", "BLUE")])

    with pytest.raises(InvalidTariff, match="here: 'GREEN' is not one of RED, BLUE"):
        node("GREEN").choice(kind)


def test_paths_lead_through_objects_and_lists():
    with pytest.raises(InvalidTariff) as fault:
        next(iter(Node({"a": [{"b": None}]}, InvalidTariff).need("a").items())).need("b")

    assert fault.value.path == "a[0].b"
    assert str(fault.value) == "a[0].b: is required"


@pytest.mark.parametrize("value", ["abc", 1, {}])
def test_a_list_must_be_one(value):
    with pytest.raises(InvalidTariff, match="here: must be a list"):
        list(node(value).items())


def test_a_fault_at_the_root_has_no_path():
    with pytest.raises(InvalidTariff, match="^must be an object$"):
        Node([], InvalidTariff).members()
