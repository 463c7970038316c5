"""Make `.venv` and install pinned requirements; nothing happens when nothing changed.

`python3 deploy/virtualenv.py requirements.txt` needs the standard library only. Starts side by side wait for each
other; a half-made environment, or one whose Python is gone, is made anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
NO_VENV = (
    "python cannot make virtual environments: install its venv module (Debian: apt-get install python3-venv)"
)


def main(argv: list[str]) -> None:
    """Install one requirements file (which may include others) and remember what was installed."""
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    if PYTHON.exists() and stamp(argv[0]).exists() and stamp(argv[0]).read_text() == digest():
        return
    if not os.access(ROOT if not VENV.exists() else VENV, os.W_OK):
        sys.exit(f"{VENV} cannot be written by this user, and {argv[0]} is not installed there")
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not works():
            make()
        if not stamp(argv[0]).exists() or stamp(argv[0]).read_text() != digest():
            install(argv[0])


def works() -> bool:
    """Tell whether the environment's Python runs and has pip."""
    try:
        return subprocess.run([PYTHON, "-m", "pip", "--version"], stdout=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def make() -> None:
    """Make the environment; as root on Debian with its venv module, installed if it is missing."""
    print("making .venv with Python", sys.version.split()[0], flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, capture_output=True).returncode == 0:
        return
    apt = shutil.which("apt-get") if os.geteuid() == 0 else None
    if apt:
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        package = "python{}.{}-venv".format(*sys.version_info)
        subprocess.run([apt, "update", "-qq"], env=env, stdin=subprocess.DEVNULL)
        subprocess.run([apt, "install", "-y", "-qq", package], env=env, stdin=subprocess.DEVNULL)
    if subprocess.run(command).returncode != 0:
        sys.exit(NO_VENV)


def install(requirements: str) -> None:
    """Install what the file pins."""
    print("installing", requirements, flush=True)
    command = [str(PYTHON), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--root-user-action=ignore", "-r", str(ROOT / requirements)], stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        sys.exit("the requirements could not be installed")
    stamp(requirements).write_text(digest())


def stamp(requirements: str) -> Path:
    """Name the file that says what was installed."""
    return VENV / (".installed-" + Path(requirements).stem)


def digest() -> str:
    """Fingerprint both requirements files and the Python that they were installed for."""
    texts = [path.read_bytes() for path in sorted(ROOT.glob("requirements*.txt"))]
    return hashlib.sha256(b"".join(texts) + os.fsencode(str(ROOT))).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
