"""Firmware on local controllers over the API: published, sent on to the stations behind, taken back."""

import pytest

from stations.models import ChargingStation, Command, FirmwarePublication, FirmwareUpdate
from stations.services import firmware_publications
from tests import factories, signing
from tests.stories.files import image

pytestmark = pytest.mark.django_db
MAKER = signing.maker()


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FILES_ROOT = tmp_path


@pytest.fixture
def site():
    """A local controller and a station behind it that the image fits."""
    site = factories.location()
    facts = {"location": site, "is_online": True, "ocpp_version": "2.0.1"}
    factories.station("LC-1", vendor="Volt", **facts)
    factories.station("ADA-1", vendor="OpenCPO", **facts)
    return image(MAKER)


def published(api, site) -> FirmwarePublication:
    made = api.post("stations/LC-1/firmware-publications/", {"image": site.uid}, expect=202)
    row = FirmwarePublication.objects.get(uid=made["id"])
    controller = ChargingStation.objects.get(identity="LC-1")
    for word, where in (("Downloading", []), ("Published", ["https://192.0.2.7/2.bin"])):
        firmware_publications.status(
            controller, status=word, request_id=row.request_id, locations=where, now=row.requested_at
        )
    return row


def test_an_image_is_published_and_shown(api, site):
    assert [found["id"] for found in api.get("stations/LC-1/publishable-images/")] == [site.uid]
    row = published(api, site)

    shown = api.get(f"firmware-publications/{row.uid}/")
    assert (shown["state"], shown["status"]) == ("published", "Published")
    assert shown["locations"] == ["https://192.0.2.7/2.bin"]
    assert [word["status"] for word in shown["history"]] == ["Requested", "Downloading", "Published"]
    assert api.get("firmware-publications/?station=LC-1&state=published")["results"][0]["id"] == row.uid


def test_an_image_is_published_once(api, site):
    published(api, site)

    api.post("stations/LC-1/firmware-publications/", {"image": site.uid}, expect=409)


def test_an_image_that_fits_no_station_of_the_site_is_not_published(api, site):
    ChargingStation.objects.filter(identity="ADA-1").update(vendor="Other")

    api.post("stations/LC-1/firmware-publications/", {"image": site.uid}, expect=400)


def test_a_1_6_station_cannot_publish(api, site):
    ChargingStation.objects.filter(identity="LC-1").update(ocpp_version="1.6")

    api.post("stations/LC-1/firmware-publications/", {"image": site.uid}, expect=400)


def test_stations_behind_it_are_sent_there(api, site):
    row = published(api, site)
    [made] = api.post(f"firmware-publications/{row.uid}/updates/", {"stations": ["ADA-1"]}, expect=202)

    assert (made["publication"], made["location"]) == (row.uid, "https://192.0.2.7/2.bin")
    payload = Command.objects.get(action="UpdateFirmware").payload
    assert payload["firmware"]["location"] == "https://192.0.2.7/2.bin"
    assert payload["firmware"]["signature"] == site.signature


def test_a_station_elsewhere_is_not_sent_there(api, site):
    row = published(api, site)
    factories.station("BO-9", vendor="OpenCPO", is_online=True, ocpp_version="2.0.1")

    api.post(f"firmware-publications/{row.uid}/updates/", {"stations": ["ADA-1", "BO-9"]}, expect=400)
    assert not FirmwareUpdate.objects.exists()


def test_it_is_taken_back(api, site):
    row = published(api, site)
    api.post(f"firmware-publications/{row.uid}/unpublish/", {}, expect=202)
    assert Command.objects.get(action="UnpublishFirmware").payload == {"checksum": row.checksum}

    firmware_publications.unpublish_answered(row.station, checksum=row.checksum, answer="Unpublished")
    api.post(f"firmware-publications/{row.uid}/unpublish/", {}, expect=409)
    api.post(f"firmware-publications/{row.uid}/updates/", {"stations": ["ADA-1"]}, expect=422)


def test_a_publication_on_its_way_is_cancelled(api, site):
    made = api.post("stations/LC-1/firmware-publications/", {"image": site.uid}, expect=202)

    assert api.post(f"firmware-publications/{made['id']}/cancel/", {}, expect=200)["state"] == "cancelled"
    api.post(f"firmware-publications/{made['id']}/cancel/", {}, expect=409)
    assert Command.objects.get().status == "cancelled"
