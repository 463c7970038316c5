"""Telling versions apart by their fields."""

import pytest

from billing.tariff.shapes import version_of_tariff

from .make import component, element

BARE = {"id": "1", "currency": "EUR", "elements": [element(component(vat=None))]}


@pytest.mark.parametrize(
    ("more", "version"),
    [
        ({"tax_included": "NO"}, "2.3.0"),
        ({"preauthorize_amount": 50}, "2.3.0"),
        ({"max_price": {"before_taxes": 5}}, "2.3.0"),
        ({"max_price": {"excl_vat": 5}}, "2.2.1"),
        ({"country_code": "NL"}, "2.2.1"),
        ({"elements": [element(component(vat="19"))]}, "2.2.1"),
        ({}, "2.1.1"),
        ({"country_code": None}, "2.1.1"),
        ({"elements": "none"}, "2.1.1"),
        ({"elements": [7, {"price_components": [7]}]}, "2.1.1"),
    ],
)
def test_it_tells_the_version_of_a_tariff(more, version):
    assert version_of_tariff(BARE | more) == version
