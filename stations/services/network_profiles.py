"""Network connection profiles in the slots of a station (B09, B10)."""

from typing import Any

from django.db import transaction

from cpo.lib import clock, events, redact
from stations.events import VariablesChanged
from stations.models import ChargingStation, Command, NetworkProfile
from stations.services import requests
from stations.services.errors import NotConfirmed

State = NetworkProfile.State


@transaction.atomic(savepoint=False)
def set_slot(
    station: ChargingStation, *, slot: int, data: dict[str, Any], confirmed: bool = False, **options: Any
) -> Command:
    """Queue SetNetworkProfile: `data` is a NetworkConnectionProfileType. The station uses it when its priority says so.

    Raise `NotConfirmed` without `confirmed`, for a wrong one can cut the station off, and what `requests.queue` raises.
    """
    if not confirmed:
        raise NotConfirmed("a wrong network profile can cut the station off: confirm the change")
    command = requests.queue(station, "set_network_profile", facts={"slot": slot, "data": data}, **options)
    _keep(command, slot=slot, data=data, state=State.ASKED)
    return command


@transaction.atomic(savepoint=False)
def answered(command: Command, *, slot: int, data: dict[str, Any], state: str, reason: str = "") -> None:
    """Keep what the station said to a profile (B09.FR.01 to FR.03); of two for a slot the newer one counts."""
    newer = Command.objects.filter(
        station=command.station, action=command.action, payload__configurationSlot=slot, pk__gt=command.pk
    )
    if not newer.exists():
        _keep(command, slot=slot, data=data, state=state, reason=reason)


def _keep(command: Command, *, slot: int, data: dict[str, Any], state: str, reason: str = "") -> None:
    clean = redact.payload(data)
    NetworkProfile.objects.update_or_create(
        station=command.station,
        slot=slot,
        defaults={
            "url": str(clean.get("ocppCsmsUrl") or "")[:2000],
            "security_profile": int(data.get("securityProfile") or 0),
            "interface": str(data.get("ocppInterface") or "")[:20],
            "data": clean,
            "state": state,
            "reason": reason[:255],
            "requested_by": command.requested_by,
            "told_at": clock.now(),
        },
    )
    events.publish(VariablesChanged(command.station_id))
