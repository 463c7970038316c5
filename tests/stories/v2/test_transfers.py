"""Files that really move between 2.x stations and us over HTTP (L01, L03, L04, N01), as simulated stations do it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cpo.simulator.v2.charger import Charger
from stations.models import (
    ChargingStation,
    CustomerRequest,
    FirmwareImage,
    FirmwarePublication,
    FirmwareStatus,
    FirmwareUpdate,
    LogStatus,
    LogUpload,
    PublicationStatus,
    SecurityEvent,
)
from stations.services import (
    commands,
    customer_information,
    diagnostics,
    file_store,
    firmware_library,
    firmware_publications,
    provisioning,
    quirks,
)
from stations.services.errors import UnsuitableFirmware
from tests import factories
from tests.charger import StoryClock
from tests.processes import Server
from tests.stories.files import MAX_BYTES, environment, image
from tests.stories.story import PASSWORD, eventually, rows
from tests.stories.v2.firmware import MAKER, becomes, plan, publish, said

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def server(process_env: dict[str, str], folder: Path) -> Iterator[Server]:
    """Give a web server that takes and serves files."""
    found = Server(environment(folder, process_env) | {"OCPP_VERSIONS": "1.6,2.0.1,2.1"})
    found.start()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def same_folder(settings: Any, folder: Path, server: Server) -> None:
    """Let this process use the server's folder and addresses."""
    settings.FILES_ROOT, settings.FILES_URL, settings.FILES_MAX_BYTES = folder, server.http, MAX_BYTES


@pytest.fixture
async def charger(server: Server, ada: ChargingStation) -> AsyncIterator[Callable[..., Any]]:
    """Give a maker of simulated 2.x stations that are up; all are closed at the end."""
    made: list[Charger] = []

    async def make(version: str = "2.0.1", identity: str = "ADA-1") -> Charger:
        station = Charger(
            f"{server.ws}/ocpp", identity, PASSWORD, connectors=2, clock=StoryClock(), call_timeout_s=5,
            subprotocols=(f"ocpp{version}",),
        )  # fmt: skip
        station.reboot_s, station.files.trusted_root = 0, MAKER.root
        made.append(station)
        await station.come_up()
        return station

    yield make
    for station in made:
        await station.close()


def signed() -> FirmwareImage:
    """Give an image for simulated stations, which is what `image` is for."""
    return image(MAKER)


@BOTH
async def test_l01_firmware_is_fetched_checked_and_installed(charger: Any, version: str) -> None:
    station = await charger(version)
    update = await plan(await rows(signed))
    done = await becomes(update, "installed")
    await eventually(lambda: SecurityEvent.objects.filter(type="FirmwareUpdated").first())

    way = ["Planned", "Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"]
    words = [word for word, _ in await said(update) if word != "Accepted"]
    assert words == [*way, "Booted", "Installed"]
    assert (station.firmware, station.files.answers) == ("2.0.0", [200])
    assert done.link.revoked_at is not None


@BOTH
async def test_n01_a_log_is_uploaded(charger: Any, version: str) -> None:
    station = await charger(version)
    station.files.log = b"volt 230\n" * 100
    await rows(lambda: diagnostics.request(ChargingStation.objects.get(), kind="SecurityLog"))
    upload = await eventually(lambda: LogUpload.objects.filter(status="Uploaded").first())

    assert upload.state == "uploaded"
    content = await rows(lambda: file_store.path(LogUpload.objects.get().file.stored_as).read_bytes())
    assert content == b"volt 230\n" * 100
    assert upload.file_name == "ADA-1-SecurityLog.log"


async def test_n01_a_trigger_brings_idle_where_nothing_goes_on(charger: Any) -> None:
    """N01.FR.13, L01.FR.25, L03.FR.10."""
    station = await charger()
    kinds = ("Log", "Firmware", "PublishFirmware")
    for kind in kinds:
        payload = {"requestedMessage": f"{kind}StatusNotification"}
        await rows(
            lambda payload=payload: commands.queue(
                ChargingStation.objects.get(), action="TriggerMessage", payload=payload
            )
        )
    await eventually(lambda: ChargingStation.objects.get().firmware_status == "Idle")
    told = {f"{kind}StatusNotification": [] for kind in kinds}
    kept = (LogStatus, FirmwareStatus, PublicationStatus)
    await eventually(lambda: all(words.objects.filter(status="Idle").exists() for words in kept))

    assert {action: _told(station, action) for action in told} == dict.fromkeys(told, [{"status": "Idle"}])


