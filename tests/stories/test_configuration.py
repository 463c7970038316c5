"""Configuration over a real socket: read after a boot, changed, verified (OCPP 1.6 sections 5.3, 5.8; quirks 9, 24)."""

from collections.abc import Callable, Iterator

import pytest

from stations.models import ChargingStation, Command, Variable
from stations.services import configuration
from tests.charger import Charger, accepts, keeps_silent, refuses
from tests.processes import Server
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]


@pytest.fixture(scope="module")
def server(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a web server that asks stations for their configuration after a boot."""
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


async def value_of(name: str, value: str) -> Variable:
    return await eventually(lambda: Variable.objects.filter(name=name, value=value).first())


async def change(ada: ChargingStation, key: str, value: str, **options: bool) -> None:
    def queue() -> None:
        station = ChargingStation.objects.get(pk=ada.pk)
        configuration.change(station, key=key, value=value, **options)

    await rows(queue)


async def test_get_configuration_is_asked_once_after_the_first_boot(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        limit = await value_of("GetConfigurationMaxKeys", "50")
        await station.boot()
        await station.heartbeat()

    assert limit.is_readonly
    assert station.calls("GetConfiguration", "in") == [{}]
    assert await rows(lambda: Variable.objects.get(name="AuthorizationKey").value) is None


async def test_the_boot_is_answered_before_get_configuration(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await value_of("NumberOfConnectors", "2")
        kinds = [(f.direction, f.message[2] if f.message[0] == 2 else "answer") for f in station.frames]

    assert kinds[:2] == [("out", "BootNotification"), ("in", "answer")]
    assert ("in", "GetConfiguration") in kinds[2:]


async def test_new_firmware_is_read_again(charger: Make, ada: ChargingStation) -> None:
    await rows(lambda: ChargingStation.objects.update(firmware_version="0.0.1"))
    await rows(
        lambda: Variable.objects.create(station=ada, name="Old", value="1", reported_at=ada.created_at)
    )
    async with charger() as station:
        await station.come_up()
        await value_of("NumberOfConnectors", "2")

    assert len(station.calls("GetConfiguration", "in")) == 1


async def test_change_configuration_is_verified_by_reading_the_key(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await value_of("ConnectionTimeOut", "60")
        await change(ada, "ConnectionTimeOut", "90")
        changed = await value_of("ConnectionTimeOut", "90")

    assert changed.changed_at is not None
    assert station.calls("GetConfiguration", "in")[1:] == [{"key": ["ConnectionTimeOut"]}]


async def test_a_station_that_accepts_and_does_nothing_is_shown_as_drift(
    charger: Make, ada: ChargingStation
) -> None:
    await rows(lambda: configuration.desire(ada, key="ConnectionTimeOut", value="90"))
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = accepts()
        await station.come_up()
        await value_of("ConnectionTimeOut", "60")
        await change(ada, "ConnectionTimeOut", "90")
        await eventually(
            lambda: Command.objects.filter(requested_by="verification", status="answered").exists()
        )

    assert [row.value for row in await rows(lambda: configuration.drift(ada))] == ["60"]


async def test_a_key_that_is_not_supported_is_marked(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await value_of("NumberOfConnectors", "2")
        await change(ada, "BlinkRepeat", "3")
        await eventually(lambda: Variable.objects.filter(name="BlinkRepeat", is_supported=False).exists())


async def test_a_change_that_needs_a_reboot_is_read_after_it(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await value_of("WebSocketPingInterval", "0")
        await change(ada, "WebSocketPingInterval", "30", confirmed=True)
        await eventually(lambda: Command.objects.filter(result__status="RebootRequired").exists())
        await station.boot()
        await value_of("WebSocketPingInterval", "30")

    assert station.calls("GetConfiguration", "in") == [{}, {}]


@pytest.mark.parametrize("reaction", [keeps_silent(), refuses("InternalError")], ids=["silence", "refusal"])
async def test_a_station_that_does_not_tell_is_not_asked_at_every_boot(
    charger: Make, ada: ChargingStation, reaction: object
) -> None:
    async with charger() as station:
        station.reactions["GetConfiguration"] = reaction
        await station.come_up()
        await eventually(lambda: Command.objects.exclude(status__in=["queued", "sent"]).exists())
        await station.boot()
        await station.heartbeat()

    assert len(station.calls("GetConfiguration", "in")) == 1


async def test_a_list_that_is_cut_off_is_completed_in_chunks(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["GetConfiguration"] = cut_off(station, at=10)
        await station.come_up()
        await value_of("UnlockConnectorOnEVSideDisconnect", "true")

    asked = [call.get("key") for call in station.calls("GetConfiguration", "in")]
    assert asked[0] is None
    assert [len(keys) for keys in asked[1:]] == [10, 2]  # of 21 required keys 9 were told


def cut_off(station: Charger, *, at: int):  # type: ignore[no-untyped-def]
    """Answer like a station that tells no more keys than it takes, whatever it was asked."""
    whole = station.reactions["GetConfiguration"]
    station.configuration["GetConfigurationMaxKeys"].value = str(at)

    async def reaction(charger: Charger, payload: dict[str, object]) -> dict[str, object]:
        told = await whole(charger, payload)
        return {"configurationKey": told["configurationKey"][:at]}

    return reaction
