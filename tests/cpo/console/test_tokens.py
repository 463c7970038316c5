"""Tokens, groups, unknown tokens and local lists at the console."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from cpo.models import AuditEvent
from stations.models import IdToken, LocalList, LocalListSite, TokenGroup, UnknownToken
from stations.services import authorization, local_list, local_list_contents
from tests import factories


def fields(**changed: Any) -> dict[str, Any]:
    return {
        "name": "Bo",
        "status": "Accepted",
        "group_id": "",
        "expires_at": "",
        "max_sessions": "",
        "charging_priority": "",
    } | changed


def test_a_token_is_changed_on_its_page(ada: Client) -> None:
    site, token = factories.location(), factories.token("BO-1")

    ada.post(
        f"/tokens/{token.pk}/",
        fields(
            group_id="FLEET",
            max_sessions="2",
            charging_priority="-3",
            locations=[site.pk],
            expires_at="2030-01-01T10:00",
        ),
    )

    token.refresh_from_db()
    assert token.charging_priority == -3
    assert (token.group_id, token.max_sessions, list(token.locations.all())) == ("FLEET", 2, [site])
    assert (token.is_restricted, token.expires_at.isoformat()) == (True, "2030-01-01T10:00:00+00:00")  # type: ignore[union-attr]
    assert AuditEvent.objects.get().object_id == "BO-1"


def test_what_a_token_is_bound_to_is_shown_in_its_form(ada: Client) -> None:
    site = factories.location(name="Mill")
    token, _ = authorization.save_token("BO-1", locations=[site], expires_at=factories.NOON)

    text = ada.get(f"/tokens/{token.pk}/").content.decode()

    assert f'<option value="{site.pk}" selected>Mill</option>' in text
    assert 'value="2025-03-01T12:00"' in text
    assert "Expired" in text


def test_a_form_that_fails_keeps_what_was_typed(ada: Client) -> None:
    token = factories.token("BO-1")

    response = ada.post(f"/tokens/{token.pk}/", fields(max_sessions="0", name="Bo the second"))

    assert response.status_code == 422
    assert b"Bo the second" in response.content


def test_a_partners_token_is_shown_and_not_changed(ada: Client) -> None:
    token = factories.token("CY-1", country_code="NL", party_id="ABC")

    assert b"follows the partner" in ada.get(f"/tokens/{token.pk}/").content
    assert ada.post(f"/tokens/{token.pk}/", fields(status="Blocked")).status_code == 404


def test_a_blocked_token_that_still_charges_is_told_of(ada: Client) -> None:
    token = factories.token("BO-1", status="Blocked")
    factories.session(token=token)

    assert b"It still charges." in ada.get(f"/tokens/{token.pk}/").content


def test_a_group_is_added_blocked_and_deleted(ada: Client) -> None:
    authorization.save_token("BO-1", group_id="fleet")
    ada.post(
        "/tokens/groups/new/", {"uid": "FLEET", "name": "Fleet", "status": "Accepted", "max_sessions": ""}
    )
    group = TokenGroup.objects.get()

    ada.post(f"/tokens/groups/{group.pk}/", {"name": "Fleet", "status": "Blocked", "max_sessions": "3"})

    assert IdToken.objects.get().is_restricted
    text = ada.get("/tokens/groups/").content.decode()
    assert "Blocked" in text
    assert ">1</a>" in text
    ada.post(f"/tokens/groups/{group.pk}/delete/")
    assert not IdToken.objects.get().is_restricted


def test_an_unknown_card_is_accepted_with_one_click(ada: Client) -> None:
    authorization.authorize("CY-1", station=factories.station("ADA"))
    assert b"CY-1" in ada.get("/tokens/unknown/").content

    response = ada.post(f"/tokens/unknown/{UnknownToken.objects.get().pk}/accept/")

    assert response.url == f"/tokens/{IdToken.objects.get(uid='CY-1').pk}/"  # type: ignore[attr-defined]
    assert b"CY-1" not in ada.get("/tokens/unknown/?part=rows").content


def test_an_unknown_card_is_ignored(ada: Client) -> None:
    authorization.authorize("CY-1", station=factories.station())

    ada.post(f"/tokens/unknown/{UnknownToken.objects.get().pk}/ignore/")

    assert b"CY-1" not in ada.get("/tokens/unknown/?part=rows").content
    assert b"CY-1" in ada.get("/tokens/unknown/?part=rows&ignored=yes").content


def test_what_is_too_long_for_a_token_is_not_accepted(ada: Client) -> None:
    authorization.authorize("x" * 40, station=factories.station())

    ada.post(f"/tokens/unknown/{UnknownToken.objects.get().pk}/accept/")

    assert UnknownToken.objects.exists()
    assert b"too long for a token" in ada.get("/tokens/unknown/").content


@pytest.mark.parametrize(("mode", "expected"), [("on", "on"), ("", ""), ("maybe", "")])
def test_a_list_is_switched_on_the_stations_page(ada: Client, mode: str, expected: str) -> None:
    station = factories.station("ADA")
    local_list.switch(station, mode="")

    response = ada.post("/stations/ADA/local-list/", {"mode": mode})

    assert response.url == "/stations/ADA/?tab=local-list"  # type: ignore[attr-defined]
    assert LocalList.objects.get().mode == expected


def test_the_tab_says_what_is_on_the_list_and_what_is_wrong_with_it(ada: Client) -> None:
    station = factories.station("ADA")
    factories.token("BO-1")
    local_list.switch(station, mode="on")
    LocalList.objects.update(max_entries=1)
    factories.token("CY-1")
    local_list_contents.refresh()
    LocalList.objects.update(state="failed", problem="it answered Failed", tries=3)

    text = ada.get("/stations/ADA/?tab=local-list").content.decode()

    assert "it answered Failed" in text
    assert "CY-1" in text
    assert "BO-1" not in text
    assert "do not fit" in text


def test_the_whole_list_is_sent_from_the_tab(ada: Client) -> None:
    station = factories.station("ADA")
    ada.post("/stations/ADA/local-list/send/")
    assert b"switch it on first" in ada.get("/stations/ADA/?tab=local-list").content
    local_list.switch(station, mode="on")
    local_list_contents.refresh()
    LocalList.objects.update(state="unsupported")

    ada.post("/stations/ADA/local-list/send/")

    assert LocalList.objects.get().state == "stale"


@pytest.mark.parametrize(("rule", "expected"), [("on", [True]), ("off", [False]), ("", [])])
def test_the_lists_of_a_site_are_switched(ada: Client, rule: str, expected: list[bool]) -> None:
    site = factories.location()

    ada.post(f"/tokens/local-lists/{site.uid}/", {"rule": rule})

    assert list(LocalListSite.objects.values_list("is_on", flat=True)) == expected
    assert site.name in ada.get("/tokens/local-lists/").content.decode()


def test_support_looks_at_lists_and_leaves_them_as_they_are(person: Callable[..., Client]) -> None:
    station = factories.station("ADA")
    local_list.switch(station, mode="on")
    support = person("support")

    assert b'name="mode"' not in support.get("/stations/ADA/?tab=local-list").content
    assert support.post("/stations/ADA/local-list/", {"mode": "off"}).status_code == 403
