"""What this machine is called, which ports are free on it, and which processes on it are ours."""

import socket
from collections.abc import Callable
from ipaddress import ip_address

import psutil

WIDE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (all addresses: how we reach ourselves then)


class PortTaken(Exception):
    """Somebody listens there already, or we may not."""


def end_marked(name: str, value: str) -> None:
    """End all processes that have this variable in their environment, but us and those who started us."""
    me = psutil.Process()
    kin = {me.pid, *(parent.pid for parent in me.parents())}
    left = [
        process
        for process in psutil.process_iter()
        if process.pid not in kin and _is_marked(process, name, value)
    ]
    for process in left:
        _end(process.terminate)
    _, alive = psutil.wait_procs(left, timeout=5 if left else 0)
    for process in alive:
        _end(process.kill)
    psutil.wait_procs(alive, timeout=5 if alive else 0)


def _is_marked(process: psutil.Process, name: str, value: str) -> bool:
    try:
        return bool(process.environ().get(name) == value)
    except (psutil.Error, OSError):
        return False


def _end(how: Callable[[], None]) -> None:
    try:
        how()
    except psutil.NoSuchProcess:
        return


def check_port(host: str, port: int) -> None:
    """Raise PortTaken, with advice, if nobody could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise PortTaken(
                f"cannot listen on {host} port {port} ({error}): choose another with PORT=..."
            ) from error


def own_names(host: str) -> list[str]:
    """Name this machine as its Host header may: loopback, and once opened to the network all its addresses."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if host in WIDE:
        found = [entry.address.split("%")[0] for many in psutil.net_if_addrs().values() for entry in many]
        names += [socket.gethostname(), socket.getfqdn(), *filter(_is_address, found)]
    return [
        f"[{name}]" if ":" in name and "[" not in name else name
        for name in dict.fromkeys([*names, *([] if host in WIDE else [host])])
    ]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:  # a network card's own address
        return False
    return True
