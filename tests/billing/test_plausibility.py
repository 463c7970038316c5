"""What no connector can give in the time waits for a human; what is only estimated or odd is billed."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.errors import Implausible
from billing.models import BillingJob, Cdr
from billing.services import cdrs
from cpo.lib import clock
from stations.models import Connector, ReviewItem
from stations.services import corrections
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def ended(energy_wh: int, *, power_w: int | None = 22_000, **fields):
    """An hour at a connector of so many watts."""
    station = factories.station()
    Connector.objects.filter(evse__station=station).update(max_power_w=power_w)
    return factories.session(station, ended=True, energy_wh=Decimal(energy_wh), **fields)


@pytest.mark.parametrize(("energy_wh", "is_held"), [(22_000, False), (27_000, False), (27_500, True)])
def test_more_than_the_connector_gives_in_the_time_is_held(energy_wh, is_held):
    session = ended(energy_wh)

    cdrs.bill([session.pk])

    assert BillingJob.objects.filter(session=session, state="held").exists() is is_held
    assert ReviewItem.objects.filter(key=f"implausible:{session.pk}").exists() is is_held


def test_a_connector_that_nobody_described_may_be_a_strong_one():
    assert cdrs.bill([ended(400_000, power_w=None).pk, ended(700_000, power_w=None).pk]) == 1


def test_a_short_session_is_not_held_for_a_minute_of_its_clock():
    assert cdrs.bill([ended(900, ended_at=NOON).pk]) == 1


def test_an_operator_releases_it_and_the_item_is_settled():
    session = ended(99_000)
    cdrs.bill([session.pk])
    with pytest.raises(Implausible):
        cdrs.issue(session)

    cdr = cdrs.release(session, by="user:ada")

    assert (cdr.energy_wh, cdr.issued_by) == (99_000, "user:ada")
    assert ReviewItem.objects.get(session=session, kind="odd_readings").resolved_by == "user:ada"


def test_an_operator_corrects_it_and_it_is_billed_so():
    session = ended(99_000)
    cdrs.bill([session.pk])

    corrections.correct(session, energy_wh=Decimal(9900), reason="one nought too many", by="user:ada")
    cdrs.bill([session.pk])

    assert Cdr.objects.get().energy_wh == 9900
    assert BillingJob.objects.get().state == "done"


def test_estimated_and_odd_sessions_are_billed():
    odd = ended(5000, flags=["register_reset"], needs_review=True)
    estimated = ended(5000, flags=["energy_estimated", "closed_by:rule"])

    assert cdrs.bill([odd.pk, estimated.pk]) == 2


def test_a_stop_without_a_register_waits_a_while_for_closing_values(settings):
    session = ended(5000, meter_stop_wh=None)

    assert cdrs.bill([session.pk]) == 0
    session.refresh_from_db()
    assert session.billed_at is None

    session.last_updated = clock.now() - timedelta(seconds=settings.BILLING_WAIT_S)
    session.save(update_fields=["last_updated"])
    assert cdrs.bill([session.pk]) == 1
