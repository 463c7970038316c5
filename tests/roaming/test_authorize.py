"""May a partner's token charge? (OCPI 2.2.1 mod_tokens#WhitelistType and #Real-time authorization)"""

import time

import pytest
from django.core.cache import cache

from roaming import authorize
from roaming.models import Connection
from stations.models import IdToken
from stations.services import authorization
from tests.roaming.platform import network

pytestmark = pytest.mark.django_db


@pytest.fixture
def charger(platform):
    return network()


def push(partner, whitelist, *, valid=True):
    """Let the partner tell us about his driver's token."""
    assert partner.push_token("EMP-1", whitelist=whitelist, valid=valid).code == 1000
    return IdToken.objects.get(uid="EMP-1")


def asked(partner):
    return [
        seen for seen in partner.requests if seen.path.startswith("/ocpi/emsp/2.2.1/tokens/EMP-1/authorize")
    ]


@pytest.mark.parametrize("whitelist", ["ALWAYS", "ALLOWED"])
@pytest.mark.parametrize(("valid", "status"), [(True, "Accepted"), (False, "Blocked")])
def test_a_listed_token_is_decided_without_asking(partner, charger, whitelist, valid, status):
    push(partner, whitelist, valid=valid)

    decision = authorize.partner_token("emp-1", station=charger)

    assert (decision.status, decision.party, decision.auth_method) == (status, "NL*ABC", "WHITELIST")
    assert asked(partner) == []


@pytest.mark.parametrize("whitelist", ["ALLOWED_OFFLINE", "NEVER"])
def test_the_partner_is_asked_with_the_place_and_his_reference_is_kept(partner, charger, whitelist):
    push(partner, whitelist)

    decision = authorize.partner_token("EMP-1", station=charger)

    assert (decision.status, decision.auth_method) == ("Accepted", "AUTH_REQUEST")
    assert len(decision.authorization_reference) == 16
    assert asked(partner)[0].body["location_id"] == charger.location.uid
    assert asked(partner)[0].body["evse_uids"] == [charger.evses.get().uid]
    assert partner.violations == []


@pytest.mark.parametrize(
    ("said", "status"),
    [("ALLOWED", "Accepted"), ("BLOCKED", "Blocked"), ("EXPIRED", "Expired"), ("NO_CREDIT", "Blocked"),
     ("NOT_ALLOWED", "Blocked")],
)  # fmt: skip
def test_his_words_become_the_chargers_words(partner, charger, said, status):
    token = push(partner, "NEVER")
    partner.authorizes = lambda uid, place: {"allowed": said, "token": partner.drivers["EMP-1"]}

    assert authorize.partner_token("EMP-1", station=charger).status == status
    assert token.status == "Accepted"


def test_a_blocked_token_that_must_be_asked_for_is_asked_for(partner, charger):
    push(partner, "NEVER", valid=False)
    fresh = partner.drivers["EMP-1"] | {"valid": True, "last_updated": "2099-01-01T00:00:00Z"}
    partner.authorizes = lambda uid, place: {"allowed": "ALLOWED", "token": fresh}

    assert authorize.partner_token("EMP-1", station=charger).status == "Accepted"
    assert IdToken.objects.get(uid="EMP-1").status == "Accepted"


def test_a_token_that_he_does_not_know_any_more_is_invalid(partner, charger):
    push(partner, "ALLOWED_OFFLINE")
    partner.drivers.clear()

    assert authorize.partner_token("EMP-1", station=charger).status == "Invalid"


@pytest.mark.parametrize("fault", ["500", "garbage", "drop", "hang", "auth-fail", "3000"])
@pytest.mark.parametrize(("whitelist", "status"), [("ALLOWED_OFFLINE", "Accepted"), ("NEVER", "Invalid")])
def test_when_he_does_not_answer_the_whitelist_decides_in_time(
    partner, charger, settings, fault, whitelist, status
):
    settings.OCPI_AUTHORIZE_S = 0.5
    push(partner, whitelist)
    partner.fault = fault
    started = time.monotonic()

    decision = authorize.partner_token("EMP-1", station=charger)

    assert decision.status == status
    assert decision.party == "NL*ABC"
    assert time.monotonic() - started < 3


def test_a_partner_in_trouble_is_not_waited_for(partner, charger, settings):
    settings.OCPI_AUTHORIZE_S = 0.2
    push(partner, "ALLOWED_OFFLINE")
    partner.fault = "hang"
    for _ in range(4):
        authorize.partner_token("EMP-1", station=charger)
    tries = len(asked(partner))

    assert authorize.partner_token("EMP-1", station=charger).status == "Accepted"

    assert len(asked(partner)) == tries == 3


def test_an_answer_counts_for_a_minute_at_that_place(partner, charger):
    push(partner, "NEVER")
    first = authorize.partner_token("EMP-1", station=charger)
    again = authorize.partner_token("EMP-1", station=charger)
    elsewhere = authorize.partner_token("EMP-1", station=network())

    assert first.authorization_reference == again.authorization_reference
    assert elsewhere.authorization_reference != first.authorization_reference
    assert len(asked(partner)) == 2


def test_an_unknown_token_is_nobodys(partner, charger):
    assert authorize.partner_token("NOBODY", station=charger) is None


def test_a_token_of_a_partner_who_left_opens_nothing(partner, charger):
    push(partner, "ALWAYS")
    partner.unregister()

    assert authorize.partner_token("EMP-1", station=charger) is None
    assert authorization.authorize("EMP-1", station=charger).status == "Invalid"


def test_the_charger_is_answered_through_the_port_of_stations(partner, charger):
    push(partner, "ALLOWED")

    decision = authorization.authorize("EMP-1", station=charger)

    assert (decision.status, decision.party) == ("Accepted", "NL*ABC")


def test_a_paused_partner_is_still_asked_for_his_drivers(partner, charger):
    push(partner, "NEVER")
    Connection.objects.update(is_paused=True)
    cache.clear()

    assert authorize.partner_token("EMP-1", station=charger).status == "Accepted"
