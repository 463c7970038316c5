"""Registration with the platform as receiver and as sender (OCPI 2.2.1 credentials)."""

import threading

import pytest

from roaming import registration
from roaming.handshake import HandshakeFailed
from roaming.models import Connection, InboundToken, RemoteParty
from stations.models import ReviewItem
from tests import factories
from tests.emsp import Partner, Refused
from tests.roaming.platform import connection_of, register

pytestmark = pytest.mark.django_db


def test_a_partner_registers_with_token_a_and_is_called_back(partner):
    connection = connection_of(partner)

    assert connection.status == "registered"
    assert connection.version == "2.2.1"
    assert [str(party) for party in connection.parties.all()] == ["NL*ABC (EMSP)"]
    assert [(seen.method, seen.module) for seen in partner.requests] == [("GET", "versions")] * 2
    assert partner.violations == []


def test_tokens_are_kept_hashed_and_encrypted(partner):
    connection = connection_of(partner)
    stored = InboundToken.objects.get(connection=connection, purpose="access")

    assert partner.token_out not in stored.digest
    assert stored.digest != partner.token_out
    assert next(iter(partner.token_in)) not in connection.token_out
    assert connection.token_we_send_them in partner.token_in


def test_attack_o3_token_a_opens_versions_and_credentials_only(platform, partners):
    partner = partners()
    _, token_a = registration.issue_token_a("A")

    assert partner.ask("GET", f"{platform}/ocpi/versions", token=token_a).http == 200
    assert partner.ask("GET", f"{platform}/ocpi/2.2.1", token=token_a).http == 200
    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations", token=token_a).http == 401
    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations", token=token_a).code == 2001


def test_attack_o3_token_a_is_void_once_token_c_is_used(platform, partners):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    partner.register(f"{platform}/ocpi/versions", token_a)

    assert partner.ask("GET", f"{platform}/ocpi/versions").http == 200

    assert partner.ask("GET", f"{platform}/ocpi/versions", token=token_a).http == 401
    assert partner.ask("POST", partner.credentials_url, partner.credentials("x"), token=token_a).http == 401


def test_a_registration_whose_answer_was_lost_is_repeated_with_token_a(platform, partners):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    partner.register(f"{platform}/ocpi/versions", token_a)
    lost = partner.token_out

    partner.register(f"{platform}/ocpi/versions", token_a)

    assert partner.ask("GET", f"{platform}/ocpi/versions").http == 200
    assert partner.ask("GET", f"{platform}/ocpi/versions", token=lost).http == 401
    assert connection_of(partner).token_we_send_them in partner.token_in


def test_a_second_post_of_a_registered_partner_is_405_with_what_is_allowed(partner):
    partner.ask("GET", partner.credentials_url)

    answer = partner.ask("POST", partner.credentials_url, partner.credentials("b" * 20))

    assert answer.http == 405
    assert answer.headers["allow"] == "GET, PUT, DELETE"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_put_and_delete_before_registration_are_405_with_what_is_allowed(platform, partners, method):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)

    answer = partner.ask(
        method, f"{platform}/ocpi/2.2.1/credentials", partner.credentials("b" * 20), token=token_a
    )

    assert answer.http == 405
    assert answer.headers["allow"] == "GET, POST"


def test_get_gives_our_own_parties_and_the_token_that_was_shown(partner):
    factories.operator("DE", "TWO", name="Second")

    answer = partner.ask("GET", partner.credentials_url)

    assert answer.data["token"] == partner.token_out
    assert {role["party_id"] for role in answer.data["roles"]} == {"OPN", "TWO"}
    assert answer.data["url"].endswith("/ocpi/versions/")


def test_a_rotation_accepts_the_old_token_until_the_new_one_is_used(partner, platform):
    old = partner.token_out
    partner.rotate()

    assert partner.ask("GET", f"{platform}/ocpi/versions", token=old).http == 200
    assert partner.ask("GET", f"{platform}/ocpi/versions").http == 200

    assert partner.ask("GET", f"{platform}/ocpi/versions", token=old).http == 401
    assert connection_of(partner).token_we_send_them in partner.token_in
    assert partner.violations == []


