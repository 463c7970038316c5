"""What may not be sent to a station although its schema allows it: looked at for every command, whoever asks.

One table: action -> check of (station, payload). A check raises `InvalidPayload` with the place of what is wrong.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from stations.models import ChargingStation, FileLink
from stations.services import certificate_guards, files, firmware_checks, published_locations, security_guards
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
    _unsigned(station, payload["location"], "location", "use SignedUpdateFirmware")


def update_firmware(station: ChargingStation, payload: Payload) -> None:
    """Look at UpdateFirmware of either family: that of 2.x is signed where it says by whom (L01.FR.11)."""
    firmware = payload.get("firmware")
    if firmware is None:
        unsigned_firmware(station, payload)
    elif "signingCertificate" in firmware:
        signed_firmware(station, payload)
    else:
        _unsigned(station, firmware["location"], "firmware.location", "name signingCertificate and signature")


def published_firmware(station: ChargingStation, payload: Payload) -> None:
    """Let a local controller fetch only from us or a listed server (L03)."""
    _location(station, payload["location"], FileLink.Direction.DOWNLOAD, "location")


def _unsigned(station: ChargingStation, url: str, path: str, instead: str) -> None:
    if not settings.FIRMWARE_ALLOW_UNSIGNED:
        raise ForbiddenLocation(
            f"firmware without a signature is not allowed here (FIRMWARE_ALLOW_UNSIGNED): {instead}"
        )
    _location(station, url, FileLink.Direction.DOWNLOAD, path)


def signed_firmware(station: ChargingStation, payload: Payload) -> None:
    """Let it come only from us, a listed server or the site's local controller, signed by somebody who may.

    White paper A00.FR.706, L03.
    """
    wanted = payload["firmware"]
    if not published_locations.serves(station, wanted["location"]):
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
    "DeleteCertificate": certificate_guards.deletion,
    "GetDiagnostics": diagnostics,
    "GetLog": log,
    "PublishFirmware": published_firmware,
    "SetNetworkProfile": security_guards.network_profile,
    "SignedUpdateFirmware": signed_firmware,
    "UpdateFirmware": update_firmware,
}
