"""Stations, tokens, onboarding, review, partners: lists, filters and what is done with a row."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from cpo.lib import clock
from roaming.models import Connection, Push
from stations.models import (
    ChargingStation,
    Connector,
    IdToken,
    OnboardingStation,
    ReviewItem,
)
from stations.services import review
from tests import factories
from tests.cpo.console import network


@pytest.fixture
def three(db: None) -> None:
    online = factories.station("ADA-1", is_online=True, epoch=1, name="Left")
    factories.station("ADA-2", is_online=False, epoch=1, serial_number="SN-77")
    factories.station("BOB-1", location=None, connectors=0, name="")
    Connector.objects.filter(evse__station=online).update(status="Faulted")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["ADA-1", "ADA-2", "BOB-1"]),
        ("?q=ada", ["ADA-1", "ADA-2"]),
        ("?q=left", ["ADA-1"]),
        ("?q=sn-77", ["ADA-2"]),
        ("?q=depot", ["ADA-1", "ADA-2"]),
        ("?connection=online", ["ADA-1"]),
        ("?connection=offline", ["ADA-2"]),
        ("?connection=never", ["BOB-1"]),
        ("?status=Faulted", ["ADA-1"]),
        ("?location=nowhere", []),
        ("?after=ADA-1", ["ADA-2", "BOB-1"]),
    ],
)
def test_stations_are_found(ada: Client, three: None, query: str, shown: list[str]) -> None:
    text = ada.get(f"/stations/{query}").content.decode()

    assert re.findall(r'<a href="/stations/([^/]+)/">', text) == shown


def test_what_an_offline_station_last_said_is_not_shown_as_now(ada: Client, three: None) -> None:
    Connector.objects.filter(evse__station__identity="ADA-2").update(status="Charging")

    assert "Last said: Charging" in ada.get("/stations/?q=ADA-2").content.decode()


def test_the_overview_groups_lost_stations_by_site(ada: Client) -> None:
    site = factories.location(name="Harbour")
    for number in range(3):
        factories.station(f"ADA-{number}", location=site, epoch=1, online_changed_at=clock.now())

    text = ada.get("/").content.decode()

    assert "3 stations at Harbour are offline" in text


def test_the_overview_sums_today_by_currency(ada: Client) -> None:
    from billing.services import cdrs

    station = factories.station("ADA-1")
    factories.tariff(at=station.location)
    end = clock.now()
    session = factories.session(station, ended=True, started_at=end - timedelta(hours=1), ended_at=end)
    cdrs.issue(session)

    text = ada.get("/").content.decode()

    assert "12.3 kWh" in text
    assert "€3.09" in text
    assert "1 CDR, before taxes" in text


def test_a_token_is_added_and_may_charge(ada: Client) -> None:
    fields = {
        "uid": "04A1B2",
        "type": "RFID",
        "status": "Accepted",
        "name": "Bo",
        "expires_at": "2030-01-01T10:00",
    }

    response = ada.post("/tokens/new/", fields, follow=True)

    assert "04A1B2 may charge now." in response.content.decode()
    assert IdToken.objects.get().expires_at.isoformat() == "2030-01-01T10:00:00+00:00"


def test_a_token_is_blocked_and_unblocked(ada: Client) -> None:
    token = factories.token("BO-1")

    ada.post(f"/tokens/{token.pk}/status/", {"status": "Blocked"})
    token.refresh_from_db()
    assert token.status == "Blocked"

    ada.post(f"/tokens/{token.pk}/status/", {"status": "Accepted"})
    token.refresh_from_db()
    assert token.status == "Accepted"


def test_a_partners_token_follows_the_partner(ada: Client) -> None:
    token = factories.token("BO-1", country_code="NL", party_id="ABC")

    assert ada.post(f"/tokens/{token.pk}/status/", {"status": "Blocked"}).status_code == 404


def test_an_expired_token_is_shown_as_expired(ada: Client) -> None:
    factories.token("BO-1", expires_at=clock.now() - timedelta(days=1))

    assert "Set a later expiry" in ada.get("/tokens/").content.decode()


def test_an_unknown_station_is_accepted_with_one_click(ada: Client) -> None:
    found = network.build()

    response = ada.post(f"/onboarding/{found.knock.pk}/accept/", {"location": str(found.site.pk)})

    station = ChargingStation.objects.get(identity="CY-9")
    assert b'id="password"' in response.content
    assert (station.location, OnboardingStation.objects.count()) == (found.site, 0)


def test_an_ignored_station_leaves_the_list_but_is_still_there(ada: Client) -> None:
    found = network.build()

    ada.post(f"/onboarding/{found.knock.pk}/ignore/")

    assert f'id="knock-{found.knock.pk}"' not in ada.get("/onboarding/").content.decode()
    assert f'id="knock-{found.knock.pk}"' in ada.get("/onboarding/?ignored=yes").content.decode()


def test_a_review_item_is_resolved_with_a_word(ada: Client) -> None:
    item = review.raise_item("unmatched_stop", key="1", summary="ADA-1 stopped 7, which nobody started")
    assert "Choose the session that it ended" in ada.get("/review/").content.decode()

    ada.post(f"/review/{item.pk}/resolve/", {"resolution": "test rig"})

    found = ReviewItem.objects.get()
    assert (found.resolved_by, found.resolution) == ("user:ada", "test rig")
    assert "test rig" in ada.get("/review/?state=resolved").content.decode()


def test_a_token_a_is_shown_once(ada: Client) -> None:
    factories.operator()

    response = ada.post("/new/partner/", {"way": "invite", "invite-name": "ABC"})

    token = re.search(r'id="token-a">([^<]+)<', response.content.decode())
    assert token
    assert response.headers["Cache-Control"] == "no-store"
    assert token[1] not in ada.get(f"/partners/{Connection.objects.get().pk}/").content.decode()


def test_a_partner_that_cannot_be_reached_is_told_and_kept(ada: Client) -> None:
    fields = {
        "way": "enter",
        "enter-name": "ABC",
        "enter-versions_url": "http://127.0.0.1:9/versions",
        "enter-token_a": "x",
    }

    response = ada.post("/new/partner/", fields, follow=True)

    assert response.status_code in (200, 422)
    assert not Connection.objects.filter(status="registered").exists()


def test_a_partner_is_paused_and_resumed(ada: Client) -> None:
    partner = network.build().partner

    ada.post(f"/partners/{partner.pk}/pause/")
    assert Connection.objects.get().is_paused

    ada.post(f"/partners/{partner.pk}/resume/")
    assert not Connection.objects.get().is_paused


def test_a_refused_push_is_sent_again(ada: Client) -> None:
    push = network.build().push

    ada.post(f"/pushes/{push.pk}/retry/")

    assert Push.objects.get().state == "due"


def test_a_partner_has_no_other_actions(ada: Client) -> None:
    assert ada.post(f"/partners/{network.build().partner.pk}/delete/").status_code == 404


def test_the_menu_shows_what_the_role_may_open(person: Callable[..., Client]) -> None:
    text = person("viewer").get("/").content.decode()

    assert 'href="/stations/"' in text
    assert 'href="/partners/"' not in text
    assert 'href="/onboarding/"' not in text
