"""Figures of sessions put right at the console: correct, release, merge, take the signed values."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from billing.models import Cdr
from billing.services import cdrs
from cpo.lib import clock
from cpo.models import AuditEvent
from stations import readings
from stations.models import ChargingSession, ReviewItem
from stations.services import sessions, signed_readings
from tests import factories


def text(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_an_energy_is_corrected_in_kwh_and_told_in_the_timeline(ada: Client) -> None:
    session = factories.session(ended=True)
    cdrs.bill([session.pk])

    ada.post(f"/sessions/{session.uid}/correct/", {"energy_kwh": "9.0005", "reason": "read on site"})
    cdrs.bill([session.pk])

    page = text(ada, f"/sessions/{session.uid}/")
    assert Cdr.objects.latest("pk").energy_wh == Decimal("9000.5")
    assert "Corrected from 12.3455 kWh to 9.0005 kWh" in page
    assert "by user:ada: read on site" in page
    assert page.count("CDR issued") == 2
    assert AuditEvent.objects.get().facts["reason"] == "read on site"


@pytest.mark.parametrize("fields", [{}, {"energy_kwh": "-1", "reason": "x"}, {"energy_kwh": "1"}])
def test_a_correction_without_figure_or_reason_changes_nothing(ada: Client, fields: dict[str, str]) -> None:
    session = factories.session(ended=True)

    ada.post(f"/sessions/{session.uid}/correct/", fields)

    session.refresh_from_db()
    assert session.energy_wh == Decimal("12345.5")


def test_a_held_session_says_why_and_is_released(ada: Client) -> None:
    session = factories.session(ended=True, authorization_status="Blocked")
    cdrs.bill([session.pk])
    assert "the token was not authorised: Blocked" in text(ada, f"/sessions/{session.uid}/")

    ada.post(f"/sessions/{session.uid}/release/")

    assert Cdr.objects.get().issued_by == "user:ada"
    assert "Not billed yet" not in text(ada, f"/sessions/{session.uid}/")


def test_a_stop_is_merged_with_the_session_that_is_chosen_under_review(ada: Client) -> None:
    station = factories.station("ADA-1", connectors=2)
    began = clock.now() - timedelta(hours=1)
    one, two = (factories.session(station, number=n, started_at=began) for n in (1, 2))
    sessions.stop(station, facts=sessions.Stop("777", clock.now(), Decimal(3000), "Local"))
    item = ReviewItem.objects.get()
    page = text(ada, "/review/")
    assert f'value="{one.uid}"' in page
    assert f'value="{two.uid}"' in page

    ada.post(f"/review/{item.pk}/merge/", {"session": two.uid})

    assert ChargingSession.objects.active().get() == one
    assert "It ended this session" not in text(ada, "/review/")


def test_signed_values_are_a_download_where_there_are_any(ada: Client) -> None:
    session = factories.session(ended=True)
    assert "Signed values" not in text(ada, f"/sessions/{session.uid}/")
    found = [readings.SignedReading(session.started_at, "", "", "Outlet", "Transaction.End", "OCMF|{}|{}")]
    signed_readings.keep(session.station, found, session_id=session.pk, received_at=session.started_at)

    answer = ada.get(f"/sessions/{session.uid}/signed.xml")

    assert "Signed values" in text(ada, f"/sessions/{session.uid}/")
    assert answer["Content-Disposition"] == f'attachment; filename="signed-{session.uid}.xml"'
    assert b"OCMF|{}|{}</signedData>" in answer.content


def test_a_viewer_sees_no_forms_and_may_use_none(person) -> None:
    session = factories.session(ended=True)
    viewer = person("viewer")

    assert "Correct its energy" not in text(viewer, f"/sessions/{session.uid}/")
    assert viewer.post(f"/sessions/{session.uid}/correct/").status_code == 403
