"""`{% command_query station "stop" transaction=session.transaction_id %}`: a link to the form of a command."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from cpo.console import command_links
from stations.models import ChargingStation, Connector

register = template.Library()


@register.simple_tag
def command_query(station: ChargingStation, wanted: str, **facts: Any) -> str:
    """Return the query, from `tab=` on."""
    return command_links.query(station.ocpp_version, wanted, **facts)


@register.filter
def place_name(connector: Connector, station: ChargingStation) -> str:
    """Name a connector as its station does: by its number in 1.6, by EVSE and, beyond the first, connector in 2.x."""
    if not station.ocpp_version.startswith("2"):
        return _("Connector %(number)d") % {"number": connector.evse.number}
    if connector.number == 1:
        return _("EVSE %(number)d") % {"number": connector.evse.number}
    return _("EVSE %(evse)d, connector %(number)d") % {
        "evse": connector.evse.number,
        "number": connector.number,
    }
