"""Which of the demo's chargers run: those whose OCPP version the central system offers."""

import pytest

from cpo.management.commands import demo_chargers, seed_demo
from cpo.simulator import demo


@pytest.mark.parametrize(
    ("versions", "names"),
    [
        (["1.6"], ["DEMO-1", "DEMO-2", "DEMO-3"]),
        (["1.6", "2.0.1"], ["DEMO-1", "DEMO-2", "DEMO-3", "DEMO-4"]),
        (["2.1"], ["DEMO-5"]),
    ],
)
def test_only_who_is_understood_runs(versions: list[str], names: list[str]) -> None:
    assert [name for _number, name in demo_chargers.spoken_to(versions)] == names


def test_the_seeded_network_has_the_stations_that_run() -> None:
    newer = {name: version for name, (version, _row) in seed_demo.NEWER_STATIONS.items()}

    assert newer == {f"DEMO-{number + 1}": version for number, version in demo.NEWER.items()}
    assert [*seed_demo.STATIONS, *newer] == [f"DEMO-{n + 1}" for n in range(len(demo.HARDWARE))]


@pytest.mark.parametrize(
    ("number", "subprotocols"), [(0, ("ocpp1.6",)), (3, ("ocpp2.0.1",)), (4, ("ocpp2.1",))]
)
def test_a_charger_speaks_its_version(tmp_path, number: int, subprotocols: tuple[str, ...]) -> None:
    charger = demo.build("ws://127.0.0.1:1/ocpp", "DEMO", number, tmp_path, None)

    assert charger.subprotocols == subprotocols
