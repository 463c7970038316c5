"""The set of profiles that lies on a station: what joins it, what goes.

Results are sorted by id, so that the way there does not matter.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from stations.charging_profiles.profile import ChargingProfile, InvalidProfile, Purpose

NOT_OURS = (Purpose.EXTERNAL_CONSTRAINTS, Purpose.LOCAL_GENERATION)  # others set them, we cannot clear them
OF_THE_TRANSACTION = (Purpose.TX, Purpose.TX_DEFAULT)
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class Change(NamedTuple):
    """The new set and what left the old one."""

    profiles: tuple[ChargingProfile, ...]
    removed: tuple[ChargingProfile, ...]


@dataclass(frozen=True, slots=True)
class Criteria:
    """What to clear: all that is given must match (1.6 errata 3.25, K10.FR.04); nothing given matches all."""

    id: int | None = None
    evse: int | None = None
    purpose: Purpose | None = None
    stack_level: int | None = None


def install(existing: Iterable[ChargingProfile], profile: ChargingProfile) -> Change:
    """Add a profile as an OCPP 1.6 charge point does (sections 3.13.2, 5.16.3, 5.16.4).

    It replaces the one of the same id and the one of the same purpose, stack level and EVSE, whatever their
    validity.
    """
    return _replace(existing, profile, lambda old: old.id == profile.id or _key(old) == _key(profile))


def install_v2(existing: Iterable[ChargingProfile], profile: ChargingProfile) -> Change:
    """Add a profile as a 2.x station does: it replaces the one of the same id (K01.FR.05).

    Another profile of the same purpose, level and EVSE (or transaction) may lie beside it while their validity does
    not overlap. Raises InvalidProfile with the reasonCode of the refusal where it does overlap (K01.FR.06, FR.39),
    where a default profile is on both EVSE 0 and an EVSE (FR.52, FR.53), for the id of an external constraint, and
    where the phases conflict (FR.141).
    """
    others = tuple(existing)
    for old in others:
        if old.id != profile.id:
            _refuse_beside(old, profile)
        elif old.purpose is Purpose.EXTERNAL_CONSTRAINTS:
            raise InvalidProfile(
                "id", "is that of an external constraint", rule="K01.FR.05", reason="InvalidProfileId"
            )
    return _replace(others, profile, lambda old: old.id == profile.id)


def clear(existing: Iterable[ChargingProfile], criteria: Criteria) -> Change:
    """Remove what matches, except what others have set (K10.FR.04, FR.09). Nothing removed: answer Unknown."""
    return _without(tuple(existing), lambda old: old.purpose not in NOT_OURS and _matches(old, criteria))


def end_transaction(existing: Iterable[ChargingProfile], *, evse: int) -> Change:
    """Remove the profiles of the transaction that ended on an EVSE (K02.FR.05)."""
    return _without(tuple(existing), lambda old: old.purpose is Purpose.TX and old.evse == evse)


def _replace(
    existing: Iterable[ChargingProfile], profile: ChargingProfile, goes: Callable[[ChargingProfile], bool]
) -> Change:
    kept, removed = _without(tuple(existing), goes)
    return Change(tuple(sorted((*kept, profile), key=lambda each: each.id)), removed)


def _without(existing: tuple[ChargingProfile, ...], goes: Callable[[ChargingProfile], bool]) -> Change:
    ordered = sorted(existing, key=lambda each: each.id)
    return Change(tuple(old for old in ordered if not goes(old)), tuple(old for old in ordered if goes(old)))


def _key(profile: ChargingProfile) -> tuple[Purpose, int, int]:
    return profile.purpose, profile.stack_level, profile.evse


def _matches(profile: ChargingProfile, criteria: Criteria) -> bool:
    pairs = (
        (criteria.id, profile.id),
        (criteria.evse, profile.evse),
        (criteria.purpose, profile.purpose),
        (criteria.stack_level, profile.stack_level),
    )
    return all(wanted is None or wanted == found for wanted, found in pairs)


def _refuse_beside(old: ChargingProfile, new: ChargingProfile) -> None:
    if _phases_conflict(old, new):
        raise InvalidProfile(
            "phaseToUse", f"differs from profile {old.id}", rule="K01.FR.141", reason="PhaseConflict"
        )
    if (old.purpose, old.stack_level) != (new.purpose, new.stack_level):
        return
    if new.purpose is Purpose.TX_DEFAULT and (old.evse == 0) != (new.evse == 0):
        rule = "K01.FR.52" if new.evse == 0 else "K01.FR.53"
    elif new.purpose is Purpose.TX and old.transaction_id == new.transaction_id and old.evse == new.evse:
        rule = "K01.FR.39"
    elif new.purpose is not Purpose.TX and old.evse == new.evse and _overlap(old, new):
        rule = "K01.FR.06"
    else:
        return
    raise InvalidProfile("stackLevel", f"is that of profile {old.id}", rule=rule, reason="DuplicateProfile")


def _overlap(old: ChargingProfile, new: ChargingProfile) -> bool:
    latest_begin = max(old.valid_from or _EVER[0], new.valid_from or _EVER[0])
    return latest_begin < min(old.valid_to or _EVER[1], new.valid_to or _EVER[1])


def _phases_conflict(old: ChargingProfile, new: ChargingProfile) -> bool:
    """Tell whether any periods of both name different phases; when each begins cannot be known (2.1 K 3.8)."""
    same_kind = (old.purpose in OF_THE_TRANSACTION) == (new.purpose in OF_THE_TRANSACTION)
    if same_kind or (old.evse != new.evse and 0 not in (old.evse, new.evse)) or not _overlap(old, new):
        return False
    return len(_phases(old) | _phases(new)) > 1 and bool(_phases(old)) and bool(_phases(new))


def _phases(profile: ChargingProfile) -> set[int]:
    periods = [period for schedule in profile.schedules for period in schedule.periods]
    return {period.phase_to_use for period in periods if period.phase_to_use}
