"""Bills in words."""

from decimal import Decimal

import pytest

from billing.tariff import ReservationOutcome, price
from billing.tariff.explain import quantity_text

from .make import component, element, energy, period, tariff, usage


def text(tariff_, *periods, **more):
    return "\n".join(price(usage(*periods, **more), tariff_).explanation())


def test_it_explains_tariff_lines_and_totals():
    assert text(tariff()).splitlines() == [
        "Tariff NL*ADA T1 in EUR, prices are without taxes; local time is Europe/Amsterdam.",
        "1. 2025-03-10 10:00:00 to 11:00:00: energy 10 kWh at 0.5 EUR/kWh = 5.00 EUR + VAT 20 % 1.00 = 6.00 EUR."
        " elements[0] applies always.",
        "Subtotals: energy 5.00 EUR + VAT 20 % 1.00 = 6.00 EUR.",
        "Total: 5.00 EUR + VAT 20 % 1.00 = 6.00 EUR.",
    ]


def test_it_explains_steps():
    stepped = tariff(element(component("TIME", "6", "0", 900)))

    assert "charging time 50 min, billed as 1 h in steps of 900 s at 6 EUR/h" in text(
        stepped, period(time_s=3000)
    )


def test_it_explains_where_a_period_was_cut():
    words = text(tariff(element(start_time="10:30"), element(component(price="1"))))

    assert "2025-03-10 10:00:00 to 10:30:00 (cut out of a longer period)" in words
    assert "elements[0] applies only from 10:30 to midnight" in words


def test_a_period_over_midnight_shows_both_days():
    assert "2025-03-10 10:00:00 to 2025-03-11 10:00:00" in text(tariff(), energy("10", 24 * 60))


def test_it_explains_what_is_free():
    words = text(
        tariff(element(component("TIME"), max_duration=60)), period(time_s=3600), period(60, 60, parking_s=9)
    )

    assert (
        "charging time 59 min is free; no component of the tariff prices it then: elements[0] applies only"
        in words
    )
    assert "parking time 9 s is free; no component prices it." in words


def test_it_explains_reservations():
    reserved = [element(component("FLAT"), component("TIME"), reservation="RESERVATION", start_time="08:00")]

    words = text(tariff(*reserved), period(reservation_s=60), reservation=ReservationOutcome.EXPIRED)

    assert "reservation fee at 0.5 EUR" in words
    assert "reservation time 1 min at 0.5 EUR/h" in words
    assert "elements[0] applies to RESERVATION, from 08:00 to midnight" in words


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (
            {"max_price": {"before_taxes": 3, "after_taxes": "3.60"}},
            "Maximum price of the tariff, 3.00 EUR before",
        ),
        (
            {"max_price": {"before_taxes": 3, "after_taxes": "3.60"}},
            "-2.00 EUR before taxes, -2.40 EUR after taxes.",
        ),
        (
            {"min_price": {"before_taxes": 9}},
            "Minimum price of the tariff, 9.00 EUR before taxes: +4.00 EUR before",
        ),
    ],
)
def test_it_explains_price_limits(limit, words):
    assert words in text(tariff(**limit))


def test_a_limit_on_an_unknown_amount_shows_the_known_one():
    words = text(tariff(element(component(vat=None)), max_price={"before_taxes": 3}))

    assert "before taxes: -2.00 EUR before taxes." in words


@pytest.mark.parametrize(
    ("included", "words"),
    [
        ("NO", "5.00 EUR before taxes of unknown rate"),
        ("YES", "5.00 EUR with taxes of unknown rate"),
        ("N/A", "no taxes apply"),
    ],
)
def test_it_says_what_it_does_not_know_about_taxes(included, words):
    said = text(tariff(element(component(vat=None)), tax_included=included))

    assert words in said
    assert ("names no tax rate" in said) is (included != "N/A")


def test_it_lists_several_taxes_and_a_tax_without_rate():
    mixed = element(component("FLAT", "1", "10"), component(price="0.1"))
    free = element(component(price="0", vat="10"), component("TIME", "0"))
    lifted = tariff(free, min_price={"before_taxes": 1, "after_taxes": "1.15"})

    assert "Total: 2.00 EUR + VAT 10 % 0.10, VAT 20 % 0.20 = 2.30 EUR." in text(tariff(mixed))
    assert "Total: 1.00 EUR + VAT 0.15 = 1.15 EUR." in text(lifted)


def test_a_bill_of_nothing_has_a_total():
    assert text(tariff(element(component("TIME")))).endswith("Total: 0.00 EUR.")


def test_what_was_printed_adds_up():
    said = text(tariff(element(component("TIME", "2", "10"))), period(119, time_s=7140))

    assert "= 3.9667 EUR + VAT 10 % 0.3966 = 4.3633 EUR." in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (3600, "1 h"), (7023, "1 h 57 min 3 s"), (86_400, "24 h")],
)
def test_durations_are_written_for_people(seconds, words):
    assert quantity_text(Decimal(seconds), "s") == words
