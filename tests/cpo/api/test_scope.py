"""What is another operator's does not exist: every route with every object of theirs (design: W10-W13).

The cases are made from the URL patterns; a new route without its line in `THEIRS` fails.
"""

from datetime import timedelta

import pytest

from billing.models import Payment
from billing.services import cdrs
from cpo.lib import clock
from roaming import registration
from stations.models import (
    Command,
    CustomerRequest,
    FirmwarePublication,
    FirmwareUpdate,
    OnboardingStation,
    StationCertificate,
)
from stations.services import (
    configuration_templates,
    diagnostics,
    firmware_library,
    profile_templates,
    reservations,
    review,
    root_certificates,
    security,
)
from tests import factories, pki
from tests.cpo.api.routes import ROUTES

pytestmark = pytest.mark.django_db

PUBLIC = {"root"}  # of no operator, and no secret
NETWORK_WIDE = {"partner", "onboarding", "audit", "firmware"}  # 403: these belong to no operator
REFUSED_CHANGES = {
    "operator": {"token"},
    "location": {"token", "tariff", "charging"},
}  # 403 before anything is looked up


@pytest.fixture
def theirs():
    """One object of each kind of another operator, by the name of its place in a path."""
    site = factories.location(factories.operator(party_id="TWO"))
    charger = factories.station("TWO-1", location=site, is_online=True, ocpp_version="1.6")
    tariff = factories.tariff(at=site, uid="TWO-T", party_id="TWO")
    token = factories.token("TWO-ID")
    session = factories.session(charger, ended=True, token=token)
    now = clock.now()
    security.record(charger, type="TamperDetectionActivated", at=now, tech_info="", now=now)
    command = Command.objects.create(
        station=charger, action="Reset", created_at=now, expires_at=now + timedelta(hours=1)
    )
    OnboardingStation.objects.create(identity="NEW-1", remote_address="192.0.2.1", first_at=now, last_at=now)
    library = profile_templates.save(
        operator=site.operator, name="TWO evening", periods=[{"start_s": 0, "limit": "16"}]
    )
    wishes = configuration_templates.save(name="TWO wishes", values=[], location=site)
    image = firmware_library.describe(vendor="TWO", version="2", added_by="two")
    update = FirmwareUpdate.objects.create(
        station=charger,
        location="https://two.example/",
        request_id=1,
        retrieve_at=now,
        planned_at=now,
        changed_at=now,
    )
    return {
        "firmware": image.uid,
        "update": update.uid,
        "publication": FirmwarePublication.objects.create(
            station=charger, image=image, request_id=1, requested_at=now, changed_at=now
        ).uid,
        "customer": CustomerRequest.objects.create(
            station=charger, request_id=1, reference_kind="id_token", requested_at=now, changed_at=now
        ).uid,
        "log": diagnostics.request(charger).uid,
        "charging": library.uid,
        "site": site.uid,
        "configuration": wishes.pk,
        "location": site.uid,
        "station": charger.identity,
        "command": command.uid,
        "session": session.uid,
        "payment": Payment.objects.create(
            station=charger,
            source="kiosk",
            provider="gateway",
            currency="EUR",
            amount=1,
            created_at=now,
            last_updated=now,
        ).uid,
        "reservation": reservations.reserve(
            charger, id_token="TWO-ID", expires_at=now + timedelta(hours=1)
        ).reservation.uid,
        "token": token.uid,
        "tariff": tariff.uid,
        "assignment": tariff.assignments.get().pk,
        "cdr": cdrs.issue(session).uid,
        "item": review.raise_item("odd_readings", key="two", summary="odd", station=charger).pk,
        "certificate": StationCertificate.objects.create(
            station=charger, state="rejected", csr="TWO", common_name="TWO-1", requested_at=now
        ).pk,
        "root": root_certificates.add(pki.authority("Some root").pem, use="V2GRootCertificate").pk,
        "partner": registration.issue_token_a("Bo's roaming")[0].pk,
        "onboarding": "NEW-1",
    }


@pytest.fixture
def limited(client_of, theirs):
    """Give a client limited to the first operator, who has a site and nothing more."""
    factories.operator()
    site = factories.location(factories.operator())
    return {
        "operator": client_of("admin", operators=[site.operator]),
        "location": client_of("admin", locations=[site]),
    }


@pytest.mark.parametrize("limit", ["operator", "location"])
@pytest.mark.parametrize(("method", "path", "name"), [route for route in ROUTES if "{" in route[1]])
def test_an_object_of_another_operator_is_not_found(limited, theirs, method, path, name, limit):
    kind = name.split("-")[0] if name != "review-item-resolve" else "item"
    words = {"uid": theirs[kind], "identity": theirs[kind], "item_id": theirs["item"], "key": "X"}
    words |= {"fuse": "X", "number": "1", "message_id": "1"}
    words["template_id"] = theirs["configuration"]
    words |= {"certificate_id": theirs["certificate"], "root_id": theirs["root"], "flag": "ping_interval_s"}
    url = path.format(**words, partner_id=theirs["partner"], assignment_id=theirs["assignment"])
    body = {"action": "Reset", "payload": {"type": "Soft"}} if name == "station-commands" else {}

    answer = limited[limit](method, url, body)

    if kind in PUBLIC:
        assert answer.status_code == (200 if method == "GET" else 403)
        return
    refused = kind in NETWORK_WIDE or (method != "GET" and kind in REFUSED_CHANGES[limit])
    assert answer.status_code == (403 if refused else 404), answer.content


@pytest.mark.parametrize("limit", ["operator", "location"])
@pytest.mark.parametrize(("method", "path", "name"), [r for r in ROUTES if r[0] == "GET" and "{" not in r[1]])
def test_a_list_shows_nothing_of_another_operator(limited, theirs, method, path, name, limit):
    answer = limited[limit](method, path)

    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == (403 if name.split("-")[0].rstrip("s") in NETWORK_WIDE else 200)
    assert b"TWO" not in content


def test_the_same_objects_are_seen_by_who_is_limited_to_them(client_of, theirs):
    two = client_of("admin", operators=[factories.operator(party_id="TWO")])

    for path in (
        "stations/TWO-1/",
        f"sessions/{theirs['session']}/",
        f"cdrs/{theirs['cdr']}/",
        "tariffs/TWO-T/",
    ):
        assert two("GET", path).status_code == 200, path
    assert [row["uid"] for row in two.get("tokens/")["results"]] == ["TWO-ID"]


def test_a_station_of_another_operator_cannot_be_taken_over(limited, theirs):
    answer = limited["operator"]("POST", "stations/", {"id": "TWO-1", "password": "a-password-of-mine"})

    assert answer.status_code == 409


def test_a_station_cannot_be_moved_to_a_site_of_another_operator(limited, theirs):
    answer = limited["operator"]("POST", "stations/", {"id": "ONE-1", "location": theirs["location"]})

    assert answer.status_code == 400


def test_a_limited_token_cannot_make_a_station_without_a_place(limited):
    assert limited["operator"]("POST", "stations/", {"id": "ONE-1"}).status_code == 400


def test_a_tariff_cannot_be_saved_for_another_operator(limited):
    tariff = factories.tariff_data(party_id="TWO")

    assert limited["operator"]("POST", "tariffs/", tariff).status_code == 400


def test_a_location_of_another_operator_cannot_be_changed(limited, theirs):
    assert (
        limited["operator"]("POST", "locations/", {"id": theirs["location"], "name": "mine"}).status_code
        == 409
    )
