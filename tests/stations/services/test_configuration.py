"""Configuration of stations: stored, read in chunks, changed and verified, wished for (OCPP 1.6 sections 5.3, 5.8)."""

from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock, events
from stations.events import VariablesChanged
from stations.models import ChargingStation, Command, Variable
from stations.ocpp.v16 import configuration as answers
from stations.services import commands, configuration
from stations.services.errors import InvalidPayload, NotConfirmed, SecretKey, StationOffline
from stations.services.guarded_keys import is_guarded, is_secret
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def reads_after_boot(settings: Any) -> None:
    settings.OCPP_READ_CONFIGURATION_AFTER_BOOT = True


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="1.6")


def told(station: ChargingStation, *unknown: str, **keys: str | None) -> None:
    entries = [{"key": name, "value": value, "readonly": False} for name, value in keys.items()]
    configuration.store(station.pk, keys=entries, unknown=list(unknown), now=clock.now())


def answer(station: ChargingStation, result: dict[str, Any]) -> Command:
    """Let the station answer the command that waits, as its socket would."""
    command = commands.claim(station.pk, epoch=1)
    assert command is not None
    commands.answered(command.uid, station_id=station.pk, result=result)
    return command


def asked() -> list[Any]:
    return [c.payload.get("key") for c in Command.objects.filter(action="GetConfiguration").order_by("id")]


def boot(station: ChargingStation, **options: Any) -> Command | None:
    return configuration.after_boot(station, **{"is_new_firmware": False} | options)


def test_what_a_station_tells_is_stored_and_told_again_overwritten(station: ChargingStation) -> None:
    told(station, HeartbeatInterval="300", NumberOfConnectors="1")
    told(station, heartbeatinterval="60")

    row = Variable.objects.get(name="HeartbeatInterval")
    assert (row.value, row.changed_at) == ("60", row.reported_at)
    assert Variable.objects.get(name="NumberOfConnectors").changed_at is None
    assert Variable.objects.count() == 2


def test_a_secret_that_a_station_gives_away_is_not_stored(station: ChargingStation) -> None:
    told(
        station,
        AuthorizationKey="very-secret",
        WifiPassword="hidden-too",
        BackendUrl="wss://u:hush@cpo.example/",
    )

    stored = str(list(Variable.objects.values()))
    assert "secret" not in stored
    assert "hidden-too" not in stored
    assert "hush" not in stored


def test_a_secret_that_a_station_gives_away_is_blank_in_the_command(station: ChargingStation) -> None:
    configuration.read(station)
    keys = {"AuthorizationKey": "very-secret", "WifiPassword": "hidden-too", "HeartbeatInterval": "300"}
    entries = [{"key": key, "value": value, "readonly": False} for key, value in keys.items()]

    answer(station, {"configurationKey": entries})

    result = Command.objects.get(result__isnull=False).result
    assert [entry["value"] for entry in result["configurationKey"]] == ["••••", "••••", "300"]


def test_a_key_that_the_station_does_not_know_is_marked(station: ChargingStation) -> None:
    told(station, LightIntensity="50")
    told(station, "LightIntensity", "BlinkRepeat")

    assert not Variable.objects.filter(is_supported=True).exists()
    assert Variable.objects.count() == 2


