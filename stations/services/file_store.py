"""Bytes on disk: written piece by piece under a random name, put in place at once when complete.

`FILES_ROOT/incoming/` holds what is being written, `FILES_ROOT/<two letters>/` what is complete. Every name is made
here; none that came from outside ever touches the disk. Blocking: call it in a worker thread.
"""

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from django.conf import settings

from stations.services.errors import FileTooLarge, NoSpace

PIECE = 256 * 1024  # bytes read at once
RESERVE = 512 * 1024 * 1024  # bytes of the disk that are left free for others
LOOK_EVERY = 16 * 1024 * 1024  # bytes between two looks at the free space
DEAD_S = 900  # seconds without a byte after which what is being written belongs to a process that died
ORPHAN_S = 3600  # seconds after which a complete file without a row is nobody's
_NAME = re.compile(r"[0-9a-f]{40}")


class Incoming:
    """One file on its way in. Exactly one of `commit` and `discard` ends it."""

    def __init__(self, *, max_bytes: int) -> None:
        self.stored_as = secrets.token_hex(20)
        self.size = 0
        self._max_bytes = max_bytes
        self._next_look = 0
        self._digest = hashlib.sha256()
        self._path = _incoming() / self.stored_as
        self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    @property
    def sha256(self) -> str:
        """Give the checksum of what was written so far, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Append; raise `FileTooLarge` beyond the limit and `NoSpace` when the disk is nearly full."""
        if self.size + len(piece) > self._max_bytes:
            raise FileTooLarge(f"more than {self._max_bytes} bytes")
        if self.size >= self._next_look:
            self._next_look = self.size + LOOK_EVERY
            if shutil.disk_usage(self._path.parent).free < RESERVE:
                raise NoSpace("the disk is nearly full")
        try:
            self._file.write(piece)
        except OSError as error:
            raise NoSpace("the disk is full") from error
        self.size += len(piece)
        self._digest.update(piece)

    def commit(self) -> None:
        """Put the file in its place; it is on the disk when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        final = path(self.stored_as)
        final.parent.mkdir(mode=0o700, exist_ok=True)
        os.rename(self._path, final)
        _sync(final.parent)

    def discard(self) -> None:
        """Leave nothing, whether it was complete already or not."""
        self._file.close()
        self._path.unlink(missing_ok=True)
        remove(self.stored_as)


def path(stored_as: str) -> Path:
    """Return where the file with this name of ours lies."""
    if not _NAME.fullmatch(stored_as):
        raise ValueError("not a name of ours")
    return Path(settings.FILES_ROOT) / stored_as[:2] / stored_as


def pieces(stored_as: str, *, first: int = 0, count: int | None = None) -> Generator[bytes]:
    """Yield the file's bytes from `first`, at most `count`; raise FileNotFoundError."""
    with path(stored_as).open("rb") as file:
        file.seek(first)
        left = count
        while left is None or left > 0:
            piece = file.read(PIECE if left is None else min(PIECE, left))
            if not piece:
                return
            left = None if left is None else left - len(piece)
            yield piece


def digest(stored_as: str) -> bytes:
    """Return the SHA-256 of the file as it lies there now."""
    found = hashlib.sha256()
    for piece in pieces(stored_as):
        found.update(piece)
    return found.digest()


def md5(stored_as: str) -> str:
    """Return the MD5 of the file in hexadecimal: by it OCPP 2.x names published firmware (L03.FR.02)."""
    found = hashlib.md5(usedforsecurity=False)
    for piece in pieces(stored_as):
        found.update(piece)
    return found.hexdigest()


def remove(stored_as: str) -> None:
    """Delete the file if it is there."""
    path(stored_as).unlink(missing_ok=True)


def abandoned() -> Iterator[Path]:
    """Yield what processes that died were writing."""
    horizon = time.time() - DEAD_S
    for found in _incoming().iterdir():
        if _is_older(found, horizon):
            yield found


def complete_names() -> Iterator[str]:
    """Yield the names of complete files that have been there for a while."""
    horizon = time.time() - ORPHAN_S
    root = Path(settings.FILES_ROOT)
    for folder in sorted(root.glob("[0-9a-f][0-9a-f]")):
        for found in folder.iterdir():
            if _NAME.fullmatch(found.name) and _is_older(found, horizon):
                yield found.name


def _is_older(found: Path, horizon: float) -> bool:
    try:
        return found.stat().st_mtime < horizon
    except FileNotFoundError:
        return False


def _incoming() -> Path:
    folder = Path(settings.FILES_ROOT) / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
