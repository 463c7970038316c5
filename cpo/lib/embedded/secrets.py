"""Secrets of one installation, made once and kept in `<var>/secrets.env` for its owner alone."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

FACTORIES: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "FIELD_KEYS": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
}


def load(var: Path) -> dict[str, str]:
    """Give the secrets under `var`, making what is missing; two starts at once agree on one set."""
    file = var / "secrets.env"
    known = _read(file)
    missing = {name: make() for name, make in FACTORIES.items() if name not in known}
    if not missing:
        return known
    text = "".join(f"{name}={value}\n" for name, value in {**known, **missing}.items())
    if not known:
        write_once(file, text)
    else:
        write_private(file, text)
    return _read(file)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    fresh = _draft(file, text)
    fresh.replace(file)


def write_once(file: Path, text: str) -> None:
    """Like write_private, but leave a file alone that exists by now."""
    fresh = _draft(file, text)
    try:
        os.link(fresh, file)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _draft(file: Path, text: str) -> Path:
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return fresh


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    pairs = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}
