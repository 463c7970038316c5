"""Tariffs are kept in versions, assigned to places, and chosen as they were at session start."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction

from billing.errors import UnknownOperator
from billing.events import TariffChanged
from billing.models import TariffVersion
from billing.services import tariffs
from billing.tariff.errors import InvalidTariff
from tests import factories
from tests.factories import NOON, element

pytestmark = pytest.mark.django_db


def test_a_saved_tariff_keeps_exact_decimals():
    saved = tariffs.save(
        factories.tariff_data(element("ENERGY", "0.2500000001")), operator=factories.operator()
    )

    component = saved.versions.get().data["elements"][0]["price_components"][0]
    assert component == {"type": "ENERGY", "price": "0.2500000001", "vat": "21", "step_size": 1}


def test_the_same_content_makes_no_new_version():
    first = factories.tariff()

    again = factories.tariff(last_updated="2026-06-06T00:00:00Z")

    assert again == first
    assert first.versions.count() == 1


def test_a_change_is_a_new_version_and_the_old_one_stays():
    saved = factories.tariff(element("ENERGY", "0.25"))

    factories.tariff(element("ENERGY", "0.35"))

    prices = [
        v.data["elements"][0]["price_components"][0]["price"] for v in saved.versions.order_by("number")
    ]
    assert prices == ["0.25", "0.35"]


def test_ids_that_differ_in_case_are_one_tariff():
    assert factories.tariff(uid="Day") == factories.tariff(uid="DAY")


def test_a_tariff_without_owner_belongs_to_our_only_operator():
    factories.operator()

    saved = tariffs.save({**factories.tariff_data(), "country_code": None, "party_id": None})

    assert str(saved.operator) == "NL*OPN"


def test_a_tariff_of_nobody_known_is_refused_where_there_are_several_operators():
    factories.operator()
    factories.operator(party_id="TWO")

    with pytest.raises(UnknownOperator):
        tariffs.save(factories.tariff_data(country_code="DE"))


def test_a_tariff_of_nobody_known_is_our_only_operators():
    factories.operator()

    assert str(tariffs.save(factories.tariff_data(country_code="DE")).operator) == "NL*OPN"


def test_a_fault_names_its_path():
    factories.operator()

    with pytest.raises(InvalidTariff, match=r"elements\[0\].price_components\[0\].price"):
        tariffs.save(factories.tariff_data(element("ENERGY", "cheap")))


def test_a_change_is_published(django_capture_on_commit_callbacks, published):
    with django_capture_on_commit_callbacks(execute=True):
        saved = factories.tariff()

    assert published == [TariffChanged(saved.pk)]


def test_the_database_refuses_to_change_a_version():
    saved = factories.tariff()

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        TariffVersion.objects.filter(tariff=saved).update(number=7)


def test_a_session_gets_the_tariff_of_its_location():
    started = factories.session()
    saved = factories.tariff(at=started.station.location)

    assert tariffs.for_session(started).tariff == saved


def test_a_session_without_an_assigned_tariff_gets_none():
    factories.tariff()

    assert tariffs.for_session(factories.session()) is None


def test_the_most_specific_place_wins():
    started = factories.session()
    location = started.station.location
    places = {
        "operator": location.operator,
        "location": location,
        "evse": started.evse,
        "connector": started.evse.connectors.get(),
    }

    for name, place in places.items():
        tariffs.assign(factories.tariff(uid=name), **{name: place})
        assert tariffs.for_session(started).tariff.uid == name


def test_a_driver_without_contract_pays_the_ad_hoc_tariff():
    started = factories.session(token=factories.token(type="AD_HOC_USER"))
    location = started.station.location
    factories.tariff(uid="REG", type="REGULAR", at=location)
    factories.tariff(uid="ADHOC", type="AD_HOC_PAYMENT", at=location)

    assert tariffs.for_session(started).tariff.uid == "ADHOC"
    assert tariffs.for_session(factories.session(started.station, number=1)).tariff.uid == "REG"


def test_a_tariff_for_every_session_is_second_to_one_of_the_sessions_type():
    started = factories.session()
    factories.tariff(uid="ANY", at=started.station.location)
    factories.tariff(uid="REG", type="REGULAR", at=started.station.location)

    assert tariffs.for_session(started).tariff.uid == "REG"


def test_a_profile_tariff_is_not_chosen_without_the_drivers_wish():
    started = factories.session()
    factories.tariff(type="PROFILE_CHEAP", at=started.station.location)

    assert tariffs.for_session(started) is None


def test_a_later_version_does_not_touch_earlier_sessions():
    earlier = factories.session()
    factories.tariff(at=earlier.station.location)
    factories.tariff(element("ENERGY", "0.99"))

    later = factories.session(earlier.station, started_at=datetime.now(UTC) + timedelta(seconds=1))

    assert tariffs.for_session(earlier).number == 1
    assert tariffs.for_session(later).number == 2


def test_a_tariff_counts_only_within_its_own_validity():
    started = factories.session()
    location = started.station.location
    factories.tariff(uid="OLD", end_date_time="2025-03-01T12:00:00Z", at=location)
    factories.tariff(uid="NEW", start_date_time="2025-03-01T12:00:00Z", at=location)

    just_before = factories.session(started.station, started_at=NOON - timedelta(seconds=1))

    assert tariffs.for_session(started).tariff.uid == "NEW"
    assert tariffs.for_session(just_before).tariff.uid == "OLD"


def test_an_assignment_replaces_the_one_of_the_same_type():
    started = factories.session(started_at=datetime.now(UTC) + timedelta(seconds=5))
    factories.tariff(uid="FIRST", at=started.station.location)
    factories.tariff(uid="SECOND", at=started.station.location)

    long_ago = factories.session(started.station)

    assert tariffs.for_session(started).tariff.uid == "SECOND"
    assert tariffs.for_session(long_ago).tariff.uid == "FIRST"


def test_assigning_the_same_tariff_twice_changes_nothing():
    place = factories.location()
    saved = factories.tariff()

    assert tariffs.assign(saved, location=place) == tariffs.assign(saved, location=place)


def test_an_ended_assignment_still_counts_for_sessions_before():
    location = factories.location()
    with time_machine.travel(NOON, tick=False):
        assignment = tariffs.assign(factories.tariff(), location=location)
        tariffs.unassign(assignment)
    station = factories.station(location=location)

    before = factories.session(station, started_at=NOON - timedelta(hours=1))

    assert tariffs.for_session(before) is not None
    assert tariffs.for_session(factories.session(station)) is None


def test_a_withdrawn_tariff_gets_no_new_session():
    started = factories.session(started_at=datetime.now(UTC) + timedelta(seconds=5))
    saved = factories.tariff(at=started.station.location)

    tariffs.withdraw(saved)

    assert tariffs.for_session(started) is None
    assert not saved.is_active


def test_saving_a_withdrawn_tariff_brings_it_back():
    saved = factories.tariff()
    tariffs.withdraw(saved)

    assert factories.tariff().is_active


def test_an_assignment_needs_exactly_one_place():
    saved = factories.tariff()

    with pytest.raises(ValueError, match="exactly one"):
        tariffs.assign(saved)


def test_a_connector_shows_one_tariff_of_each_type():
    connector = factories.connector()
    location = connector.evse.station.location
    factories.tariff(uid="ANY", at=location)
    factories.tariff(uid="ADHOC", type="AD_HOC_PAYMENT", at=location)
    tariffs.assign(factories.tariff(uid="MINE"), connector=connector)

    assert [t.uid for t in tariffs.of_connector(connector)] == ["MINE", "ADHOC"]


def test_partners_are_told_that_a_locations_tariffs_changed():
    connector = factories.connector()
    location = connector.evse.station.location
    before = location.last_updated

    factories.tariff(at=location)

    location.refresh_from_db()
    assert location.last_updated > before