def test_a_rotation_fetches_changed_endpoints(partner):
    partner.modules = ("cdrs",)

    partner.rotate()

    assert connection_of(partner).push_modules == ["cdrs"]


def test_a_failed_rotation_changes_nothing(partner, platform):
    before = connection_of(partner).token_out
    offered = partner.credentials("n" * 30) | {"url": "http://127.0.0.1:1/ocpi/versions"}

    answer = partner.ask("PUT", partner.credentials_url, offered)

    assert (answer.http, answer.code) == (200, 3001)
    assert connection_of(partner).token_out == before
    assert partner.ask("GET", f"{platform}/ocpi/versions").http == 200


def test_unregistering_ends_every_token_and_party(partner, platform):
    token = partner.token_out

    assert partner.ask("DELETE", partner.credentials_url).code == 1000

    connection = connection_of(partner)
    assert connection.status == "ended"
    assert connection.token_out == ""
    assert not connection.parties.active().exists()
    assert partner.ask("GET", f"{platform}/ocpi/versions", token=token).http == 401


def test_attack_o4_a_revoked_token_is_refused_at_once(partner, platform):
    assert partner.ask("GET", f"{platform}/ocpi/versions").http == 200

    registration.revoke(connection_of(partner))

    assert partner.ask("GET", f"{platform}/ocpi/versions").http == 401


def test_an_unreachable_platform_is_3001_and_leaves_token_a_usable(platform, partners):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    partner.fault = "500"

    with pytest.raises(Refused, match="3001"):
        partner.register(f"{platform}/ocpi/versions", token_a)

    partner.fault = ""
    partner.register(f"{platform}/ocpi/versions", token_a)
    assert connection_of(partner).is_registered


def test_a_partner_without_our_version_is_3002(platform, partners):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    partner.offers = "2.0"

    with pytest.raises(Refused, match="3002"):
        partner.register(f"{platform}/ocpi/versions", token_a)


def test_a_partner_without_credentials_endpoint_is_3003(platform, partners, monkeypatch):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    monkeypatch.setattr(partner, "details", lambda: {"version": "2.2.1", "endpoints": []})

    with pytest.raises(Refused, match="3003"):
        partner.register(f"{platform}/ocpi/versions", token_a)


@pytest.mark.parametrize(
    "endpoints",
    [
        [{"identifier": "cdrs", "role": "RECEIVER", "url": "https://x.example/"}] * 10_000,
        [{"identifier": "credentials", "role": "SENDER", "url": "ftp://x.example/"}],
        [{"identifier": "credentials", "role": "SENDER", "url": "{platform}/ocpi/2.2.1/credentials"}],
        "credentials",
    ],
    ids=["ten thousand", "not http", "ourselves", "no list"],
)
def test_attack_o16_endpoint_lists_that_make_no_sense_are_refused(platform, partners, monkeypatch, endpoints):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    if isinstance(endpoints, list):
        endpoints = [e | {"url": e["url"].replace("{platform}", platform)} for e in endpoints]
    monkeypatch.setattr(partner, "details", lambda: {"version": "2.2.1", "endpoints": endpoints})

    with pytest.raises(Refused, match="3001"):
        partner.register(f"{platform}/ocpi/versions", token_a)

    assert not connection_of(partner).is_registered


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"token": "has space"}, "token"),
        ({"token": "x" * 65}, "token"),
        ({"token": None}, "token"),
        ({"roles": []}, "roles"),
        ({"url": 7}, "3001"),
        ({"roles": [{"role": "EMSP", "party_id": "TOOLONG", "country_code": "NL"}]}, "party_id"),
    ],
)
def test_credentials_that_are_wrong_are_refused_with_the_place(platform, partners, change, fault):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    body = {**partner.credentials("b" * 30), **change}

    answer = partner.ask("POST", f"{platform}/ocpi/2.2.1/credentials", body, token=token_a)

    assert answer.http == 200
    assert fault in f"{answer.code} {answer.body['status_message']}"
    assert not connection_of(partner).is_registered


