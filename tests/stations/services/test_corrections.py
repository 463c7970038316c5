"""What changes an ended session: closing values after the stop, an operator's word (quirk 5, T5)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cpo.lib import clock
from stations import readings
from stations.events import SessionChanged
from stations.models import ChargingSession, MeterSample, ReviewItem, SessionCorrection
from stations.services import corrections
from stations.services.errors import ImplausibleEnergy, NotEnded
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db
REGISTER = "Energy.Active.Import.Register"


def ended(**fields) -> ChargingSession:
    """A session that ended at one o'clock with 2 kWh."""
    given = {"meter_stop_wh": Decimal(3000), "register_wh": Decimal(3000), "energy_wh": Decimal(2000)}
    return factories.session(ended=True, **given | fields)


def closing(register_wh: int, minute: int = 61, context: str = "Transaction.End") -> list[readings.Reading]:
    at = NOON + timedelta(minutes=minute)
    return [readings.Reading(at, REGISTER, "", "Outlet", context, Decimal(register_wh), "Wh")]


def test_closing_values_give_the_register_that_the_stop_lacked() -> None:
    session = ended(meter_stop_wh=None, register_wh=Decimal(2500), energy_wh=Decimal(1500))

    assert corrections.close_with(session.pk, found=closing(3000))

    session.refresh_from_db()
    assert (session.energy_wh, session.meter_stop_wh, session.billed_at) == (2000, 3000, None)
    assert "closing_values" in session.flags
    assert MeterSample.objects.get().session_id == session.pk


def test_closing_values_above_the_stop_count_once() -> None:
    session = ended()

    assert [corrections.close_with(session.pk, found=closing(wh)) for wh in (3100, 3200)] == [True, False]

    session.refresh_from_db()
    assert session.energy_wh == 2100
    assert ReviewItem.objects.get().facts["register_wh"] == "3200"


def test_closing_values_that_say_the_same_change_nothing() -> None:
    session = ended()

    assert not corrections.close_with(session.pk, found=closing(3000))
    assert not ReviewItem.objects.exists()
    assert not SessionCorrection.objects.exists()


@pytest.mark.parametrize(("register_wh", "minute"), [(3100, 71), (2900, 61)])
def test_closing_values_that_are_late_or_lower_are_attached_and_told(register_wh: int, minute: int) -> None:
    session = ended()

    assert not corrections.close_with(session.pk, found=closing(register_wh, minute))

    session.refresh_from_db()
    assert session.energy_wh == 2000
    assert ReviewItem.objects.get().kind == "odd_readings"
    assert MeterSample.objects.count() == 1


def test_case_t5_after_billing_nothing_changes_silently() -> None:
    session = ended(billed_at=clock.now())

    assert not corrections.close_with(session.pk, found=closing(3100))

    session.refresh_from_db()
    assert session.energy_wh == 2000
    assert ReviewItem.objects.get().session == session


def test_a_running_session_has_no_closing_values_yet() -> None:
    assert not corrections.close_with(factories.session().pk, found=closing(3100))


@pytest.mark.parametrize(
    "context", ["Sample.Periodic", "Transaction.Begin", "Sample.Clock", "Interruption.End", "Trigger"]
)
def test_only_the_end_of_a_transaction_closes(context: str) -> None:
    assert not corrections.are_closing(closing(3100, context=context))
    assert corrections.are_closing(closing(3100))


def test_an_operators_figure_is_kept_with_its_reason_and_settles_the_items(
    django_capture_on_commit_callbacks, heard
) -> None:
    session = ended(needs_review=True, billed_at=clock.now(), flags=["register_reset", "energy_estimated"])
    item = ReviewItem.objects.create(
        kind="odd_readings", key="r", session=session, summary="?", raised_at=NOON, last_at=NOON
    )

    with django_capture_on_commit_callbacks(execute=True):
        corrections.correct(session, energy_wh=Decimal("1500.5"), reason="read on site", by="user:ada")

    session.refresh_from_db()
    item.refresh_from_db()
    row = SessionCorrection.objects.get()
    assert (session.energy_wh, session.needs_review, session.billed_at) == (Decimal("1500.5"), False, None)
    assert session.flags == ["register_reset", "corrected_by:user:ada"]
    assert (row.energy_before_wh, row.energy_after_wh, row.reason) == (
        2000,
        Decimal("1500.5"),
        "read on site",
    )
    assert item.resolved_by == "user:ada"
    assert heard == [SessionChanged(session.pk, session.station_id)]


def test_a_running_session_cannot_be_corrected() -> None:
    with pytest.raises(NotEnded):
        corrections.correct(factories.session(), energy_wh=Decimal(1), reason="x", by="user:ada")


@pytest.mark.parametrize("wh", ["-1", "1e12", "NaN", "Infinity"])
def test_an_impossible_figure_is_refused(wh: str) -> None:
    with pytest.raises(ImplausibleEnergy):
        corrections.correct(ended(), energy_wh=Decimal(wh), reason="x", by="user:ada")
