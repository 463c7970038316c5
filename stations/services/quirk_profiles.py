"""What is known of makes and models: the files of `stations/quirks/`, read once (field notes, chapter 3).

An entry names a vendor, a model and a range of firmware versions by pattern, and the flags that hold for them.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

FOLDER = Path(__file__).resolve().parent.parent / "quirks"
_VERSION = re.compile(r"\d+(?:\.\d+)+|\d+")


@dataclass(frozen=True, slots=True)
class Profile:
    """One entry: which stations it is about, and what holds for them. Firmware from (with) .. before (without)."""

    name: str
    vendor: re.Pattern[str] | None
    model: re.Pattern[str] | None
    firmware_from: tuple[int, ...]
    firmware_before: tuple[int, ...]
    flags: dict[str, Any]
    source: str

    def fits(self, vendor: str, model: str, firmware: str) -> bool:
        """Tell whether a station that calls itself so is meant."""
        if self.vendor is not None and not self.vendor.search(vendor):
            return False
        if self.model is not None and not self.model.search(model):
            return False
        if not self.firmware_from and not self.firmware_before:
            return True
        version = version_of(firmware)
        if not version or version < self.firmware_from:
            return False
        return not self.firmware_before or version < self.firmware_before


def version_of(firmware: str) -> tuple[int, ...]:
    """Return the version number in a firmware's name, `V1.8.21` or `TAC3Z91::V1.8.21`: the last one with a dot."""
    found: list[str] = _VERSION.findall(firmware)
    dotted = [text for text in found if "." in text]
    chosen = (dotted or found)[-1:]
    return tuple(int(part[:9]) for part in chosen[0].split(".")) if chosen else ()


@cache
def profiles() -> tuple[Profile, ...]:
    """Return all entries, ours before those of OCPP_QUIRK_PROFILES. Raise ValueError for one that cannot be read."""
    files = [*sorted(FOLDER.glob("*.yaml")), *map(Path, settings.OCPP_QUIRK_PROFILES)]
    return tuple(entry for file in files for entry in parse(file.read_text(), str(file)))


def parse(text: str, where: str = "") -> list[Profile]:
    """Read entries from YAML text; ValueError says what is wrong with which."""
    try:
        document = yaml.safe_load(text) or []
        return [_entry(entry) for entry in document]
    except (yaml.YAMLError, re.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where}: not a list of quirk profiles: {error}") from error


def _entry(entry: dict[str, Any]) -> Profile:
    firmware = entry.get("firmware") or {}
    return Profile(
        name=str(entry["name"]),
        vendor=_pattern(entry.get("vendor")),
        model=_pattern(entry.get("model")),
        firmware_from=version_of(str(firmware.get("from", ""))),
        firmware_before=version_of(str(firmware.get("before", ""))),
        flags=dict(entry["flags"]),
        source=str(entry.get("source", "")),
    )


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return re.compile(text, re.IGNORECASE) if text else None
