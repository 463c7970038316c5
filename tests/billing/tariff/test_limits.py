"""Price limits where taxes are unknown, mixed or contradictory. The ordinary cases are vectors."""

from decimal import Decimal

import pytest

from billing.tariff import CannotPrice, price

from .make import component, element, energy, tariff, usage


def total(tariff_, kwh="10"):
    return price(usage(energy(kwh)), tariff_).total_cost


def limited(*components, **more):
    return tariff(element(*components), **more)


def test_an_unknown_rate_inside_the_price_needs_a_limit_after_taxes():
    inclusive = {"tax_included": "YES", "max_price": {"before_taxes": 3, "after_taxes": 4}}

    assert total(limited(component(vat=None), **inclusive)).after_taxes == 4
    with pytest.raises(CannotPrice, match="max_price has no amount after taxes"):
        total(limited(component(vat=None), tax_included="YES", max_price={"before_taxes": 3}))


def test_an_unknown_rate_on_top_is_held_before_taxes():
    held = total(limited(component(vat=None), max_price={"before_taxes": 3, "after_taxes": 4}))

    assert (held.before_taxes, held.after_taxes) == (3, None)


def test_mixed_rates_leave_the_taxes_of_a_lifted_nothing_open():
    mixed = limited(component(vat="10"), component("TIME", vat="20"), min_price={"before_taxes": 1})

    held = total(mixed, "0")

    assert (held.before_taxes, held.after_taxes, held.taxes) == (1, None, ())


def test_no_taxes_stay_no_taxes():
    held = total(limited(component(vat=None), tax_included="N/A", min_price={"before_taxes": 1}), "0")

    assert (held.before_taxes, held.after_taxes, held.taxes) == (1, 1, ())


def test_a_tax_of_several_rates_has_no_percentage():
    free = [component(price="0", vat="10"), component("TIME", "0", "20")]
    held = total(limited(*free, min_price={"before_taxes": 1, "after_taxes": "1.15"}))

    assert [(each.percentage, each.amount) for each in held.taxes] == [(None, Decimal("0.15"))]


def test_limits_that_no_taxes_satisfy_are_refused():
    contradictory = limited(component(), max_price={"before_taxes": 9, "after_taxes": 1})

    with pytest.raises(
        CannotPrice, match="max_price would make the amount after taxes less than the one before"
    ):
        total(contradictory)


def test_the_maximum_wins_over_the_minimum():
    both = limited(component(), min_price={"before_taxes": 9}, max_price={"before_taxes": 7})

    bill = price(usage(), both)

    assert [each.name for each in bill.adjustments] == ["min_price", "max_price"]
    assert bill.total_cost.before_taxes == 7


def test_a_limit_that_does_not_bind_is_no_adjustment():
    within = limited(component(), min_price={"before_taxes": 1}, max_price={"before_taxes": 100})

    assert price(usage(), within).adjustments == ()


def test_taxes_keep_their_proportion_under_a_limit():
    held = total(
        tariff(
            element(component("FLAT", "1", "10"), component(price="0.5", vat="20")),
            max_price={"before_taxes": "3", "after_taxes": "3.55"},
        )
    )

    assert [each.amount for each in held.taxes] == [Decimal("0.05"), Decimal("0.5")]
