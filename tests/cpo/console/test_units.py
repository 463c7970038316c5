"""Units, money and time as templates show them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from cpo.console.templatetags import console

NOON = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("energy_wh", "text"),
    [("12345", "12.345 kWh"), ("12345.5", "12.3455 kWh"), ("0", "0.000 kWh"), ("1234567", "1,234.567 kWh")],
)
def test_energies_keep_every_digit_that_was_metered(energy_wh: str, text: str) -> None:
    assert console.kwh(Decimal(energy_wh)) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("12.5", "EUR", "€12.50"),
        ("1234.005", "EUR", "€1,234.00"),
        ("1500", "JPY", "JP¥1,500"),
        ("-3", "EUR", "-€3.00"),
    ],
)
def test_money_has_the_decimals_of_its_currency(amount: str, currency: str, text: str) -> None:
    assert console.money(Decimal(amount), currency) == text


@pytest.mark.parametrize(
    "show", [console.kwh, console.kw, console.money, console.at, console.ago, console.duration]
)
def test_what_is_not_known_is_a_dash(show: object) -> None:
    assert show(None) == "–"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (300, "5 min"), (3600, "1 h 00 min"), (90061, "25 h 01 min")]
)
def test_durations_are_said_in_two_units(seconds: int, text: str) -> None:
    assert console.duration(seconds) == text


@time_machine.travel(NOON, tick=False)
def test_a_time_is_the_sites_with_utc_in_its_title() -> None:
    text = console.at(NOON, "Europe/Amsterdam")

    assert ">14:30:00</time>" in text
    assert 'title="2026-07-01 12:30:00 UTC"' in text


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    ("earlier", "text"),
    [(timedelta(days=40), "22 May 14:30"), (timedelta(days=400), "27 May 2025 14:30")],
)
def test_another_day_has_its_date(earlier: timedelta, text: str) -> None:
    assert f">{text}</time>" in console.at(NOON - earlier, "Europe/Amsterdam")


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "just now"), (59, "59 s ago"), (61, "1 min ago"), (86400, "1 day ago"), (200000, "2 days ago")],
)
def test_an_age_is_said_in_one_unit(seconds: int, text: str) -> None:
    assert f">{text}</time>" in console.ago(NOON - timedelta(seconds=seconds))


def test_a_zone_that_nobody_knows_is_utc() -> None:
    assert str(console.zone_of("Mars/Olympus")) == "UTC"
    assert str(console.zone_of("../../etc/passwd")) == "UTC"
