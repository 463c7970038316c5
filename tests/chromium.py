"""Find the browser for the browser tests; `python -m tests.chromium` installs one where none is found."""

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
DOWNLOADS = "~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome"
MAC = "~/Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*"


def find() -> Path | None:
    """Give CHROMIUM from the environment, else the system's browser, else playwright's own download."""
    named = os.environ.get("CHROMIUM")
    installed = [path for name in NAMES if (path := shutil.which(name))]
    downloaded = [
        path for pattern in (DOWNLOADS, MAC) for path in sorted(glob.glob(os.path.expanduser(pattern)))
    ]
    candidates = [named] if named else [*installed, *reversed(downloaded)]
    return next((Path(path) for path in candidates if os.access(path, os.X_OK)), None)


@contextlib.contextmanager
def killed_after(seconds: float) -> Iterator[None]:
    """Kill our browser when the block lasts longer: some calls of playwright wait for ever, and then fail instead."""
    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def kill() -> None:
    """Kill every browser that this process has started."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in child.name().lower():
                child.kill()


def install() -> None:
    """Install Debian's chromium as root, else download playwright's."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        update = ["apt-get", "update", "-qq"]
        subprocess.run(update, env=env, stdin=subprocess.DEVNULL)
        command = [
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "chromium",
            "fonts-dejavu-core",
        ]
        subprocess.run(command, env=env, stdin=subprocess.DEVNULL)
    if find() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], stdin=subprocess.DEVNULL)


def main() -> int:
    """Leave a browser behind or say why there is none."""
    if find() is None:
        print("no chromium found, installing one", flush=True)
        install()
    if find() is None:
        print(
            "no browser for the browser tests: install chromium, or set CHROMIUM to a binary", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
