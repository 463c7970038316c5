"""A socket as handlers see it: which station, which EVSEs, which sessions.

A `Link` is a cache: the owner of the socket loads it at connect and again when somebody else changed the station's
rows. What it lacks is looked up in the careful lane (`Lacking`), never guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from cpo.lib import clock
from stations import readings
from stations.models import ChargingSession, ChargingStation, Connector
from stations.services.ingest import StatusFact

SEEN_EVERY = timedelta(seconds=10)  # how often a talking station's last_seen_at is worth a row update


class Lacking(Exception):
    """The link lacks a fact: run `load` in the careful lane, then call the handler again (once)."""

    def __init__(self, load: Callable[[], None]) -> None:
        super().__init__("the link lacks a fact")
        self.load = load


@dataclass(slots=True)
class KnownSession:
    """What the hot path must know of a session. Energies in Wh."""

    id: int
    transaction_id: str
    evse_id: int
    started_at: datetime
    ended_at: datetime | None
    register: readings.EnergyRegister
    is_complete: bool = False  # this socket saw every reading since the start: its count needs no second look


@dataclass(slots=True)
class Link:
    """The owner's view of one station, valid for one connection epoch."""

    station: ChargingStation
    version: str
    epoch: int
    evses: dict[int, int] = field(default_factory=dict)  # EVSE number -> row id
    sessions: dict[str, KnownSession] = field(default_factory=dict)  # by transaction id; open or just ended
    unknown: set[tuple[str, int]] = field(default_factory=set)  # (transaction id, evse id) that lead nowhere
    statuses: dict[tuple[int, int], StatusFact] = field(default_factory=dict)  # last word of each connector
    booted: bool = False
    stale: bool = False  # somebody else changed the station's rows: load again before the next frame
    last_seen_at: datetime | None = None

    @property
    def station_id(self) -> int:
        return self.station.pk

    def seen(self, now: datetime) -> tuple[int, datetime] | None:
        """Return what to write down about this sign of life, if it is worth a row update."""
        if self.last_seen_at is not None and now - self.last_seen_at < SEEN_EVERY:
            return None
        self.last_seen_at = now
        return self.station.pk, now

    def open_session_of(self, evse_id: int) -> KnownSession | None:
        """Return the EVSE's newest session that has not ended."""
        open_ones = [s for s in self.sessions.values() if s.evse_id == evse_id and s.ended_at is None]
        return max(open_ones, key=lambda s: s.started_at, default=None)

    def session_of(self, evse_id: int, at: datetime) -> KnownSession | None:
        """Return the EVSE's session whose span, with the grace after its end, holds this moment."""
        grace = timedelta(seconds=settings.OCPP_STOP_GRACE_S)
        fitting = [
            s
            for s in self.sessions.values()
            if s.evse_id == evse_id
            and s.started_at <= at
            and (s.ended_at is None or at <= s.ended_at + grace)
        ]
        return max(fitting, key=lambda s: s.started_at, default=None)

    def remember(self, session: ChargingSession) -> KnownSession:
        """Take a session into the view; one that is known stays as it is."""
        known = self.sessions.get(session.transaction_id) or known_session(session)
        self.sessions[session.transaction_id] = known
        self.unknown.clear()
        if len(self.sessions) > 32:
            self.forget_old()
        return known

    def forget_old(self) -> None:
        """Drop sessions that ended before the grace."""
        horizon = clock.now() - timedelta(seconds=settings.OCPP_STOP_GRACE_S)
        self.sessions = {
            key: s for key, s in self.sessions.items() if s.ended_at is None or s.ended_at > horizon
        }


def known_session(session: ChargingSession) -> KnownSession:
    """Return the hot path's view of a session row."""
    return KnownSession(
        id=session.pk,
        transaction_id=session.transaction_id,
        evse_id=session.evse_id,
        started_at=session.started_at,
        ended_at=session.ended_at,
        register=readings.EnergyRegister.resume(
            meter_start_wh=session.meter_start_wh,
            register_wh=session.register_wh,
            energy_wh=session.energy_wh,
        ),
    )


def load(link: Link) -> None:
    """Read the station's rows into the link (blocking). Runs between two frames of the socket, never beside one."""
    link.stale = False
    link.station = ChargingStation.objects.select_related("location").get(pk=link.station.pk)
    link.evses = {
        number: evse_id
        for evse_id, number in Connector.objects.filter(evse__station=link.station)
        .values_list("evse_id", "evse__number")
        .distinct()
    }
    horizon = clock.now() - timedelta(seconds=settings.OCPP_STOP_GRACE_S)
    active = ChargingSession.objects.active().filter(station=link.station)
    ended = ChargingSession.objects.ended().filter(
        evse_id__in=list(link.evses.values()),
        started_at__gt=horizon - timedelta(days=2),
        ended_at__gt=horizon,
    )
    link.sessions = {
        session.transaction_id: known_session(session)
        for session in [*ended.order_by("started_at")[:20], *active.order_by("started_at")[:50]]
    }
    link.unknown.clear()
