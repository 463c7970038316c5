"""Our tariffs in the words of OCPP 2.1 (part 2, TariffType)."""

from decimal import Decimal
from typing import Any

import pytest

from billing.tariff import ocpp
from billing.tariff.errors import CannotExpress
from billing.tariff.model import Tariff
from stations.ocpp import codec
from tests.factories import element, tariff_data


def written(*elements: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Write a tariff, and check it against the schema."""
    found = ocpp.write(Tariff.from_ocpi(tariff_data(*elements, **fields)), tariff_id="AC/1")
    assert codec.request_fault("2.1", "SetDefaultTariff", {"evseId": 0, "tariff": found}) is None
    return found


def test_energy_has_its_price_and_its_tax() -> None:
    assert written() == {
        "tariffId": "AC/1",
        "currency": "EUR",
        "energy": {"prices": [{"priceKwh": Decimal("0.25")}], "taxRates": [{"type": "VAT", "tax": 21}]},
    }


@pytest.mark.parametrize(
    ("kind", "name", "price"),
    [
        ("TIME", "chargingTime", {"priceMinute": Decimal("0.05")}),
        ("PARKING_TIME", "idleTime", {"priceMinute": Decimal("0.05")}),
        ("FLAT", "fixedFee", {"priceFixed": Decimal(3)}),
    ],
)
def test_hours_become_minutes_and_a_flat_fee_stays(kind: str, name: str, price: dict[str, Decimal]) -> None:
    assert written(element(kind, "3"))[name]["prices"] == [price]


def test_a_reservation_has_fields_of_its_own() -> None:
    found = written(
        element("TIME", "6", reservation="RESERVATION"), element("FLAT", "1", reservation="RESERVATION")
    )

    assert found["reservationTime"]["prices"] == [{"priceMinute": Decimal("0.1")}]
    assert found["reservationFixed"]["prices"] == [{"priceFixed": 1}]


def test_conditions_are_in_wh_w_and_local_time() -> None:
    restrictions = {
        "start_time": "08:00",
        "end_time": "18:00",
        "day_of_week": ["MONDAY"],
        "min_kwh": 5,
        "max_power": 11,
    }
    (price,) = written(element("ENERGY", "0.3", **restrictions))["energy"]["prices"]

    assert price["conditions"] == {
        "startTimeOfDay": "08:00", "endTimeOfDay": "18:00", "dayOfWeek": ["Monday"], "minEnergy": 5000,
        "maxPower": 11000,
    }  # fmt: skip


def test_the_order_of_elements_stays_for_the_first_that_fits_counts() -> None:
    found = written(element("ENERGY", "0", max_kwh=1), element("ENERGY", "0.3"))

    assert [price["priceKwh"] for price in found["energy"]["prices"]] == [0, Decimal("0.3")]


def test_a_price_with_tax_is_written_without() -> None:
    assert written(element("ENERGY", "0.121"), tax_included="YES")["energy"]["prices"] == [
        {"priceKwh": Decimal("0.1")}
    ]


def test_limits_of_the_total() -> None:
    found = written(min_price={"before_taxes": "1", "after_taxes": "1.21"}, max_price={"before_taxes": "50"})

    assert found["minCost"] == {"exclTax": 1, "inclTax": Decimal("1.21")}
    assert found["maxCost"] == {"exclTax": 50}


def test_what_an_expired_reservation_costs_is_no_matter_of_a_transaction() -> None:
    assert "fixedFee" not in written(
        element("ENERGY", "0.3"), element("FLAT", "5", reservation="RESERVATION_EXPIRES")
    )


@pytest.mark.parametrize(
    "elements",
    [
        [element("ENERGY", "0.3", step_size=1000)],
        [element("FLAT", "1", min_kwh=5)],
        [element("ENERGY", "0.3"), {"price_components": [{"type": "ENERGY", "price": "1", "step_size": 1}]}],
        [element("FLAT", "1", reservation="BOOKING")],
        [element("FLAT", "1", some_future_word=5)],
    ],
    ids=["steps", "a fee with energy", "two rates", "a booking", "unknown words"],
)
def test_what_a_station_would_price_otherwise_is_not_written(elements: list[dict[str, Any]]) -> None:
    with pytest.raises(CannotExpress):
        written(*elements)


def test_an_id_that_is_too_long_is_not_cut() -> None:
    with pytest.raises(CannotExpress):
        ocpp.write(Tariff.from_ocpi(tariff_data()), tariff_id="x" * 61)
