"""Firmware and logs in the console: images added and checked, updates sent, files saved."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from cpo.models import AuditEvent
from stations.models import (
    ChargingStation,
    Command,
    FirmwareCampaign,
    FirmwareImage,
    FirmwareUpdate,
    LogUpload,
    TrustedSigner,
    Variable,
)
from stations.services import diagnostics, files, firmware_library
from tests import factories, signing
from tests.stories.files import IMAGE, image

pytestmark = pytest.mark.django_db

MAKER = signing.maker()


@pytest.fixture
def station():
    return factories.station(
        "ADA-1", vendor="OpenCPO", is_online=True, ocpp_version="1.6", firmware_version="1.0"
    )


def form(**changes) -> dict:
    given = {
        "vendor": "OpenCPO",
        "version": "2.0.0",
        "signature": MAKER.sign(IMAGE),
        "certificate": MAKER.certificate,
        "file": SimpleUploadedFile("fw.bin", IMAGE),
    }
    return given | changes


def test_an_image_is_added_and_verified(ada):
    ada.post("/firmware/signers/new/", {"vendor": "OpenCPO", "name": "root", "certificate": MAKER.root})
    page = ada.post("/firmware/new/", form(), follow=True).content.decode()

    assert FirmwareImage.objects.get().state == "verified"
    assert "OpenCPO 2.0.0 is verified" in page
    assert AuditEvent.objects.get(object_type="firmware_image").facts["state"] == "verified"


def test_an_image_that_nobody_vouches_for_is_shown_with_the_reason(ada):
    page = ada.post("/firmware/new/", form(), follow=True).content.decode()

    assert FirmwareImage.objects.get().state == "refused"
    assert "Nobody who is trusted for OpenCPO vouches for the signer." in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": ""}, "required"),
        ({"sha256": "xyz"}, "64 hexadecimal digits"),
        ({"model_pattern": "("}, "no regular expression"),
        ({"certificate": ""}, "belong together"),
        ({"file": SimpleUploadedFile("fw.bin", bytes(300_000))}, "more than 200000 bytes"),
    ],
)
def test_an_image_that_cannot_be_is_explained_beside_its_field(ada, settings, changes, words):
    settings.FILES_MAX_BYTES = 200_000
    response = ada.post("/firmware/new/", form(**changes))

    assert (response.status_code, words in response.content.decode()) == (422, True)
    assert not FirmwareImage.objects.exists()


def test_a_certificate_that_is_none_is_explained(ada):
    response = ada.post("/firmware/signers/new/", {"vendor": "V", "name": "x", "certificate": "nonsense"})

    assert (response.status_code, b"not a PEM certificate" in response.content) == (422, True)


def test_a_signer_is_distrusted_and_an_image_withdrawn(ada):
    wanted = image(MAKER)
    ada.post(f"/firmware/signers/{TrustedSigner.objects.get().pk}/distrust/")
    ada.post(f"/firmware/{wanted.uid}/withdraw/")

    assert not TrustedSigner.objects.get().is_active
    assert FirmwareImage.objects.get().state == "withdrawn"


def test_an_update_is_sent_given_up_and_sent_again(ada, station):
    wanted = image(MAKER)
    ada.post("/stations/ADA-1/firmware/", {"image": wanted.uid, "retries": "3"})
    update = FirmwareUpdate.objects.get()
    assert (update.state, update.retries) == ("scheduled", 3)

    ada.post(f"/firmware/updates/{update.uid}/cancel/")
    ada.post(f"/firmware/updates/{update.uid}/retry/")

    states = FirmwareUpdate.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["cancelled", "scheduled"]


def test_an_image_of_another_make_cannot_be_chosen(ada, station):
    wanted = image(MAKER)
    ChargingStation.objects.update(vendor="Volt")

    assert ada.post("/stations/ADA-1/firmware/", {"image": wanted.uid}).status_code == 422
    assert not FirmwareUpdate.objects.exists()


def test_a_station_that_is_away_is_told_about(ada, station):
    ChargingStation.objects.update(is_online=False)
    wanted = image(MAKER)
    page = ada.post("/stations/ADA-1/firmware/", {"image": wanted.uid}, follow=True).content.decode()
    assert "ADA-1 is offline" in page

    ada.post("/stations/ADA-1/firmware/", {"image": wanted.uid, "queue": "yes"})
    assert FirmwareUpdate.objects.count() == 1


def test_a_log_is_asked_for_and_expected_no_longer(ada, station):
    ada.post("/stations/ADA-1/logs/", {"kind": "SecurityLog"})
    upload = LogUpload.objects.get()
    ada.post(f"/logs/{upload.uid}/cancel/")

    upload.refresh_from_db()
    assert (upload.kind, upload.state) == ("SecurityLog", "cancelled")
    assert Command.objects.get().status == "cancelled"


def arrived(station, name: str = "a.svg") -> LogUpload:
    upload = diagnostics.request(station)
    file = files.store([b"<svg onload=alert(1)>"], kind="log", name=name, uploaded_by="ADA-1")
    return diagnostics.file_arrived(upload.link, file)


def test_a_log_is_saved_and_never_shown(ada, station):
    upload = arrived(station)
    response = ada.get(f"/logs/{upload.uid}/file/")

    assert b"".join(response.streaming_content) == b"<svg onload=alert(1)>"
    assert response["Content-Disposition"] == 'attachment; filename="a.svg"'
    assert response["Content-Type"] == "application/octet-stream"
    assert "sandbox" in response["Content-Security-Policy"]
    assert AuditEvent.objects.filter(action="log.view").exists()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("finance", 403), ("support", 200)])
def test_who_may_save_logs(person, station, role, status):
    upload = arrived(station)

    assert person(role).get(f"/logs/{upload.uid}/file/").status_code == status


def test_a_log_of_another_operator_does_not_exist(person, station):
    upload = arrived(station)
    stranger = person("operator", operators=[factories.operator("DE", "XYZ")])

    assert stranger.get(f"/logs/{upload.uid}/file/").status_code == 404


def test_a_log_needs_a_login(client, station):
    assert client.get(f"/logs/{arrived(station).uid}/file/").status_code == 302


def test_a_viewer_sees_no_logs_on_the_page(person, station):
    arrived(station, name="secret-name.log")
    page = person("viewer").get("/stations/ADA-1/?tab=files").content.decode()

    assert "secret-name.log" not in page


def test_the_page_says_when_the_station_cannot_reach_us(ada, station):
    Variable.objects.create(
        station=station,
        name="SupportedFileTransferProtocols",
        value="FTP, FTPS",
        reported_at=station.created_at,
    )

    assert "by FTP, FTPS only" in ada.get("/stations/ADA-1/?tab=files").content.decode()


def test_the_page_shows_every_word(ada, station):
    upload = arrived(station)
    diagnostics.status(station, status="Uploaded", request_id=upload.request_id, now=upload.requested_at)
    diagnostics.status(station, status="Zipping", request_id=5, now=upload.requested_at)
    page = ada.get("/stations/ADA-1/?tab=files").content.decode()

    assert all(
        word in page for word in ("Requested", "Received", "Uploaded", "Zipping", "it belongs to no request")
    )


def test_a_campaign_is_written_down_and_started(ada, station):
    wanted = image(MAKER)
    ada.post(
        "/firmware/campaigns/new/",
        {
            "name": "spring",
            "image": wanted.uid,
            "stations": "ADA-1\n",
            "canaries": 1,
            "at_once": 5,
            "max_failed": 3,
        },
    )
    campaign = FirmwareCampaign.objects.get()
    ada.post(f"/firmware/campaigns/{campaign.uid}/start/")

    campaign.refresh_from_db()
    assert campaign.state == "running"
    assert b"ADA-1" in ada.get(f"/firmware/campaigns/{campaign.uid}/").content


def test_a_campaign_for_an_unknown_station_is_explained(ada, station):
    given = {"name": "x", "image": image(MAKER).uid, "canaries": 1, "at_once": 5, "max_failed": 3}
    response = ada.post("/firmware/campaigns/new/", given | {"stations": "NOBODY"})

    assert (response.status_code, b"no station NOBODY" in response.content) == (422, True)


def test_a_turn_that_does_not_exist_is_none(ada, station):
    made = FirmwareCampaign.objects.create(
        name="x", image=image(MAKER), created_at=station.created_at, changed_at=station.created_at
    )

    assert ada.post(f"/firmware/campaigns/{made.uid}/explode/").status_code == 404
    assert ada.post(f"/firmware/campaigns/{made.uid}/halt/", follow=True).status_code == 200


def test_only_an_admin_says_whom_to_trust(person):
    body = {"vendor": "V", "name": "x", "certificate": MAKER.root}

    assert person("operator").post("/firmware/signers/new/", body).status_code == 403
    assert not TrustedSigner.objects.exists()
    assert firmware_library.trust("V", name="x", certificate=MAKER.root, added_by="ada").is_active
