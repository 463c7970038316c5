"""Firmware over the API: described, given its file, checked, planned, cancelled; campaigns."""

import pytest

from cpo.models import AuditEvent
from stations.models import FileLink, FirmwareImage, FirmwareUpdate
from stations.services import file_store, files, firmware_library
from tests import factories, signing
from tests.stories.files import IMAGE, image

pytestmark = pytest.mark.django_db

MAKER = signing.maker()


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FILES_ROOT = tmp_path


@pytest.fixture
def ada():
    return factories.station(
        "ADA-1", vendor="OpenCPO", model="Max", is_online=True, ocpp_version="1.6", firmware_version="1.0"
    )


def put(url: str, content: bytes) -> None:
    """Do what the edge of /files/ does with an upload."""
    link = files.find(files.own_token(url), direction="upload")
    incoming = file_store.Incoming(max_bytes=link.max_bytes)
    incoming.write(content)
    file = files.take(incoming, link=link, name="fw.bin")
    firmware_library.file_arrived(link, file)


def test_an_image_is_described_given_its_file_and_checked(api):
    api.post("trusted-signers/", {"vendor": "OpenCPO", "name": "root", "certificate": MAKER.root}, expect=201)
    body = {
        "vendor": "OpenCPO",
        "version": "2",
        "signature": MAKER.sign(IMAGE),
        "certificate": MAKER.certificate,
    }
    made = api.post("firmware-images/", body, expect=201)
    assert made["state"] == "awaiting"

    put(made["upload_url"], IMAGE)

    found = api.get(f"firmware-images/{made['id']}/")
    assert (found["state"], found["signer"], found["size"]) == ("verified", "root", len(IMAGE))
    assert "upload_url" not in found


def test_the_url_of_an_upload_is_in_no_record(api):
    made = api.post("firmware-images/", {"vendor": "V", "version": "2"}, expect=201)
    token = files.own_token(made["upload_url"])

    assert token not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"version": "2"}, "vendor"),
        ({"vendor": "V", "version": "2", "sha256": "xyz"}, "payload.sha256"),
        ({"vendor": "V", "version": "2", "model": "("}, "payload.model_pattern"),
        ({"vendor": "V", "version": "2", "signature": "AAAA"}, "payload.signature"),
    ],
)
def test_an_image_that_cannot_be_is_refused(api, body, field):
    assert field in api.post("firmware-images/", body, expect=400)["error"]["fields"]
    assert not FirmwareImage.objects.exists()


def test_an_update_is_planned_and_cancelled(api, ada):
    wanted = image(MAKER)
    assert [row["id"] for row in api.get("stations/ADA-1/firmware-images/")] == [wanted.uid]

    made = api.post("stations/ADA-1/firmware-updates/", {"image": wanted.uid, "retries": 2}, expect=202)
    assert (made["state"], made["version"], made["is_signed"]) == ("scheduled", "2.0.0", True)
    assert api.get("firmware-updates/?station=ADA-1")["results"][0]["id"] == made["id"]

    ended = api.post(f"firmware-updates/{made['id']}/cancel/", {}, expect=200)
    assert ended["state"] == "cancelled"
    assert [row["status"] for row in ended["history"]] == ["Planned", "Cancelled", "cancelled"]
    api.post(f"firmware-updates/{made['id']}/cancel/", {}, expect=409)


def test_an_update_is_tried_again(api, ada):
    made = api.post("stations/ADA-1/firmware-updates/", {"image": image(MAKER).uid}, expect=202)
    api.post(f"firmware-updates/{made['id']}/retry/", {}, expect=409)
    api.post(f"firmware-updates/{made['id']}/cancel/", {}, expect=200)

    assert api.post(f"firmware-updates/{made['id']}/retry/", {}, expect=202)["id"] != made["id"]


def test_a_second_update_waits_for_the_first(api, ada):
    body = {"image": image(MAKER).uid}
    api.post("stations/ADA-1/firmware-updates/", body, expect=202)

    assert (
        api.post("stations/ADA-1/firmware-updates/", body, expect=409)["error"]["code"] == "update_under_way"
    )


@pytest.mark.parametrize(
    "body",
    [{}, {"image": "nobody's"}, {"location": "file:///etc/passwd"}, {"location": "https://evil.example/"}],
)
def test_an_update_from_nowhere_is_refused(api, ada, body):
    api.post("stations/ADA-1/firmware-updates/", body, expect=400)

    assert not FirmwareUpdate.objects.exists()


def test_an_update_of_a_station_that_is_away_must_be_meant_to_wait(api, ada):
    type(ada).objects.update(is_online=False)
    body = {"image": image(MAKER).uid}

    api.post("stations/ADA-1/firmware-updates/", body, expect=409)
    api.post("stations/ADA-1/firmware-updates/", body | {"queue": True}, expect=202)
    assert FileLink.objects.filter(direction="download").count() == 1


def test_a_signer_is_trusted_no_longer(api):
    body = {"vendor": "V", "name": "root", "certificate": MAKER.root}
    made = api.post("trusted-signers/", body, expect=201)

    assert api("DELETE", f"trusted-signers/{made['id']}/").status_code == 204
    assert api.get("trusted-signers/")["results"][0]["is_active"] is False


def test_a_certificate_that_is_none_is_not_trusted(api):
    body = {"vendor": "V", "name": "root", "certificate": "nonsense"}

    assert api.post("trusted-signers/", body, expect=422)["error"]["code"] == "untrusted_firmware"


def test_an_image_is_withdrawn(api):
    wanted = image(MAKER)

    assert api.post(f"firmware-images/{wanted.uid}/withdraw/", {}, expect=200)["state"] == "withdrawn"


def test_a_campaign_is_written_down_started_halted_and_cancelled(api, ada):
    body = {"name": "spring", "image": image(MAKER).uid, "stations": ["ADA-1"]}
    made = api.post("firmware-campaigns/", body, expect=201)
    assert (made["state"], made["stations"][0]["station"]) == ("draft", "ADA-1")

    for turn, state in (("start", "running"), ("halt", "halted"), ("cancel", "cancelled")):
        assert api.post(f"firmware-campaigns/{made['id']}/{turn}/", {}, expect=200)["state"] == state
    assert api.get(f"firmware-campaigns/{made['id']}/")["state"] == "cancelled"


@pytest.mark.parametrize("change", [{"stations": ["NOBODY"]}, {"image": "none"}, {"canaries": 2}])
def test_a_campaign_that_cannot_be_is_refused(api, ada, change):
    body = {"name": "spring", "image": image(MAKER).uid, "stations": ["ADA-1"]} | change

    api.post("firmware-campaigns/", body, expect=400)


@pytest.mark.parametrize(("role", "status"), [("support", 403), ("operator", 202)])
def test_support_sends_no_firmware(client_of, ada, role, status):
    body = {"image": image(MAKER).uid}

    assert client_of(role)("POST", "stations/ADA-1/firmware-updates/", body).status_code == status


def test_an_operator_trusts_nobody(client_of):
    assert client_of("operator")("POST", "trusted-signers/", {}).status_code == 403
