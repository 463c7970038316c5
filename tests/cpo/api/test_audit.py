"""Every change leaves an event, whether it was made or refused (design: W15)."""

import pytest
from django.db import DatabaseError, connection, transaction

from cpo.api.urls import NUMBERS
from cpo.models import AuditEvent
from tests import factories
from tests.cpo.api.client import ApiClient
from tests.cpo.api.routes import CHANGES

pytestmark = pytest.mark.django_db


class Names(dict):
    """A word for each name in a path, a number where one is wanted."""

    def __missing__(self, name: str) -> str:
        return "1" if name in NUMBERS else "x"


NAMES = Names()


@pytest.mark.parametrize(("method", "path", "name"), CHANGES)
def test_every_change_that_is_asked_for_is_recorded(api, method, path, name):
    answer = api(method, path.format_map(NAMES), {})

    event = AuditEvent.objects.get()
    assert (event.outcome, event.actor, event.channel) == (answer.status_code, "token:test admin", "api")


@pytest.mark.parametrize(
    ("method", "path", "name"), [route for route in CHANGES if route[2] != "tariff-price"]
)
def test_every_change_is_refused_to_a_viewer_and_recorded(client_of, method, path, name):
    assert client_of("viewer")(method, path.format_map(NAMES), {}).status_code == 403

    assert AuditEvent.objects.get().outcome == 403


def test_a_stranger_leaves_no_event():
    ApiClient()("POST", "tokens/", {"uid": "BO-1"})

    assert not AuditEvent.objects.exists()


def test_no_password_is_recorded(api):
    secret = "a-password-of-ada-1"
    made = api.post("stations/", {"id": "ADA-1", "password": secret}, expect=201)
    factories.station("ADA-2", is_online=True, ocpp_version="1.6")
    payload = {"key": "AuthorizationKey", "value": secret}
    api.post("stations/ADA-2/commands/", {"action": "ChangeConfiguration", "payload": payload}, expect=202)

    assert made["password"] == secret
    assert secret not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    "statement", ["update cpo_auditevent set actor = 'nobody'", "delete from cpo_auditevent"]
)
def test_the_database_refuses_to_change_the_record(api, statement):
    api.post("tokens/", {"uid": "BO-1"}, expect=201)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(statement)


def test_the_model_refuses_too(api):
    api.post("tokens/", {"uid": "BO-1"}, expect=201)
    event = AuditEvent.objects.get()

    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()


@pytest.mark.parametrize(
    ("proxies", "shown"),
    [([], "127.0.0.1"), (["127.0.0.0/8"], "192.0.2.9")],
    ids=["no proxy", "trusted proxy"],
)
def test_the_address_is_believed_only_from_a_trusted_proxy(api, settings, proxies, shown):
    settings.TRUSTED_PROXIES = proxies

    api("POST", "tokens/", {"uid": "BO-1"}, **{"x-forwarded-for": "203.0.113.1, 192.0.2.9"})

    assert AuditEvent.objects.get().address == shown


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
