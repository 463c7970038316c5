"""A socket as handlers see it: which station, which EVSEs, which sessions.

A `Link` is a cache: the owner of the socket loads it at connect and again when somebody else changed the station's
rows. What it lacks is looked up in the careful lane (`Lacking`), never guessed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from cpo.lib import clock, database
from stations import readings
from stations.models import ChargingSession, ChargingStation
from stations.services import quirks
from stations.services.ingest import StartFact, StatusFact

SEEN_EVERY = timedelta(seconds=10)  # how often a talking station's last_seen_at is worth a row update


class Lacking(Exception):
    """The link lacks a fact: run `load` in the careful lane, then call the handler again."""

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
    connector_number: int = 1
    next_seq_no: int = -1  # of the 2.x transaction's next event; -1: this socket has not heard of it yet
    has_news: bool = False  # the answer to its next event carries more than the event asks for
    is_placed: bool = True  # False: the 2.x transaction has not named its EVSE yet
    is_ad_hoc: bool = False  # its end is answered with what it cost (C20.FR.03)


@dataclass(slots=True)
class Link:
    """The owner's view of one station, valid for one connection epoch."""

    station: ChargingStation
    version: str
    epoch: int
    evses: dict[int, int] = field(default_factory=dict)  # EVSE number -> row id
    connectors: set[tuple[int, int]] = field(
        default_factory=set
    )  # (EVSE, connector) that 2.x spoke of: rows exist
    sessions: dict[str, KnownSession] = field(default_factory=dict)  # by transaction id; open or just ended
    unknown: set[tuple[str, int]] = field(default_factory=set)  # (transaction id, evse id) that lead nowhere
    statuses: dict[tuple[int, int], StatusFact] = field(default_factory=dict)  # last word of each connector
    quirks: Mapping[str, Any] = field(
        default_factory=dict
    )  # what holds for the station, `services.quirks.KNOWN`
    booted: bool = False  # its BootNotification was answered with Accepted
    boots: int = 0  # BootNotifications answered on this socket
    asked_for_boot: bool = False  # by us, on this socket
    orphans: bool = False  # a stop came over this socket whose start is not known yet
    stale: bool = False  # somebody else changed the station's rows: load again before the next frame
    last_seen_at: datetime | None = None

    @property
    def station_id(self) -> int:
        return self.station.pk

    def become(self, station: ChargingStation) -> None:
        """Take over what the station said about itself at boot (blocking where its make is another one)."""
        was, self.station = self.station, station
        makes = [(s.vendor, s.model, s.firmware_version) for s in (was, station)]
        if makes[0] != makes[1]:
            self.quirks = quirks.flags(station)

    def seen(self, now: datetime) -> tuple[int, datetime] | None:
        """Return what to write down about this sign of life, if it is worth a row update."""
        if self.last_seen_at is not None and now - self.last_seen_at < SEEN_EVERY:
            return None
        self.last_seen_at = now
        return self.station.pk, now

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

    def begin(self, fact: StartFact, session_id: int) -> KnownSession:
        """Take a session into the view that this socket has just started: it will see every reading."""
        register = readings.EnergyRegister.begin(fact.meter_start_wh)
        known = self.sessions[fact.transaction_id] = KnownSession(
            session_id, fact.transaction_id, fact.evse_id, fact.started_at, None, register, is_complete=True
        )
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


EVSES = """
select e.number, e.id, array(select c.number from stations_connector c where c.evse_id = e.id)
from stations_evse e where e.station_id = %s
"""

# Open sessions, and those that ended so lately that readings may still come.
SESSIONS = """
select id, transaction_id, evse_id, started_at, ended_at, meter_start_wh, register_wh, energy_wh, connector_number,
    exists(select from stations_sessionlimit l where l.session_id = s.id and l.is_untold)
        or exists(select from stations_sessioncost c where c.session_id = s.id and c.is_untold),
    token_id is null and party = '' and authorization_reference <> '', not s.flags @> '["evse_unknown"]'
from stations_chargingsession s where station_id = %s and status = 'active'
union all
select id, transaction_id, evse_id, started_at, ended_at, meter_start_wh, register_wh, energy_wh, connector_number,
    false, false, true
from stations_chargingsession
where evse_id = any(%s) and started_at > %s and status = 'ended' and ended_at > %s
"""
LONGEST = timedelta(days=2)  # a session that ended just now and began earlier is not remembered


def known_session(session: ChargingSession) -> KnownSession:
    """Return the hot path's view of a session row."""
    return _known(
        session.pk, session.transaction_id, session.evse_id, session.started_at, session.ended_at,
        session.meter_start_wh, session.register_wh, session.energy_wh, session.connector_number,
        is_ad_hoc=session.is_ad_hoc, is_placed="evse_unknown" not in session.flags,
    )  # fmt: skip


def load(link: Link) -> None:
    """Read the station's rows into the link (blocking). Runs between two frames of the socket, never beside one."""
    link.stale = False
    link.station = ChargingStation.objects.get(pk=link.station.pk)
    link.quirks = quirks.flags(link.station)
    load_parts(link)


def load_parts(link: Link) -> None:
    """Read EVSEs and sessions of the station into the link (blocking)."""
    horizon = clock.now() - timedelta(seconds=settings.OCPP_STOP_GRACE_S)
    evses = database.prepared(EVSES, [link.station_id])
    link.evses = {number: evse_id for number, evse_id, _ in evses}
    link.connectors = {(number, connector) for number, _, connectors in evses for connector in connectors}
    rows = database.prepared(
        SESSIONS, [link.station_id, list(link.evses.values()), horizon - LONGEST, horizon]
    )
    heard = {key: known.next_seq_no for key, known in link.sessions.items()}
    link.sessions = {row[1]: _known(*row) for row in rows}
    for key in heard.keys() & link.sessions.keys():
        link.sessions[key].next_seq_no = heard[key]
    link.unknown.clear()


def _known(
    id: int,
    transaction_id: str,
    evse_id: int,
    started_at: datetime,
    ended_at: datetime | None,
    meter_start_wh: Decimal | None,
    register_wh: Decimal | None,
    energy_wh: Decimal,
    connector_number: int,
    has_news: bool = False,
    is_ad_hoc: bool = False,
    is_placed: bool = True,
) -> KnownSession:
    register = readings.EnergyRegister.resume(
        meter_start_wh=meter_start_wh, register_wh=register_wh, energy_wh=energy_wh
    )
    return KnownSession(
        id,
        transaction_id,
        evse_id,
        started_at,
        ended_at,
        register,
        connector_number=connector_number,
        has_news=has_news,
        is_ad_hoc=is_ad_hoc,
        is_placed=is_placed,
    )
