"""Our tariffs at stations that calculate by themselves, and their bill against ours (OCPP 2.1 I07 to I12)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.errors import BillingError, NotBillable
from billing.models import TariffVersion
from billing.services import choice, costs
from billing.tariff import ocpp, tax
from billing.tariff.errors import TariffError
from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Command, Connector, SessionCost
from stations.services import review
from stations.services import station_tariffs as at_station
from stations.services.station_tariffs import Installed

ROUNDING = Decimal("0.01")  # two ways of rounding never differ by more
AT_ONCE = 200


def document(version: TariffVersion, *, evse_number: int = 0) -> dict[str, Any]:
    """Return a version in OCPP's words; its id is another one for each content and EVSE (I07.FR.04, I08.FR.08).

    Raise `CannotExpress` where the station would price otherwise than we do.
    """
    place = f"@{evse_number}" if evse_number else ""
    return ocpp.write(choice.parsed(version), tariff_id=f"{version.tariff.uid}/{version.number}{place}")


def install(
    station: ChargingStation, *, requested_by: str = "", user: Any = None, queue_offline: bool = True
) -> list[Installed]:
    """Give each EVSE the tariff that a session without a token of its own would get there now.

    One that holds everywhere is sent once, for the whole station. Raise `NotBillable` when none is assigned,
    `CannotExpress`, and what `requests.queue` raises.
    """
    connectors = list(
        Connector.objects.filter(evse__station=station, evse__is_removed=False, number=1)
        .select_related("evse__station__location")
        .order_by("evse__number")
    )
    versions = defaults(connectors)
    wanted = {number: version for number, version in versions.items() if version is not None}
    if not wanted:
        raise NotBillable("no tariff is assigned to this station")
    if len(set(wanted.values())) == 1 and len(wanted) == len(versions):
        wanted = {0: next(iter(wanted.values()))}
    with transaction.atomic():
        return [
            at_station.install(
                station, document(version, evse_number=number), evse_number=number, requested_by=requested_by,
                user=user, queue_offline=queue_offline,
            )
            for number, version in wanted.items()
        ]  # fmt: skip


def defaults(connectors: Sequence[Connector]) -> dict[int, TariffVersion | None]:
    """Return by EVSE number the tariff that a session without a token of its own would get there now."""
    found = choice.of_connectors(connectors, at=clock.now())
    return {c.evse.number: _newest(found.get(c.pk, [])) for c in connectors}


def change(
    session: ChargingSession, version: TariffVersion, *, requested_by: str = "", user: Any = None
) -> Command:
    """Let the station go on with another tariff (I11). Our own bill keeps the tariff of the start."""
    return at_station.change(session, document(version), requested_by=requested_by, user=user)


def compare() -> int:
    """Compare what stations say that ended sessions cost with our bills; return how many differ."""
    rows = SessionCost.objects.filter(is_final=True, is_compared=False, session__billed_at__isnull=False)
    return sum(_compare(row) for row in rows.select_related("session__station")[:AT_ONCE])


def _compare(row: SessionCost) -> bool:
    session = row.session
    SessionCost.objects.filter(pk=row.pk).update(is_compared=True)
    if row.failure or row.before_taxes is None:
        return False
    try:
        bill = costs.bill(session)
    except (BillingError, TariffError):
        return False  # it has a review item of its own
    ours = tax.rounded(bill.total_cost).before_taxes
    is_same = ours is not None and abs(ours - row.before_taxes) <= ROUNDING
    if is_same and row.currency in ("", bill.currency):
        return False
    review.raise_item(
        "billing_failed",
        key=f"station_cost:{session.pk}",
        summary=f"The station says {row.before_taxes} {row.currency}, our bill {ours} {bill.currency}",
        station=session.station,
        session=session,
        facts={"station_tariff": row.tariff_id, "station": str(row.before_taxes), "bill": str(ours)},
    )
    return True


def _newest(tariffs: list[Any]) -> TariffVersion | None:
    for tariff in tariffs:
        newest: TariffVersion | None = tariff.versions.order_by("-number").first()
        if newest is not None:
            return newest
    return None
