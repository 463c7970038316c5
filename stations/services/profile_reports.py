"""Ask a 2.x station which profiles lie on it, and reconcile what it tells with ours (K09)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from cpo.lib import clock, events
from stations.charging_profiles import ChargingProfile, InvalidProfile, Purpose, from_v2
from stations.events import ChargingProfilesChanged
from stations.models import ChargingStation, Command, InstalledProfile, ProfileReport
from stations.services import profile_rows, requests
from stations.services.errors import UnsuitedProfile

State, Installed = ProfileReport.State, InstalledProfile.State
MOST = 1000  # profiles of one report that are kept
LAST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for; nothing given means all. Ids exclude the other criteria (K09.FR.03)."""

    evse: int | None = None
    purpose: Purpose | None = None
    stack_level: int | None = None
    ids: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()


@transaction.atomic(savepoint=False)
def ask(station: ChargingStation, *, scope: Scope, requested_by: str = "", **options: Any) -> ProfileReport:
    """Queue GetChargingProfiles; the parts of the answer come as ReportChargingProfiles.

    Raise `UnsuitedProfile` for ids together with other criteria, and what `commands.queue` raises.
    """
    if scope.ids and (scope.purpose, scope.stack_level, scope.sources) != (None, None, ()):
        raise UnsuitedProfile("chargingProfileId", "excludes the other criteria (K09.FR.03)")
    report = ProfileReport.objects.create(
        station=station,
        request_id=secrets.randbelow(LAST_ID) + 1,
        evse_number=scope.evse,
        criteria={
            "purpose": scope.purpose and scope.purpose.value,
            "stack_level": scope.stack_level,
            "ids": list(scope.ids),
            "sources": list(scope.sources),
        },
        asked_at=clock.now(),
    )
    command = requests.queue(
        station,
        "get_charging_profiles",
        facts={"request_id": report.request_id, "scope": scope},
        requested_by=requested_by,
        **options,
    )
    report.command = command.uid
    report.save(update_fields=["command"])
    return report


@transaction.atomic(savepoint=False)
def answered(command: Command, *, request_id: int, outcome: str) -> None:
    """Take the answer: parts will come, or nothing lies there (NoProfiles), or none is given."""
    report = _locked(command.station_id, request_id)
    if report is None or report.state not in (State.ASKED, State.UNANSWERED):
        return
    if outcome == "NoProfiles":
        _complete(report)
    elif outcome == "Accepted":
        report.state = State.RECEIVING
    else:
        report.state = State.REFUSED if outcome else State.UNANSWERED
        report.finished_at = clock.now()
    report.save()


@transaction.atomic(savepoint=False)
def take_part(
    station: ChargingStation,
    *,
    request_id: int,
    evse_number: int,
    source: str,
    profiles: Sequence[dict[str, Any]],
    is_last: bool,
) -> ProfileReport | None:
    """Keep one part (K09.FR.01, K09.FR.02); the last one is reconciled. None: nobody asked for it."""
    report = _locked(station.pk, request_id)
    if report is None:
        return None
    told = [{"evse": evse_number, "source": source, "profile": profile} for profile in profiles]
    report.told = [*report.told, *(each for each in told if each not in report.told)][:MOST]
    report.parts += 1
    report.state = State.RECEIVING
    if is_last:
        _complete(report)
    report.save()
    return report


def _complete(report: ProfileReport) -> None:
    """Compare what was told with our rows: unknown ones are shown, lost ones are sent again."""
    seen, unknown = set(), []
    for each in report.told:
        try:
            profile = from_v2(each["profile"], evse=each["evse"])
        except InvalidProfile:
            continue
        seen.add(profile.id)
        if _meet(report.station, profile, each["source"]):
            unknown.append(profile.id)
    missing = [row for row in _expected(report) if row.profile_id not in seen]
    for row in missing:
        _lost(row)
    report.unknown, report.missing = unknown, [row.profile_id for row in missing]
    report.state, report.finished_at = State.COMPLETE, clock.now()
    events.publish(ChargingProfilesChanged(report.station_id))


