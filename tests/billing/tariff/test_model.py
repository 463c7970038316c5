"""The tariff object: every field in, every field out, in every version."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from billing.tariff import CannotExpress, InvalidTariff, Tariff, TariffError
from billing.tariff.model import DayOfWeek, ReservationRestriction, TariffType, TaxIncluded

from .make import component, document, element

EVERYTHING = document(
    element(
        component("ENERGY", "0.25"),
        component("TIME", "1.20", None, 60),
        start_time="07:00",
        end_time="19:30:00",
        start_date="2025-01-01",
        end_date="2025-12-31",
        min_kwh="1",
        max_kwh=50,
        min_current=6,
        max_current="32.5",
        min_power="1.4",
        max_power=22,
        min_duration=60,
        max_duration="7200",
        day_of_week=["MONDAY", "SUNDAY"],
        reservation="RESERVATION",
    ),
    type="REGULAR",
    tariff_alt_text=[{"language": "en", "text": "ask Ada"}],
    tariff_alt_url="https://ada.example/tariff",
    min_price={"before_taxes": 1, "after_taxes": "1.20"},
    max_price={"before_taxes": "50"},
    preauthorize_amount="60",
    start_date_time="2025-01-01T00:00:00Z",
    end_date_time="2026-01-01T00:00:00Z",
    energy_mix={
        "is_green_energy": True,
        "energy_sources": [{"source": "WIND", "percentage": 100}],
        "environ_impact": [{"category": "CARBON_DIOXIDE", "amount": 0}],
        "supplier_name": "Sun and Sea",
        "energy_product_name": "Breeze",
    },
)


def test_it_reads_every_field():
    tariff = Tariff.from_ocpi(EVERYTHING)

    assert (tariff.country_code, tariff.party_id, tariff.id) == ("NL", "ADA", "T1")
    assert (tariff.type, tariff.tax_included) == (TariffType.REGULAR, TaxIncluded.NO)
    assert (tariff.min_price.after_taxes, tariff.max_price.after_taxes) == (Decimal("1.20"), None)
    assert tariff.end_date_time == datetime(2026, 1, 1, tzinfo=UTC)
    assert tariff.energy_mix.energy_sources[0].name == "WIND"
    assert tariff.preauthorize_amount == 60


def test_it_reads_every_restriction():
    given = Tariff.from_ocpi(EVERYTHING).elements[0].restrictions

    assert (given.start_time, given.end_time) == (time(7), time(19, 30))
    assert (given.start_date, given.end_date) == (date(2025, 1, 1), date(2025, 12, 31))
    assert (given.min_current, given.max_current) == (Decimal(6), Decimal("32.5"))
    assert (given.min_duration, given.max_duration) == (60, 7200)
    assert given.day_of_week == (DayOfWeek.MONDAY, DayOfWeek.SUNDAY)
    assert given.reservation is ReservationRestriction.RESERVATION


def test_it_writes_what_it_read():
    tariff = Tariff.from_ocpi(EVERYTHING)
    written = tariff.to_ocpi()

    assert Tariff.from_ocpi(written) == tariff
    assert written.keys() == EVERYTHING.keys()
    assert written["elements"][0]["restrictions"].keys() == EVERYTHING["elements"][0]["restrictions"].keys()


def test_it_leaves_out_what_is_not_set():
    written = Tariff.from_ocpi(document(type=None, tariff_alt_text=[])).to_ocpi()

    assert written.keys() == document().keys()


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
def test_a_simple_tariff_survives_every_version(version):
    tariff = Tariff.from_ocpi(document())

    assert Tariff.from_ocpi(tariff.to_ocpi(version), version).elements[0].price_components[
        0
    ].price == Decimal("0.50")


def test_an_older_version_gets_its_own_words():
    limited = Tariff.from_ocpi(document(min_price={"before_taxes": "1", "after_taxes": "2"}))

    assert limited.to_ocpi("2.2.1")["min_price"] == {"excl_vat": 1, "incl_vat": 2}
    assert "tax_included" not in limited.to_ocpi("2.2.1")
    assert Tariff.from_ocpi(document()).to_ocpi("2.1.1").keys() == {
        "id",
        "currency",
        "elements",
        "last_updated",
    }


def test_a_price_with_tax_is_written_without_for_an_older_version():
    including = Tariff.from_ocpi(document(element(component(price="0.59", vat="19")), tax_included="YES"))

    written = including.to_ocpi("2.2.1")["elements"][0]["price_components"][0]

    assert written["price"] == Decimal("0.495798")


@pytest.mark.parametrize(
    ("version", "tariff", "path"),
    [
        ("2.2.1", document(element(component(vat=None)), tax_included="YES"), "tax_included"),
        ("2.2.1", document(element(reservation="BOOKING")), "elements[0].restrictions.reservation"),
        ("2.1.1", document(element(reservation="RESERVATION")), "elements[0].restrictions.reservation"),
        ("2.1.1", document(element(max_current=16)), "elements[0].restrictions.max_current"),
        ("2.1.1", document(max_price={"before_taxes": 9}), "max_price"),
        ("2.3.0", document(element(moon="full")), "elements[0].restrictions.moon"),
    ],
)
def test_it_refuses_to_write_what_a_version_cannot_say(version, tariff, path):
    with pytest.raises(CannotExpress) as fault:
        Tariff.from_ocpi(tariff).to_ocpi(version)

    assert fault.value.path == path


@pytest.mark.parametrize(
    ("tariff", "fault"),
    [
        (document(currency="euro"), "currency: must be an ISO 4217 code"),
        (document(elements=[]), "elements: must not be empty"),
        (document({"price_components": []}), "elements[0].price_components: must not be empty"),
        (
            document(element(component(price="dear"))),
            "elements[0].price_components[0].price: 'dear' is not a number",
        ),
        (
            document(element(component(), component(vat=-1))),
            "elements[0].price_components[1].vat: must not be",
        ),
        (document(element(start_time="7:00")), "elements[0].restrictions.start_time: must be a time of day"),
        (document(element(end_time="24:00")), "elements[0].restrictions.end_time: must be a time of day"),
        (
            document(element(start_date="2025-02-30")),
            "elements[0].restrictions.start_date: is no day of the calendar",
        ),
        (document(element(end_date="tomorrow")), "elements[0].restrictions.end_date: must be a date"),
        (
            document(element(day_of_week=["MON"])),
            "elements[0].restrictions.day_of_week[0]: 'MON' is not one of",
        ),
        (document(tax_included="PERHAPS"), "tax_included: 'PERHAPS' is not one of YES, NO, N/A"),
        (document(tax_included=None), "tax_included: is required"),
        (document(min_price={"after_taxes": 1}), "min_price.before_taxes: is required"),
    ],
)
def test_it_names_the_path_of_a_fault(tariff, fault):
    with pytest.raises(InvalidTariff) as raised:
        Tariff.from_ocpi(tariff)

    assert str(raised.value).startswith(fault)


def test_it_speaks_no_version_that_does_not_exist():
    with pytest.raises(TariffError, match="OCPI 3.1 is not spoken here; known are 2.1.1, 2.2.1, 2.3.0"):
        Tariff.from_ocpi(document(), "3.1")


def test_a_tariff_without_id_is_read_all_the_same():
    assert Tariff.from_ocpi(document(id=None)).id == ""


def test_an_older_tariff_without_vat_says_what_that_means():
    tariff = document(element(component(vat=None)))

    assert Tariff.from_ocpi(tariff, "2.2.1").tax_included is TaxIncluded.NOT_APPLICABLE
    assert Tariff.from_ocpi(tariff, "2.1.1").tax_included is TaxIncluded.NO
    assert Tariff.from_ocpi(tariff, "2.1.1").vat_unknown


def test_the_smallest_energy_mix_is_one_word():
    mixed = Tariff.from_ocpi(document(energy_mix={"is_green_energy": False}))

    assert mixed.to_ocpi()["energy_mix"] == {"is_green_energy": False}
