"""Requests that services make, in the words of the station's OCPP version: asked for through settings."""

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
    action, payload = _writer()(station.ocpp_version, request, facts)
    return commands.queue(station, action=action, payload=payload, **options)
