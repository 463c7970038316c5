"""JSON in, JSON out: what `manage.py price` and the API's preview are made of."""

import json

import pytest

from billing.tariff import CannotPrice, InvalidTariff, InvalidUsage, ReservationOutcome, TariffError
from billing.tariff.documents import price_documents

from .make import component, document, element


def cdr(*tariff_ids, **more):
    periods = [
        {
            "start_date_time": f"2025-03-10T{9 + hour:02}:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 10}],
            **({"tariff_id": tariff_id} if tariff_id else {}),
        }
        for hour, tariff_id in enumerate(tariff_ids or (None,))
    ]
    bounds = {"start_date_time": "2025-03-10T09:00:00Z", "end_date_time": "2025-03-10T12:00:00Z"}
    return {**bounds, "currency": "EUR", "charging_periods": periods, **more}


def cost(*arguments, **more):
    return price_documents(*arguments, **more)["total_cost"]["excl_vat"]


def priced(price="0.50", **more):
    return document(element(component(price=price)), **more)


def test_the_report_is_json_with_amounts_in_strings():
    report = json.loads(json.dumps(price_documents(document(), cdr())))

    assert report["total_cost"] == {
        "excl_vat": "5.00",
        "incl_vat": "6.00",
        "before_taxes": "5.00",
        "after_taxes": "6.00",
        "taxes": [{"name": "VAT", "percentage": "20", "amount": "1.00"}],
    }
    assert report["total_time"] == "3"
    assert report["lines"][0]["billed_quantity"] == "10"


def test_both_documents_may_come_in_an_envelope():
    assert cost({"data": document(), "status_code": 1000}, {"data": cdr(), "status_code": 1000}) == "5.00"


def test_a_list_of_tariffs_is_read_as_one():
    tariffs = [priced("1", id="A"), priced("2", id="B")]

    assert cost(tariffs, cdr("A", "B")) == "30.00"
    assert cost({"data": tariffs}, cdr("b")) == "20.00"


def test_an_empty_list_of_tariffs_is_refused():
    with pytest.raises(InvalidTariff, match="there is no tariff in the document"):
        price_documents([], cdr())


@pytest.mark.parametrize("nothing", [None, 7, "tariff", {}])
def test_what_is_no_tariff_is_refused(nothing):
    with pytest.raises(InvalidTariff):
        price_documents(nothing, cdr())


@pytest.mark.parametrize("nothing", [None, 7, "cdr", {}, []])
def test_what_is_no_cdr_is_refused(nothing):
    with pytest.raises(InvalidUsage):
        price_documents(document(), nothing)


def test_local_time_is_utc_by_note_only():
    evening = document(element(component(price="1"), start_time="10:00"), element(component(price="2")))

    assert "local times were read as UTC" in price_documents(evening, cdr())["explanation"][-1]
    assert cost(evening, cdr(), time_zone="Europe/Amsterdam") == "10.00"
    assert cost(evening, cdr(cdr_location={"time_zone": "Europe/Amsterdam"})) == "10.00"


def test_a_tariff_of_another_name_prices_a_cdr_by_note():
    report = price_documents(priced("1", id="NEW"), cdr("OLD", time_zone=None))

    assert report["total_cost"]["excl_vat"] == "10.00"
    assert "The CDR names tariff OLD; priced with the tariff given instead." in report["explanation"]


def test_periods_of_another_tariff_are_priced_by_the_copy_in_the_cdr():
    report = price_documents(priced("1", id="A"), cdr("A", "B", tariffs=[priced("2", id="B")]))

    assert report["total_cost"]["excl_vat"] == "30.00"
    assert "Tariff B was taken from the CDR itself." in report["explanation"]


def test_a_tariff_that_is_nowhere_is_not_guessed():
    with pytest.raises(CannotPrice, match="names tariff 'B', which neither it nor the tariff file holds"):
        price_documents(priced("1", id="A"), cdr("A", "B"))


def test_another_currency_is_noted():
    report = price_documents(priced(currency="SEK"), cdr())

    assert "The CDR is in EUR, the tariff in SEK." in report["explanation"]


def test_a_version_can_be_asked_for():
    assert price_documents(document(), cdr(), version="2.1.1")["total_cost"]["incl_vat"] is None
    with pytest.raises(TariffError, match="is not spoken here"):
        price_documents(document(), cdr(), version="9")


def test_the_outcome_of_a_reservation_can_be_told():
    reserved = cdr()
    reserved["charging_periods"][0]["dimensions"] = [{"type": "RESERVATION_TIME", "volume": 1}]
    strict = document(element(component("FLAT", "7"), reservation="RESERVATION_EXPIRES"))

    assert cost(strict, reserved) == "7.00"
    assert cost(strict, reserved, reservation=ReservationOutcome.CANCELLED) == "0.00"
