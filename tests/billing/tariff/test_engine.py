"""Choosing tariffs, and refusing to guess."""

from decimal import Decimal

import pytest

from billing.tariff import CannotPrice, Policy, ReservationOutcome, price
from billing.tariff.model import TariffType

from .make import START, component, element, energy, period, tariff, usage


def named(name, **more):
    return tariff(element(component(price=more.pop("price", "0.50"))), id=name, **more)


def test_a_period_is_priced_by_the_tariff_it_names():
    tariffs = [named("A", price="1"), named("B", price="2")]

    bill = price(usage(energy("10", tariff_id="b")), tariffs)

    assert [used.id for used in bill.tariffs] == ["B"]
    assert bill.total_cost.before_taxes == 20


def test_a_tariff_that_was_not_given_is_not_guessed():
    with pytest.raises(CannotPrice, match="names tariff 'C', which was not given"):
        price(usage(energy("10", tariff_id="C")), named("A"))


def test_the_only_tariff_that_is_valid_at_the_start_is_taken():
    old = named("OLD", price="1", end_date_time="2025-03-01T00:00:00Z")
    new = named("NEW", price="2", start_date_time="2025-03-01T00:00:00Z")

    assert price(usage(), [old, new]).tariffs == (new,)


def test_a_type_chooses_between_tariffs():
    regular, ad_hoc = named("A", type="REGULAR"), named("B", type="AD_HOC_PAYMENT")

    assert price(usage(), [regular, ad_hoc], policy=Policy(tariff_type=TariffType.REGULAR)).tariffs == (
        regular,
    )
    with pytest.raises(CannotPrice, match="2 of the tariffs 'A', 'B' fit this session, not one"):
        price(usage(), [regular, ad_hoc])


def test_no_fitting_tariff_is_no_price():
    past = [named(name, end_date_time="2025-03-01T00:00:00Z") for name in "AB"]

    with pytest.raises(CannotPrice, match="none of the tariffs 'A', 'B' fit"):
        price(usage(), past)


def test_a_single_tariff_out_of_its_time_is_noted():
    bill = price(usage(), named("A", end_date_time="2025-03-01T00:00:00Z"))

    assert bill.notes == ("Tariff A was not valid when the session began.",)


def test_no_tariff_is_no_price():
    with pytest.raises(CannotPrice, match="there is no tariff"):
        price(usage(), [])


def test_currencies_do_not_mix():
    with pytest.raises(CannotPrice, match="different currencies"):
        price(usage(), [named("A"), named("B", currency="SEK")])


def test_price_limits_of_a_switched_tariff_are_not_guessed():
    tariffs = [named("A", max_price={"before_taxes": 5}), named("B")]
    switched = usage(energy("1", tariff_id="A"), energy("1", after=60, tariff_id="B"))

    with pytest.raises(CannotPrice, match="price limits work when a session changes its tariff"):
        price(switched, tariffs)


def test_periods_that_name_the_same_tariff_differently_share_it():
    bill = price(usage(energy("1", tariff_id="a"), energy("1", after=60, tariff_id="A")), named("A"))

    assert len(bill.tariffs) == 1


def test_an_unknown_restriction_is_not_ignored():
    with pytest.raises(CannotPrice, match=r"elements\[1\].restrictions.moon is no OCPI restriction"):
        price(usage(), tariff(element(), element(moon="full")))


def test_energy_fed_back_is_not_priced_by_guess():
    with pytest.raises(CannotPrice, match="energy fed back into the grid"):
        price(usage(energy("-3")), tariff())


def test_energy_fed_back_without_an_energy_price_is_free():
    bill = price(usage(energy("-3", time_s=3600)), tariff(element(component("TIME", "2"))))

    assert bill.total_cost.before_taxes == 2
    assert bill.metered.energy_kwh == -3


def test_booking_elements_wait_for_a_booking():
    bill = price(usage(), tariff(element(component(price="9"), reservation="BOOKING"), element()))

    assert bill.total_cost.before_taxes == 5


@pytest.mark.parametrize(
    ("volumes", "note"),
    [
        ({}, "reports no current"),
        ({"min_current": Decimal(10), "max_current": Decimal(40)}, "spans a change of price by current"),
    ],
)
def test_it_notes_what_a_period_does_not_answer(volumes, note):
    twice = tariff(element(component(), component("TIME"), max_current=32))

    bill = price(usage(energy("1", time_s=3600, **volumes)), twice)

    assert len(bill.notes) == 1
    assert note in bill.notes[0]


@pytest.mark.parametrize("highest", [16, 63])
def test_a_period_on_one_side_of_the_border_needs_no_note(highest):
    steady = energy("1", min_current=Decimal(highest - 1), max_current=Decimal(highest))

    assert price(usage(steady), tariff(element(max_current=32))).notes == ()


def test_a_tariff_is_compiled_once():
    tariff_ = tariff()
    price(usage(), tariff_)
    rules = tariff_.rules

    price(usage(), tariff_)

    assert tariff_.rules is rules


RESERVED = [element(component("FLAT", "2", "0"), reservation="RESERVATION"), element(component(vat="0"))]


def test_a_reservation_of_no_duration_still_costs_its_fee():
    bill = price(usage(reservation=ReservationOutcome.USED), tariff(*RESERVED))

    assert bill.total_reservation_cost.before_taxes == 2
    assert price(usage(), tariff(*RESERVED)).total_reservation_cost.before_taxes == 0


def test_a_reservation_without_fee_is_free_by_explanation():
    reserved = usage(period(reservation_s=3600), reservation=ReservationOutcome.CANCELLED)

    bill = price(reserved, tariff())

    assert bill.lines == ()
    assert bill.free[0].quantity == 3600


def test_a_fee_is_due_once_over_a_cut_reservation():
    night = element(component("TIME", "6", "0"), reservation="RESERVATION", start_time="10:30")
    parts = period(reservation_s=3600), energy("1", after=60)

    bill = price(usage(*parts, reservation=ReservationOutcome.USED), tariff(night, *RESERVED))

    assert bill.total_reservation_cost.before_taxes == 2 + 3


def test_limits_may_leave_the_reservation_out():
    limited = tariff(*RESERVED, max_price={"before_taxes": 5, "after_taxes": 5})
    reserved = usage(period(reservation_s=60), energy("20", after=60), reservation=ReservationOutcome.USED)

    apart = price(reserved, limited, policy=Policy(limits_cover_reservation=False))

    assert price(reserved, limited).total_cost.before_taxes == 5
    assert apart.total_cost.before_taxes == 7


def test_a_period_before_the_session_start_has_no_negative_duration():
    reserved = usage(
        period(30, reservation_s=1800, time_s=60),
        period(30, 30, time_s=1800),
        reservation=ReservationOutcome.USED,
    )

    assert reserved.session_start == START
    assert (
        price(reserved, tariff(element(component("TIME", "3", "0"), max_duration=1800))).billed.time_s == 60
    )
