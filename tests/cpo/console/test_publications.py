"""Published firmware and questions about customers in the console: forms, what came of them, what is kept quiet."""

import pytest

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import (
    ChargingStation,
    Command,
    CustomerRequest,
    FirmwarePublication,
    FirmwareUpdate,
    UnlistedToken,
)
from stations.services import customer_information, firmware_publications
from tests import factories, signing
from tests.stories.files import image

pytestmark = pytest.mark.django_db
MAKER = signing.maker()


@pytest.fixture
def controller(settings, tmp_path):
    """A local controller at one site with a station that an image fits."""
    settings.FILES_ROOT = tmp_path
    facts = {"location": factories.location(), "is_online": True, "ocpp_version": "2.0.1"}
    factories.station("ADA-1", vendor="OpenCPO", **facts)
    return factories.station("LC-1", vendor="Volt", **facts)


def published(controller) -> FirmwarePublication:
    row = firmware_publications.publish(controller, image(MAKER))
    where = ["https://192.0.2.7/2.bin"]
    firmware_publications.status(
        controller, status="Published", request_id=row.request_id, locations=where, now=row.requested_at
    )
    return row


def tab(client, station: str, name: str) -> str:
    return client.get(f"/stations/{station}/?tab={name}").content.decode()


def test_firmware_is_published_on_a_local_controller(ada, controller):
    wanted = image(MAKER)
    page = ada.post("/stations/LC-1/publish/", {"image": wanted.uid, "retries": "2"}, follow=True)

    assert "The controller is asked to fetch and publish it." in page.content.decode()
    assert Command.objects.get().payload["retries"] == 2
    assert AuditEvent.objects.get(object_id="LC-1").facts["image"] == wanted.uid


def test_what_is_published_is_shown_and_taken_back(ada, controller):
    row = published(controller)
    assert "https://192.0.2.7/2.bin" in tab(ada, "LC-1", "publications")

    ada.post(f"/firmware/publications/{row.uid}/unpublish/")
    assert Command.objects.get(action="UnpublishFirmware").payload == {"checksum": row.checksum}


def test_a_publication_on_its_way_is_given_up(ada, controller):
    row = firmware_publications.publish(controller, image(MAKER))
    ada.post(f"/firmware/publications/{row.uid}/cancel/")
    again = ada.post(f"/firmware/publications/{row.uid}/cancel/", follow=True).content.decode()

    assert FirmwarePublication.objects.get().state == "cancelled"
    assert "the publication has already ended" in again


def test_stations_behind_it_are_updated(ada, controller):
    row = published(controller)
    body = {"publication": row.uid, "stations": ["ADA-1"]}
    page = ada.post("/stations/LC-1/publication-updates/", body, follow=True).content.decode()

    assert "The updates are on their way" in page
    assert FirmwareUpdate.objects.get().location == "https://192.0.2.7/2.bin"


def test_a_station_elsewhere_is_no_choice(ada, controller):
    row = published(controller)
    factories.station("BO-9", vendor="OpenCPO", is_online=True, ocpp_version="2.0.1")
    body = {"publication": row.uid, "stations": ["BO-9"]}
    page = ada.post("/stations/LC-1/publication-updates/", body, follow=True).content.decode()

    assert "Stations: Select a valid choice" in page
    assert not FirmwareUpdate.objects.exists()


def test_a_controller_that_is_offline_can_be_waited_for(ada, controller):
    ChargingStation.objects.update(is_online=False)
    wanted = image(MAKER)
    page = ada.post("/stations/LC-1/publish/", {"image": wanted.uid}, follow=True).content.decode()
    assert "Tick the box to let it wait" in page

    ada.post("/stations/LC-1/publish/", {"image": wanted.uid, "queue": "yes"})
    assert FirmwarePublication.objects.count() == 1


def told(station: ChargingStation, text: str = "Bo lives in Utrecht") -> CustomerRequest:
    row = customer_information.ask(station, identifier="Bo")
    customer_information.take_part(
        station, request_id=row.request_id, seq_no=0, is_last=True, text=text, generated_at=clock.now()
    )
    return row


def test_a_station_is_asked_about_a_customer(ada, controller):
    body = {"id_token": "BO-1", "report": "on", "clear": "on"}
    ada.post("/stations/LC-1/customers/", body)

    payload = Command.objects.get().payload
    assert (payload["report"], payload["clear"], payload["idToken"]["idToken"]) == (True, True, "BO-1")


def test_a_certificate_is_meant_by_its_hashes(ada, controller):
    hashes = {"issuer_name_hash": "aa", "issuer_key_hash": "bb", "serial_number": "0C"}
    ada.post("/stations/LC-1/customers/", {"report": "on", "hash_algorithm": "SHA512"} | hashes)

    assert Command.objects.get().payload["customerCertificate"]["hashAlgorithm"] == "SHA512"


def test_a_question_about_two_customers_at_once_is_refused(ada, controller):
    body = {"id_token": "BO-1", "identifier": "Bo", "report": "on"}
    page = ada.post("/stations/LC-1/customers/", body, follow=True).content.decode()

    assert "exactly one of a token, a certificate and an identifier" in page
    assert not CustomerRequest.objects.exists()


def test_what_was_told_is_read_on_a_page_of_its_own_and_recorded(ada, controller):
    row = told(controller)
    assert "Utrecht" not in tab(ada, "LC-1", "customers")

    assert "Bo lives in Utrecht" in ada.get(f"/customers/{row.uid}/").content.decode()
    assert AuditEvent.objects.get(action="customer.view").object_id == row.uid


def test_what_was_told_is_deleted(ada, controller):
    row = told(controller)
    ada.post(f"/customers/{row.uid}/forget/")

    assert "Utrecht" not in ada.get(f"/customers/{row.uid}/").content.decode()
    assert "deleted" in tab(ada, "LC-1", "customers")


def test_a_question_is_waited_for_no_longer(ada, controller):
    row = customer_information.ask(controller, identifier="Bo")
    ada.post(f"/customers/{row.uid}/cancel/")

    assert CustomerRequest.objects.get().state == "cancelled"


def test_support_does_not_read_about_customers(person, controller):
    row = told(controller)
    support = person("support")

    assert support.get("/stations/LC-1/?tab=customers").status_code == 404
    assert support.get(f"/customers/{row.uid}/").status_code == 403


def test_a_token_that_was_cleared_is_listed_again(ada, controller):
    token = UnlistedToken.objects.create(station=controller, uid="BO-1", since=clock.now())
    assert "BO-1" in tab(ada, "LC-1", "customers")
    ada.post(f"/stations/LC-1/unlisted/{token.pk}/again/")

    assert not UnlistedToken.objects.exists()


def test_the_form_of_a_log_offers_what_the_version_has(ada, controller):
    assert "DataCollectorLog" not in tab(ada, "LC-1", "files")

    ChargingStation.objects.update(ocpp_version="2.1")
    assert "DataCollectorLog" in tab(ada, "LC-1", "files")
