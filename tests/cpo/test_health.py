"""`/livez`, `/readyz` and `/metrics`, asked as views; the process that serves them is in test_make_run.py."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory

from cpo import health
from cpo.lib import metrics


def ask(view: Any, address: str = "127.0.0.1", **headers: str) -> Any:
    return view(RequestFactory().get("/", REMOTE_ADDR=address, headers=headers))


async def test_livez_answers_without_a_database() -> None:
    answer = await ask(health.livez)

    assert answer.status_code == 200


@pytest.mark.django_db
def test_readyz_is_ok_with_database_migrations_and_redis() -> None:
    answer = ask(health.readyz)

    checks = json.loads(answer.content)["checks"]
    assert answer.status_code == 200
    assert (checks["database"], checks["migrations"], checks["redis"]) == ("ok", "ok", "ok")


@pytest.mark.django_db
def test_readyz_shows_the_outboxes() -> None:
    checks = json.loads(ask(health.readyz).content)["checks"]

    assert checks["push_backlog"] == {"rows": 0, "late_s": 0.0}
    assert checks["command_backlog"] == {"rows": 0, "late_s": 0.0}


@pytest.mark.django_db
def test_readyz_is_503_when_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")

    answer = ask(health.readyz)

    assert answer.status_code == 503
    assert json.loads(answer.content)["checks"]["database"] == "OperationalError"


@pytest.mark.django_db(transaction=True)
def test_readyz_is_503_when_a_migration_is_missing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("delete from django_migrations where app = 'cpo' and name = '0001_initial'")

    answer = ask(health.readyz)

    with connection.cursor() as cursor:
        cursor.execute(
            "insert into django_migrations (app, name, applied) values ('cpo', '0001_initial', now())"
        )
    assert answer.status_code == 503
    assert json.loads(answer.content)["checks"]["migrations"] == ["cpo.0001_initial"]


@pytest.mark.django_db
def test_readyz_stays_ok_when_redis_is_away(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    away = health.metrics_share.Share("unix:///nowhere.sock", told={})
    monkeypatch.setattr(health.metrics_share, "_share", away)

    answer = ask(health.readyz)

    assert answer.status_code == 200
    assert json.loads(answer.content)["checks"]["redis"] == "ConnectionError"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["203.0.113.9", "::ffff:203.0.113.9", "", "unix"])
def test_strangers_learn_only_whether_we_are_ready(address: str) -> None:
    assert json.loads(ask(health.readyz, address).content) == {"status": "ok"}
    assert ask(health.metrics, address).status_code == 403


@pytest.mark.django_db
def test_a_client_cannot_claim_to_be_near(settings: Any) -> None:
    answer = ask(health.metrics, "203.0.113.9", X_Forwarded_For="127.0.0.1")

    assert answer.status_code == 403


@pytest.mark.django_db
def test_a_proxy_in_front_does_not_make_everybody_near(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    assert ask(health.metrics, X_Forwarded_For="203.0.113.9").status_code == 403
    assert ask(health.metrics, X_Forwarded_For="127.0.0.1").status_code == 200


@pytest.mark.django_db
def test_metrics_show_what_was_counted() -> None:
    metrics.ocpp_messages.add("1.6", "TestOfMetrics", "in", "ok", by=3)

    page = ask(health.metrics).content.decode()

    wanted = (
        'opencpo_ocpp_messages_total{action="TestOfMetrics",direction="in",verdict="ok",version="1.6"} 3.0'
    )
    assert wanted in page
    assert "opencpo_push_backlog 0.0" in page
