"""What may not be written to a station behind the back of its security profile (A00.FR.005).

A password that is sent by hand is no such thing: see `password_changes.adopted`.
"""

from typing import Any

from stations.models import ChargingStation
from stations.services.errors import InvalidPayload

PROFILE_KEY = "securityprofile"


def configuration(station: ChargingStation, payload: dict[str, Any]) -> None:
    """Let SecurityProfile through only as `security_profiles` sends it: one that we do not expect locks it out."""
    key = str(payload.get("key", "")).strip().casefold()
    if key == PROFILE_KEY and payload.get("value") != str(station.next_security_profile):
        raise InvalidPayload("key", "raise the profile on the station's security page: it goes step by step")
