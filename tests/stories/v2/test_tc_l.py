"""Part 6, chapter 3: firmware (block L). Files are not moved here: test_transfers.py does that.

UpdateFirmware and FirmwareStatusNotification (L01, L02); PublishFirmware, PublishFirmwareStatusNotification and
UnpublishFirmware (L03, L04).
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    Connector,
    FirmwareImage,
    FirmwarePublication,
    FirmwareUpdate,
    ReviewItem,
    SecurityEvent,
)
from stations.services import firmware_publications
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, sent, station
from tests.stories.v2.firmware import (
    MAKER,
    WAY,
    becomes,
    keep_files,
    moment,
    plan,
    publish,
    reboot,
    said,
    signed_image,
    tell,
)
from tests.stories.v2.station import visit

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
UPDATE, PUBLISH, UNPUBLISH = "UpdateFirmware", "PublishFirmware", "UnpublishFirmware"
ACCEPTS: dict[str, Payload] = {UPDATE: {"status": "Accepted"}}
CONTROLS: dict[str, Payload] = {PUBLISH: {"status": "Accepted"}}


@pytest.fixture(autouse=True)
def firmware_image(settings: Any, tmp_path: Path, ada: ChargingStation) -> FirmwareImage:
    """Give an image for Ada's station."""
    keep_files(settings, tmp_path)
    return signed_image()


async def alarm(there: Station, kind: str) -> None:
    told = {"type": kind, "timestamp": clock.now().isoformat()}
    assert await there.call("SecurityEventNotification", told) == {}
    assert (await rows(SecurityEvent.objects.get)).type == kind


async def alerts() -> list[str]:
    return await rows(lambda: [item.summary for item in ReviewItem.objects.filter(kind="firmware")])


async def goes_on(there: Station, update: FirmwareUpdate, *words: str) -> FirmwareUpdate:
    """Let the station say these words, reboot with the new firmware and say Installed."""
    await becomes(update, "accepted")
    await tell(there, update, *words)
    await reboot(there)
    await tell(there, update, "Installed")
    found: FirmwareUpdate = await becomes(update, "installed")
    return found


# --- L01, L02: updates


@BOTH
async def test_tc_l_01_csms_a_signed_update_is_installed(
    server: Server, version: str, firmware_image: FirmwareImage
) -> None:
    async with station(server, version, **ACCEPTS) as there:
        done = await goes_on(there, await plan(firmware_image, retries=2, retry_interval_s=7), *WAY)

    [request] = there.requests(UPDATE)
    signed = (request["firmware"]["signingCertificate"], request["firmware"]["signature"])
    assert signed == (MAKER.certificate, firmware_image.signature)
    assert (request["requestId"], request["retries"], request["retryInterval"]) == (done.request_id, 2, 7)
    assert all(not remark for word, remark in await said(done) if word in WAY)


async def test_tc_l_02_csms_an_installation_is_scheduled(
    server: Server, firmware_image: FirmwareImage
) -> None:
    words = [*WAY[:3], "InstallScheduled", *WAY[3:]]
    async with station(server, **ACCEPTS) as there:
        update = await plan(firmware_image, install_at=clock.now() + timedelta(hours=1))
        await goes_on(there, update, *words)

    assert moment(there.requests(UPDATE)[0]["firmware"]["installDateTime"]) > clock.now()
    assert [word for word, remark in await said(update) if not remark and word in words] == words


async def test_tc_l_03_csms_a_download_is_scheduled(server: Server, firmware_image: FirmwareImage) -> None:
    async with station(server, **ACCEPTS) as there:
        update = await plan(firmware_image, retrieve_at=clock.now() + timedelta(hours=1))
        done = await goes_on(there, update, "DownloadScheduled", *WAY)

    assert moment(there.requests(UPDATE)[0]["firmware"]["retrieveDateTime"]) > clock.now()
    assert done.link is not None
    assert done.link.expires_at > done.retrieve_at


async def test_tc_l_04_csms_a_revoked_certificate_ends_the_update(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **{UPDATE: {"status": "RevokedCertificate"}}):
        update = await becomes(await plan(firmware_image), "rejected")

    assert update.reason == "RevokedCertificate"
    assert await alerts() == ["ADA-1 refused the firmware update: RevokedCertificate"]