def test_a_party_that_another_connection_serves_is_refused_and_reported(partner, platform, partners):
    twin = partners()
    twin.name = "Somebody else"
    _, token_a = registration.issue_token_a(twin.name)

    with pytest.raises(Refused, match="another connection"):
        twin.register(f"{platform}/ocpi/versions", token_a)

    assert connection_of(twin).status == "invited"
    assert ReviewItem.objects.filter(kind="partner_refused", summary__contains="NL*ABC").exists()
    assert RemoteParty.objects.active().get().connection == connection_of(partner)


def test_a_partner_with_raw_tokens_is_understood_and_answered_in_kind(platform, partners):
    partner = register(platform, partners(encodes=False))

    connection = connection_of(partner)

    assert connection.auth_encoding == "raw"
    assert partner.ask("GET", f"{platform}/ocpi/versions").http == 200
    assert connection.inbound_tokens.get(purpose="access").encoding == "raw"


def test_we_register_at_a_partner_with_his_token_a(platform, partners):
    partner = partners()
    url = f"{partner.base}/ocpi/versions"
    connection = registration.prepare(partner.name, versions_url=url, token_a=partner.invite())

    registration.register_with(connection)

    assert connection_of(partner).is_registered
    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations").http == 200
    assert partner.violations == []
    assert partner.token_a == ""


def test_registering_at_a_partner_can_be_repeated_after_a_failure(platform, partners):
    partner = partners()
    url = f"{partner.base}/ocpi/versions"
    connection = registration.prepare(partner.name, versions_url=url, token_a=partner.invite())
    partner.fault = lambda seen: "drop" if seen.method == "POST" else ""

    with pytest.raises(HandshakeFailed):
        registration.register_with(connection)

    partner.fault = ""
    registration.register_with(connection)
    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations").http == 200


def test_we_rotate_our_tokens_at_a_partner(partner, platform):
    old_out, old_in = partner.token_out, set(partner.token_in)

    registration.rotate(connection_of(partner))

    assert partner.token_out != old_out
    assert partner.token_in.isdisjoint(old_in)
    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations").http == 200


def test_we_unregister_at_a_partner(partner):
    answer = registration.unregister(connection_of(partner))

    assert answer.is_ok
    assert partner.token_in == set()
    assert connection_of(partner).status == "ended"


def test_two_registrations_at_once_leave_one_truth(platform, partners):
    partner = partners()
    _, token_a = registration.issue_token_a(partner.name)
    partner.fault = "slow"
    clones = [Partner(party_id="ABC", name=partner.name).start() for _ in range(2)]
    outcomes: list[str] = []

    def attempt(clone: Partner) -> None:
        try:
            clone.register(f"{platform}/ocpi/versions", token_a)
            outcomes.append("registered")
        except Refused as refused:
            outcomes.append(str(refused))

    threads = [threading.Thread(target=attempt, args=[clone]) for clone in clones]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert outcomes.count("registered") >= 1
    connection = connection_of(partner)
    assert sum(connection.token_we_send_them in clone.token_in for clone in clones) == 1
    assert connection.inbound_tokens.filter(purpose="access").count() == 1
    [clone.stop() for clone in clones]


def test_a_new_token_a_voids_the_one_before(platform, partners):
    partner = partners()
    _, first = registration.issue_token_a(partner.name)
    _, second = registration.issue_token_a(partner.name)

    assert partner.ask("GET", f"{platform}/ocpi/versions", token=first).http == 401
    assert partner.ask("GET", f"{platform}/ocpi/versions", token=second).http == 200
    assert Connection.objects.count() == 1
