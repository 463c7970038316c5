"""Vendored files are those of the lock: name, version, licence and hash."""

import json
import subprocess
import sys

from django.conf import settings

LOCK = settings.BASE_DIR / "static/vendor/vendor.lock.json"
LICENCES = {"MIT", "OFL-1.1", "0BSD", "MPL-2.0"}  # the last for tests only


def check() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(settings.BASE_DIR / "deploy/vendor.py"), "check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_files_match_the_lock() -> None:
    found = check()

    assert found.returncode == 0, found.stdout


def test_a_file_that_is_not_in_the_lock_is_found() -> None:
    stray = settings.BASE_DIR / "static/vendor/stray.js"
    stray.write_text("")
    try:
        found = check()
    finally:
        stray.unlink()

    assert (found.returncode, found.stdout.strip()) == (1, "not in the lock: static/vendor/stray.js")


def test_every_package_has_a_licence_that_we_may_ship() -> None:
    for package in json.loads(LOCK.read_text()):
        assert package["licence"] in LICENCES
        assert package["licence"] != "MPL-2.0" or all(path.startswith("tests/") for path in package["files"])
