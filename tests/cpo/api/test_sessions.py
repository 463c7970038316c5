"""/sessions/: what was charged, reading by reading."""

from datetime import timedelta
from decimal import Decimal

import pytest

from stations.models import ChargingSession, MeterSample, ReadingKind
from tests import factories

pytestmark = pytest.mark.django_db

FIELDS = {
    "id", "station", "connector_id", "transaction_id", "id_token", "started_at", "ended_at", "stop_reason", "energy_wh",
    "status", "cdr",
}  # fmt: skip


def test_it_shows_a_session_with_all_that_was_promised(api):
    ada = factories.station("ADA-1", connectors=2, ocpp_version="1.6")
    session = factories.session(ada, number=2, ended=True)

    shown = api.get(f"sessions/{session.uid}/")

    assert shown.keys() >= FIELDS
    assert (shown["station"], shown["connector_id"], shown["status"]) == ("ADA-1", 2, "ended")
    assert (shown["started_at"], shown["ended_at"]) == ("2025-03-01T12:00:00Z", "2025-03-01T13:00:00Z")
    assert (shown["stop_reason"], shown["cdr"]) == ("Local", None)


@pytest.mark.parametrize("energy_wh", ["0", "12345", "12345.5", "0.0001", "1234567890123456.0001"])
def test_it_writes_energy_as_an_exact_number(api, energy_wh):
    session = factories.session(ended=True, energy_wh=Decimal(energy_wh))

    answer = api("GET", f"sessions/{session.uid}/")

    assert f'"energy_wh":{energy_wh},'.encode() in answer.content


@pytest.mark.parametrize(("version", "shown"), [("1.6", 42), ("2.0.1", "42"), ("2.1", "42")])
def test_it_writes_a_transaction_id_as_the_station_does(api, version, shown):
    session = factories.session(factories.station(ocpp_version=version), transaction_id="42")

    assert api.get(f"sessions/{session.uid}/")["transaction_id"] == shown


def test_it_lists_sessions_newest_first(api):
    ada = factories.station()
    made = [factories.session(ada).uid for _ in range(3)]

    assert [row["id"] for row in api.get("sessions/")["results"]] == made[::-1]


def test_it_filters_by_station_token_and_state(api):
    ada, bea = factories.station(), factories.station()
    running = factories.session(ada, id_token="BO-1")
    ended = factories.session(bea, id_token="CY-1", ended=True)

    def found(query):
        return [row["id"] for row in api.get(f"sessions/?{query}")["results"]]

    assert found(f"station={ada.identity}") == [running.uid]
    assert found("id_token=CY-1") == found("id_token=cy-1") == [ended.uid]
    assert found("active=true") == found("active=1") == [running.uid]
    assert found("active=false") == [ended.uid]
    assert found(f"active=true&station={bea.identity}") == found("station=nobody") == []
    assert found("started_to=2025-03-01T12:00:00Z") == []


def test_it_lists_sessions_in_two_queries_however_many(api, django_assert_num_queries):
    ada = factories.station()
    for _ in range(10):
        factories.session(ada)
    api.get("commands/")

    with django_assert_num_queries(2):
        assert len(api.get("sessions/")["results"]) == 10


@pytest.mark.parametrize("query", ["active=maybe", "id_token=%00", "station=%00", "started_from=yesterday"])
def test_it_answers_400_to_a_query_that_it_cannot_read(api, query):
    assert api("GET", f"sessions/?{query}").status_code == 400


def test_it_lists_readings_newest_first_page_by_page(api):
    session = factories.session()
    kind, _ = ReadingKind.objects.get_or_create(
        measurand="Energy.Active.Import.Register", location="Outlet", context="Sample.Periodic", unit="Wh"
    )
    for minute in range(5):
        at = session.started_at + timedelta(minutes=minute)
        MeterSample.objects.create(
            session_id=session.pk, sampled_at=at, kind_id=kind.pk, evse_id=0, value=Decimal("1000.5") + minute
        )

    first = api.get(f"sessions/{session.uid}/meter-values/?limit=3")
    second = api.get(first["next"])

    assert [row["value"] for row in first["results"]] == [Decimal(f"{n}.5") for n in (1004, 1003, 1002)]
    assert [row["value"] for row in second["results"]] == [Decimal(f"{n}.5") for n in (1001, 1000)]
    assert (second["next"], api.get(second["previous"])["results"]) == (None, first["results"])
    assert first["results"][0] == {
        "sampled_at": "2025-03-01T12:04:00Z",
        "measurand": "Energy.Active.Import.Register",
        "phase": "",
        "location": "Outlet",
        "context": "Sample.Periodic",
        "unit": "Wh",
        "value": Decimal("1004.5"),
    }


def test_it_closes_a_session_by_hand(api):
    session = factories.session(register_wh=Decimal(3000))

    closed = api.post(f"sessions/{session.uid}/close/", {"reason": "PowerLoss"})

    assert (closed["status"], closed["stop_reason"]) == ("ended", "PowerLoss")
    assert ChargingSession.objects.get().ended_at is not None


def test_it_closes_a_session_without_a_body(api):
    session = factories.session()

    assert api.post(f"sessions/{session.uid}/close/")["status"] == "ended"


def test_it_answers_409_when_the_session_has_ended(api):
    session = factories.session(ended=True)

    assert api.post(f"sessions/{session.uid}/close/", expect=409)["error"]["code"] == "not_open"
