"""One domain, three versions: a partner of each is told the same, in his words, by a referee of his version."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import Cdr
from billing.services import cdrs
from cpo.lib import clock
from roaming import authorize, marks, pull
from roaming.models import Push
from stations.models import Connector, IdToken, ReviewItem
from stations.services import corrections, locations
from tests.roaming.platform import bill, connection_of, drive, network, register, send

pytestmark = pytest.mark.django_db
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")


@pytest.fixture(params=VERSIONS)
def partner(request, platform, partners):
    """Register NL*ABC, who speaks one version only."""
    return register(platform, partners(version=request.param))


def test_the_newest_common_version_is_agreed_and_the_endpoints_fit_it(partner):
    connection = connection_of(partner)

    assert connection.version == partner.version
    assert connection.endpoint("tokens", "SENDER") == f"{partner.base}/ocpi/emsp/{partner.version}/tokens/"
    assert connection.push_modules == ["cdrs", "locations", "sessions", "tariffs"]
    assert [party.key for party in connection.parties.all()] == ["NL*ABC"]
    assert partner.violations == []


def test_we_register_at_a_partner_of_any_version_and_rotate(platform, partners):
    from roaming import registration

    for number, version in enumerate(VERSIONS):
        partner = partners(f"P{number}A", version=version)
        prepared = registration.prepare(
            partner.name, versions_url=f"{partner.base}/ocpi/versions", token_a=partner.invite()
        )
        connection = registration.register_with(prepared)
        registration.rotate(connection)
        assert (connection.version, partner.is_registered, partner.violations) == (version, True, [])


def test_locations_tariffs_sessions_and_cdrs_are_pushed_without_a_fault(partner):
    charger = network(
        connectors=2, parking_type="ON_DRIVEWAY", facilities=["WIFI", "TRAM_STOP"], postal_code="1019 AB"
    )
    running = drive(charger, uid="EMP-2")
    cdr = bill(drive(charger, ended=True))

    send(partner)

    assert partner.violations == []
    assert set(partner.books.locations) == {charger.location.uid}
    assert set(partner.books.sessions) == {running.uid, cdr.session_uid}
    assert partner.books.cdrs[cdr.uid]["total_energy"] == Decimal("12.3455")
    assert len(partner.books.tariffs) == 1
    assert not Push.objects.exclude(state="acked").exists()


def test_the_amounts_are_the_same_in_all_versions(partner):
    cdr = bill(drive(network(), ended=True))

    send(partner)

    cost = partner.books.cdrs[cdr.uid]["total_cost"]
    before = cost if isinstance(cost, Decimal) else cost.get("before_taxes", cost.get("excl_vat"))
    assert before == Decimal("3.0865")
    assert before == cdr.total_before_taxes.quantize(Decimal("0.0001"))


def test_what_is_pushed_can_be_fetched(partner):
    charger = network()
    cdr = bill(drive(charger, ended=True))

    send(partner)

    since = "date_from=2000-01-01T00:00:00Z"
    assert partner.fetch_all("locations") == list(partner.books.locations.values())
    assert partner.fetch_all("cdrs") == [partner.books.cdrs[cdr.uid]]
    assert partner.fetch_all("sessions", since) == [partner.books.sessions[cdr.session_uid]]
    assert partner.fetch_all("tariffs") == list(partner.books.tariffs.values())
    assert partner.violations == []


def test_an_evse_that_changes_its_status_is_patched(partner):
    network()
    send(partner)

    moment = clock.now() + timedelta(seconds=1)
    Connector.objects.update(status="Charging", last_updated=moment)
    send(partner)

    (location,) = partner.books.locations.values()
    assert [evse["status"] for evse in location["evses"]] == ["CHARGING"]
    assert partner.requests[-1].method == "PATCH"
    assert partner.violations == []


def test_a_location_that_is_hidden_is_taken_back(partner):
    charger = network()
    send(partner)

    locations.save_location(charger.location.uid, publish=False)
    send(partner)

    (location,) = partner.books.locations.values()
    is_gone = location.get("publish") is False or [e["status"] for e in location["evses"]] == ["REMOVED"]
    assert is_gone
    assert partner.violations == []


def test_a_token_is_pushed_pulled_and_authorized(partner):
    charger = network()
    assert partner.push_token("EMP-1", whitelist="NEVER").code == 1000
    partner.drivers["EMP-2"] = partner.drivers["EMP-1"] | {"uid": "EMP-2"}

    pull.tokens(connection_of(partner), full=True)

    assert {token.uid: (token.country_code, token.party_id) for token in IdToken.objects.all()} == {
        "EMP-1": ("NL", "ABC"), "EMP-2": ("NL", "ABC"),
    }  # fmt: skip
    assert IdToken.objects.get(uid="EMP-2").contract_id.startswith("NL-ABC-C")
    assert authorize.partner_token("EMP-2", station=charger).status == "Accepted"
    assert partner.violations == []


def test_a_credit_that_the_version_lacks_is_an_operators_work(partner):
    session = drive(network(), ended=True)
    cdrs.bill([session.pk])
    send(partner)

    corrections.correct(session, energy_wh=Decimal(9000), reason="the meter was read on site", by="user:ada")
    cdrs.bill([session.pk])
    marks.cdrs(list(Cdr.objects.values_list("pk", flat=True)))
    send(partner)

    has_credits = partner.version != "2.1.1"
    assert (len(partner.books.cdrs) == 3) is has_credits
    assert ReviewItem.objects.filter(kind="partner_refused").exists() is not has_credits
    assert partner.violations == []
