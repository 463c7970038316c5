"""Vendored front-end files: `check` compares them with the lock file, `fetch` takes them from npm and writes the lock.

`static/vendor/vendor.lock.json` lists each package with version, licence, the sha512 of its published archive, and each
file that we took with its own sha512. A file that is not listed, or differs, fails the check. No network in `check`.
"""

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "static/vendor/vendor.lock.json"
FOLDERS = (ROOT / "static/vendor", ROOT / "tests/vendor")
SPRITE = "static/vendor/tabler-icons/icons.svg"

# package, version, {file here: file in the archive}
PACKAGES: list[tuple[str, str, dict[str, str]]] = [
    (
        "@tabler/core",
        "1.6.1",
        {"static/vendor/tabler/tabler.min.css": "dist/css/tabler.min.css"},
    ),
    (
        "@fontsource-variable/inter",
        "5.3.0",
        {
            "static/vendor/inter/inter-latin-wght-normal.woff2": "files/inter-latin-wght-normal.woff2",
            "static/vendor/inter/inter-latin-ext-wght-normal.woff2": "files/inter-latin-ext-wght-normal.woff2",
            "static/vendor/inter/LICENSE": "LICENSE",
        },
    ),
    (
        "uplot",
        "1.6.32",
        {
            "static/vendor/uplot/uPlot.iife.min.js": "dist/uPlot.iife.min.js",
            "static/vendor/uplot/uPlot.min.css": "dist/uPlot.min.css",
            "static/vendor/uplot/LICENSE": "LICENSE",
        },
    ),
    (
        "idiomorph",
        "0.8.0",
        {
            "static/vendor/idiomorph/idiomorph-ext.min.js": "dist/idiomorph-ext.min.js",
            "static/vendor/idiomorph/LICENSE": "LICENSE",
        },
    ),
    ("axe-core", "4.14.1", {"tests/vendor/axe.min.js": "axe.min.js", "tests/vendor/axe.LICENSE": "LICENSE"}),
]
ICONS_VERSION = "3.51.0"
ICONS = [
    "activity",
    "adjustments",
    "alert-circle",
    "alert-triangle",
    "arrow-down",
    "arrow-left",
    "arrow-right",
    "arrow-up",
    "arrow-",
    "up-right",
    "arrows-exchange",
    "ban",
    "battery-charging",
    "bell",
    "bolt",
    "building",
    "building-store",
    "calendar",
    "car",
    "car-off",
    "certificate",
    "charging-pile",
    "chart-line",
    "check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "circle",
    "circle-",
    "check",
    "circle-dashed",
    "circle-x",
    "clock",
    "cloud-off",
    "code",
    "coin",
    "copy",
    "credit-card",
    "device-desktop",
    "door-enter",
    "door-exit",
    "download",
    "external-link",
    "eye-off",
    "file-invoice",
    "filter",
    "hand-stop",
    "heartbeat",
    "help-circle",
    "history",
    "home",
    "hourglass",
    "id",
    "inbox",
    "info-circle",
    "key",
    "layout-dashboard",
    "link",
    "list",
    "lock",
    "lock-open",
    "logout",
    "map-pin",
    "menu-2",
    "message",
    "messages",
    "minus",
    "moon",
    "package",
    "pencil",
    "player-pause",
    "player-play",
    "player-stop",
    "plug",
    "plug-",
    "connected",
    "plug-connected-x",
    "plug-off",
    "plus",
    "power",
    "receipt",
    "receipt-2",
    "refresh",
    "robot",
    "rotate-clockwise",
    "search",
    "send",
    "settings",
    "share",
    "shield",
    "shield-check",
    "shield-lock",
    "stack-2",
    "sun",
    "table",
    "tag",
    "ticket",
    "tool",
    "trash",
    "upload",
    "user",
    "users",
    "wifi",
    "wifi-off",
    "world",
    "x",
]


def sha512(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


def pack(name: str, version: str, folder: str) -> bytes:
    """Return the published archive of an npm package."""
    command = ["npm", "pack", f"{name}@{version}", "--silent", "--pack-destination", folder]
    file_name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]  # noqa: S603
    return (Path(folder) / file_name).read_bytes()


def member(archive: bytes, path: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        file = tar.extractfile(f"package/{path}")
        assert file is not None, path
        return file.read()


def sprite(archive: bytes) -> bytes:
    """Build one SVG file with a symbol for each icon of `ICONS`."""
    symbols = []
    for icon in sorted(set(ICONS)):
        source = member(archive, f"icons/outline/{icon}.svg").decode()
        inner = re.sub(r"\s*\n\s*", "", source[source.index(">") + 1 : source.rindex("</svg>")])
        symbols.append(f'<symbol id="{icon}" viewBox="0 0 24 24">{inner}</symbol>')
    return ('<svg xmlns="http://www.w3.org/2000/svg">' + "\n".join(symbols) + "</svg>\n").encode()


def write(path: str, content: bytes) -> str:
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return sha512(content)


def entry(name: str, version: str, archive: bytes, files: dict[str, str]) -> dict[str, Any]:
    licence = json.loads(member(archive, "package.json"))["license"]
    digest = sha512(archive)
    return {"name": name, "version": version, "licence": licence, "archive_sha512": digest, "files": files}


def fetch() -> None:
    """Take every file from npm and write the lock."""
    locked = []
    with tempfile.TemporaryDirectory() as folder:
        for name, version, files in PACKAGES:
            archive = pack(name, version, folder)
            written = {path: write(path, member(archive, source)) for path, source in files.items()}
            locked.append(entry(name, version, archive, written))
        archive = pack("@tabler/icons", ICONS_VERSION, folder)
        files = {
            SPRITE: write(SPRITE, sprite(archive)),
            "static/vendor/tabler-icons/LICENSE": write(
                "static/vendor/tabler-icons/LICENSE", member(archive, "LICENSE")
            ),
        }
        locked.append(entry("@tabler/icons", ICONS_VERSION, archive, files))
    LOCK.write_text(json.dumps(locked, indent=1) + "\n")


def problems() -> list[str]:
    """Say what differs between the folders and the lock."""
    locked = {
        path: digest for package in json.loads(LOCK.read_text()) for path, digest in package["files"].items()
    }
    present = {
        str(path.relative_to(ROOT)): sha512(path.read_bytes())
        for folder in FOLDERS
        for path in folder.rglob("*")
        if path.is_file() and path != LOCK
    }
    found = [f"not in the lock: {path}" for path in sorted(present.keys() - locked.keys())]
    found += [f"missing: {path}" for path in sorted(locked.keys() - present.keys())]
    found += [
        f"differs: {path}" for path in sorted(locked) if path in present and locked[path] != present[path]
    ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["check", "fetch"])
    if parser.parse_args().command == "fetch":
        fetch()
    found = problems()
    sys.stdout.write("\n".join(found or ["vendored files match static/vendor/vendor.lock.json"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
