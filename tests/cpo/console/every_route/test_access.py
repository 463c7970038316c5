"""Who may open and do what (cases W10 to W16), over every route of the console."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client

from cpo.models import AuditEvent
from tests import factories
from tests.cpo.console import routes

Person = Callable[..., Client]
NETWORK_PAGES = {
    "firmware",
    "firmware-new",
    "firmware-signer-new",
    "firmware-campaign-new",
    "firmware-campaign",
    "onboarding",
    "partners",
    "partner",
    "partner-new",
    "token-new",
    "token-group",
    "token-group-new",
}  # of nobody's scope
PUBLIC = {"root-file"}  # roots belong to nobody and are no secret
LISTS = (routes.of_no_object(routes.PAGES) | PUBLIC) - NETWORK_PAGES


def test_every_route_has_a_case() -> None:
    assert routes.names() == routes.OPEN | set(routes.PAGES) | set(routes.ACTIONS)


@pytest.mark.parametrize("name", routes.PAGES)
def test_a_page_sends_a_stranger_to_the_login(
    db: None, client: Client, name: str, found: SimpleNamespace
) -> None:
    address = routes.url(name, found)

    response = client.get(address)

    assert response.status_code == 302
    assert response.url.startswith("/login/?next=/")


def test_a_fragment_takes_a_stranger_to_the_login_as_a_whole_page(db: None, client: Client) -> None:
    response = client.get(
        "/stations/?part=rows",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/stations/?q=a"},
    )

    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/login/?next=/stations/%3Fq%3Da")


@pytest.mark.parametrize("name", routes.ACTIONS)
def test_an_action_needs_a_login(db: None, client: Client, name: str, found: SimpleNamespace) -> None:
    response = client.post(routes.url(name, found, action=True))

    assert response.status_code == 302
    assert response.url.startswith("/login/")


@pytest.mark.parametrize("name", sorted(set(routes.ACTIONS) - set(routes.PAGES)))
def test_an_action_is_no_link(ada: Client, name: str, found: SimpleNamespace) -> None:
    assert ada.get(routes.url(name, found, action=True)).status_code == 405


@pytest.mark.parametrize("name", routes.ACTIONS)
def test_an_action_needs_the_csrf_token(ada: Client, name: str, found: SimpleNamespace) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = ada.cookies

    assert strict.post(routes.url(name, found, action=True)).status_code == 403


@pytest.mark.parametrize("name", routes.ACTIONS)
def test_a_viewer_changes_nothing_and_the_attempt_is_recorded(
    person: Person, name: str, found: SimpleNamespace
) -> None:
    address = routes.url(name, found, action=True)

    response = person("viewer").post(address)

    event = AuditEvent.objects.get()
    assert (response.status_code, event.outcome, event.actor) == (403, 403, "user:viewer")


@pytest.mark.parametrize("name", routes.ACTIONS)
def test_every_action_leaves_an_audit_event(ada: Client, name: str, found: SimpleNamespace) -> None:
    ada.post(routes.url(name, found, action=True))

    assert AuditEvent.objects.filter(actor="user:ada", channel="console").count() == 1


@pytest.mark.parametrize("name", sorted(set(routes.PAGES) - LISTS))
def test_the_rows_of_another_operator_do_not_exist(person: Person, name: str, found: SimpleNamespace) -> None:
    stranger = person("operator", operators=[factories.operator("DE", "XYZ")])
    if name in NETWORK_PAGES:
        assert stranger.get(routes.url(name, found)).status_code == 403
        return

    assert stranger.get(routes.url(name, found)).status_code == 404


@pytest.mark.parametrize("name", sorted(set(routes.ACTIONS) - routes.of_no_object(routes.ACTIONS)))
def test_the_rows_of_another_operator_cannot_be_changed(
    person: Person, name: str, found: SimpleNamespace
) -> None:
    stranger = person("admin", operators=[factories.operator("DE", "XYZ")])
    response = stranger.post(routes.url(name, found, action=True), {"reason": "mine now"})

    assert response.status_code in ((302,) if name == "command-cancel" else (403, 404))
    found.command.refresh_from_db()
    assert found.command.status == "queued"


@pytest.mark.parametrize("name", sorted(LISTS - {"station-new"}))
def test_a_list_shows_nothing_of_another_operator(person: Person, name: str, found: SimpleNamespace) -> None:
    stranger = person("operator", operators=[factories.operator("DE", "XYZ")])

    text = stranger.get(routes.url(name, found)).content.decode()

    assert "ADA-1" not in text
    assert "Depot" not in text


def test_somebody_without_a_role_sees_no_page(
    person: Person, client: Client, django_user_model: type
) -> None:
    client.force_login(django_user_model.objects.create(username="nobody"))

    assert client.get("/").status_code == 403


def test_messages_are_not_for_viewers(person: Person, found: SimpleNamespace) -> None:
    assert person("viewer").get(f"/stations/{found.station.identity}/?tab=messages").status_code == 404