def _told(station: Charger, action: str) -> list[Any]:
    found = [frame.message for frame in station.frames if frame.direction == "out"]
    return [frame[3] for frame in found if frame[0] == 2 and frame[2] == action]


@pytest.fixture
def behind(ada: ChargingStation) -> ChargingStation:
    """Put Ada's station, a local controller, and another one at one site."""
    site = factories.location()
    other = factories.station("BO-9", connectors=1, location=site)
    provisioning.set_password(other, password=PASSWORD)
    quirks.override(other, flag="no_boot_on_reconnect", value=True, by="Ada")
    ChargingStation.objects.filter(pk=ada.pk).update(location=site)
    return other


@BOTH
async def test_l03_a_station_fetches_what_the_local_controller_publishes(
    charger: Any, behind: ChargingStation, version: str
) -> None:
    controller, station = await charger(version), await charger(version, "BO-9")
    publication = await becomes(await publish(await rows(signed)), "published")
    [update] = await rows(
        lambda: firmware_publications.update_stations(
            publication, [ChargingStation.objects.get(pk=behind.pk)]
        )
    )
    done = await becomes(update, "installed")

    assert controller.shelf.fetched == [publication.checksum]
    assert (station.firmware, station.files.answers) == ("2.0.0", [200])
    assert (done.location, done.link) == (publication.locations[0], None)
    words = [word for word, _ in await said(publication) if word != "Accepted"]
    assert words == ["Requested", "Downloading", "Downloaded", "ChecksumVerified", "Published"]


async def test_l04_firmware_that_is_taken_back_is_not_offered(charger: Any, behind: ChargingStation) -> None:
    controller, _ = await charger(), await charger(identity="BO-9")
    publication = await becomes(await publish(await rows(signed)), "published")
    controller.shelf.is_busy = True
    await rows(lambda: firmware_publications.unpublish(publication))
    await eventually(lambda: publication.history.filter(status="DownloadOngoing").first())
    controller.shelf.is_busy = False
    await rows(lambda: firmware_publications.unpublish(publication))
    await becomes(publication, "unpublished")

    found = await rows(lambda: FirmwarePublication.objects.select_related("station", "image").get())
    with pytest.raises(UnsuitableFirmware, match="does not publish"):
        await plan(at="BO-9", publication=found)
    assert not await rows(FirmwareUpdate.objects.exists)


async def test_l03_a_controller_that_cannot_fetch_says_so(charger: Any) -> None:
    """L03.FR.06."""
    await rows(lambda: ChargingStation.objects.update(ocpp_version="2.0.1"))
    wanted = await rows(signed)
    row = await publish(wanted, retries=1, queue_offline=True)
    await rows(lambda: firmware_library.withdraw(wanted))  # its links end with that
    await charger()

    assert (await becomes(row, "failed")).reason == "DownloadFailed"
    assert [word for word, _ in await said(row)].count("Downloading") == 2


async def test_n09_a_station_tells_and_forgets(charger: Any) -> None:
    """N09.FR.05, N10.FR.03, N10.FR.04."""
    station = await charger()
    station.known_tags["BO-1"] = "Accepted"
    station.customer_notes["Bo"] = "x" * 1200  # three parts
    texts = []
    for who in ({"id_token": "BO-1", "clear": True}, {"id_token": "BO-1"}, {"identifier": "Bo"}):
        row = await rows(
            lambda who=who: customer_information.ask(ChargingStation.objects.get(), **who)  # type: ignore[arg-type]
        )
        found = CustomerRequest.objects.filter(pk=row.pk, state="done")
        await eventually(found.first)
        texts.append(await rows(lambda row=row: customer_information.told(row)))

    assert texts == ["authorization cache: BO-1 Accepted", "no data found", "x" * 1200]
    assert await rows(lambda: row.parts.count()) == 3