async def test_tc_l_05_csms_an_invalid_certificate_ends_the_update(
    server: Server, firmware_image: FirmwareImage
) -> None:
    info = {"reasonCode": "Chain", "additionalInfo": "unknown root"}
    async with station(server, **{UPDATE: {"status": "InvalidCertificate", "statusInfo": info}}) as there:
        update = await becomes(await plan(firmware_image), "rejected")
        await alarm(there, "InvalidFirmwareSigningCertificate")

    assert update.reason == "Chain unknown root"


@BOTH
async def test_tc_l_06_csms_an_invalid_signature_fails_the_update(
    server: Server, version: str, firmware_image: FirmwareImage
) -> None:
    async with station(server, version, **ACCEPTS) as there:
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, "Downloading", "Downloaded", "InvalidSignature")
        await alarm(there, "InvalidFirmwareSignature")

    assert (await becomes(update, "failed")).reason == "InvalidSignature"


async def test_tc_l_07_csms_a_download_that_fails_fails_the_update(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **ACCEPTS) as there:
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, "Downloading", "DownloadFailed")

    assert await alerts() == ["ADA-1 firmware update failed: DownloadFailed"]


async def test_tc_l_08_csms_a_verification_that_fails_fails_the_update(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **ACCEPTS) as there:
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, *WAY[:4], "InstallVerificationFailed")

    assert (await becomes(update, "failed")).status == "InstallVerificationFailed"


async def test_tc_l_09_csms_an_installation_that_fails_after_the_reboot_fails_the_update(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **ACCEPTS) as there:
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, *WAY)
        await reboot(there)  # with the new version: a boot alone would count as installed
        await tell(there, update, "InstallationFailed")

    assert (await becomes(update, "failed")).reason == "InstallationFailed"


async def test_tc_l_10_csms_a_newer_update_takes_the_place_of_the_one_under_way(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **ACCEPTS) as there:
        first = await becomes(await plan(firmware_image), "accepted")
        await tell(there, first, "Downloading")
        there.reactions[UPDATE] = {"status": "AcceptedCanceled"}
        second = await plan(firmware_image)
        await goes_on(there, second, *WAY)
        await tell(there, first, "DownloadFailed")  # L01.FR.24: it may say so of what it gave up

    assert (await becomes(first, "cancelled")).reason == "a newer one took its place"
    assert await alerts() == []


async def test_tc_l_11_csms_an_update_that_cannot_be_cancelled_goes_on(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **ACCEPTS) as there:
        first = await becomes(await plan(firmware_image), "accepted")
        await tell(there, first, "Downloading")
        there.reactions[UPDATE] = {"status": "Rejected"}
        second = await becomes(await plan(firmware_image), "rejected")
        await tell(there, first, *WAY[1:])
        await reboot(there)
        await tell(there, first, "Installed")

    assert (await becomes(first, "installed")).request_id != second.request_id


async def test_tc_l_13_csms_a_station_that_charges_waits_for_the_end_of_the_transaction(
    server: Server, firmware_image: FirmwareImage
) -> None:
    began, *rest = visit()
    async with station(server, **ACCEPTS) as there:
        await there.tell(began)
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, "DownloadScheduled")
        await there.status("Unavailable", evse=2)
        await there.tell(*rest)
        assert (await rows(ChargingSession.objects.get)).ended_at is not None
        await goes_on_from_running(there, update)

    connectors = await rows(lambda: list(Connector.objects.values_list("status", flat=True)))
    assert connectors == ["Available", "Available"]


async def goes_on_from_running(there: Station, update: FirmwareUpdate) -> None:
    await tell(there, update, *WAY)
    await reboot(there)
    await tell(there, update, "Installed")
    await becomes(update, "installed")


@BOTH
async def test_l01_words_that_come_twice_late_or_for_nobody_change_nothing(
    server: Server, version: str, firmware_image: FirmwareImage
) -> None:
    """L01.FR.10, L01.FR.20, L01.FR.25."""
    async with station(server, version, **ACCEPTS) as there:
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, "Downloaded", "Downloaded", "Downloading")
        await there.call("FirmwareStatusNotification", {"status": "Idle"})
        await there.call("FirmwareStatusNotification", {"status": "Installing", "requestId": 1})
        await there.call("FirmwareStatusNotification", {"status": "SignatureVerified"})

    words = (await said(update))[2:]
    remarks = ["", "repeated", "out of order", "", ""]
    assert [remark for _, remark in words] == remarks
    assert (await becomes(update, "running")).status == "SignatureVerified"


