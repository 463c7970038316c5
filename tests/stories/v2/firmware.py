"""What stories about firmware of 2.x stations are told with: an image for them, an update, the station's words."""

from datetime import datetime
from pathlib import Path
from typing import Any

from stations.models import ChargingStation, FirmwareImage, FirmwarePublication, FirmwareUpdate
from stations.services import firmware, firmware_library, firmware_publications
from tests import signing
from tests.stories.files import image
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Station
from tests.stories.v2.station import BOOT

MAKER = signing.maker()
VERSION = "2.0.0"
WAY = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting")


def keep_files(settings: Any, folder: Path) -> None:
    """Let this process keep files where only this test looks."""
    settings.FILES_ROOT, settings.FILES_URL = folder, "http://csms.example"


def signed_image(**facts: Any) -> FirmwareImage:
    """Add an image that the maker of the stations of `station()` signed."""
    vendor = str(BOOT["chargingStation"]["vendorName"])  # type: ignore[index]
    firmware_library.trust(vendor, name="Maker", certificate=MAKER.root, added_by="ada")
    return image(MAKER, **({"vendor": vendor} | facts))


async def plan(wanted: FirmwareImage | None = None, *, at: str = "ADA-1", **options: Any) -> FirmwareUpdate:
    """Send a station the image, as console and API do."""
    return await rows(
        lambda: firmware.plan(
            ChargingStation.objects.get(identity=at), image=wanted, requested_by="ada", **options
        )
    )


async def publish(wanted: FirmwareImage, *, at: str = "ADA-1", **options: Any) -> FirmwarePublication:
    """Let a local controller publish the image."""
    return await rows(
        lambda: firmware_publications.publish(
            ChargingStation.objects.get(identity=at), wanted, requested_by="ada", **options
        )
    )


async def becomes(row: FirmwareUpdate | FirmwarePublication, state: str) -> Any:  # the same row as it is then
    """Wait until a transfer has this state."""
    found = type(row)._default_manager.filter(pk=row.pk, state=state).select_related("image", "link")
    return await eventually(found.first)


async def tell(there: Station, row: FirmwareUpdate, *words: str, **more: Any) -> None:
    """Say these words about an update, one after the other."""
    for word in words:
        told = {"status": word, "requestId": row.request_id} | more
        assert await there.call("FirmwareStatusNotification", told) == {}


async def said(row: FirmwareUpdate | FirmwarePublication) -> list[tuple[str, str]]:
    """Return the history of a transfer."""
    return await rows(lambda: [(word.status, word.remark) for word in row.history.all()])


async def reboot(there: Station, *, version: str = VERSION) -> None:
    """Come back after an installation, and tell that all connectors are there (B01, G01)."""
    what = dict(BOOT["chargingStation"]) | {"firmwareVersion": version}  # type: ignore[call-overload]
    answer = await there.call("BootNotification", {"reason": "FirmwareUpdate", "chargingStation": what})
    assert answer["status"] == "Accepted"
    for evse in (1, 2):
        await there.status("Available", evse=evse)


def moment(text: Any) -> datetime:
    """Read a dateTime of the wire."""
    return datetime.fromisoformat(str(text))
