"""Choosing tariffs for many sessions costs as many queries as for one."""

import pytest

from billing.services import choice, tariffs
from stations.models import ChargingSession, Connector
from tests import factories
from tests.factories import element

pytestmark = pytest.mark.django_db


def test_many_sessions_are_priced_in_four_queries(django_assert_num_queries):
    stations = [factories.station() for _ in range(5)]
    for number, station in enumerate(stations):
        factories.tariff(element("ENERGY", f"0.{number + 1}"), uid=f"T{number}", at=station.location)
    for station in stations:
        [factories.session(station) for _ in range(3)]
    sessions = list(ChargingSession.objects.select_related("station__location", "token"))

    with django_assert_num_queries(4):
        found = choice.versions(sessions)

    assert sorted(v.tariff.uid for v in found.values()) == sorted(f"T{n}" for n in range(5) for _ in range(3))


def test_many_connectors_are_answered_in_one_query(django_assert_num_queries):
    station = factories.station(connectors=4)
    tariffs.assign(factories.tariff(), operator=station.location.operator)
    connectors = list(Connector.objects.select_related("evse__station__location"))

    with django_assert_num_queries(1):
        found = choice.of_connectors(connectors, at=factories.NOON)

    assert {len(shown) for shown in found.values()} == {1}


def test_a_version_is_parsed_once():
    version = factories.tariff().versions.get()

    assert choice.parsed(version) is choice.parsed(type(version).objects.get())


def test_no_sessions_have_no_tariffs(django_assert_num_queries):
    assert choice.versions([]) == {}
