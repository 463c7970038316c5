"""Firmware over a real socket and real HTTP (OCPP 1.6 sections 4.5, 5.19; white paper L01, sections 5.19 to 5.22)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stations.models import (
    ChargingStation,
    Command,
    FileLink,
    FirmwareImage,
    FirmwareStatus,
    FirmwareUpdate,
    ReviewItem,
    SecurityEvent,
)
from stations.services import commands, firmware, firmware_library
from stations.services.errors import (
    InvalidPayload,
    NotOpen,
    UnsuitableFirmware,
    UntrustedFirmware,
)
from tests import signing
from tests.charger import Charger, accepts, answers, answers_late, keeps_silent, refuses
from tests.processes import Server
from tests.stories.files import IMAGE, MAX_BYTES, environment, http, image
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
MAKER = signing.maker()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def server(process_env: dict[str, str], folder: Path) -> Iterator[Server]:
    found = Server(environment(folder, process_env))
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="module")
def lenient(process_env: dict[str, str], folder: Path) -> Iterator[Server]:
    """Give a web server that lets firmware without a signature go."""
    found = Server(environment(folder, process_env) | {"FIRMWARE_ALLOW_UNSIGNED": "1"})
    found.start()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def same_folder(settings, folder: Path, server: Server) -> None:
    """Let this process use the server's folder and addresses."""
    settings.FILES_ROOT, settings.FILES_URL, settings.FILES_MAX_BYTES = folder, server.http, MAX_BYTES


@pytest.fixture
def signed(ada: ChargingStation) -> FirmwareImage:
    """Give an image for Ada's station, which is one of the simulated ones."""
    ChargingStation.objects.update(vendor="OpenCPO", model="Simulated AC", firmware_version="1.0.0")
    return image(MAKER)


async def plan(wanted: FirmwareImage | None = None, **options: Any) -> FirmwareUpdate:
    def queue() -> FirmwareUpdate:
        station = ChargingStation.objects.get(identity="ADA-1")
        return firmware.plan(station, image=wanted, requested_by="ada", **options)

    return await rows(queue)


async def is_(state: str, update: FirmwareUpdate | None = None) -> FirmwareUpdate:
    found = FirmwareUpdate.objects.filter(state=state, **({"pk": update.pk} if update else {}))
    return await eventually(lambda: found.select_related("link", "image").first())


async def history(update: FirmwareUpdate) -> list[tuple[str, str]]:
    return await rows(lambda: [(row.status, row.remark) for row in update.history.all()])


async def tell(station: Charger, word: str, update: FirmwareUpdate | None = None) -> None:
    request = {"requestId": update.request_id} if update else {}
    action = "SignedFirmwareStatusNotification" if update else "FirmwareStatusNotification"
    assert await station.call(action, {"status": word, **request}) == {}


async def accepted(station: Charger, wanted: FirmwareImage) -> FirmwareUpdate:
    """Bring the station up and let it accept an update with which it then does nothing by itself."""
    station.reactions["SignedUpdateFirmware"] = accepts()
    await station.come_up()
    return await is_("accepted", await plan(wanted))


async def alerts() -> list[str]:
    return await rows(lambda: [item.summary for item in ReviewItem.objects.filter(kind="firmware")])


async def test_signed_update_firmware_is_fetched_checked_and_installed(
    charger: Make, signed: FirmwareImage
) -> None:
    async with charger() as station:
        station.reboot_s, station.files.trusted_root = 0, MAKER.root
        await station.come_up()
        update = await plan(signed)
        done = await is_("installed")
        await eventually(lambda: update.history.filter(status="Installed").first())

    said = [word for word, _ in await history(update) if word != "Accepted"]
    way = ["Planned", "Downloading", "Downloaded", "SignatureVerified", "Installing"]
    assert said == [*way, "Booted", "Installed"]
    assert (station.firmware, station.files.answers) == ("2.0.0", [200])
    assert done.link.revoked_at is not None
    assert await alerts() == []


async def test_signed_update_firmware_carries_what_vouches_for_it(
    charger: Make, signed: FirmwareImage
) -> None:
    async with charger() as station:
        station.reactions["SignedUpdateFirmware"] = accepts()
        await station.come_up()
        update = await plan(signed, retries=3, retry_interval_s=60)
        await is_("accepted")

    [request] = station.calls("SignedUpdateFirmware", "in")
    wanted = request["firmware"]
    assert (request["requestId"], request["retries"], request["retryInterval"]) == (update.request_id, 3, 60)
    assert (wanted["signingCertificate"], wanted["signature"]) == (MAKER.certificate, signed.signature)
    assert "installDateTime" not in wanted


