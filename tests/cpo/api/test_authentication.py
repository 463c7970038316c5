"""Who may call: Bearer tokens, their expiry, their throttle (RFC 6750)."""

from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command

from cpo import api_tokens
from cpo.lib import clock
from cpo.models import ApiToken, AuditEvent
from tests.cpo.api.client import ApiClient, parsed

pytestmark = pytest.mark.django_db


def test_it_answers_401_with_a_challenge_without_a_token():
    answer = ApiClient()("GET", "stations/")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert parsed(answer)["error"]["code"] == "not_authenticated"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer x",
        "Bearer \xff\xfe",
        "Basic YTpi",
        "Token x",
        "Bearer opencpo_000000000000_" + 64 * "0",
    ],
)
def test_it_answers_401_to_what_is_no_valid_token(header):
    answer = ApiClient()("GET", "stations/", authorization=header)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_it_takes_the_word_bearer_in_any_case(api):
    assert ApiClient()("GET", "stations/", authorization=f"bearer {api.token}").status_code == 200


def test_it_refuses_a_token_with_another_secret(api):
    wrong = api.token[:-1] + ("0" if api.token[-1] != "0" else "1")

    assert ApiClient(wrong)("GET", "stations/").status_code == 401


def test_it_refuses_a_revoked_token(api):
    api_tokens.revoke(ApiToken.objects.get())

    assert api("GET", "stations/").status_code == 401


def test_it_refuses_an_expired_token():
    _, text = api_tokens.issue("short", expires_at=clock.now() - timedelta(seconds=1))

    assert ApiClient(text)("GET", "stations/").status_code == 401


def test_it_answers_429_after_many_wrong_tokens_but_never_to_a_right_one(api):
    answers = [ApiClient("wrong")("GET", "stations/").status_code for _ in range(31)]

    assert answers == [401] * 30 + [429]
    assert api("GET", "stations/").status_code == 200


def test_it_keeps_no_secret_in_the_database(api):
    row = ApiToken.objects.values().get()

    secret = api.token.rpartition("_")[2]
    assert secret not in str(row)
    assert secret.encode() not in bytes(row["digest"])


def test_it_still_takes_a_token_while_the_secret_key_is_being_changed(api, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-of-sufficient-length-for-everything"

    assert api("GET", "stations/").status_code == 200


def test_it_notes_the_last_use_once_a_minute(api, django_assert_num_queries):
    with time_machine.travel("2025-03-01T12:00:00Z", tick=False):
        api.get("commands/")
        first = ApiToken.objects.get().last_used_at
    with time_machine.travel("2025-03-01T12:00:59Z", tick=False), django_assert_num_queries(2):
        api.get("commands/")

    assert ApiToken.objects.get().last_used_at == first


def test_create_api_token_prints_the_token_and_nothing_else(capsys):
    call_command("create_api_token", "billing export", "--role", "finance")

    token = capsys.readouterr().out
    assert api_tokens.find(token.strip()).role == "finance"
    assert token == token.strip() + "\n"


def test_create_api_token_makes_an_admin_and_leaves_a_record(capsys):
    call_command("create_api_token", "ci")

    assert ApiToken.objects.get().role == "admin"
    assert AuditEvent.objects.get().facts == {"name": "ci", "role": "admin"}


def test_create_api_token_refuses_an_unknown_role():
    with pytest.raises(CommandError):
        call_command("create_api_token", "ci", "--role", "king")
