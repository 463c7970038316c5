"""/sessions/…/correct, release, merge and signed values, /unmatched-stops/: figures put right by a caller."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import Cdr
from billing.services import cdrs
from cpo.lib import clock
from cpo.models import AuditEvent
from stations import readings
from stations.models import ChargingSession, ReviewItem, UnmatchedStop
from stations.services import sessions, signed_readings
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_corrected_energy_is_billed_so_and_recorded_with_its_reason(api):
    session = factories.session(ended=True)
    cdrs.bill([session.pk])

    shown = api.post(f"sessions/{session.uid}/correct/", {"energy_wh": "9000.5", "reason": "read on site"})
    cdrs.bill([session.pk])

    assert (shown["energy_wh"], shown["flags"]) == (9000.5, ["corrected_by:token:test admin"])
    assert Cdr.objects.latest("pk").energy_wh == Decimal("9000.5")
    facts = AuditEvent.objects.get().facts
    assert (facts["energy_wh"], facts["before_wh"], facts["reason"]) == (
        "9000.5000",
        "12345.5000",
        "read on site",
    )
    (row,) = api.get(f"sessions/{session.uid}/corrections/")["results"]
    assert (row["by"], row["energy_after_wh"]) == ("token:test admin", 9000.5)


@pytest.mark.parametrize(
    "body", [{}, {"energy_wh": "1"}, {"energy_wh": "-1", "reason": "x"}, {"energy_wh": "NaN", "reason": "x"}]
)
def test_a_correction_needs_a_figure_and_a_reason(api, body):
    session = factories.session(ended=True)

    assert api("POST", f"sessions/{session.uid}/correct/", body).status_code == 400


def test_a_running_session_is_not_corrected(api):
    session = factories.session()

    answer = api("POST", f"sessions/{session.uid}/correct/", {"energy_wh": "1", "reason": "x"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_ended")


def test_a_held_session_is_released(api):
    session = factories.session(ended=True, authorization_status="Invalid")
    cdrs.bill([session.pk])

    shown = api.post(f"sessions/{session.uid}/release/")

    cdr = Cdr.objects.get()
    assert (shown["cdr"], cdr.issued_by) == (cdr.uid, "token:test admin")


def test_a_running_session_is_not_released(api):
    assert api("POST", f"sessions/{factories.session().uid}/release/").status_code == 409


@pytest.fixture
def orphan():
    """A stop with the charger's own number, and two sessions that it may have ended."""
    station = factories.station("ADA-1", connectors=2)
    began = clock.now() - timedelta(hours=1)
    made = [factories.session(station, number=number, started_at=began) for number in (1, 2)]
    sessions.stop(station, facts=sessions.Stop("777", clock.now(), Decimal(3000), "Local"))
    return made


def test_an_unmatched_stop_is_listed_with_what_it_may_have_ended(api, orphan):
    (stop,) = api.get("unmatched-stops/?open=true&station=ADA-1")["results"]

    found = api.get(f"review-items/{stop['review_item']}/candidates/")

    assert (stop["transaction_id"], stop["meter_stop_wh"], stop["session"]) == ("777", 3000, None)
    assert {row["id"] for row in found} == {session.uid for session in orphan}


def test_a_stop_is_merged_with_the_session_that_somebody_names(api, orphan):
    stop = UnmatchedStop.objects.get()

    shown = api.post(f"sessions/{orphan[0].uid}/merge/", {"stop": stop.pk})

    assert (shown["status"], shown["energy_wh"]) == ("ended", 2000)
    assert ReviewItem.objects.get().resolved_by == "token:test admin"
    assert api("POST", f"sessions/{orphan[1].uid}/merge/", {"stop": stop.pk}).status_code == 409
    assert ChargingSession.objects.active().get() == orphan[1]


def test_signed_values_are_shown_untouched_and_exported(api):
    session = factories.session(ended=True)
    at = session.started_at
    blob = 'OCMF|{"FV":"1.0"}|{"SD":"30<44>&"}'
    found = [
        readings.SignedReading(at, "Energy.Active.Import.Register", "", "Outlet", "Transaction.End", blob)
    ]
    signed_readings.keep(session.station, found, session_id=session.pk, received_at=at)

    (row,) = api.get(f"sessions/{session.uid}/signed-values/")["results"]
    answer = api("GET", f"sessions/{session.uid}/signed-values/export/")

    assert (row["text"], row["encoding"], row["context"]) == (blob, "OCMF", "Transaction.End")
    assert answer["Content-Type"] == "application/xml; charset=utf-8"
    assert '"SD":"30&lt;44&gt;&amp;"' in answer.content.decode()
