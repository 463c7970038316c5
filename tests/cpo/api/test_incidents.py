"""/incidents/: grave things that stations reported of their parts."""

import pytest

from stations.models import StationIncident
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def bea():
    bea = factories.station("BEA-1", ocpp_version="2.1")
    facts = {"key": "x", "title": "Door/Open", "began_at": NOON, "last_at": NOON}
    StationIncident.objects.create(station=factories.station("ADA-1"), severity=2, cleared_at=NOON, **facts)
    StationIncident.objects.create(station=bea, severity=0, **facts)
    return bea


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", ["BEA-1", "ADA-1"]), ("open=true", ["BEA-1"]), ("open=false", ["ADA-1"]), ("severity=1", ["BEA-1"]),
     ("station=ADA-1", ["ADA-1"])],
)  # fmt: skip
def test_it_lists_incidents_newest_first(api, bea, query, shown):
    assert [row["station"] for row in api.get(f"incidents/?{query}")["results"]] == shown


def test_a_flag_that_is_none_is_refused(api, bea):
    assert api("GET", "incidents/?open=perhaps").status_code == 400
