"""What partners see of a location: statuses, prices, and the words of their version (OCPI 2.2.1 mod_locations)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cpo.lib import clock
from roaming import documents, published, visibility
from roaming.ocpi import v221, v230
from roaming.ocpi.versions import NEWEST, TABLE, newest_of, of
from stations.models import ChargingStation, Connector, Location
from tests import factories
from tests.roaming.platform import network

pytestmark = pytest.mark.django_db


def document(charger: ChargingStation) -> dict:
    rows = visibility.whole(Location.objects.filter(pk=charger.location_id).select_related("operator"))
    return documents.locations(list(rows), of("2.2.1"))[0]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Available", "AVAILABLE"), ("Preparing", "CHARGING"), ("Charging", "CHARGING"), ("SuspendedEV", "CHARGING"),
        ("SuspendedEVSE", "CHARGING"), ("Finishing", "CHARGING"), ("Occupied", "CHARGING"), ("Reserved", "RESERVED"),
        ("Unavailable", "INOPERATIVE"), ("Faulted", "OUTOFORDER"), ("Unknown", "UNKNOWN"),
    ],
)  # fmt: skip
def test_each_connector_status_has_its_ocpi_word(said, shown):
    charger = network()
    Connector.objects.update(status=said)

    assert document(charger)["evses"][0]["status"] == shown


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [("Available", "Charging", "CHARGING"), ("Available", "Faulted", "AVAILABLE"),
     ("Reserved", "Available", "RESERVED"), ("Unavailable", "Faulted", "INOPERATIVE")],
)  # fmt: skip
def test_an_evse_of_two_connectors_is_busy_when_one_is(first, second, shown):
    charger = network()
    evse = charger.evses.get()
    Connector.objects.create(evse=evse, number=2, status=second, last_updated=clock.now())
    evse.connectors.filter(number=1).update(status=first)

    assert document(charger)["evses"][0]["status"] == shown


def test_a_removed_evse_stays_as_removed():
    charger = network(connectors=2)
    charger.evses.filter(number=2).update(is_removed=True)

    assert [evse["status"] for evse in document(charger)["evses"]] == ["AVAILABLE", "REMOVED"]


def test_a_station_that_is_out_of_service_as_a_whole_offers_nothing():
    charger = network()
    ChargingStation.objects.update(status="Unavailable")

    assert document(charger)["evses"][0]["status"] == "INOPERATIVE"


def test_last_updated_of_a_location_is_that_of_its_youngest_part():
    network()
    later = clock.now() + timedelta(minutes=5)
    ChargingStation.objects.update(online_changed_at=later)
    rows = visibility.whole(Location.objects.select_related("operator"))

    assert published.location_changed_at(rows[0]) == later


def test_a_connector_that_the_version_has_no_word_for_is_left_out():
    charger = network(connectors=2)
    Connector.objects.filter(evse__number=2).update(standard="MCS")

    assert [evse["uid"] for evse in document(charger)["evses"]] == [charger.evses.get(number=1).uid]


def test_words_of_closed_enumerations_that_are_newer_are_left_out():
    charger = network(facilities=["HOTEL", "SAUNA"], parking_type="ON_MOON")
    charger.evses.update(capabilities=["RFID_READER", "TELEPATHY"])

    shown = document(charger)

    assert shown["facilities"] == ["HOTEL"]
    assert shown["evses"][0]["capabilities"] == ["RFID_READER"]
    assert "parking_type" not in shown


def test_stored_floats_are_written_as_the_decimals_that_they_were():
    mix = {"is_green_energy": False, "energy_sources": [{"source": "WIND", "percentage": 33.3}]}
    charger = network(energy_mix=mix)

    assert document(charger)["energy_mix"]["energy_sources"][0]["percentage"] == Decimal("33.3")


@pytest.mark.parametrize(
    ("price", "is_taxed", "old"),
    [
        ({"before_taxes": "1.0", "taxes": [{"name": "VAT", "amount": "0.21"}]}, True, ("1.0", "1.21")),
        ({"before_taxes": "1.0", "taxes": []}, True, ("1.0", "1.0")),
        ({"before_taxes": "1.0"}, False, ("1.0", None)),
    ],
)
def test_a_price_names_its_taxes_or_their_sum(price, is_taxed, old):
    written = v221.write_price(price, is_taxed=is_taxed)

    assert written["excl_vat"] == Decimal(old[0])
    assert written.get("incl_vat") == (None if old[1] is None else Decimal(old[1]))
    assert v230.write_price(price, is_taxed=is_taxed)["before_taxes"] == Decimal("1.0")


def test_a_tariff_that_the_version_cannot_express_is_not_published(partner):
    place = network().location
    factories.tariff(
        {"price_components": [{"type": "ENERGY", "price": "0.5", "step_size": 1}]},
        at=place, uid="GROSS", tax_included="YES",
    )  # fmt: skip

    assert "GROSS" not in {tariff["id"] for tariff in partner.fetch_all("tariffs")}


def test_the_newest_common_version_is_chosen():
    assert newest_of(["2.0", *TABLE, "9.9"]) is NEWEST
    assert newest_of(["2.0"]) is None