async def test_l01_what_a_station_adds_to_its_word_is_kept(
    server: Server, firmware_image: FirmwareImage
) -> None:
    info = {"reasonCode": "NoSpace", "additionalInfo": "3 MB left"}
    async with station(server, "2.1", **ACCEPTS) as there:
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, "DownloadFailed", statusInfo=info)

    assert (await said(update))[-1] == ("DownloadFailed", "NoSpace 3 MB left")


async def test_l01_an_update_without_an_answer_may_go_on_all_the_same(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **{UPDATE: None}) as there:
        update = await becomes(await plan(firmware_image), "unanswered")
        await tell(there, update, "Downloading")

    assert (await becomes(update, "running")).ended_at is None


async def test_l01_an_update_waits_for_a_station_that_is_away(
    server: Server, firmware_image: FirmwareImage
) -> None:
    await rows(lambda: ChargingStation.objects.update(vendor="Volt", ocpp_version="2.0.1"))
    update = await plan(firmware_image, queue_offline=True)
    async with station(server, **ACCEPTS):
        await becomes(update, "accepted")


async def test_l02_firmware_without_a_signature_goes_where_that_is_allowed(
    server: Server, settings: Any
) -> None:
    settings.FIRMWARE_ALLOW_UNSIGNED, settings.FILES_EXTERNAL_HOSTS = True, ["127.0.0.1"]
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    async with station(server, **ACCEPTS) as there:
        update = await plan(location="http://127.0.0.1/2.bin", version="2.0.0")
        await goes_on(there, update, "Downloading", "Downloaded", "Installing")

    assert set(there.requests(UPDATE)[0]["firmware"]) == {"location", "retrieveDateTime"}


