"""Other spellings of a station's identity, written down by an operator (field notes, quirk 21)."""

from django.db import IntegrityError, transaction

from cpo.lib import events
from stations.events import StationChanged
from stations.models import ChargingStation, StationAlias
from stations.services.errors import AliasTaken, InvalidPayload

LENGTH = 255  # characters


@transaction.atomic(savepoint=False)
def add(station: ChargingStation, *, alias: str, by: str = "") -> StationAlias:
    """Know the station by this spelling too: the path below `/ocpp/` as it arrives, percent-decoded.

    It must show its own password or certificate all the same. Raise `InvalidPayload`, `AliasTaken`.
    """
    text = "/".join(part for part in alias.strip().split("/") if part)
    if not 0 < len(text) <= LENGTH or not text.isprintable():
        raise InvalidPayload("alias", f"1 to {LENGTH} printable characters")
    if ChargingStation.objects.filter(identity__iexact=text).exists():
        raise AliasTaken(f"{text} is a station's own identity")
    try:
        with transaction.atomic():
            made = StationAlias.objects.create(alias=text, station=station, added_by=by[:100])
    except IntegrityError as error:
        raise AliasTaken(f"{text} is known already") from error
    events.publish(StationChanged(station.pk))
    return made


@transaction.atomic(savepoint=False)
def remove(alias: StationAlias) -> None:
    """Know the station by this spelling no more."""
    alias.delete()
    events.publish(StationChanged(alias.station_id))
