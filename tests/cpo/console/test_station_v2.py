"""The page of a 2.x station: EVSEs and their connectors, links to the forms of its version, its messages."""

from typing import Any

import pytest
from django.test import Client

from cpo.console import command_forms, command_links
from stations.models import ChargingStation, Connector
from stations.ocpp import outbound
from tests import factories
from tests.cpo.console import routes
from tests.cpo.console.test_frames import frame

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
TABS = routes.TABS["station"]
LINKS: dict[str, dict[str, Any]] = {
    "availability": {"operative": True, "connector": 1},
    "restart": {},
    "start": {"connector": 1},
    "stop": {"transaction": "7"},
    "trigger": {"message": "Heartbeat"},
}


@pytest.fixture
def beo(db: None) -> ChargingStation:
    """Give a 2.1 station with two EVSEs, the first of two connectors."""
    station = factories.station("BEO-1", is_online=True, ocpp_version="2.1", connectors=2)
    Connector.objects.create(
        evse=station.evses.get(number=1), number=2, status="Available", last_updated=station.created_at
    )
    return station


def page(client: Client, tab: str = "now") -> str:
    return client.get(f"/stations/BEO-1/?tab={tab}").content.decode()


def test_connectors_are_named_by_their_evse(ada: Client, beo: ChargingStation) -> None:
    text = page(ada)

    assert all(name in text for name in ("EVSE 1<", "EVSE 1, connector 2<", "EVSE 2<"))


def test_a_session_stands_at_its_connector_and_is_stopped_in_2_x_words(
    ada: Client, beo: ChargingStation
) -> None:
    factories.session(beo, status="active", connector_number=2, transaction_id="tx-1", ended_at=None)
    text = page(ada)

    stop = "action=RequestStopTransaction&amp;transactionId=tx-1"
    assert text.count(stop) == 1
    assert text.index("EVSE 1, connector 2<") < text.index(stop) < text.index("EVSE 2<")


@pytest.mark.parametrize("tab", TABS)
def test_nothing_on_the_page_speaks_of_1_6(ada: Client, beo: ChargingStation, tab: str) -> None:
    text = page(ada, tab)

    assert "BEO-1" in text
    assert not [
        word for word in ("OCPP 1.6", "RemoteStartTransaction", "ChangeConfiguration") if word in text
    ]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("wanted", LINKS)
def test_a_link_leads_to_a_form_of_the_version_and_fills_it_in(version: str, wanted: str) -> None:
    from urllib.parse import parse_qsl

    query = dict(parse_qsl(command_links.query(version, wanted, **LINKS[wanted])))
    action = query.pop("action")
    initial = command_forms.initial_from(query, version, action)
    form = command_forms.form_class(version, action)(initial=initial)

    assert action in outbound.actions(version)
    assert set(query) - {"tab"} <= set(form.fields) & set(initial)


def test_a_message_without_answer_is_no_open_question() -> None:
    from cpo.console import frames

    (exchange,) = frames.pair([frame(1, "i", 6)])

    assert (exchange.from_station, exchange.is_open, exchange.needs_answer) == (True, False, False)


def test_an_error_about_an_answer_is_shown_as_one() -> None:
    from cpo.console import frames

    newest, oldest = frames.pair([frame(3, "i", 5), frame(2, "o", 3), frame(1, "i", 2)])

    assert (oldest.is_error, newest.is_error, newest.from_station) == (False, True, True)
