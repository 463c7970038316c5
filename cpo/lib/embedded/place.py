"""Where the private services keep their data and sockets, and which account runs them.

PostgreSQL refuses to run as root, so root hands both services to an account of their own. That account must reach
the data; where it cannot (a checkout in a private home), the data goes elsewhere and a pointer file says so. The
mode of a folder that we did not make is never changed.
"""

import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "opencpo-db"
SOCKET_PATH_MAX = 90  # bytes of the folder; the kernel takes 107 for folder, slash and name
WITHOUT_ACCOUNT = (
    f"PostgreSQL does not run as root and the account {ACCOUNT} could not be made: make it, start as an ordinary user, "
    "or set DATABASE_URL and REDIS_URL"
)
PLAIN = re.compile(r"[A-Za-z0-9._/+-]+")  # what needs no quoting in a URL


class Unusable(Exception):
    """The services cannot run here; the message tells a person what to do."""


@dataclass(frozen=True)
class Account:
    """Who runs the services; `switch` is (uid, gid) if that is somebody else than we are."""

    name: str
    uid: int
    gid: int

    @property
    def switch(self) -> tuple[int, int] | None:
        """Give what a child process must become, None for nothing."""
        return (self.uid, self.gid) if os.geteuid() == 0 else None


@dataclass(frozen=True)
class Place:
    """The folders of one set of services."""

    var: Path
    data: Path
    sockets: Path
    account: Account

    @property
    def postgres(self) -> Path:
        """Give PGDATA."""
        return self.data / "postgres"

    @property
    def redis(self) -> Path:
        """Give the folder of Redis' append-only file."""
        return self.data / "redis"

    @property
    def log(self) -> Path:
        """Give the folder of the services' logs."""
        return self.var / "log"


def make_var(var: Path) -> Path:
    """Make the folder of one installation if it is missing and give its real path."""
    if not var.exists():
        var.mkdir(parents=True)
        # For root the services' account has to pass through it; what lies inside is closed by its own mode.
        var.chmod(0o711 if os.geteuid() == 0 else 0o700)
    var = var.resolve()
    if not os.access(var, os.W_OK | os.X_OK):
        raise Unusable(f"{var} belongs to {_name_of(var.stat().st_uid)}: choose another folder with VAR=...")
    (var / "log").mkdir(mode=0o700, exist_ok=True)
    return var


def find(var: Path) -> Place:
    """Settle account and folders of the services under `var`; raises Unusable."""
    account = _account(var)
    data = _data(var, account)
    for name in ("postgres", "redis"):
        if name == "redis" or (data / name).exists():
            make_private(data / name, account)
    return Place(var, data, _sockets(var, data, account), account)


def make_private(folder: Path, account: Account) -> None:
    """Make a folder that only its account may enter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if account.switch and folder.stat().st_uid != account.uid:
        os.chown(folder, account.uid, account.gid)


def reaches(account: Account, path: Path) -> bool:
    """Tell whether the account may read and enter (or run) the path; asked of the kernel, not computed."""
    if account.switch is None:
        return os.access(path, os.R_OK | os.X_OK)
    try:
        test = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            env={},
        )
    except OSError as error:
        raise Unusable(f"cannot become {account.name}: {error}") from error
    return test.returncode == 0


def shared_root(account: Account) -> Path:
    """Give a lasting folder that the account can reach, for data and programs that have no other home."""
    wanted = os.environ.get("OPENCPO_DATA_ROOT")
    for root in (
        [Path(wanted)] if wanted else [Path("/var/lib/opencpo"), Path("/srv/opencpo"), Path("/opt/opencpo")]
    ):
        try:
            if not root.exists():
                root.mkdir()
                root.chmod(0o711)
        except OSError:
            continue
        if os.access(root, os.W_OK) and reaches(account, root):
            return root
    raise Unusable(
        f"no folder that {account.name} can reach: set OPENCPO_DATA_ROOT, or DATABASE_URL and REDIS_URL"
    )


def _account(var: Path) -> Account:
    if os.geteuid() != 0:
        return _of_uid(os.geteuid())
    owner = var.stat().st_uid
    if owner != 0:  # root in somebody's checkout: their data stay theirs
        return _of_uid(owner)
    try:
        return _named(ACCOUNT)
    except KeyError:
        return _made()


def _made() -> Account:
    """Make the system account, once per machine."""
    program = shutil.which("useradd")
    if program is None:
        raise Unusable(WITHOUT_ACCOUNT)
    home, shell = ["--no-create-home", "--home-dir", "/nonexistent"], ["--shell", "/usr/sbin/nologin"]
    made = subprocess.run(
        [program, "--system", "--user-group", *home, *shell, ACCOUNT], capture_output=True, text=True
    )
    try:  # two first starts at once: the other one may have made it
        return _named(ACCOUNT)
    except KeyError:
        raise Unusable(f"{WITHOUT_ACCOUNT} ({made.stderr.strip()})") from None


def _named(name: str) -> Account:
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


def _of_uid(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Unusable(
            f"user id {uid} has no name, which PostgreSQL needs: set DATABASE_URL and REDIS_URL"
        ) from None
    return Account(entry.pw_name, uid, entry.pw_gid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _data(var: Path, account: Account) -> Path:
    pointer = var / "data-location"
    if pointer.exists():
        data = Path(pointer.read_text().strip())
        if not data.is_dir():
            raise Unusable(
                f"{pointer} names {data}, which is gone: restore it, or remove {var} to begin anew"
            )
        return data
    if reaches(account, var):
        return var
    if (var / "postgres").exists():
        raise Unusable(f"{account.name} no longer reaches the data in {var}: give it back the way there")
    root = shared_root(account)
    data = Path(tempfile.mkdtemp(prefix=f"{var.parent.name}-{var.name}-", dir=root))
    data.chmod(0o711)
    pointer.write_text(f"{data}\n")
    return data


def _sockets(var: Path, data: Path, account: Account) -> Path:
    """Give a short folder for the sockets, without characters that a URL would have to quote."""
    folder = data / "run"
    if len(os.fsencode(folder)) > SOCKET_PATH_MAX or not PLAIN.fullmatch(str(folder)):
        folder = _short(var / "socket-location", account)
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, account.uid, os.getegid())
    folder.chmod(0o750)  # its account, and we
    return folder


def _short(pointer: Path, account: Account) -> Path:
    """Give the folder under /tmp that the pointer names, if it is still ours, else a new one."""
    if pointer.exists():
        folder = Path(pointer.read_text().strip())
        if folder.is_dir() and not folder.is_symlink():
            info = folder.lstat()
            if info.st_uid in (account.uid, os.geteuid()) and not stat.S_IMODE(info.st_mode) & 0o027:
                return folder
    base = "/tmp" if os.access("/tmp", os.W_OK) else os.environ.get("XDG_RUNTIME_DIR")  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="opencpo-", dir=base))
    pointer.write_text(f"{folder}\n")
    return folder
