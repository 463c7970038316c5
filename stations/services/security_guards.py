"""What may not be written to a station behind the back of its changes of password and profile (A00.FR.005, A01)."""

from typing import Any

from stations.models import ChargingStation
from stations.services import sealed
from stations.services.errors import InvalidPayload

PASSWORD_KEY, PROFILE_KEY = "authorizationkey", "securityprofile"


def configuration(station: ChargingStation, payload: dict[str, Any]) -> None:
    """Let AuthorizationKey and SecurityProfile through only as `passwords` and `security_profiles` send them.

    A password that we do not know of would lock the station out, a profile too; a lower one is never sent.
    """
    key = str(payload.get("key", "")).strip().casefold()
    if key == PASSWORD_KEY and not sealed.is_sealed(payload.get("value")):
        raise InvalidPayload("key", "change the password on the station's security page: it keeps both in step")
    if key == PROFILE_KEY and payload.get("value") != str(station.next_security_profile):
        raise InvalidPayload("key", "raise the profile on the station's security page: it goes step by step")