async def test_the_link_of_firmware_is_blanked_once_it_is_sent(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        await accepted(station, signed)
        url = station.calls("SignedUpdateFirmware", "in")[0]["firmware"]["location"]
        token = url.split("/files/")[1].split("/")[0]
        payload = await rows(lambda: Command.objects.get(action="SignedUpdateFirmware").payload)

    assert token not in str(payload)
    assert "/files/••••" in payload["firmware"]["location"]


@pytest.mark.parametrize("word", ["Rejected", "InvalidCertificate", "RevokedCertificate"])
async def test_signed_update_firmware_that_is_refused_is_told_to_an_operator(
    charger: Make, signed: FirmwareImage, word: str
) -> None:
    async with charger() as station:
        station.reactions["SignedUpdateFirmware"] = answers({"status": word})
        await station.come_up()
        await plan(signed)
        update = await is_("rejected")

    assert (update.status, update.link.revoked_at is not None) == (word, True)
    assert await alerts() == [f"ADA-1 refused the firmware update: {word}"]


async def test_a_certificate_that_the_station_does_not_trust_raises_its_security_event(
    charger: Make, signed: FirmwareImage
) -> None:
    async with charger() as station:
        station.files.trusted_root = signing.maker("Somebody else").root
        await station.come_up()
        await plan(signed)
        await is_("rejected")
        event = await eventually(SecurityEvent.objects.first)

    assert event.type == "InvalidFirmwareSigningCertificate"


async def test_a_newer_update_cancels_the_one_under_way(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        first = await accepted(station, signed)
        await tell(station, "Downloading", first)
        station.reactions["SignedUpdateFirmware"] = answers({"status": "AcceptedCanceled"})
        second = await plan(signed)
        await is_("accepted", second)

    assert (await is_("cancelled", first)).reason == "a newer one took its place"


async def test_silence_on_signed_update_firmware_is_told(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        station.reactions["SignedUpdateFirmware"] = keeps_silent()
        await station.come_up()
        await plan(signed)
        await is_("unanswered")

    assert await alerts() == ["ADA-1 firmware update: no answer within 1 s"]


async def test_a_late_answer_brings_the_update_back(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        station.reactions["SignedUpdateFirmware"] = answers_late(2, accepts())
        await station.come_up()
        await plan(signed)
        await is_("unanswered")
        await is_("accepted")


async def test_a_late_refusal_is_one(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        station.reactions["SignedUpdateFirmware"] = answers_late(2, answers({"status": "Rejected"}))
        await station.come_up()
        await plan(signed)
        await is_("unanswered")
        await is_("rejected")


async def test_words_count_although_the_answer_never_came(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        station.reactions["SignedUpdateFirmware"] = keeps_silent()
        await station.come_up()
        update = await plan(signed)
        await is_("unanswered")
        await tell(station, "Downloading", update)
        await is_("running")


async def test_a_station_that_does_not_know_signed_updates_is_not_sent_unsigned_ones(
    charger: Make, signed: FirmwareImage
) -> None:
    async with charger() as station:
        station.files.knows_extension = False
        await station.come_up()
        await plan(signed)
        update = await is_("failed")

    assert update.reason == "the station does not know SignedUpdateFirmware"
    assert station.calls("UpdateFirmware", "in") == []


async def test_update_firmware_is_sent_instead_where_that_is_allowed(
    lenient: Server, signed: FirmwareImage, settings
) -> None:
    from tests.stories.story import PASSWORD

    settings.FIRMWARE_ALLOW_UNSIGNED, settings.FILES_URL = True, lenient.http
    async with Charger(f"{lenient.ws}/ocpp", "ADA-1", password=PASSWORD, connectors=2) as station:
        station.files.knows_extension, station.reboot_s = False, 0
        await station.come_up()
        update = await plan(signed)
        await is_("installed")
        await eventually(lambda: update.history.filter(status="Installed").first())

    [request] = station.calls("UpdateFirmware", "in")
    assert set(request) == {"location", "retrieveDate"}
    assert [call["status"] for call in station.calls("FirmwareStatusNotification")] == [
        "Downloading", "Downloaded", "Installing", "Installed",
    ]  # fmt: skip


async def test_update_firmware_that_is_refused_fails(
    lenient: Server, ada: ChargingStation, signed: FirmwareImage, settings
) -> None:
    from tests.stories.story import PASSWORD

    settings.FIRMWARE_ALLOW_UNSIGNED, settings.FILES_URL = True, lenient.http
    bare = await rows(lambda: image(MAKER, signature="", certificate="", version="3"))
    async with Charger(f"{lenient.ws}/ocpp", "ADA-1", password=PASSWORD, connectors=2) as station:
        station.reactions["UpdateFirmware"] = refuses("NotSupported")
        await station.come_up()
        await plan(bare)
        update = await is_("failed")

    assert update.reason == "the station does not know UpdateFirmware"


@pytest.mark.parametrize(
    "word",
    [
        "DownloadScheduled", "DownloadPaused", "Downloading", "Downloaded", "SignatureVerified",
        "InstallScheduled", "InstallRebooting", "Installing",
    ],
)  # fmt: skip
async def test_every_word_on_the_way_is_kept(charger: Make, signed: FirmwareImage, word: str) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        told = {"status": word, "requestId": update.request_id}
        assert await station.call("SignedFirmwareStatusNotification", told) == {}

    assert (await is_("running")).status == word
    assert (await history(update))[-1] == (word, "")


@pytest.mark.parametrize(
    "word", ["DownloadFailed", "InstallationFailed", "InstallVerificationFailed", "InvalidSignature"]
)
async def test_every_failure_waits_for_an_operator(charger: Make, signed: FirmwareImage, word: str) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        await tell(station, word, update)
        found = await is_("failed")

    assert (found.reason, found.ended_at is not None) == (word, True)
    assert await alerts() == [f"ADA-1 firmware update failed: {word}"]


async def test_a_damaged_image_is_refused_by_the_station(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        station.reboot_s = 0
        await station.come_up()
        await rows(lambda: FirmwareImage.objects.update(signature=MAKER.sign(b"another image")))
        await plan(await rows(FirmwareImage.objects.get))
        await is_("failed")

    assert station.firmware == "1.0.0"
    assert (await rows(FirmwareUpdate.objects.get)).status == "InvalidSignature"


async def test_words_come_twice_and_out_of_order(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        for word in ("Downloaded", "Downloaded", "Downloading", "Installing", "Installed", "Installing"):
            await tell(station, word, update)
        await tell(station, "Idle")
        await tell(station, "Polishing", update)

    assert (await is_("installed")).status == "Installed"
    assert (await history(update))[2:] == [
        ("Downloaded", ""),
        ("Downloaded", "repeated"),
        ("Downloading", "out of order"),
        ("Installing", ""),
        ("Installed", ""),
        ("Installing", "late: it is installed"),
        ("Idle", ""),
        ("Polishing", "a word that we do not know"),
    ]


async def test_a_station_may_try_again_after_a_failed_download(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        for word in ("Downloading", "DownloadFailed", "Downloading", "Downloaded"):
            await tell(station, word, update)
        found = await is_("running")

    assert (found.status, found.ended_at) == ("Downloaded", None)


async def test_a_word_without_a_request_id_is_about_the_open_update(
    charger: Make, signed: FirmwareImage
) -> None:
    async with charger() as station:
        await accepted(station, signed)
        await tell(station, "Downloading")

    assert (await is_("running")).status == "Downloading"


async def test_a_word_about_no_update_of_ours_is_kept(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await tell(station, "Installing")

    row = await rows(FirmwareStatus.objects.get)
    assert (row.update, row.remark) == (None, "it belongs to no request of ours")
    assert await rows(lambda: ChargingStation.objects.get().firmware_status) == "Installing"


async def test_a_boot_with_the_wanted_version_counts_as_installed(
    charger: Make, signed: FirmwareImage
) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        await tell(station, "Downloaded", update)
        await station.kill()
        station.firmware = "2.0.0"
        await station.come_up()
        done = await is_("installed")

    assert (await history(done))[-1] == ("Booted", "with version 2.0.0")


async def test_a_boot_with_the_old_version_proves_nothing(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        await tell(station, "InstallRebooting", update)
        await station.kill()
        await station.come_up()

    assert (await is_("running")).status == "InstallRebooting"


async def test_a_boot_with_a_third_version_waits_for_an_operator(
    charger: Make, signed: FirmwareImage
) -> None:
    async with charger() as station:
        await accepted(station, signed)
        await station.kill()
        station.firmware = "1.9.9"
        await station.come_up()
        await eventually(lambda: ReviewItem.objects.filter(kind="firmware").first())

    assert await alerts() == ["ADA-1 came back with version 1.9.9 instead of 2.0.0"]
    assert (await is_("accepted")).ended_at is None


async def test_words_told_after_an_offline_time_count(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        await station.kill()
        await station.come_up()
        await tell(station, "InstallationFailed", update)
        await is_("failed")


async def test_an_update_waits_for_an_offline_station(charger: Make, signed: FirmwareImage) -> None:
    await plan(signed, queue_offline=True)
    async with charger() as station:
        station.reboot_s = 0
        await station.come_up()
        await is_("installed")


async def test_an_update_that_is_cancelled_before_it_is_sent_never_is(
    charger: Make, signed: FirmwareImage
) -> None:
    update = await plan(signed, queue_offline=True)
    await rows(lambda: firmware.cancel(update, by="ada"))
    async with charger() as station:
        await station.come_up()
        await station.heartbeat()

    assert station.calls("SignedUpdateFirmware", "in") == []
    assert (await is_("cancelled")).link.revoked_at is not None


async def test_a_cancelled_update_takes_the_file_out_of_reach(
    charger: Make, signed: FirmwareImage, server: Server
) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        url = station.calls("SignedUpdateFirmware", "in")[0]["firmware"]["location"]
        assert (await http(server, "HEAD", url)).status == 200
        await rows(lambda: firmware.cancel(update, by="ada"))

        assert (await http(server, "HEAD", url)).status == 410
        await tell(station, "DownloadFailed", update)

    assert (await history(update))[-1] == ("DownloadFailed", "late: it has ended")


async def test_a_failed_update_is_tried_again_as_a_new_one(charger: Make, signed: FirmwareImage) -> None:
    async with charger() as station:
        update = await accepted(station, signed)
        with pytest.raises(NotOpen):
            await rows(lambda: firmware.retry(update))
        await tell(station, "DownloadFailed", update)
        failed = await is_("failed")
        again = await rows(
            lambda: firmware.retry(
                FirmwareUpdate.objects.select_related("station", "image").get(pk=failed.pk)
            )
        )
        await is_("accepted", again)

    assert again.request_id != update.request_id


async def test_an_update_that_goes_silent_is_told(charger: Make, signed: FirmwareImage, settings) -> None:
    settings.FIRMWARE_PATIENCE_S = 0
    async with charger() as station:
        update = await accepted(station, signed)
        await tell(station, "Downloading", update)
        assert await rows(firmware.sweep) == 1

    assert (await is_("stalled")).reason == "nothing heard since Downloading"
    assert await alerts() == ["ADA-1 firmware update came to a halt: nothing heard since Downloading"]


async def test_firmware_of_nobody_we_trust_is_not_offered(charger: Make, signed: FirmwareImage) -> None:
    await rows(lambda: firmware_library.distrust(signed.signer))

    with pytest.raises(UntrustedFirmware):
        await plan(signed, queue_offline=True)


async def test_firmware_of_another_maker_is_not_offered(charger: Make, signed: FirmwareImage) -> None:
    await rows(lambda: ChargingStation.objects.update(vendor="Volt"))

    with pytest.raises(UnsuitableFirmware):
        await plan(signed, queue_offline=True)


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("GetDiagnostics", {"location": "URL"}),
        ("GetLog", {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "URL"}}),
        ("UpdateFirmware", {"location": "URL", "retrieveDate": "2025-01-01T00:00:00Z"}),
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://internal/upload",
        "ftp://user:secret@ftp.example.com/",
        "https://evil.example/files/",
    ],
)
async def test_no_command_sends_a_station_to_a_forbidden_place(
    ada: ChargingStation, settings, action: str, payload: dict[str, Any], url: str
) -> None:
    settings.FIRMWARE_ALLOW_UNSIGNED = True
    wanted = json.loads(json.dumps(payload).replace("URL", url))

    with pytest.raises(InvalidPayload) as refused:
        await rows(lambda: commands.queue(ada, action=action, payload=wanted, queue_offline=True))

    assert "ocation" in refused.value.path
    assert await rows(lambda: Command.objects.filter(action=action).count()) == 0


async def test_a_link_of_another_station_is_forbidden(ada: ChargingStation) -> None:
    from stations.services import files
    from tests import factories

    def other() -> str:
        return files.upload_link(kind="log", station=factories.station("EVE-1"))[1]

    payload = {"location": await rows(other)}
    with pytest.raises(InvalidPayload):
        await rows(lambda: commands.queue(ada, action="GetDiagnostics", payload=payload, queue_offline=True))

    assert await rows(lambda: FileLink.objects.get().used_at) is None


async def test_update_firmware_by_hand_is_off_by_default(ada: ChargingStation) -> None:
    payload = {"location": "https://a.example/x", "retrieveDate": "2025-01-01T00:00:00Z"}
    with pytest.raises(InvalidPayload, match="without a signature"):
        await rows(lambda: commands.queue(ada, action="UpdateFirmware", payload=payload, queue_offline=True))


async def test_the_image_is_what_its_station_gets(
    charger: Make, signed: FirmwareImage, server: Server
) -> None:
    async with charger() as station:
        await accepted(station, signed)
        url = station.calls("SignedUpdateFirmware", "in")[0]["firmware"]["location"]

        assert (await http(server, "GET", url)).body == IMAGE
