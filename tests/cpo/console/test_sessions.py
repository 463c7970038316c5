"""Sessions: the list and its filters, the chart's columns, the timeline, closing by hand."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from billing.services import cdrs
from stations.models import ChargingSession, Command
from tests import factories


def rows(client: Client, query: str) -> set[str]:
    text = client.get(f"/sessions/{query}").content.decode()
    return {
        uid for uid in ChargingSession.objects.values_list("uid", flat=True) if f"/sessions/{uid}/" in text
    }


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"running", "ended", "billed"}),
        ("?state=active", {"running"}),
        ("?state=unbilled", {"ended"}),
        ("?state=review", {"ended"}),
        ("?q=ada-1", {"running", "ended", "billed"}),
        ("?q=bo-7", {"billed"}),
        ("?q=4711", {"ended"}),
        ("?q=nothing", set()),
    ],
)
def test_the_list_is_filtered(ada: Client, query: str, shown: set[str]) -> None:
    station = factories.station("ADA-1")
    found = {
        "running": factories.session(station),
        "ended": factories.session(station, ended=True, transaction_id="4711", needs_review=True),
        "billed": factories.session(station, ended=True, id_token="BO-7"),
    }
    factories.tariff(at=station.location)
    cdrs.issue(found["billed"])

    assert rows(ada, query) == {found[name].uid for name in shown}


def test_the_chart_gets_exact_columns_in_its_units(ada: Client) -> None:
    session = factories.session()
    factories.samples(session, (0, "1000"), (10, "2500.5"))
    factories.samples(session, (10, "11040"), measurand="Power.Active.Import", unit="W")
    factories.samples(session, (10, "40"), measurand="SoC", unit="Percent")

    columns = ada.get(f"/sessions/{session.uid}/curve.json").json()

    assert columns["zone"] == "Europe/Amsterdam"
    assert columns["energy_kwh"] == [0, 1.5005]
    assert columns["power_kw"][1] == 11.04
    assert columns["soc_percent"] == [None, 40]


def test_a_long_session_is_drawn_with_bounded_points(ada: Client) -> None:
    session = factories.session(started_at=factories.NOON)
    factories.samples(session, *((minute / 6, str(1000 + minute)) for minute in range(9000)))

    columns = ada.get(f"/sessions/{session.uid}/curve.json").json()

    assert 3000 < len(columns["at"]) <= 4500


def test_the_table_says_what_the_chart_shows(ada: Client) -> None:
    session = factories.session()
    factories.samples(session, (0, "1000"), (10, "13345.5"))

    assert "12.3455 kWh" in ada.get(f"/sessions/{session.uid}/?part=readings").content.decode()


def test_the_timeline_tells_commands_statuses_and_the_end(ada: Client) -> None:
    session = factories.session(ended=True)
    factories.statuses(session, (1, "Charging"), (50, "SuspendedEV"))
    Command.objects.create(
        station=session.station, action="RemoteStopTransaction", created_at=session.ended_at - timedelta(seconds=1),
        expires_at=session.ended_at, requested_by="user:ada", status="answered", result={"status": "Accepted"},
    )  # fmt: skip

    text = ada.get(f"/sessions/{session.uid}/").content.decode()

    moments = ["Session started", "Charging", "Paused by car", "RemoteStopTransaction", "Session ended"]
    places = [text.index(f'<strong class="strong">{moment}') for moment in moments]
    assert places == sorted(places)


def test_flags_are_explained(ada: Client) -> None:
    session = factories.session(ended=True, needs_review=True, flags=["register_reset", "closed_by:user:ada"])

    text = ada.get(f"/sessions/{session.uid}/").content.decode()

    assert "The meter register jumped back" in text


def test_an_operator_closes_a_session_with_its_last_reading(ada: Client) -> None:
    session = factories.session(last_reading_at=factories.NOON + timedelta(minutes=10))
    factories.samples(session, (0, "1000"), (10, "2500"))

    ada.post(f"/sessions/{session.uid}/close/", {"reason": "charger replaced"})

    session.refresh_from_db()
    assert (session.status, session.energy_wh, session.stop_reason) == (
        "ended",
        Decimal(1500),
        "charger replaced",
    )


def test_a_session_is_not_closed_twice_nor_without_a_reason(ada: Client) -> None:
    running, ended = factories.session(), factories.session(ended=True)

    ada.post(f"/sessions/{running.uid}/close/", {"reason": ""})
    again = ada.post(f"/sessions/{ended.uid}/close/", {"reason": "again"}, follow=True)

    running.refresh_from_db()
    assert running.status == "active"
    assert "already ended" in again.content.decode()


def test_the_form_to_close_is_for_operators(person: Callable[..., Client]) -> None:
    session = factories.session()

    assert b"Close it by hand" not in person("viewer").get(f"/sessions/{session.uid}/").content
    assert b"Close it by hand" in person("operator").get(f"/sessions/{session.uid}/").content
