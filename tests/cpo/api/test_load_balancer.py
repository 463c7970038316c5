"""/sites/{node}/meter/ and /sites/{node}/simulation/."""

from decimal import Decimal

import pytest

from cpo.lib import clock
from stations.models import PowerNode
from tests import factories

pytestmark = pytest.mark.django_db
BUILDING = {"l1_a": 5, "l2_a": 6.5, "l3_a": 0}


@pytest.fixture
def node():
    limits = {f"limit_l{phase}_a": Decimal(32) for phase in (1, 2, 3)}
    return PowerNode.objects.create(
        location=factories.location(), name="grid", last_updated=clock.now(), **limits
    )


def test_a_building_tells_what_it_draws(api, node):
    assert api("POST", f"sites/{node.uid}/meter/", BUILDING).status_code == 204

    node.refresh_from_db()
    assert (node.meter_l1_a, node.meter_l2_a) == (Decimal(5), Decimal("6.5"))


def test_a_reading_of_two_phases_is_refused(api, node):
    assert api("POST", f"sites/{node.uid}/meter/", {"l1_a": 5, "l2_a": 5}).status_code == 400


def test_an_unknown_site_is_not_found(api):
    assert api("POST", "sites/none/meter/", BUILDING).status_code == 404


def test_a_past_day_is_replayed(api, node):
    assert api.get(f"sites/{node.uid}/simulation/?day=2026-11-20") == []
    assert api("GET", f"sites/{node.uid}/simulation/?day=yesterday").status_code == 400
