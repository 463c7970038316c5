"""Authorization caches of stations (OCPP 1.6 sections 3.5.1 and 5.4, 2.x C11): emptied where a token may linger."""

from datetime import timedelta

from django.conf import settings

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Command, IdToken
from stations.services import commands, requests
from stations.services.errors import StationsError

BY = "blocked token"
LATELY = timedelta(days=30)  # in which a token charged where it may be remembered
STATIONS = 100  # that are told at most


def forget(token: IdToken) -> int:
    """Empty the caches of the stations at which the token charged lately, if that is wanted; return how many.

    Tokens of other drivers are forgotten too: stations ask for them when they come again.
    """
    if not settings.OCPP_CLEAR_CACHE_OF_BLOCKED:
        return 0
    seen = ChargingSession.objects.filter(token=token, last_updated__gt=clock.now() - LATELY)
    waiting = Command.objects.filter(requested_by=BY, status=Command.Status.QUEUED)
    stations = ChargingStation.objects.filter(pk__in=seen.values("station"))
    count = 0
    for station in stations.exclude(pk__in=waiting.values("station"))[:STATIONS]:
        try:
            requests.queue(
                station,
                "clear_cache",
                facts={},
                requested_by=BY,
                queue_offline=True,
                priority=commands.AUTOMATIC,
            )
            count += 1
        except StationsError:  # its version has no such words
            continue
    return count