def test_whoever_shows_the_station_is_told(
    station: ChargingStation, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[object] = []
    events.subscribe(VariablesChanged)(heard.append)

    with django_capture_on_commit_callbacks(execute=True):
        told(station, HeartbeatInterval="300")

    events.unsubscribe(VariablesChanged, heard.append)
    assert heard == [VariablesChanged(station.pk)]


def test_named_keys_are_asked_in_chunks_of_what_the_station_takes(station: ChargingStation) -> None:
    told(station, GetConfigurationMaxKeys="2")

    configuration.read(station, keys=["A", "B", "a", "C"])

    assert asked() == [["A", "B"], ["C"]]


@pytest.mark.parametrize("limit", [None, "", "many", "²", "-3"])
def test_an_odd_limit_leaves_a_chunk_of_our_own(station: ChargingStation, limit: str | None) -> None:
    told(station, GetConfigurationMaxKeys=limit)

    configuration.read(station, keys=[f"Key{n}" for n in range(configuration.CHUNK + 1)])

    assert [len(keys) for keys in asked()] == [configuration.CHUNK, 1]


def test_no_key_asks_nothing_and_none_asks_for_everything(station: ChargingStation) -> None:
    assert configuration.read(station, keys=[]) == []

    configuration.read(station)
    assert asked() == [None]


def test_an_accepted_change_is_read_again(station: ChargingStation) -> None:
    configuration.change(station, key="HeartbeatInterval", value="60")
    answer(station, {"status": "Accepted"})
    assert asked() == [["HeartbeatInterval"]]

    entry = {
        "key": "HeartbeatInterval",
        "value": "300",
        "readonly": False,
    }  # it says one thing and does another
    answer(station, {"configurationKey": [entry]})
    assert Variable.objects.get().value == "300"


@pytest.mark.parametrize("status", ["Rejected", "RebootRequired", "NotSupported"])
def test_another_answer_is_not_read_again(station: ChargingStation, status: str) -> None:
    configuration.change(station, key="LightIntensity", value="60")

    answer(station, {"status": status})

    assert asked() == []
    assert Variable.objects.filter(is_supported=False).exists() is (status == "NotSupported")


def test_a_secret_is_never_asked_for(station: ChargingStation) -> None:
    configuration.change(station, key="AuthorizationKey", value="0123456789abcdef", confirmed=True)

    answer(station, {"status": "Accepted"})

    assert asked() == []


@pytest.mark.parametrize(
    "key",
    [
        "AuthorizationKey",
        "websocketpinginterval",
        "CentralSystemAddress",
        "X_ServerURL",
        "APN",
    ],
)
def test_a_guarded_key_needs_a_confirmation(station: ChargingStation, key: str) -> None:
    with pytest.raises(NotConfirmed):
        configuration.change(station, key=key, value="1234567890abcdef")

    changed = configuration.change(station, key=key, value="1234567890abcdef", confirmed=True)
    assert changed.payload["key"] == key


def test_the_security_profile_is_not_set_like_a_key(station: ChargingStation) -> None:
    with pytest.raises(InvalidPayload, match="security page"):
        configuration.change(station, key="SecurityProfile", value="2", confirmed=True)


def test_a_key_that_holds_an_address_is_guarded_whatever_its_name(station: ChargingStation) -> None:
    told(station, Vendor7="wss://cpo.example/ocpp")

    with pytest.raises(NotConfirmed):
        configuration.change(station, key="Vendor7", value="")


def test_no_required_key_of_the_standard_is_guarded() -> None:
    assert [key for key in configuration.REQUIRED if is_guarded(key) or is_secret(key)] == []


def test_a_blanked_value_is_never_sent_back(station: ChargingStation) -> None:
    with pytest.raises(InvalidPayload):
        configuration.change(station, key="BackendUrl", value="wss://u:••••@cpo.example/", confirmed=True)


def test_a_station_that_is_away_is_not_changed_unless_it_may_wait(station: ChargingStation) -> None:
    station.is_online = False

    assert configuration.change(station, key="BlinkRepeat", value="3", queue_offline=True).status == "queued"
    with pytest.raises(StationOffline):
        configuration.change(station, key="BlinkRepeat", value="3")


def test_a_value_other_than_desired_is_drift(station: ChargingStation) -> None:
    configuration.desire(station, key="HeartbeatInterval", value="60")
    assert configuration.drift(station) == []  # nothing is known yet

    told(station, HeartbeatInterval="300")
    assert [row.name for row in configuration.drift(station)] == ["HeartbeatInterval"]

    told(station, HeartbeatInterval="60")
    assert configuration.drift(station) == []


@pytest.mark.parametrize(("reported", "desired"), [("Voltage, SoC", "Voltage,SoC"), ("TRUE", "true")])
def test_the_same_in_another_spelling_is_no_drift(
    station: ChargingStation, reported: str, desired: str
) -> None:
    told(station, Some=reported)

    configuration.desire(station, key="some", value=desired)

    assert configuration.drift(station) == []
    assert Variable.objects.get().value == reported


def test_a_wish_for_what_the_station_does_not_know_is_drift(station: ChargingStation) -> None:
    configuration.desire(station, key="BlinkRepeat", value="3")

    told(station, "BlinkRepeat")

    assert len(configuration.drift(station)) == 1


def test_a_wish_can_be_taken_back(station: ChargingStation) -> None:
    told(station, HeartbeatInterval="300")
    for key in ("HeartbeatInterval", "NeverReported"):
        configuration.desire(station, key=key, value="60")
        configuration.desire(station, key=key, value=None)

    assert list(Variable.objects.values_list("name", "value", "desired")) == [
        ("HeartbeatInterval", "300", None)
    ]


def test_no_secret_is_wished_for(station: ChargingStation) -> None:
    with pytest.raises(SecretKey):
        configuration.desire(station, key="AuthorizationKey", value="0123456789abcdef")


def test_a_first_boot_reads_everything_once(station: ChargingStation) -> None:
    assert boot(station) is not None
    assert boot(station) is None  # it waits already
    assert boot(station, is_new_firmware=True) is None

    assert asked() == [None]


def test_a_station_that_was_read_is_read_again_only_with_new_firmware(station: ChargingStation) -> None:
    told(station, HeartbeatInterval="300")

    assert boot(station) is None
    assert boot(station, is_new_firmware=True) is not None


def test_a_station_that_cannot_bear_the_question_is_left_alone_for_an_hour(station: ChargingStation) -> None:
    boot(station)
    Command.objects.update(status="timed_out")
    assert boot(station) is None

    Command.objects.update(created_at=clock.now() - timedelta(hours=2))
    assert boot(station) is not None


@pytest.mark.parametrize("outcome", ["timed_out", "failed"])
def test_a_station_that_cannot_tell_everything_at_once_is_asked_by_name(
    station: ChargingStation, outcome: str
) -> None:
    boot(station)
    Command.objects.update(status=outcome, created_at=clock.now() - timedelta(hours=2))

    assert boot(station) is not None
    assert boot(station) is None  # they wait already

    names = [name for part in asked()[1:] for name in part]
    assert sorted(names) == sorted(configuration.REQUIRED)


def test_new_firmware_is_asked_for_everything_again(station: ChargingStation) -> None:
    boot(station)
    Command.objects.update(status="timed_out")

    assert boot(station, is_new_firmware=True) is not None

    assert asked() == [None, None]


def test_a_change_that_needed_a_reboot_is_verified_after_it(station: ChargingStation) -> None:
    told(station, ConnectionTimeOut="60")
    configuration.change(station, key="ConnectionTimeOut", value="90")
    answer(station, {"status": "RebootRequired"})

    assert boot(station) is not None
    answer(station, {"configurationKey": [{"key": "ConnectionTimeOut", "value": "90", "readonly": False}]})
    Command.objects.filter(status="queued").delete()
    assert boot(station) is None


def test_reading_after_a_boot_can_be_switched_off(station: ChargingStation, settings: Any) -> None:
    settings.OCPP_READ_CONFIGURATION_AFTER_BOOT = False

    assert boot(station) is None


def test_a_list_that_was_cut_off_is_completed_by_name(station: ChargingStation) -> None:
    boot(station)

    answer(
        station, {"configurationKey": [{"key": "GetConfigurationMaxKeys", "value": "1", "readonly": True}]}
    )

    names = [name for part in asked()[1:] for name in part]
    assert sorted(names) == sorted(set(configuration.REQUIRED) - {"GetConfigurationMaxKeys"})
    assert len(asked()) == len(names) + 1


def test_a_name_too_long_to_be_asked_for_is_stored_and_not_asked_for(station: ChargingStation) -> None:
    told(station, **{"n" * 60: "1"})

    configuration.complete(station.pk, told=[])

    assert Variable.objects.filter(name="n" * 60).exists()
    assert sorted(name for part in asked() for name in part) == sorted(configuration.REQUIRED)


def test_a_whole_list_asks_for_nothing_more(station: ChargingStation) -> None:
    boot(station)
    entries = [{"key": "GetConfigurationMaxKeys", "value": "50", "readonly": True}]

    answer(station, {"configurationKey": entries})

    assert asked() == [None]


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"configurationKey": None, "unknownKey": None},
        {"configurationKey": {"key": "A", "value": 5, "readonly": "True"}},
        {"configurationKey": [{"key": "A"}, {"key": "a", "value": "x", "readonly": False}, {"key": ""}]},
        {"configurationKey": [{"key": "n" * 400, "readonly": True}], "unknownKey": ["never asked", ""]},
    ],
)
def test_an_odd_answer_is_read_as_far_as_it_makes_sense(
    station: ChargingStation, result: dict[str, Any]
) -> None:
    answers.get_configuration(Command(station=station, payload={"key": ["B"]}), result)

    assert Variable.objects.count() == (1 if result.get("configurationKey") else 0)
