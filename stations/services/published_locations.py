"""Where stations may fetch firmware that a local controller has published (OCPP 2.x L03): asked before a command goes.

A controller serves the stations of its own site. What it says about addresses is believed for signed firmware only,
whose signature the station checks (L01.FR.04).
"""

from urllib.parse import urlsplit

from stations.models import ChargingStation, FirmwarePublication
from stations.services.errors import UnsuitableFirmware

SCHEMES = ("https", "http", "ftps", "sftp", "ftp")  # the first that a controller offers is used
LONGEST = 512  # characters of a location that every version can be told


def usable(locations: list[str]) -> list[str]:
    """Return the locations that stations can be sent to, the best first."""
    found = [url for url in locations if _scheme(url) in SCHEMES and len(url) <= LONGEST]
    return sorted(found, key=lambda url: SCHEMES.index(_scheme(url)))


def of_station(publication: FirmwarePublication, station: ChargingStation) -> str:
    """Return from where this station fetches what is published; raise `UnsuitableFirmware` when it cannot."""
    if publication.state != FirmwarePublication.State.PUBLISHED or not publication.locations:
        raise UnsuitableFirmware(
            f"{publication.station.identity} does not publish {publication.image} (any more)"
        )
    if not publication.image.signature:
        raise UnsuitableFirmware("only signed firmware is fetched from a local controller")
    if station.location_id is None or station.location_id != publication.station.location_id:
        raise UnsuitableFirmware(f"{station.identity} is not at the site of {publication.station.identity}")
    return str(publication.locations[0])


def serves(station: ChargingStation, url: str) -> bool:
    """Tell whether a local controller of the station's site publishes firmware there now."""
    if station.location_id is None:
        return False
    rows = FirmwarePublication.objects.filter(
        station__location_id=station.location_id,
        state=FirmwarePublication.State.PUBLISHED,
        locations__contains=[url],
    )
    return rows.exists()


def _scheme(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_plain = parts.hostname and parts.username is None and url.isprintable()
    return parts.scheme.lower() if is_plain else ""
