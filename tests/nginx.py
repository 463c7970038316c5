"""Run the shipped nginx configuration; `python -m tests.nginx` installs nginx where there is none."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import Process
from tests.services import ROOT

SHIPPED = ROOT / "deploy" / "nginx.conf"


def find() -> str | None:
    """Give NGINX from the environment, else the system's."""
    return (
        os.environ.get("NGINX")
        or shutil.which("nginx")
        or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    )


def install() -> None:
    """Install Debian's nginx as root."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=env, stdin=subprocess.DEVNULL)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx"]
        subprocess.run(command, env=env, stdin=subprocess.DEVNULL)


@contextmanager
def proxied(folder: Path, *, upstream: int, https: int, http: int) -> Iterator[Process]:
    """Serve the shipped configuration on these ports of loopback; certificates lie in `folder`/tls."""
    binary = find()
    assert binary is not None, "no nginx: run `python -m tests.nginx`"
    file = folder / "nginx.conf"
    file.write_text(_moved(SHIPPED.read_text(), folder, upstream=upstream, https=https, http=http))
    command = [binary, "-p", str(folder), "-c", str(file), "-e", "stderr", "-g", "daemon off;"]
    nginx = Process(command, {}, lambda process: _listens(https))
    nginx.command = command
    nginx.start()
    try:
        yield nginx
    finally:
        nginx.close()


def _moved(text: str, folder: Path, *, upstream: int, https: int, http: int) -> str:
    """Change where it listens, what it asks and where its files lie, and nothing else."""
    for pattern, instead in (
        (r"user nginx;", f"pid {folder}/pid;"),
        (r"include mime\.types;", "".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)),
        (r"resolver .*?;", ""),
        (r"listen \[::\]:.*?;", ""),
        (r"listen 80 ", f"listen 127.0.0.1:{http} "),
        (r"listen 443 ", f"listen 127.0.0.1:{https} "),
        (r"(web|ocpp):8000", f"127.0.0.1:{upstream}"),
        (r"worker_processes auto;", "worker_processes 1;"),
        (r"worker_rlimit_nofile \d+;", ""),
        (r"worker_connections \d+;", "worker_connections 500;"),
    ):
        text, changed = re.subn(pattern, instead, text)
        assert changed, f"not in the shipped configuration any more: {pattern}"
    return text


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> int:
    """Leave nginx behind or say why there is none."""
    if find() is None:
        print("no nginx found, installing one", flush=True)
        install()
    if find() is None:
        print("no nginx for the proxy tests: install it, or set NGINX to a binary", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
