"""What a driver will pay at a station: a line for its display, a tariff for one that calculates (I01, I08)."""

from typing import Any

from billing.models import TariffVersion
from billing.services import choice, station_tariffs
from billing.tariff.errors import CannotExpress
from billing.tariff.summary import summary
from cpo.lib import clock
from stations.models import ChargingStation, Connector, IdToken
from stations.ports import DriverTariff

LONGEST = 512  # characters of a message of 2.0.1 (MessageContentType)


def of_driver(station: ChargingStation, token: IdToken | None, *, language: str = "") -> DriverTariff | None:
    """Return what a session of this token that starts now would be billed by; None: no tariff is assigned here.

    Where EVSEs differ, the text names each, and there is no document: what is asked for is not bound to an EVSE.
    """
    connectors = list(
        Connector.objects.filter(evse__station=station, evse__is_removed=False, number=1)
        .select_related("evse__station__location__operator")
        .order_by("evse__number")
    )
    found = choice.of_token(connectors, token, at=clock.now())
    versions = {c.evse.number: found[c.pk] for c in connectors if c.pk in found}
    if not versions:
        return None
    different = set(versions.values())
    wanted = language or (token.language if token else "")
    first = next(iter(versions.values()))
    text, spoken = summary(choice.parsed(first), wanted)
    if len(different) > 1:
        lines = [f"{number}: {summary(choice.parsed(v), wanted)[0]}" for number, v in versions.items()]
        return DriverTariff("; ".join(lines)[:LONGEST], spoken)
    return DriverTariff(text[:LONGEST], spoken, _document(station, connectors, first))


def _document(
    station: ChargingStation, connectors: list[Connector], version: TariffVersion
) -> dict[str, Any] | None:
    """Return the tariff as the station can calculate by it, if it is another one than the default there (I08.FR.01)."""
    if all(default == version for default in station_tariffs.defaults(connectors).values()):
        return None
    try:
        return station_tariffs.document(version)
    except CannotExpress:  # it would price otherwise than we do
        return None
