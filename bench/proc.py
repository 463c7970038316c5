"""CPU time and memory of processes, as the operating system counts them."""

import os
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on (the name before them may hold spaces)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """User and system seconds of one process."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * TICK_S


def tree_cpu_s(pid: int) -> float:
    """The same with its children, living and reaped: what a PostgreSQL cluster used."""
    fields = _stat(pid)
    used = sum(int(field) for field in fields[11:15]) * TICK_S
    for child in children(pid):
        try:
            used += cpu_s(child)
        except OSError:
            continue  # ended just now; it is in the parent's next reading
    return used


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(_stat(int(entry.name))[1]) == pid:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def rss_kib(pid: int) -> int:
    """Resident memory in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise LookupError(f"no VmRSS for process {pid}")
