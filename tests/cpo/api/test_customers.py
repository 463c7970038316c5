"""What stations know about customers, over the API: asked, told to few, deleted."""

import pytest

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import ChargingStation, Command, CustomerRequest, LocalListMark, UnlistedToken
from stations.services import customer_information
from tests import factories

pytestmark = pytest.mark.django_db
HASHES = {
    "hash_algorithm": "SHA256", "issuer_name_hash": "aa", "issuer_key_hash": "bb", "serial_number": "0C",
}  # fmt: skip


@pytest.fixture(autouse=True)
def ada():
    factories.token("BO-1")
    return factories.station("ADA-1", is_online=True, ocpp_version="2.1")


def told(ada, text: str = "Bo lives in Utrecht", **who) -> CustomerRequest:
    row = customer_information.ask(ada, **(who or {"identifier": "Bo"}))
    customer_information.take_part(
        ada, request_id=row.request_id, seq_no=0, is_last=True, text=text, generated_at=clock.now()
    )
    return row


def test_a_station_is_asked_and_its_answer_shown(api, ada):
    made = api.post("stations/ADA-1/customer-information/", {"identifier": "Bo"}, expect=202)
    assert (made["state"], made["reference_kind"]) == ("requested", "identifier")
    assert Command.objects.get().payload["customerIdentifier"] == "Bo"

    row = told(ada)
    shown = api.get(f"customer-information/{row.uid}/")
    assert (shown["told"], shown["reference"]) == ("Bo lives in Utrecht", {"identifier": "Bo"})
    assert AuditEvent.objects.get(action="customer.view").object_id == row.uid


def test_lists_tell_nothing_personal(api, ada):
    told(ada)

    [found] = api.get("stations/ADA-1/customer-information/?state=done")["results"]
    assert found["state"] == "done"
    assert not {"told", "reference"} & set(found)


def test_what_is_kept_is_encrypted(ada):
    row = told(ada)
    row.refresh_from_db()

    assert "Bo" not in row.reference
    assert "Utrecht" not in row.parts.get().text


@pytest.mark.parametrize("role", ["viewer", "support", "finance", "auditor"])
def test_who_has_nothing_to_do_with_customers_sees_nothing(client_of, ada, role):
    row = told(ada)

    assert client_of(role)("GET", f"customer-information/{row.uid}/").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id_token": "BO-1", "identifier": "Bo"},
        {"id_token": "BO-1", "report": False},
        {"certificate": HASHES | {"hash_algorithm": "MD5"}},
        {"certificate": HASHES | {"serial_number": ""}},
    ],
    ids=["nobody", "two", "nothing to do", "hash", "incomplete"],
)
def test_a_question_that_makes_no_sense_is_refused(api, body):
    """N09.FR.04, N09.FR.07, N09.FR.09."""
    api.post("stations/ADA-1/customer-information/", body, expect=400)

    assert not CustomerRequest.objects.exists()


def test_it_is_deleted_before_its_time(api, ada):
    row = told(ada)
    assert api.post(f"customer-information/{row.uid}/forget/", {}, expect=200)["forgotten_at"]

    shown = api.get(f"customer-information/{row.uid}/")
    assert (shown["told"], shown["reference"]) == ("", {})


def test_it_is_deleted_after_its_time(ada, settings):
    row = told(ada)
    settings.CUSTOMER_INFORMATION_RETENTION_DAYS = 0

    assert customer_information.sweep() == 1
    row.refresh_from_db()
    assert (row.reference, row.parts.count(), row.forgotten_at is not None) == ("", 0, True)


def test_what_comes_after_that_is_not_kept(ada, settings):
    row = told(ada)
    customer_information.forget(row)
    part = {"request_id": row.request_id, "seq_no": 1, "is_last": True, "text": "x"}

    assert customer_information.take_part(ada, **part, generated_at=clock.now()) is None


def test_a_question_on_its_way_is_cancelled(api, ada):
    row = customer_information.ask(ada, identifier="Bo")
    api.post(f"customer-information/{row.uid}/forget/", {}, expect=409)

    assert api.post(f"customer-information/{row.uid}/cancel/", {}, expect=200)["state"] == "cancelled"
    api.post(f"customer-information/{row.uid}/cancel/", {}, expect=409)


def test_a_report_of_which_no_more_comes_is_incomplete(ada):
    row = customer_information.ask(ada, identifier="Bo")
    long_ago = clock.now() - customer_information.QUIET * 2
    CustomerRequest.objects.update(state="receiving", changed_at=long_ago)

    customer_information.sweep()
    row.refresh_from_db()
    assert (row.state, row.reason) == ("incomplete", "nothing more came")


def test_a_token_that_was_cleared_is_listed_again(api, ada):
    row = customer_information.ask(ada, id_token="bo-1", clear=True)
    customer_information.accepted(row)
    assert api.get("stations/ADA-1/unlisted-tokens/")["results"][0]["uid"] == "BO-1"
    LocalListMark.objects.all().delete()

    api("DELETE", "stations/ADA-1/unlisted-tokens/BO-1/")
    assert not UnlistedToken.objects.exists()
    assert LocalListMark.objects.exists()
    assert api("DELETE", "stations/ADA-1/unlisted-tokens/BO-1/").status_code == 404


def test_a_1_6_station_cannot_be_asked(api, ada):
    ChargingStation.objects.update(ocpp_version="1.6")

    api.post("stations/ADA-1/customer-information/", {"identifier": "Bo"}, expect=400)
