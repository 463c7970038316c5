"""The real processes together: uvicorn, a Celery worker, and a partner (RELIABILITY R5, R17)."""

import http.client
import json

import pytest

from cpo.lib import clock, events, nudge
from roaming import registration
from roaming.models import Push
from stations.events import StatusesChanged
from stations.models import Connector, IdToken
from stations.services import sessions
from tests import factories
from tests.emsp import wait_for
from tests.processes import Process, worker
from tests.roaming.platform import connection_of, drive, network

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(live_server_process, transactional_db, settings):
    """Give the base URL of a real uvicorn on this test's database."""
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    factories.operator()
    return live_server_process.http


@pytest.fixture
def registered(server, partners):
    """Register partner NL*ABC through that server."""
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    partner.register(f"{server}/ocpi/versions", token_a)
    return partner


def test_one_server_process_answers_its_own_callback(registered):
    assert connection_of(registered).is_registered
    assert registered.violations == []


def test_attack_o23_an_escaped_slash_stays_inside_its_id(registered, server):
    url = f"{server}/ocpi/cpo/2.2.1/tokens/NL/ABC/a%2Fb"
    body = _token("a/b")

    assert registered.ask("PUT", url, body).http == 201

    assert registered.ask("GET", url).data["uid"] == "a/b"
    assert registered.ask("GET", f"{server}/ocpi/cpo/2.2.1/tokens/NL/ABC/a/b").http == 404


def test_a_body_in_chunks_is_read(registered, server):
    connection = http.client.HTTPConnection(server.removeprefix("http://"))
    raw = json.dumps(_token("CHUNKED")).encode()
    path = "/ocpi/cpo/2.2.1/tokens/NL/ABC/CHUNKED"
    headers = {"Authorization": f"Token {registered.token_out}", "Content-Type": "application/json"}

    connection.request("PUT", path, iter([raw[:50], raw[50:]]), headers, encode_chunked=True)

    assert connection.getresponse().status == 201
    connection.close()
    assert IdToken.objects.get().uid == "CHUNKED"


def test_a_registration_a_status_and_a_session_reach_the_partner_by_themselves(
    registered, celery_worker_process
):
    charger = network()
    registered.drivers["EMP-9"] = _token("EMP-9")
    connection = connection_of(registered)
    nudge.task("roaming.tasks.synchronise", connection.pk)
    wait_for(lambda: charger.location.uid in registered.books.locations, 30)
    wait_for(lambda: IdToken.objects.filter(uid="EMP-9").exists(), 30)

    now, evse = clock.now(), charger.evses.get()
    Connector.objects.update(status="Charging", last_updated=now)
    charger.evses.update(last_updated=now)
    events.deliver(StatusesChanged(frozenset({evse.pk}), frozenset({charger.pk})))
    wait_for(lambda: _status(registered, charger) == "CHARGING", 30)

    session = drive(charger, started_at=clock.now())
    sessions.close(session, reason="Local", by="ada")
    wait_for(lambda: registered.books.sessions.get(session.uid, {}).get("status") == "COMPLETED", 30)
    cdr = wait_for(lambda: next(iter(registered.books.cdrs.values()), None), 30)

    assert cdr["session_id"] == session.uid
    assert registered.deliveries == {cdr["id"]: 1}
    assert registered.violations == []
    wait_for(lambda: Push.objects.exclude(state="acked").count() == 0, 30)


def test_a_worker_that_is_killed_in_a_push_loses_nothing(registered, process_env):
    charger = network()
    registered.fault = "slow"
    first = worker(process_env).start()
    nudge.task("roaming.tasks.synchronise", connection_of(registered).pk)
    wait_for(lambda: any(seen.method == "PUT" for seen in registered.requests), 30)
    first.kill()
    registered.fault = ""
    Push.objects.filter(state="sent").update(lease_until=clock.now())

    second = worker(process_env).start()
    nudge.task("roaming.tasks.deliver", connection_of(registered).pk)

    wait_for(lambda: Push.objects.exclude(state="acked").count() == 0, 30)
    first.close()
    second.close()
    assert charger.location.uid in registered.books.locations


def test_the_demo_partner_registers_itself_and_keeps_that_across_restarts(server, process_env, tmp_path):
    connection, token_a = registration.issue_token_a("Demo eMSP")
    (tmp_path / "demo-partner-token").write_text(token_a)
    command = [
        "manage.py",
        "demo_partner",
        "--platform-url",
        server,
        "--state",
        str(tmp_path),
        "--tokens",
        "D-1",
    ]
    demo = Process(command, process_env, lambda process: "registered" in process.output())

    demo.start()
    wait_for(lambda: IdToken.objects.filter(uid="D-1", party_id="EMP").exists())
    demo.stop()
    (tmp_path / "demo-partner-token").unlink()
    IdToken.objects.all().delete()
    again = Process(command, process_env, lambda process: "shows what it receives" in process.output())
    again.start()
    wait_for(lambda: IdToken.objects.filter(uid="D-1").exists())

    connection.refresh_from_db()
    assert connection.is_registered
    assert (tmp_path / "demo-partner.json").stat().st_mode & 0o077 == 0
    demo.close()
    again.close()


def _status(partner, charger):
    return partner.books.locations[charger.location.uid]["evses"][0]["status"]


def _token(uid):
    return {
        "country_code": "NL", "party_id": "ABC", "uid": uid, "type": "RFID", "contract_id": "c", "issuer": "i",
        "valid": True, "whitelist": "ALWAYS", "last_updated": "2025-01-01T00:00:00Z",
    }  # fmt: skip
