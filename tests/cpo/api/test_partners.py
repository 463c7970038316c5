"""/partners/: registration with roaming partners, both ways, with a real one on a real socket."""

from collections.abc import Iterator
from typing import Any

import pytest

from roaming.models import Connection, Push
from tests import factories
from tests.emsp import Partner

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def platform(live_server: Any, settings: Any) -> str:
    settings.PUBLIC_URL = live_server.url
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    settings.OCPI_TIMEOUT_S = 2
    factories.operator()
    return str(live_server.url)


@pytest.fixture
def partner() -> Iterator[Partner]:
    emsp = Partner(party_id="ABC", name="Bo's roaming").start()
    yield emsp
    emsp.stop()


def invite(api, platform: str, partner: Partner) -> Any:
    """Register the partner with us, the way a person at each end would."""
    made = api.post("partners/", {"name": partner.name}, expect=201)
    partner.register(made["our_versions_url"], made["token_a"])
    return made


def test_it_invites_a_partner_with_a_token_that_works_once(api, platform, partner):
    made = invite(api, platform, partner)

    shown = api.get(f"partners/{made['id']}/")
    assert (made["status"], shown["status"], shown["version"]) == ("invited", "registered", "2.2.1")
    assert {(p["role"], p["country_code"], p["party_id"]) for p in shown["parties"]} == {
        ("EMSP", "NL", "ABC")
    }
    assert made["token_a"] not in str(shown)


def test_it_registers_with_a_partner(api, platform, partner):
    body = {"name": "Bo", "versions_url": f"{partner.base}/ocpi/versions", "token": partner.invite()}

    made = api.post("partners/", body, expect=201)

    assert (made["status"], made["token_a"]) == ("registered", None)
    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations").http == 200


def test_it_says_so_when_the_partners_platform_fails_and_can_try_again(api, platform, partner):
    body = {"name": "Bo", "versions_url": f"{partner.base}/ocpi/versions", "token": partner.invite()}
    partner.fault = lambda seen: "drop" if seen.method == "POST" else ""

    error = api.post("partners/", body, expect=422)["error"]
    partner.fault = ""

    assert error["code"] == "handshake_failed"
    assert api.get("partners/")["results"][0]["status"] == "prepared"
    assert api.post("partners/", body, expect=201)["status"] == "registered"


def test_it_does_not_register_twice(api, platform, partner):
    invite(api, platform, partner)

    assert api.post("partners/", {"name": partner.name}, expect=409)["error"]["code"] == "already_registered"


def test_it_pauses_resumes_rotates_and_ends(api, platform, partner):
    path = f"partners/{invite(api, platform, partner)['id']}/"

    assert api.post(f"{path}pause/")["is_paused"] is True
    assert api.post(f"{path}resume/")["is_paused"] is False
    assert api.post(f"{path}rotate/")["status"] == "registered"
    assert api("DELETE", path).status_code == 204
    assert api.get(path)["status"] == "ended"
    assert api.post(f"{path}rotate/", expect=409)["error"]["code"] == "not_registered"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "Bo", "versions_url": "http://127.0.0.1:9/x"}, "token"),
        ({"name": "Bo", "token": "x"}, "versions_url"),
        ({"name": "Bo", "token": "x y", "versions_url": "https://emsp.example/x"}, "token"),
        ({"name": "Bo", "token": "x", "versions_url": "http://169.254.169.254/latest"}, "versions_url"),
        ({"name": "Bo", "token": "x", "versions_url": "file:///etc/passwd"}, "versions_url"),
        ({"name": "Bo", "profile": "nobody's"}, "profile"),
    ],
)
def test_it_names_the_field_that_is_wrong(api, body, field):
    assert field in api.post("partners/", body, expect=400)["error"]["fields"]


def test_it_shows_the_push_queue(api, platform, partner):
    made = invite(api, platform, partner)
    moment = Connection.objects.get().created_at
    row = {"module": "locations", "dirty_version": 1, "next_try_at": moment, "marked_at": moment}
    Push.objects.create(connection_id=made["id"], object_key="depot", object_id=1, **row)
    Push.objects.create(connection_id=made["id"], object_key="gone", object_id=2, state="dead", **row)

    queue = api.get(f"partners/{made['id']}/pushes/")["results"]
    assert [(push["object_key"], push["state"]) for push in queue] == [("gone", "dead"), ("depot", "due")]
    assert len(api.get(f"partners/{made['id']}/pushes/?state=dead")["results"]) == 1
    assert api.get("partners/")["results"][0]["pushes_waiting"] == 1