def _meet(station: ChargingStation, profile: ChargingProfile, source: str) -> bool:
    """Let a row know what lies on the station; True for one that we did not put there."""
    rows = InstalledProfile.objects.select_for_update(of=["self"])
    row = rows.filter(station=station, profile_id=profile.id, state__in=InstalledProfile.LIVE).first()
    now = clock.now()
    if row is None:
        row = InstalledProfile(
            station=station, profile_id=profile.id, source=f"{profile_rows.FOUND}{source}"[:32],
            is_wanted=False, created_at=now, detail=f"found on the station, from {source}"[:255],
        )  # fmt: skip
    is_ours = not row.source.startswith(profile_rows.FOUND)
    wire = profile_rows.as_stored(profile)
    if (
        is_ours
        and row.on_station is not None
        and not _is_same(from_v2(row.profile, evse=row.evse_number), profile)
    ):
        row.on_station, row.detail = wire, "the station tells another profile under this id"
        row.is_verified = False
        row.save(update_fields=["on_station", "detail", "is_verified"])
        if row.is_wanted:
            row.next_try_at = now
            row.save(update_fields=["next_try_at"])
            profile_rows.move(row, Installed.UNKNOWN)
        return False
    if is_ours and row.state == Installed.SENT:
        return False  # its answer is on the way
    row.on_station = wire
    if not is_ours:
        session = profile_rows.running(station.pk, profile.evse) if profile.purpose is Purpose.TX else None
        row.session, row.evse_number, row.purpose = session, profile.evse, profile.purpose
        row.stack_level, row.valid_to = profile.stack_level, profile.valid_to
        row.wish = row.profile = wire
    row.state, row.installed_at, row.last_updated = Installed.INSTALLED, row.installed_at or now, now
    row.epoch, row.boot_count = station.epoch, station.boot_count
    row.save()
    return not is_ours


def _is_same(ours: ChargingProfile, theirs: ChargingProfile) -> bool:
    def limits(profile: ChargingProfile) -> Any:
        return [
            (
                each.rate_unit,
                [(p.start_period_s, p.limit, p.setpoint, p.discharge_limit) for p in each.periods],
            )
            for each in profile.schedules
        ]

    same = (ours.purpose, ours.stack_level, ours.evse) == (theirs.purpose, theirs.stack_level, theirs.evse)
    return same and limits(profile_rows.on_wire(ours)) == limits(profile_rows.on_wire(theirs))


def _expected(report: ProfileReport) -> list[InstalledProfile]:
    """Return the rows that lie there by our knowledge, and would have been told."""
    criteria = report.criteria
    rows = InstalledProfile.objects.select_for_update(of=["self"]).filter(
        station_id=report.station_id, on_station__isnull=False, state=Installed.INSTALLED,
        installed_at__lt=report.asked_at,
    )  # fmt: skip
    if report.evse_number is not None:
        rows = rows.filter(evse_number=report.evse_number)
    wanted = {
        "purpose": criteria["purpose"],
        "stack_level": criteria["stack_level"],
        "profile_id__in": criteria["ids"] or None,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    sources = criteria["sources"]
    if not sources:
        return list(rows)
    ours = "CSO" in sources
    found = {f"{profile_rows.FOUND}{source}"[:32] for source in sources}
    return [
        row for row in rows if row.source in found or (ours and not row.source.startswith(profile_rows.FOUND))
    ]


def _lost(row: InstalledProfile) -> None:
    row.on_station, row.answers, row.next_try_at = None, [], None
    row.detail = "the station no longer has it"
    row.save(update_fields=["on_station", "answers", "next_try_at", "detail"])
    profile_rows.move(row, Installed.WANTED if row.is_wanted else Installed.CLEARED)


def _locked(station_id: int, request_id: int) -> ProfileReport | None:
    rows = ProfileReport.objects.select_for_update(of=["self"]).select_related("station")
    return rows.filter(station_id=station_id, request_id=request_id).first()
