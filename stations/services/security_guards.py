"""What may not be written to a station behind the back of its security profile (1.6 A00.FR.005, 2.1 B09.FR.04).

A password that is sent by hand is no such thing: see `password_changes.adopted`.
"""

from typing import Any

from stations.models import ChargingStation, Variable
from stations.services.errors import InvalidPayload, LowerProfile
from stations.services.variable_keys import VariableKey

PROFILE_KEY = "securityprofile"
MAY_LOWER = VariableKey("AllowSecurityProfileDowngrade", "SecurityCtrlr")


def configuration(station: ChargingStation, payload: dict[str, Any]) -> None:
    """Let SecurityProfile through only as `security_profiles` sends it: one that we do not expect locks it out."""
    key = str(payload.get("key", "")).strip().casefold()
    if key == PROFILE_KEY and payload.get("value") != str(station.next_security_profile):
        raise InvalidPayload("key", "raise the profile on the station's security page: it goes step by step")


def network_profile(station: ChargingStation, payload: dict[str, Any]) -> None:
    """Let no network profile through with which the station would be less secure."""
    try:
        check_profile(station, int(payload["connectionData"]["securityProfile"]))
    except LowerProfile as error:
        raise InvalidPayload("connectionData.securityProfile", str(error)) from error


def check_profile(station: ChargingStation, profile: int) -> None:
    """Raise `LowerProfile` for a profile lower than the station's, but for one that it allows (B09.FR.31)."""
    if profile >= station.security_profile:
        return
    may = Variable.objects.filter(station=station, **MAY_LOWER._asdict(), value__iexact="true")
    if (station.security_profile, profile) == (3, 2) and may.exists():
        return
    raise LowerProfile(f"{station.identity} has profile {station.security_profile}, never a lower one")
