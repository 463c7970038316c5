"""A snapshot freezes what a session looked like at its start, in OCPI 2.3.0 shapes."""

import pytest

from billing.models import SessionSnapshot
from billing.services import snapshots
from billing.tasks import snapshot_sessions
from tests import factories
from tests.factories import element

pytestmark = pytest.mark.django_db


def snapshot(session) -> SessionSnapshot:
    return snapshots.ensure(snapshots.read([session.pk]))[session.pk]


def test_it_holds_the_location_and_its_exact_place():
    place = factories.location(latitude="52.370216", longitude="4.895168", postal_code="1012AB")

    frozen = snapshot(factories.session(factories.station(location=place)))

    assert frozen.location["id"] == place.uid
    assert frozen.location["coordinates"] == {"latitude": "52.370216", "longitude": "4.895168"}
    assert frozen.location["time_zone"] == frozen.time_zone == "Europe/Amsterdam"


def test_it_holds_evse_connector_and_the_tariff_of_the_session():
    started = factories.session()
    factories.tariff(uid="AC", at=started.station.location)

    frozen = snapshot(started)

    assert frozen.evse["uid"] == started.evse.uid
    assert (frozen.connector["id"], frozen.connector["tariff_ids"]) == ("1", ["AC"])


def test_it_holds_a_partners_token():
    token = factories.token(country_code="DE", party_id="ABC", contract_id="DE-ABC-C123")

    frozen = snapshot(factories.session(token=token))

    assert frozen.token == {
        "country_code": "DE",
        "party_id": "ABC",
        "uid": "BO-1",
        "type": "RFID",
        "contract_id": "DE-ABC-C123",
    }


def test_our_own_drivers_token_carries_our_party():
    frozen = snapshot(factories.session(id_token="UNKNOWN"))

    assert (frozen.token["country_code"], frozen.token["party_id"], frozen.token["uid"]) == (
        "NL",
        "OPN",
        "UNKNOWN",
    )


def test_what_changes_later_does_not_change_it():
    started = factories.session()
    factories.tariff(at=started.station.location)
    snapshot(started)

    started.station.location.name = "Renamed"
    started.station.location.save()
    factories.tariff(element("ENERGY", "9"))

    assert snapshot(started).location["name"] == "Depot"
    assert snapshot(started).tariff_version.number == 1


def test_it_is_made_once():
    started = factories.session()

    assert snapshot(started).pk == snapshot(started).pk


def test_a_station_without_location_belongs_to_our_only_operator():
    ours = factories.operator()

    frozen = snapshot(factories.session(factories.station(location=None)))

    assert (frozen.operator, frozen.location, frozen.time_zone) == (ours, {}, "UTC")


def test_a_station_without_location_belongs_to_nobody_among_several():
    factories.operator()
    factories.operator(party_id="TWO")

    assert snapshot(factories.session(factories.station(location=None))).operator is None


def test_the_task_freezes_many_sessions(django_assert_max_num_queries):
    station = factories.station()
    factories.tariff(at=station.location)
    ids = [factories.session(station).pk for _ in range(20)]

    with django_assert_max_num_queries(15):
        snapshot_sessions(ids)

    assert SessionSnapshot.objects.filter(session__in=ids).count() == 20


def test_a_session_that_is_gone_does_not_stop_the_others():
    started = factories.session()

    snapshot_sessions([started.pk, 10**9])

    assert SessionSnapshot.objects.filter(session=started).exists()
