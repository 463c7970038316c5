"""CDRs: issued once, exact, sealed."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing.errors import Held, NotBillable, UnknownOperator
from billing.events import CdrIssued
from billing.models import BillingJob, Cdr, ImmutableRow, SessionSnapshot
from billing.services import cdrs, choice, snapshots
from billing.tariff.engine import price
from billing.tariff.errors import CannotPrice
from billing.tariff.periods import Usage
from stations.models import ChargingSession, ReviewItem
from tests import factories
from tests.factories import NOON, element

pytestmark = pytest.mark.django_db


def ended(*elements, **fields) -> ChargingSession:
    """An hour of charging, 12.3455 kWh, at a location with a tariff of these elements."""
    session = factories.session(ended=True, **fields)
    factories.tariff(*elements, at=session.station.location)
    return session


def ended_with_unknown_taxes() -> ChargingSession:
    """A session whose tariff includes taxes and does not say how much: OCPI has no price for that."""
    session = factories.session(ended=True)
    component = {"type": "ENERGY", "price": "0.25", "step_size": 1}
    factories.tariff({"price_components": [component]}, tax_included="YES", at=session.station.location)
    return session


def test_a_session_is_billed_to_the_last_digit():
    cdr = cdrs.issue(ended(element("ENERGY", "0.25")))

    assert (cdr.energy_wh, cdr.seconds, cdr.currency) == (Decimal("12345.5"), 3600, "EUR")
    assert cdr.total_before_taxes == Decimal("3.0865")  # 12.3460 kWh in steps of 1 Wh
    assert cdr.total_after_taxes == Decimal("3.7347")
    assert cdr.totals["total_energy"] == "12.3455"


def test_totals_are_ocpi_prices_with_decimals_as_strings():
    cdr = cdrs.issue(ended(element("ENERGY", "0.25"), element("TIME", "1.2")))

    assert cdr.totals["total_time_cost"] == {
        "before_taxes": "1.2",
        "taxes": [{"name": "VAT", "amount": "0.252", "percentage": "21"}],
    }
    assert set(cdr.totals) >= {"total_cost", "total_energy_cost", "total_time"}


def test_periods_energy_adds_up_to_the_session():
    session = ended(element("ENERGY", "0.4", start_time="13:10", end_time="13:20"), element("ENERGY", "0.2"))
    factories.samples(session, (7, "2333.3333"), (13, "4000.0001"), (31, "9999.999999"))

    cdr = cdrs.issue(session)

    volumes = [d["volume"] for p in cdr.charging_periods for d in p["dimensions"] if d["type"] == "ENERGY"]
    assert len(volumes) == 3
    assert sum(map(Decimal, volumes)) == Decimal("12.3455")


def test_stored_periods_priced_again_give_the_stored_totals():
    session = ended(element("PARKING_TIME", "6", step_size=300), element("ENERGY", "0.2", max_kwh="5"))
    factories.statuses(session, (0, "Charging"), (41.5, "SuspendedEV"))
    cdr = cdrs.issue(session)

    usage = Usage.from_ocpi(cdr.charging_periods, cdr.started_at, cdr.ended_at, cdr.time_zone)
    tariff = choice.parsed(session.snapshot.tariff_version)

    again = choice.as_json(price(usage, tariff).to_ocpi())
    assert {name: again[name] for name in cdr.totals} == cdr.totals
    assert cdr.parking_seconds == 1110


def test_it_holds_everything_as_it_was_at_the_start():
    session = ended(party="DE*ABC", authorization_reference="REF-1", auth_method="COMMAND")
    snapshots.ensure(snapshots.read([session.pk]))
    session.station.location.name = "Renamed"
    session.station.location.save()
    factories.tariff(element("ENERGY", "9"))

    cdr = cdrs.issue(session)

    assert cdr.location["name"] == "Depot"
    assert (cdr.tariff["elements"][0]["price_components"][0]["price"], cdr.tariff_version) == ("0.25", 1)
    assert (cdr.party, cdr.authorization_reference, cdr.auth_method) == ("DE*ABC", "REF-1", "COMMAND")
    assert (cdr.site, cdr.station_identity) == (session.station.location, session.station.identity)


def test_the_explanation_says_where_the_time_came_from():
    cdr = cdrs.issue(ended())

    assert "No status of the connector is known" in cdr.explanation[-1]


def test_issuing_twice_gives_the_same_cdr():
    session = ended()

    assert cdrs.issue(session) == cdrs.issue(session)


def test_a_cdr_is_published_once(django_capture_on_commit_callbacks, published):
    session = ended()

    with django_capture_on_commit_callbacks(execute=True):
        cdr = cdrs.issue(session)
        cdrs.issue(session)

    assert published == [CdrIssued(cdr.pk, session.pk)]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_write_one_cdr():
    session = ended()
    both = threading.Barrier(2)

    def work():
        both.wait()
        cdrs.bill([session.pk])
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    [w.start() for w in workers]
    [w.join() for w in workers]

    assert Cdr.objects.filter(session=session).count() == 1


def test_the_database_refuses_to_change_or_delete_a_cdr():
    cdr = cdrs.issue(ended())

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        Cdr.objects.filter(pk=cdr.pk).update(remark="cheaper")
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        Cdr.objects.filter(pk=cdr.pk).delete()


def test_the_model_refuses_to_save_or_delete_a_cdr():
    cdr = cdrs.issue(ended())

    with pytest.raises(ImmutableRow):
        cdr.save()
    with pytest.raises(ImmutableRow):
        cdr.delete()


def test_a_running_session_has_no_cdr():
    with pytest.raises(NotBillable):
        cdrs.issue(factories.session())


def test_a_session_without_tariff_is_free_flagged_and_shown():
    session = factories.session(ended=True)

    cdrs.bill([session.pk])

    cdr = session.cdrs.get()
    assert (cdr.total_before_taxes, cdr.remark, cdr.tariff) == (0, "no tariff assigned", None)
    assert cdr.totals["total_energy"] == "12.3455"
    assert ReviewItem.objects.get(session=session).kind == "billing_failed"


def test_energy_without_authorisation_is_held():
    session = ended(authorization_status="Invalid")

    assert cdrs.bill([session.pk]) == 0

    assert BillingJob.objects.get(session=session).state == "held"
    with pytest.raises(Held):
        cdrs.issue(session)


def test_a_refused_token_that_charged_nothing_is_no_work_for_anybody():
    session = ended(authorization_status="Invalid", energy_wh=0)

    cdrs.bill([session.pk])

    session.refresh_from_db()
    assert session.billed_at
    assert not BillingJob.objects.exists()


def test_a_held_session_is_billed_when_somebody_releases_it():
    session = ended(authorization_status="Invalid")
    item = ReviewItem.objects.create(
        kind="unauthorised_energy", key="u", session=session, summary="?", raised_at=NOON, last_at=NOON
    )
    cdrs.bill([session.pk])

    cdr = cdrs.release(session, by="user:ada")

    item.refresh_from_db()
    assert (cdr.issued_by, item.resolved_by) == ("user:ada", "user:ada")
    assert BillingJob.objects.get().state == "done"


def test_a_tariff_that_cannot_be_priced_fails_with_a_reason():
    session = ended_with_unknown_taxes()

    cdrs.bill([session.pk])

    job = BillingJob.objects.get(session=session)
    assert (job.state, job.tries) == ("failed", 1)
    assert "names no rate" in job.last_error
    assert ReviewItem.objects.get(session=session).kind == "billing_failed"
    with pytest.raises(CannotPrice):
        cdrs.issue(session)


def test_a_repaired_tariff_bills_the_session_and_says_so():
    session = ended_with_unknown_taxes()
    cdrs.bill([session.pk])

    factories.tariff(element("ENERGY", "0.25"))
    cdrs.bill([session.pk])

    assert session.cdrs.get().remark == "priced by version 2 of the tariff: version 1 has no price"
    assert session.cdrs.get().tariff_version == 2
    assert BillingJob.objects.get().state == "done"
    assert ReviewItem.objects.get().resolved_by == "billing"


def test_a_session_of_no_operator_waits():
    session = factories.session(factories.station(location=None), ended=True)
    factories.operator()
    factories.operator(party_id="TWO")

    with pytest.raises(UnknownOperator):
        cdrs.issue(session)


def test_a_session_that_ends_before_it_starts_does_not_stop_the_others():
    good, bad = ended(), ended(ended_at=NOON - timedelta(hours=1))

    assert cdrs.bill([good.pk, bad.pk]) == 1

    assert "before it starts" in BillingJob.objects.get(session=bad).last_error


def test_an_estimated_energy_is_told():
    cdr = cdrs.issue(ended(flags=["energy_estimated"]))

    assert cdr.remark == "the station never reported the end: energy as of its last reading"


def test_late_energy_after_the_cdr_is_work_for_an_operator():
    session = ended()
    cdrs.bill([session.pk])
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh="12999")

    cdrs.bill([session.pk])

    item = ReviewItem.objects.get(session=session)
    assert "12345.5000 Wh" in item.summary
    assert "12999.0000 Wh" in item.summary


def test_billed_sessions_leave_the_index_of_unbilled_ones():
    session = ended()
    assert list(ChargingSession.objects.unbilled()) == [session]

    cdrs.bill([session.pk])

    assert not ChargingSession.objects.unbilled().exists()


def test_a_batch_costs_as_many_queries_as_one_session(django_assert_max_num_queries):
    station = factories.station()
    factories.tariff(at=station.location)
    ids = [factories.session(station, ended=True).pk for _ in range(20)]
    snapshots.ensure(snapshots.read(ids))

    with django_assert_max_num_queries(16):
        assert cdrs.bill(ids) == 20


def test_a_missing_snapshot_is_made_from_what_was_valid_at_the_start():
    session = ended(element("ENERGY", "0.25"))
    factories.tariff(element("ENERGY", "9"))

    assert cdrs.issue(session).tariff_version == 1
    assert SessionSnapshot.objects.filter(session=session).exists()


def test_a_session_of_zero_energy_and_duration_has_a_cdr():
    cdr = cdrs.issue(ended(element("FLAT", "1"), ended_at=NOON, energy_wh=0))

    assert (cdr.seconds, cdr.total_before_taxes) == (0, 1)
    assert cdr.charging_periods[0]["dimensions"] == [{"type": "ENERGY", "volume": "0"}]


def test_what_a_vehicle_fed_back_is_told_and_not_priced():
    """OCPI has a volume for it and no price component; it is no part of the session's energy."""
    session = ended(element("ENERGY", "0.25"))
    factories.samples(
        session, (10, "500"), (20, "1700"), (30, "2000"), measurand="Energy.Active.Export.Register"
    )

    cdr = cdrs.issue(session)
    assert cdr.total_before_taxes == Decimal("3.0865")
    assert cdr.charging_periods[-1]["dimensions"][-1] == {"type": "ENERGY_EXPORT", "volume": "1.5"}
    assert any("fed 1.5 kWh back" in line for line in cdr.explanation)
