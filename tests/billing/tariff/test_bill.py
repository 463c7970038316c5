"""Bills that refuse to exist, and what becomes of those that do."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing.tariff import (
    CannotExpress,
    CannotPrice,
    Price,
    ReservationOutcome,
    TaxAmount,
    UnbalancedBill,
    price,
)

from .make import component, element, energy, period, tariff, usage

FOUR, FIVE = Decimal(4), Decimal(5)


def test_a_bill_refuses_a_total_that_its_lines_do_not_make():
    bill = price(usage(), tariff())

    with pytest.raises(UnbalancedBill, match="total cost"):
        replace(
            bill, total_cost=Price(FIVE, Decimal("6.01"), (TaxAmount("VAT", Decimal(20), Decimal("1.01")),))
        )


def test_a_bill_refuses_a_subtotal_that_its_lines_do_not_make():
    bill = price(usage(), tariff())

    with pytest.raises(UnbalancedBill, match="time cost"):
        replace(bill, total_time_cost=Price(FIVE, FIVE))


def test_a_price_is_sound_if_its_taxes_explain_it():
    tax = (TaxAmount("VAT", Decimal(25), Decimal(1)),)

    assert Price(FOUR, FIVE, tax).is_sound
    assert not Price(FOUR, FIVE).is_sound
    assert Price(FOUR, None).is_sound
    assert not Price(None, FIVE, tax).is_sound


def test_a_line_says_all_that_it_was_made_of():
    line = price(usage(), tariff()).lines[0]

    assert (line.dimension, line.unit, line.tariff_id) == ("ENERGY", "kWh", "T1")
    assert (line.element_index, line.component_index, line.component.step_size) == (0, 0, 1)
    assert (line.quantity, line.billed_quantity, line.price) == (10, 10, Decimal("0.50"))
    assert (line.before_taxes, line.taxes[0].amount, line.after_taxes) == (5, 1, 6)
    assert (line.end - line.start).seconds == 3600


def test_a_line_says_why_it_applies_and_why_others_do_not():
    shaded = tariff(element(start_time="18:00"), element(max_kwh=5), element(component(price="1")))

    line = price(usage(energy("2"), energy("8", after=60)), shaded).lines[-1]

    assert line.why == "elements[2] applies always"
    assert line.why_not_others == (
        "elements[0] applies only from 18:00 to midnight; elements[1] applies only before 5 kWh"
    )


def test_the_breakdown_is_json_ready():
    record = price(usage(), tariff()).breakdown()[0]

    assert record["start_date_time"] == "2025-03-10T09:00:00Z"
    assert (record["quantity"], record["before_taxes"], record["after_taxes"]) == ("10", "5", "6")
    assert record["taxes"] == [{"name": "VAT", "percentage": "20", "amount": "1"}]


def test_each_version_gets_its_own_price():
    bill = price(usage(), tariff())

    assert bill.to_ocpi()["total_cost"] == {
        "before_taxes": 5,
        "taxes": [{"name": "VAT", "percentage": 20, "amount": 1}],
    }
    assert bill.to_ocpi("2.2.1")["total_energy_cost"] == {"excl_vat": 5, "incl_vat": 6}
    assert bill.to_ocpi("2.1.1")["total_cost"] == 5


def test_a_version_gets_only_the_totals_it_knows():
    bill = price(usage(), tariff())

    assert "total_time_cost" not in bill.to_ocpi()
    assert not {key for key in bill.to_ocpi("2.1.1") if key.endswith("_cost")} - {"total_cost"}


def test_an_amount_after_taxes_that_is_unknown_is_left_out():
    bill = price(usage(), tariff(element(component(vat=None))))

    assert bill.to_ocpi("2.2.1")["total_cost"] == {"excl_vat": 5}
    assert bill.to_ocpi()["total_cost"] == {"before_taxes": 5, "taxes": []}


def test_a_tax_without_rate_is_written_without_percentage():
    free = element(component(price="0", vat="10"), component("TIME", "0", "20"))
    bill = price(usage(), tariff(free, min_price={"before_taxes": 1, "after_taxes": "1.15"}))

    assert bill.to_ocpi()["total_cost"]["taxes"] == [{"name": "VAT", "amount": Decimal("0.15")}]


def test_an_amount_before_taxes_that_is_unknown_cannot_be_written():
    with pytest.raises(CannotPrice, match="the amount before taxes is not known"):
        price(usage(), tariff(element(component(vat=None)), tax_included="YES")).to_ocpi()


def test_a_reservation_cannot_be_written_for_the_oldest_version():
    reserved = usage(period(reservation_s=60), reservation=ReservationOutcome.EXPIRED)

    with pytest.raises(CannotExpress, match="2.1.1 has no reservation time"):
        price(reserved, tariff()).to_ocpi("2.1.1")


def test_a_reservation_of_no_duration_is_written():
    bill = price(usage(reservation=ReservationOutcome.USED), tariff())

    assert {"type": "RESERVATION_TIME", "volume": 0} in bill.to_ocpi()["charging_periods"][0]["dimensions"]


def test_volumes_have_hours():
    used = usage(period(50, time_s=3000), period(20, 50, parking_s=1200))
    volumes = price(used, tariff()).metered

    assert (volumes.time_h, volumes.parking_h, volumes.reservation_h) == (
        Decimal("0.833333"),
        Decimal("0.333333"),
        0,
    )
