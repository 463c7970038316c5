"""Who may do what, and who sees which rows (design: console roles)."""

import pytest
from django.contrib.auth.models import AnonymousUser, User

from cpo import access
from cpo.access import Principal
from cpo.models import Membership, Role
from tests import factories

pytestmark = pytest.mark.django_db

# Role -> what it may do beside looking.
MAY = {
    "viewer": set(),
    "support": {
        "firmware.view", "log.view", "log.request",
        "message.view", "command.safe", "onboarding.view", "review.resolve", "token.write",
        "reservation.write", "site_power.meter",
    },
    "operator": {
        "firmware.view", "firmware.library", "firmware.update", "log.view", "log.request",
        "customer.view", "customer.request",
        "message.view", "command.safe", "command.dangerous", "station.write", "location.write", "onboarding.view",
        "onboarding.accept", "session.close", "review.resolve", "token.write", "local_list.write",
        "session.correct", "session.release", "reservation.write", "certificate.revoke", "configuration.write",
        "charging_profile.write", "display.write", "station.security", "site_power.write", "site_power.meter",
        "payment.start",
    },
    "pricing": {"tariff.write"},
    "finance": {"cdr.export", "cdr.credit", "payment.refund", "review.resolve", "session.correct", "session.release"},
    "roaming": {"partner.view", "partner.write"},
    "auditor": {
        "firmware.view", "log.view", "message.view", "onboarding.view", "cdr.export", "partner.view", "audit.view",
    },
    "admin": set(access.ACTIONS) - {"view"},
}  # fmt: skip


def user(name: str = "ada", **fields) -> User:
    return User.objects.create_user(name, **fields)


def member(role: str, *, operators=(), locations=(), name: str = "ada") -> Principal:
    row = Membership.objects.create(user=user(name), role=role)
    row.operators.set(operators)
    row.locations.set(locations)
    return Principal.of_user(row.user)


@pytest.mark.parametrize("role", Role.values)
def test_a_role_may_do_what_the_table_says_and_nothing_else(role):
    principal = member(role)

    assert {action for action in access.ACTIONS if access.may(principal, action)} == MAY[role] | {"view"}


def test_a_superuser_is_admin_of_everything_without_a_membership():
    principal = Principal.of_user(user(is_superuser=True))

    assert (principal.role, principal.is_network_wide) == (Role.ADMIN, True)


@pytest.mark.parametrize("fields", [{}, {"is_staff": True}, {"is_active": False, "is_superuser": True}])
def test_a_user_without_a_membership_may_do_and_see_nothing(fields):
    factories.session()
    nobody = Principal.of_user(user(**fields))

    assert not any(access.may(nobody, action) for action in access.ACTIONS)
    assert not access.stations(nobody).exists()
    assert not access.tokens(nobody).exists()


def test_nobody_may_do_and_see_nothing():
    factories.station()
    nobody = Principal.of_user(AnonymousUser())

    assert not access.may(nobody, "view")
    assert not access.stations(nobody).exists()


def test_an_unknown_action_is_a_mistake():
    with pytest.raises(KeyError):
        access.may(member("admin"), "dance")


@pytest.mark.parametrize("action", sorted(access.NETWORK_WIDE))
def test_what_belongs_to_no_operator_needs_the_whole_network(action):
    assert not access.may(member("admin", operators=[factories.operator()]), action)


def test_a_tariff_is_its_operators_as_a_whole():
    site = factories.location()

    assert access.may(member("pricing", operators=[site.operator]), "tariff.write")
    assert not access.may(member("pricing", locations=[site], name="bo"), "tariff.write")


def test_an_operators_people_see_its_stations_only():
    ours, theirs = factories.station(), station_of("TWO")

    principal = member("viewer", operators=[ours.location.operator])

    assert list(access.stations(principal)) == [ours]
    assert access.stations(access.NETWORK).count() == 2
    assert theirs not in access.stations(principal)


def test_a_site_hosts_people_see_one_location_only():
    here, there = factories.station(), factories.station()
    mine, _ = factories.session(here), factories.session(there)

    host = member("viewer", locations=[here.location])

    assert list(access.locations(host)) == [here.location]
    assert list(access.stations(host)) == [here]
    assert list(access.sessions(host)) == [mine]
    assert list(access.operators(host)) == [here.location.operator]


def test_operator_and_location_must_both_fit():
    ours, theirs = factories.location(), factories.location(factories.operator(party_id="TWO"))

    principal = member("viewer", operators=[ours.operator], locations=[theirs])

    assert not access.locations(principal).exists()


def test_a_station_without_a_location_is_seen_by_the_whole_network_only():
    factories.station(location=None)

    assert access.stations(member("viewer")).count() == 1
    assert not access.stations(member("viewer", operators=[factories.operator()], name="bo")).exists()


def test_a_limited_principal_sees_the_tokens_that_charged_with_him():
    bo, cy = factories.token("BO-1"), factories.token("CY-1")
    ours = factories.station()
    factories.session(ours, token=bo)
    factories.session(station_of("TWO"), token=cy)

    assert list(access.tokens(member("viewer", operators=[ours.location.operator]))) == [bo]


def test_it_reads_a_grant_in_one_query(django_assert_num_queries):
    member("viewer", operators=[factories.operator(), factories.operator(party_id="TWO")])
    ada = User.objects.get()

    with django_assert_num_queries(1):
        assert len(Principal.of_user(ada).operator_ids) == 2


@pytest.mark.parametrize(
    ("action", "payload", "permission"),
    [
        ("Reset", {"type": "Soft"}, "command.safe"),
        ("Reset", {"type": "Hard"}, "command.dangerous"),
        ("Reset", {"type": "Immediate"}, "command.dangerous"),
        ("Reset", ["Soft"], "command.dangerous"),
        ("Reset", {"type": ["Soft"]}, "command.dangerous"),
        ("TriggerMessage", {}, "command.safe"),
        ("UnlockConnector", {}, "command.safe"),
        ("RemoteStopTransaction", {}, "command.safe"),
        ("ChangeConfiguration", {}, "command.dangerous"),
        ("GetDiagnostics", {}, "command.dangerous"),
        ("Unheard", {}, "command.dangerous"),
    ],
)
def test_it_knows_the_commands_that_support_may_give(action, payload, permission):
    assert access.command_action(action, payload) == permission


def station_of(party_id: str):
    return factories.station(location=factories.location(factories.operator(party_id=party_id)))
