"""A tariff in one line for a display."""

import pytest

from billing.tariff.summary import summary
from billing.tariff.vocabulary import TaxIncluded

from .make import component, element, tariff

ENERGY = element(component("ENERGY", "0.25", "21"))


def test_it_names_each_price_with_its_taxes():
    every = element(
        component("ENERGY", "0.25", "21"), component("TIME", "2", "21"), component("FLAT", "1", "21")
    )

    assert summary(tariff(every)) == (
        "Energy 0.3025 EUR/kWh, charging 2.42 EUR/h, start 1.21 EUR (incl. VAT)",
        "en",
    )


def test_a_price_that_depends_on_something_is_a_range():
    dear = element(component("ENERGY", "0.50", "21"), min_power="11")

    assert summary(tariff(ENERGY, dear))[0] == "Energy 0.3025 to 0.605 EUR/kWh (incl. VAT)"


@pytest.mark.parametrize(
    ("included", "vat", "text"),
    [
        (TaxIncluded.YES, "21", "Energy 0.25 EUR/kWh (incl. taxes)"),
        (TaxIncluded.NO, None, "Energy 0.25 EUR/kWh (plus taxes)"),
        (TaxIncluded.NOT_APPLICABLE, None, "Energy 0.25 EUR/kWh"),
    ],
)
def test_it_says_whether_taxes_are_in_it(included, vat, text):
    found = tariff(element(component("ENERGY", "0.25", vat)), tax_included=included)

    assert summary(found)[0] == text


def test_limits_are_named():
    lowest, highest = {"before_taxes": "1", "after_taxes": "1.21"}, {"before_taxes": "50"}
    found = tariff(ENERGY, min_price=lowest, max_price=highest)

    assert "at least 1.21 EUR, at most 50.00 EUR" in summary(found)[0]


def test_what_costs_nothing_is_free():
    assert summary(tariff(element(component("ENERGY", "0", "21"))))[0] == "Free of charge"


def test_what_a_reservation_costs_is_left_out():
    reserved = element(component("FLAT", "3", "21"), reservation="RESERVATION")

    assert summary(tariff(ENERGY, reserved))[0] == "Energy 0.3025 EUR/kWh (incl. VAT)"


@pytest.mark.parametrize(
    ("language", "text"), [("de-AT", "Strom"), ("NL", "Stroom"), ("fr", "Strom"), ("", "Strom")]
)
def test_the_tariffs_own_words_come_first(language, text):
    words = [{"language": "de", "text": "Strom"}, {"language": "nl", "text": "Stroom"}]

    assert summary(tariff(ENERGY, tariff_alt_text=words), language)[0] == text
