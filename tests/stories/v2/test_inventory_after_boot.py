"""What is read of a 2.x station after its boot, over a real socket (B07)."""

from collections.abc import Iterator

import pytest

from stations.models import DeviceReport, Variable
from tests.processes import Server
from tests.stories.raw import RawSocket
from tests.stories.story import rows
from tests.stories.v2.device import THRESHOLD, accept, part, told
from tests.stories.v2.station import BOOT, station

pytestmark = pytest.mark.usefixtures("ada")


@pytest.fixture(scope="module")
def server(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a web server that asks stations for their inventory after a boot."""
    found = Server(
        {
            **process_env,
            "OCPP_CALL_TIMEOUT_S": "1",
            "OCPP_SETTLE_S": "0.3",
            "OCPP_READ_CONFIGURATION_AFTER_BOOT": "1",
        }
    )
    found.start()
    yield found
    found.close()


async def answered(socket: RawSocket) -> str:
    """Answer the question for an inventory with one variable, and return which one was asked for."""
    question = await accept(socket, "GetBaseReport")
    await socket.call("NotifyReport", part(question["requestId"], 0, [told(THRESHOLD, "600")]))
    return str(question["reportBase"])


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_the_first_boot_is_followed_by_a_full_inventory(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        assert await answered(socket) == "FullInventory"
        await socket.call("BootNotification", BOOT)
        assert await socket.lives()

    assert await rows(DeviceReport.objects.count) == 1
    assert (await rows(Variable.objects.get)).value == "600"


async def test_new_firmware_is_read_again(server: Server) -> None:
    newer = BOOT | {"chargingStation": {"vendorName": "Volt", "model": "V2", "firmwareVersion": "2"}}
    async with station(server) as socket:
        await answered(socket)
        await socket.call("BootNotification", newer)

        assert await answered(socket) == "FullInventory"
