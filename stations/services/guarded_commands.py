"""What may not be sent to a station although its schema allows it: looked at for every command, whoever asks.

One table: action -> check of (station, payload). A check raises `InvalidPayload` with the place of what is wrong.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from stations.models import ChargingStation, FileLink
from stations.services import files, firmware_checks, security_guards
from stations.services.errors import ForbiddenLocation, InvalidPayload, UntrustedFirmware

Payload = dict[str, Any]
Check = Callable[[ChargingStation, Payload], None]


def check(station: ChargingStation, action: str, payload: Payload) -> None:
    """Raise `InvalidPayload` if this may not be sent to the station."""
    if action in CHECKS:
        CHECKS[action](station, payload)


def diagnostics(station: ChargingStation, payload: Payload) -> None:
    """Let a station upload only to us or to a listed server (SECURITY.md 3.4 row 11)."""
    _location(station, payload["location"], FileLink.Direction.UPLOAD, "location")


def log(station: ChargingStation, payload: Payload) -> None:
    """The same for GetLog of the security extension and of 2.x."""
    _location(station, payload["log"]["remoteLocation"], FileLink.Direction.UPLOAD, "log.remoteLocation")


def unsigned_firmware(station: ChargingStation, payload: Payload) -> None:
    """Refuse what the station would install unchecked, unless the installation allows it."""
    if not settings.FIRMWARE_ALLOW_UNSIGNED:
        raise ForbiddenLocation(
            "firmware without a signature is not allowed here (FIRMWARE_ALLOW_UNSIGNED): "
            "use SignedUpdateFirmware"
        )
    _location(station, payload["location"], FileLink.Direction.DOWNLOAD, "location")


def signed_firmware(station: ChargingStation, payload: Payload) -> None:
    """Let it come only from us or a listed server, signed by somebody who may (white paper A00.FR.706)."""
    wanted = payload["firmware"]
    _location(station, wanted["location"], FileLink.Direction.DOWNLOAD, "firmware.location")
    try:
        firmware_checks.check_signer(station.vendor, wanted["signingCertificate"])
    except UntrustedFirmware as error:
        raise InvalidPayload("firmware.signingCertificate", str(error)) from error


def _location(station: ChargingStation, url: str, direction: str, path: str) -> None:
    try:
        files.check_location(station, url, direction=direction)
    except ForbiddenLocation as error:
        raise ForbiddenLocation(error.message, path) from error


CHECKS: dict[str, Check] = {
    "ChangeConfiguration": security_guards.configuration,
    "GetDiagnostics": diagnostics,
    "GetLog": log,
    "SignedUpdateFirmware": signed_firmware,
    "UpdateFirmware": unsigned_firmware,
}
