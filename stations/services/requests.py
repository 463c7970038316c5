"""Requests that services make, in the words of the station's OCPP version: asked for through settings."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from stations.models import ChargingStation, Command
from stations.services import commands


@cache
def _writer() -> Callable[[str, str, dict[str, Any]], tuple[str, dict[str, Any]]]:
    function: Callable[[str, str, dict[str, Any]], tuple[str, dict[str, Any]]] = import_string(
        settings.COMMAND_WRITER
    )
    return function


def queue(station: ChargingStation, request: str, *, facts: dict[str, Any], **options: Any) -> Command:
    """Queue what the station's version calls this request; `options` are those of `commands.queue`.

    Raise `UnknownAction` when the version has no words for it, and what `commands.queue` raises.
    """
    action, payload = write(station, request, facts)
    return commands.queue(station, action=action, payload=payload, **options)


def write(station: ChargingStation, request: str, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Say a request in the words of the station's version; raise `UnknownAction` when it has none."""
    return _writer()(station.ocpp_version, request, facts)


def size(payload: dict[str, Any]) -> int:
    """Return how many bytes a payload has on the wire."""
    return len(json.dumps(payload, default=str, separators=(",", ":"), ensure_ascii=False).encode())
