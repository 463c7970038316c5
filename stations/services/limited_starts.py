"""Remote starts with everything that may go with them: a profile for the session, limits of it (F01, K05, E16)."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import transaction

from cpo.lib import clock
from stations.charging_profiles import ChargingProfile, Purpose, RateUnit
from stations.models import ChargingStation, Command, Evse, ProfileTemplate
from stations.services import capabilities, limits, profile_shapes, remote
from stations.services.errors import UnsuitedProfile


@transaction.atomic(savepoint=False)
def start(
    station: ChargingStation,
    *,
    id_token: str,
    evse: Evse | None = None,
    profile: ChargingProfile | None = None,
    values: Mapping[str, Decimal | int | None] | None = None,
    **options: Any,
) -> Command:
    """Ask for a session that charges by `profile` and ends at `values` (named as in `SessionLimit`).

    Limits become those of the session that the start brings about. Raise `InvalidPayload` for what is no limit, and
    what `remote.start` raises.
    """
    limits.check(values or {})
    command = remote.start(station, id_token=id_token, evse=evse, profile=profile, **options)
    limits.of_start(command, values or {})
    return command


def of_template(station: ChargingStation, template: ProfileTemplate, evse: Evse | None) -> ChargingProfile:
    """Make the TxProfile of a template for a session that begins; raise `UnsuitedProfile` for a station's maximum."""
    if template.purpose == Purpose.STATION_MAX:
        raise UnsuitedProfile("template", "is a maximum of the station, not of a session")
    made = profile_shapes.of_template(
        template, evse=_number(evse), now=clock.now(), zone=profile_shapes.zone_of(station)
    )
    return replace(made, purpose=Purpose.TX, transaction_id=None)


def of_limit(
    station: ChargingStation, evse: Evse | None, *, amps: Decimal | None = None, watts: Decimal | None = None
) -> ChargingProfile:
    """Make the TxProfile of a plain limit for a session that begins: A on each phase, or W on all together."""
    if (amps is None) == (watts is None):
        raise UnsuitedProfile("limit", "give amperes or watts")
    place = profile_shapes.place_of(station, _number(evse))
    limit = amps if amps is not None else watts
    assert limit is not None
    return profile_shapes.of_limit(
        limit,
        RateUnit.A if amps is not None else RateUnit.W,
        purpose=Purpose.TX,
        evse=_number(evse),
        stack_level=capabilities.of(station).max_stack_level or 0,
        now=clock.now(),
        phases=place.phases if place.phases < 3 else None,
    )


def _number(evse: Evse | None) -> int:
    return evse.number if evse is not None else 1
