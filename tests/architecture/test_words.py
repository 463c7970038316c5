"""Rules of the style guide that a grep can hold."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cpo", "stations", "billing", "roaming")
VERSION = re.compile(r"""["'](1\.6|2\.0\.1|2\.1|2\.1\.1|2\.2\.1|2\.3\.0)["']""")
VERSION_TABLES = {
    "cpo/management/commands/demo_chargers.py",
    "cpo/management/commands/seed_demo.py",
    "cpo/settings.py",
    "stations/ocpp/v2/charging_notices.py",
    "stations/ocpp/codec.py",
    "stations/ocpp/handshake.py",
    "stations/ocpp/outbound.py",
    "stations/ocpp/pipeline.py",
    "stations/ocpp/v16/routes.py",
    "stations/ocpp/v2/routes.py",
    "stations/services/quirks.py",
    "roaming/ocpi/versions.py",
    "billing/tariff/shapes.py",
}
BANNED_FILES = {"utils.py", "helpers.py", "common.py", "manager.py"}


def sources() -> list[Path]:
    return [
        path for name in PACKAGES for path in (ROOT / name).rglob("*.py") if "migrations" not in path.parts
    ]


def test_version_literals_stand_only_in_the_version_tables() -> None:
    found = {str(path.relative_to(ROOT)) for path in sources() if VERSION.search(path.read_text())}

    assert {name for name in found - VERSION_TABLES if "simulator" not in name} == set()


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [path for path in sources() if path.name in BANNED_FILES] == []


def test_no_float_is_made_of_energy_or_money() -> None:
    places = ("stations/services", "stations/readings", "stations/ocpp/v16", "billing", "roaming/ocpi")
    found = {
        str(path.relative_to(ROOT))
        for place in places
        for path in (ROOT / place).rglob("*.py")
        if re.search(r"\bfloat\(", path.read_text())
    }

    assert found == set()
