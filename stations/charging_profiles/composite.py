"""Profiles of every purpose merged into what an EVSE may draw (2.1 K 3.6, SC.01, SC.04, K08; 1.6 section 3.13.3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from stations.charging_profiles.merge import Merger
from stations.charging_profiles.profile import (
    ChargingProfile,
    ChargingSchedulePeriod,
    CompositeSchedule,
    Purpose,
    RateUnit,
)
from stations.charging_profiles.timeline import EPOCH, Span, Timeline, Window, seconds

NEEDS_A_SESSION = (Purpose.TX, Purpose.PRIORITY_CHARGING)


def composite(
    profiles: Iterable[ChargingProfile],
    *,
    evse: int,
    start: datetime,
    duration_s: int,
    unit: RateUnit,
    session_start: datetime | None = None,
    transaction: str | None = None,
    connected_phases: int = 3,
    voltage_v: Decimal | int = 230,
    now: datetime | None = None,
    zone: tzinfo = UTC,
    priority_charging: bool = False,
    soc_percent: Decimal | int | None = None,
    offline_since: datetime | None = None,
    csms_setpoint_first: bool = False,
    schedule_index: int = 0,
    sessions: Mapping[int, datetime] | None = None,
) -> CompositeSchedule:
    """Compute the composite schedule of an EVSE, or of the station's grid connection for EVSE 0.

    `profiles` are all that lie on the station, in any order. `session_start` is when the EVSE was ready to deliver
    energy; without it there is no transaction and the default profile counts as if one began `now`, by default at
    `start` (K08.FR.06). `transaction` is the running one's id, if profiles of others may still lie there. `zone` is
    the station's, for schedules in local time. `priority_charging` says it was activated (K21), `soc_percent` caps
    by limitAtSoC, `offline_since` ages profiles with maxOfflineDuration, `csms_setpoint_first` is the variable
    SetpointPriority, `schedule_index` chooses among up to three schedules (K15.FR.22). For EVSE 0, `sessions` maps
    EVSEs that charge to their start: the sum of their limits bounds what the grid connection is expected to carry.

    Random delays count as 0. Raises InvalidProfile where profiles ask for different phases (K01.FR.141).
    """
    begin, unit = seconds(start), RateUnit(unit)
    window = Window(
        begin=begin,
        end=begin + duration_s,
        now=begin if now is None else seconds(now),
        zone=zone,
        session_start=None if session_start is None else seconds(session_start),
        offline_since=None if offline_since is None else seconds(offline_since),
    )
    merger = Merger(
        unit, min(max(connected_phases, 1), 3), Decimal(voltage_v), soc_percent, csms_setpoint_first
    )
    installed = list(profiles)
    choice = _Choice(transaction, priority_charging, schedule_index)
    board = _Board(installed, evse, window, choice, merger)
    others = [
        _Board(installed, each, replace(window, session_start=seconds(began)), choice, merger)
        for each, began in sorted((sessions or {}).items())
        if evse == 0 and each != 0
    ]
    changes = {begin}.union(*(each.changes() for each in [board, *others]))
    periods: list[ChargingSchedulePeriod] = []
    for instant in sorted(change for change in changes if change < window.end):
        period = replace(board.merged(instant, others), start_period_s=instant - begin)
        if not periods or replace(periods[-1], start_period_s=period.start_period_s) != period:
            periods.append(period)
    return CompositeSchedule(evse, EPOCH + timedelta(seconds=begin), duration_s, unit, tuple(periods))


@dataclass(frozen=True, slots=True)
class _Choice:
    transaction: str | None
    priority_charging: bool
    schedule_index: int


class _Board:
    """The timelines that concern one EVSE, the prevailing ones first."""

    def __init__(
        self, profiles: list[ChargingProfile], evse: int, window: Window, choice: _Choice, merger: Merger
    ) -> None:
        self.evse, self.window, self.merger = evse, window, merger
        concerned = [profile for profile in profiles if self._concerns(profile, choice)]
        # The highest stack level prevails (K01.FR.17); on equal levels the EVSE's own (OCPP 1.6 section 3.13.1).
        concerned.sort(key=lambda each: (-each.stack_level, -each.evse, -each.id))
        self.timelines = [Timeline(each, window, choice.schedule_index) for each in concerned]

    def _concerns(self, profile: ChargingProfile, choice: _Choice) -> bool:
        if profile.evse not in (0, self.evse) or not profile.schedules:
            return False
        if (
            self.evse == 0
        ):  # a default profile there is for the EVSEs, not for the grid connection (K09.FR.05)
            return profile.purpose not in (*NEEDS_A_SESSION, Purpose.TX_DEFAULT)
        if profile.purpose in NEEDS_A_SESSION and self.window.session_start is None:
            return False
        if profile.purpose is Purpose.PRIORITY_CHARGING:
            return choice.priority_charging
        if profile.purpose is not Purpose.TX:
            return True
        known = None in (choice.transaction, profile.transaction_id)
        return profile.evse > 0 and (known or profile.transaction_id == choice.transaction)

    def changes(self) -> set[int]:
        """Return when another period may begin to hold."""
        began = set() if self.window.session_start is None else {self.window.session_start}
        began = {instant for instant in began if instant >= self.window.begin}
        return began.union(*({span.begin, span.end} for line in self.timelines for span in line.spans))

    def merged(self, instant: int, others: list["_Board"]) -> ChargingSchedulePeriod:
        total = self.merger.total([self.merger.merge(each.restrictions(instant)) for each in others])
        spans = [*([total] if total else []), *self.restrictions(instant)]
        return self.merger.merge(spans, self._leading(Purpose.LOCAL_GENERATION, (0, self.evse), instant))

    def restrictions(self, instant: int) -> list[Span]:
        """Return the leading period of each purpose, constraints from outside first, the transaction's last.

        A limit of the whole station is never overruled by one that only its EVSE has: both count.
        """
        found = [
            self._leading(purpose, (evse,), instant)
            for purpose in (Purpose.EXTERNAL_CONSTRAINTS, Purpose.STATION_MAX)
            for evse in sorted({0, self.evse})
        ]
        found.append(self._of_the_transaction(instant))
        return [span for span in found if span is not None]

    def _of_the_transaction(self, instant: int) -> Span | None:
        """Priority charging overrules (K21.FR.04); what has ended falls back to the default (K02.FR.08)."""
        began = self.window.session_start
        if began is not None and instant >= began:
            for purpose in (Purpose.PRIORITY_CHARGING, Purpose.TX):
                if span := self._leading(purpose, (0, self.evse), instant):
                    return span
        return self._leading(Purpose.TX_DEFAULT, (0, self.evse), instant)

    def _leading(self, purpose: Purpose, evses: tuple[int, ...], instant: int) -> Span | None:
        for line in self.timelines:
            if line.profile.purpose is purpose and line.profile.evse in evses:
                span = line.at(instant)
                if span is not None:
                    return span
        return None
