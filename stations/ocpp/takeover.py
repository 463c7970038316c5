"""Two connections of one station: who stays (threat 2, cases H13 to H16; OCPP says nothing about it).

The newest authenticated connection owns the station: a charger that lost its line dials again before anybody notices
that the old socket is dead. Where that could be a stranger with a stolen password (another address, no more than Basic
authentication), or where the two throw each other out again and again, the old one is asked for a sign of life first,
and stays if it gives one. It may be a socket of this process or of another one.
"""

import asyncio
from typing import TYPE_CHECKING

from django.conf import settings

from cpo.lib import metrics
from stations.models import ChargingStation
from stations.services import connections

if TYPE_CHECKING:
    from stations.ocpp.hub import Hub

STRONG = 2  # from this security profile on, the peer has proved who it is over TLS


async def is_welcome(hub: "Hub", station: ChargingStation, *, address: str, profile: int) -> bool:
    """Tell whether a new connection from this address, let in with this security profile, may become the owner."""
    if not station.is_online and station.pk not in hub.sockets:
        return True
    incumbent = await hub.door.run(connections.incumbent, station.pk)
    if incumbent is None:
        return True
    is_damped = incumbent.takeovers >= settings.OCPP_TAKEOVERS_IN_5_MIN
    if is_damped:
        await hub.door.run(connections.many_takeovers, station.pk, takeovers=incumbent.takeovers)
    elif incumbent.address == address or profile >= STRONG:
        metrics.ocpp_takeovers.add("newest")
        return True
    if not await hub.is_alive(station.pk, incumbent.owner):
        metrics.ocpp_takeovers.add("dead")
        return True
    metrics.ocpp_takeovers.add("refused")
    await hub.door.run(connections.duplicate, station.pk, kept=incumbent.address, refused=address)
    return False


async def ask(hub: "Hub", station_id: int, owner: str) -> bool:
    """Ask for a sign of life of a station's socket, wherever it is. No word from its process: it is dead."""
    if owner == hub.owner or not owner:
        consumer = hub.sockets.get(station_id)
        return consumer is not None and await consumer.is_alive(settings.OCPP_TAKEOVER_PING_S)
    if await hub.door.run(connections.is_dead, owner):
        return False
    question, answer = hub.question()
    try:
        await hub.door.run(connections.probe, station_id, question=question)
        return await asyncio.wait_for(answer, settings.OCPP_TAKEOVER_PING_S + 1)
    except TimeoutError:
        return False
