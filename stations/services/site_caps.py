"""What others than the load balancer allow an outlet: operators, partners, energy managers, the vehicle itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from stations.charging_profiles import ChargingProfile, InvalidProfile, RateUnit, composite, from_v2
from stations.load_balancing import Wiring
from stations.models import (
    ChargingNeeds,
    ChargingSession,
    ChargingStation,
    ExternalLimit,
    InstalledProfile,
    PowerOutlet,
    PriorityCharging,
)
from stations.services import charging_limits, profile_rows, profile_shapes

OURS = (profile_rows.BALANCER, profile_rows.SAFE)
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Others:
    """The limits of others on the stations of a site; most stations have none and cost nothing."""

    profiles: Mapping[int, list[tuple[InstalledProfile, ChargingProfile]]]  # by station
    external: Mapping[int, list[ChargingProfile]]  # by station
    prioritised: frozenset[int]  # sessions with priority charging (2.1 K21, K22)
    needs: Mapping[int, ChargingNeeds]  # by session

    def cap_a(
        self, outlet: PowerOutlet, session: ChargingSession, wiring: Wiring, *, now: datetime
    ) -> Decimal | None:
        """Return what others allow this session in A on each phase; None where nobody limits it."""
        station = outlet.evse.station
        mine = [
            profile
            for row, profile in self.profiles.get(station.pk, [])
            if row.session_id in (None, session.pk)
        ]
        return self._limit_a(station, mine, outlet.evse.number, wiring, session, now)

    def station_a(self, station: ChargingStation, wiring: Wiring, *, now: datetime) -> Decimal | None:
        """Return what others allow the whole station in A on each phase."""
        mine = [profile for _, profile in self.profiles.get(station.pk, [])]
        return self._limit_a(station, mine, 0, wiring, None, now)

    def _limit_a(
        self,
        station: ChargingStation,
        mine: list[ChargingProfile],
        evse_number: int,
        wiring: Wiring,
        session: ChargingSession | None,
        now: datetime,
    ) -> Decimal | None:
        found = [*mine, *self.external.get(station.pk, [])]
        if not found:
            return None
        unit = RateUnit.W if wiring.is_dc else RateUnit.A
        try:
            schedule = composite(
                found,
                evse=evse_number,
                start=now,
                duration_s=MINUTE_S,
                unit=unit,
                session_start=session.started_at if session else None,
                transaction=session.transaction_id if session else None,
                connected_phases=len(wiring.phases),
                voltage_v=wiring.voltage_v,
                now=now,
                zone=profile_shapes.zone_of(station),
                priority_charging=session is not None and session.pk in self.prioritised,
            )
        except InvalidProfile:
            return None
        period = schedule.at(now)
        if period is None or period.limit is None:
            return None
        return wiring.amps_of(period.limit) if unit is RateUnit.W else period.limit


def of(stations: Iterable[ChargingStation], running: Iterable[ChargingSession]) -> Others:
    """Read the limits of others: four statements, and one for each station that somebody limits from outside."""
    known = {station.pk: station for station in stations}
    rows = InstalledProfile.objects.filter(
        station__in=known, state__in=InstalledProfile.LIVE
    ).exclude(source__in=OURS)  # fmt: skip
    profiles: dict[int, list[tuple[InstalledProfile, ChargingProfile]]] = {}
    for row in rows:
        if row.is_wanted or row.on_station is not None:
            profile = from_v2(row.on_station or row.profile, evse=row.evse_number)
            profiles.setdefault(row.station_id, []).append((row, profile))
    limited = ExternalLimit.objects.filter(station__in=known, cleared_at=None)
    external = {
        pk: charging_limits.profiles(known[pk]) for pk in set(limited.values_list("station_id", flat=True))
    }
    ids = [session.pk for session in running]
    prioritised = PriorityCharging.objects.filter(session__in=ids, is_active=True)
    needs = ChargingNeeds.objects.filter(session__in=ids)
    return Others(
        profiles,
        external,
        frozenset(prioritised.values_list("session_id", flat=True)),
        {each.session_id: each for each in needs if each.session_id is not None},
    )