async def test_l01_a_trigger_brings_the_last_word_again(
    server: Server, firmware_image: FirmwareImage
) -> None:
    """L01.FR.26: the station repeats its word; L01.FR.25: or says Idle."""
    async with station(server, TriggerMessage={"status": "Accepted"}, **ACCEPTS) as there:
        update = await becomes(await plan(firmware_image), "accepted")
        await tell(there, update, "Downloading")
        command = await sent("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
        await tell(there, update, "Downloading")

    assert command.status == "answered"
    assert [word for word, _ in await said(update)][-2:] == ["Downloading", "Downloading"]


# --- L03, L04: local controllers


async def announce(there: Station, row: FirmwarePublication, *words: str, **more: Any) -> None:
    for word in words:
        told = {"status": word, "requestId": row.request_id} | more
        assert await there.call("PublishFirmwareStatusNotification", told) == {}


async def published(
    there: Station, wanted: FirmwareImage, location: str = "http://192.0.2.7/2.bin"
) -> FirmwarePublication:
    row = await becomes(await publish(wanted), "accepted")
    await announce(there, row, "Downloading", "Downloaded", "ChecksumVerified")
    await announce(there, row, "Published", location=["ftp://192.0.2.7/2.bin", location])
    found: FirmwarePublication = await becomes(row, "published")
    return found


@BOTH
async def test_tc_l_17_csms_firmware_is_published(
    server: Server, version: str, firmware_image: FirmwareImage
) -> None:
    async with station(server, version, **CONTROLS) as there:
        row = await published(there, firmware_image)

    [request] = there.requests(PUBLISH)
    assert (request["checksum"], request["requestId"]) == (row.checksum, row.request_id)
    assert request["location"].startswith("http://csms.example/files/")
    assert row.locations == ["http://192.0.2.7/2.bin", "ftp://192.0.2.7/2.bin"]


async def test_tc_l_19_csms_an_invalid_checksum_fails_the_publication(
    server: Server, firmware_image: FirmwareImage
) -> None:
    await fails(server, firmware_image, "Downloading", "Downloaded", "InvalidChecksum")


async def test_tc_l_20_csms_what_cannot_be_published_fails(
    server: Server, firmware_image: FirmwareImage
) -> None:
    await fails(server, firmware_image, "Downloading", "Downloaded", "ChecksumVerified", "PublishFailed")


async def test_tc_l_24_csms_a_download_that_fails_fails_the_publication(
    server: Server, firmware_image: FirmwareImage
) -> None:
    await fails(server, firmware_image, "Downloading", "DownloadFailed")


async def fails(server: Server, wanted: FirmwareImage, *words: str) -> None:
    async with station(server, **CONTROLS) as there:
        row = await becomes(await publish(wanted), "accepted")
        await announce(there, row, *words)

    assert (await becomes(row, "failed")).reason == words[-1]
    assert await alerts() == [f"ADA-1 publication failed: {words[-1]}"]


async def unpublishes(server: Server, wanted: FirmwareImage, answer: str) -> FirmwarePublication:
    async with station(server, **CONTROLS) as there:
        row = await published(there, wanted)
        there.reactions[UNPUBLISH] = {"status": answer}
        await rows(lambda: firmware_publications.unpublish(row, requested_by="ada"))
        await eventually(lambda: row.history.filter(status=answer).first())

    assert there.requests(UNPUBLISH) == [{"checksum": row.checksum}]
    return await rows(lambda: FirmwarePublication.objects.get(pk=row.pk))


async def test_tc_l_21_csms_firmware_is_published_no_longer(
    server: Server, firmware_image: FirmwareImage
) -> None:
    assert (await unpublishes(server, firmware_image, "Unpublished")).state == "unpublished"


async def test_tc_l_22_csms_firmware_that_is_not_there_is_published_no_longer(
    server: Server, firmware_image: FirmwareImage
) -> None:
    row = await unpublishes(server, firmware_image, "NoFirmware")

    assert (row.state, row.reason) == ("unpublished", "the controller had none")


async def test_tc_l_23_csms_firmware_that_a_station_fetches_stays_published(
    server: Server, firmware_image: FirmwareImage
) -> None:
    row = await unpublishes(server, firmware_image, "DownloadOngoing")

    assert (row.state, row.reason) == ("published", "not taken back: DownloadOngoing, try again later")


async def test_l03_a_publication_that_is_refused_ends(server: Server, firmware_image: FirmwareImage) -> None:
    """L03.FR.05."""
    async with station(server, **{PUBLISH: {"status": "Rejected"}}):
        row = await becomes(await publish(firmware_image), "rejected")

    assert row.link.revoked_at is not None


async def test_l03_a_publication_without_an_answer_may_go_on_all_the_same(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **{PUBLISH: None}) as there:
        row = await becomes(await publish(firmware_image), "unanswered")
        await announce(there, row, "Published", location=["https://192.0.2.7/2.bin"])

    assert (await becomes(row, "published")).locations == ["https://192.0.2.7/2.bin"]


async def test_l03_words_that_come_twice_late_or_for_nobody_change_nothing(
    server: Server, firmware_image: FirmwareImage
) -> None:
    """L03.FR.10, L03.FR.11."""
    async with station(server, **CONTROLS) as there:
        row = await published(there, firmware_image)
        await announce(there, row, "Downloaded", "Published")
        await there.call("PublishFirmwareStatusNotification", {"status": "Idle"})
        await there.call("PublishFirmwareStatusNotification", {"status": "Published", "requestId": 1,
                                                               "location": ["https://evil.example/"]})  # fmt: skip

    assert [remark for _, remark in (await said(row))[-3:]] == ["late: it is published", "repeated", ""]
    assert (await becomes(row, "published")).locations[0] == "http://192.0.2.7/2.bin"


async def test_l03_a_controller_that_publishes_nowhere_is_told_to_an_operator(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **CONTROLS) as there:
        row = await becomes(await publish(firmware_image), "accepted")
        await announce(there, row, "Published", location=["file:///etc/passwd"])

    assert (await becomes(row, "published")).locations == []
    assert "nowhere that stations can be sent to" in (await alerts())[0]


async def test_l04_a_request_without_an_answer_leaves_it_published(
    server: Server, firmware_image: FirmwareImage
) -> None:
    async with station(server, **CONTROLS) as there:
        row = await published(there, firmware_image)
        await rows(lambda: firmware_publications.unpublish(row))  # the station knows no such request
        await eventually(lambda: Command.objects.filter(action=UNPUBLISH, status="failed").exists())

    found = await becomes(row, "published")
    assert found.reason == "not taken back: the station does not know UnpublishFirmware"
