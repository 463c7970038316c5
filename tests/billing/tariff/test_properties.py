"""What holds for every tariff and every session."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import hypothesis
from hypothesis import strategies as st

from billing.tariff import CannotPrice, ChargingPeriod, InvalidTariff, Policy, Rounding, Tariff, Usage, price
from billing.tariff.periods import split
from billing.tariff.restrictions import rulebook

from .make import component, document, element


def given(*strategies, examples=100):
    """Draw examples without a deadline: how long one takes says nothing on a shared machine."""
    settings = hypothesis.settings(deadline=None, max_examples=examples)
    return lambda test: settings(hypothesis.given(*strategies)(test))


ZERO = Decimal(0)
DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
QUARTERS = [f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "30")]

prices = st.decimals(0, 9, places=4)
rates = st.sampled_from(["0", "7", "20", "21.5"])
restriction_sets = st.fixed_dictionaries(
    {},
    optional={
        "start_time": st.sampled_from(QUARTERS),
        "end_time": st.sampled_from(QUARTERS),
        "min_duration": st.integers(0, 20_000),
        "max_duration": st.integers(1, 20_000),
        "min_kwh": st.decimals(0, 40, places=1),
        "max_kwh": st.decimals(1, 40, places=1),
        "day_of_week": st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True),
    },
)


@st.composite
def tariffs(draw, steps=(0, 1, 7, 60, 500, 900), restricted=True, **more):
    elements = []
    for _ in range(draw(st.integers(1, 4))):
        kinds = draw(st.sets(st.sampled_from(["FLAT", "ENERGY", "TIME", "PARKING_TIME"]), min_size=1))
        components = [
            component(kind, draw(prices), draw(rates), draw(st.sampled_from(steps))) for kind in sorted(kinds)
        ]
        elements.append(element(*components, **(draw(restriction_sets) if restricted else {})))
    return Tariff.from_ocpi(document(*elements, tax_included=draw(st.sampled_from(["YES", "NO"])), **more))


# Both days on which clocks jump in 2025, and an ordinary one; from the evening before.
STARTS = [datetime(2025, month, day, 19, tzinfo=UTC) for month, day in ((3, 29), (10, 25), (6, 3))]


@st.composite
def usages(draw):
    start = draw(st.sampled_from(STARTS)) + timedelta(seconds=draw(st.integers(0, 30_000)))
    periods, left = [], start
    for _ in range(draw(st.integers(1, 6))):
        seconds = draw(st.integers(0, 9_000))
        right = left + timedelta(seconds=seconds)
        parks = draw(st.booleans())
        watt_hours = 0 if parks else draw(st.integers(0, 22_000))
        periods.append(
            ChargingPeriod(
                left,
                right,
                energy_kwh=Decimal(watt_hours) / 1000,
                time_s=0 if parks else seconds,
                parking_s=seconds if parks else 0,
            )
        )
        left = right
    return Usage(start, left, draw(st.sampled_from(["Europe/Amsterdam", "America/New_York"])), tuple(periods))


@given(usages(), tariffs(), st.sampled_from(Rounding))
def test_lines_add_up_to_the_total(usage, tariff, rounding):
    bill = price(usage, tariff, policy=Policy(rounding=rounding))

    assert sum((line.before_taxes for line in bill.lines), ZERO) == bill.total_cost.before_taxes
    assert sum((line.after_taxes for line in bill.lines), ZERO) == bill.total_cost.after_taxes
    assert bill.total_cost.before_taxes + bill.total_cost.tax == bill.total_cost.after_taxes


@given(usages(), tariffs())
def test_each_amount_of_an_ocpi_document_is_consistent(usage, tariff):
    cost = price(usage, tariff).to_ocpi()["total_cost"]
    older = price(usage, tariff).to_ocpi("2.2.1")["total_cost"]

    assert cost["before_taxes"] == older["excl_vat"]
    assert cost["before_taxes"] + sum(each["amount"] for each in cost["taxes"]) == older["incl_vat"]


limits = st.builds(
    lambda before, more: {"before_taxes": before, "after_taxes": before + more},
    st.decimals(0, 60, places=2),
    st.decimals(0, 20, places=2),
)


@given(usages(), st.data())
def test_a_total_never_leaves_the_limits(usage, data):
    low, high = data.draw(limits), data.draw(limits)
    tariff = data.draw(tariffs(min_price=low, max_price=high))
    try:
        total = price(usage, tariff).total_cost
    except CannotPrice:
        return  # limits that no taxes can satisfy

    assert min(low["before_taxes"], high["before_taxes"]) <= total.before_taxes <= high["before_taxes"]
    assert min(low["after_taxes"], high["after_taxes"]) <= total.after_taxes <= high["after_taxes"]


@given(usages(), tariffs(steps=(1,)))
def test_more_use_never_costs_less(usage, tariff):
    whole = price(usage, tariff).total_cost.before_taxes
    fewer = usage.periods[:-1] or usage.periods
    part = price(Usage(usage.start, usage.end, usage.time_zone, fewer), tariff).total_cost.before_taxes

    assert part <= whole


@given(usages(), tariffs(steps=(1,), restricted=False), st.integers(0, 10**9))
def test_a_cut_does_not_change_a_total(usage, tariff, place):
    first, *rest = usage.periods
    seconds = first.time_s or first.parking_s
    done = place % (seconds + 1)
    left, right = cut(first, done)
    pieces = Usage(usage.start, usage.end, usage.time_zone, (left, right, *rest))

    assert price(pieces, tariff).total_cost == price(usage, tariff).total_cost


def cut(period, done):
    """Cut a period after whole seconds; energy goes to the left piece by whole Wh."""
    middle = period.start + timedelta(seconds=done)
    share = (period.energy_kwh / 3).quantize(Decimal("0.001"))
    time_s, parking_s = min(done, period.time_s), min(done, period.parking_s)
    left = ChargingPeriod(period.start, middle, share, time_s, parking_s)
    rest = (period.energy_kwh - share, period.time_s - time_s, period.parking_s - parking_s)
    return left, ChargingPeriod(middle, period.end, *rest)


@given(usages(), tariffs())
def test_cutting_twice_changes_nothing(usage, tariff):
    book = rulebook(tariff)
    cuts = book.cuts(tuple(book.session))
    once = split(usage, lambda period: cuts)
    again = split(Usage(usage.start, usage.end, usage.time_zone, once), lambda period: cuts)

    assert again == once
    assert sum(piece.energy_kwh for piece in once) == sum(period.energy_kwh for period in usage.periods)
    assert sum(piece.time_s for piece in once) == sum(period.time_s for period in usage.periods)


@given(usages(), tariffs())
def test_the_periods_of_a_bill_price_to_the_same_bill(usage, tariff):
    bill = price(usage, tariff)

    again = price(Usage(usage.start, usage.end, usage.time_zone, bill.charging_periods), tariff)

    assert again.subtotals == bill.subtotals
    assert again.billed == bill.billed


@given(usages(), tariffs(), examples=50)
def test_the_periods_of_a_cdr_price_to_the_same_bill(usage, tariff):
    bill = price(usage, tariff)

    read = Usage.from_ocpi(bill.to_ocpi(), usage.start, usage.end, usage.time_zone)

    assert price(read, tariff).total_cost == bill.total_cost


@given(usages(), tariffs())
def test_every_line_is_explained(usage, tariff):
    bill = price(usage, tariff)

    numbered = [text for text in bill.explanation() if text[0].isdigit() and ". " in text[:4]]

    assert len(numbered) == len(bill.lines)
    assert all(record["why"] for record in bill.breakdown())


@given(tariffs())
def test_a_tariff_survives_a_round_trip(tariff):
    assert Tariff.from_ocpi(tariff.to_ocpi()) == tariff


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(DAYS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(values, st.sampled_from(["currency", "elements", "min_price", "tax_included", "type", "energy_mix"]))
def test_a_broken_tariff_is_refused_with_a_path(value, key):
    fault = fault_of(document(**{key: value}))

    assert fault is None or fault.path.startswith(key)


def fault_of(tariff):
    """Return what is wrong with a tariff; any other exception fails the test."""
    try:
        Tariff.from_ocpi(tariff)
    except InvalidTariff as fault:
        return fault
    return None
