"""Login and logout (W3, W17): recorded, slowed down, never a way to another site."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from cpo.console.views import account
from cpo.models import AuditEvent
from tests.cpo.console.conftest import PASSWORD


@pytest.fixture(autouse=True)
def user(db: None) -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


def log_in(client: Client, password: str = PASSWORD, **extra: str) -> int:
    return client.post("/login/", {"username": "ada", "password": password} | extra).status_code


def test_the_right_password_lets_in_and_is_recorded(client: Client) -> None:
    assert log_in(client) == 302
    assert client.get("/").status_code == 200

    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.outcome) == ("login", "user:ada", 200)


def test_a_wrong_password_is_told_and_recorded(client: Client) -> None:
    response = client.post("/login/", {"username": "ada", "password": "wrong"})

    assert b"User name or password is wrong" in response.content
    assert AuditEvent.objects.get().outcome == 401
    assert "wrong" not in str(AuditEvent.objects.values().get())


def test_guessing_is_stopped_and_forgiven_after_a_while(client: Client) -> None:
    for _ in range(account.FAILURES):
        log_in(client, "guess")

    assert log_in(client) == 429
    with time_machine.travel(account.clock.now() + account.WINDOW + timedelta(seconds=1)):
        assert log_in(client) == 302


def test_one_address_does_not_lock_another_out(client: Client) -> None:
    for _ in range(account.FAILURES):
        log_in(client, "guess")

    assert log_in(Client(REMOTE_ADDR="192.0.2.9")) == 302


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_the_login_leads_to_no_other_site(client: Client, target: str) -> None:
    response = client.post("/login/", {"username": "ada", "password": PASSWORD, "next": target})

    assert response.headers["Location"] == "/"


def test_the_login_leads_back_to_the_page_that_was_wanted(client: Client) -> None:
    response = client.post("/login/", {"username": "ada", "password": PASSWORD, "next": "/stations/?q=a"})

    assert response.headers["Location"] == "/stations/?q=a"


def test_a_login_gets_a_new_session(client: Client) -> None:
    client.get("/login/")
    session = client.session
    session["seen"] = 1
    session.save()
    client.cookies["sessionid"] = session.session_key

    log_in(client)

    assert client.session.session_key != session.session_key


def test_a_link_logs_nobody_out_but_the_button_does(client: Client) -> None:
    log_in(client)

    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_the_session_cookie_is_not_for_scripts(client: Client) -> None:
    log_in(client)

    assert client.cookies["sessionid"]["httponly"]
    assert client.cookies["sessionid"]["samesite"] == "Lax"
