"""Limits of charging sessions: energy, time, cost and state of charge (OCPP 2.1 E16).

Whoever can keeps them: a station of 2.1 that said so itself, for all others a sweep that stops the session when one is
reached. A limit that a station keeps is not enforced twice, unless it is plainly exceeded.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction

from cpo.lib import clock
from stations import ports
from stations.models import ChargingSession, Command, RemoteRequest, SessionLimit, StartLimit, Variable
from stations.services import remote, review, wake
from stations.services.errors import InvalidPayload, NotOpen, StationsError

log = structlog.get_logger(__name__)
Kind, Status = SessionLimit.Kind, ChargingSession.Status
FIELDS = {
    Kind.ENERGY.value: "max_energy_wh",
    Kind.TIME.value: "max_time_s",
    Kind.COST.value: "max_cost",
    Kind.SOC.value: "max_soc_percent",
}
NO_LIMIT = {Kind.ENERGY.value: 10**9, Kind.TIME.value: 10**8, Kind.COST.value: 10**9, Kind.SOC.value: 100}
SUPPORTED = "SupportedLimits"  # variable of TxCtrlr: which kinds a station of 2.1 can keep (E16.FR.12)
SLACK = Decimal("1.1")  # so far beyond a limit that the station keeps, we stop the session ourselves
ASK_AGAIN = timedelta(seconds=60)  # after a stop that did not stop it
TIMES = 5  # asked in vain: after that it is the operator's
Values = Mapping[str, Decimal | int]


@transaction.atomic(savepoint=False)
def put(
    session: ChargingSession,
    *,
    max_energy_wh: Decimal | None = None,
    max_time_s: int | None = None,
    max_cost: Decimal | None = None,
    max_soc_percent: int | None = None,
    by: str = "",
) -> SessionLimit:
    """Set what a running session may come to: Wh, seconds since its start, money with taxes, percent; None: no limit.

    It takes the place of all limits before it. Raise `NotOpen` when the session has ended, `InvalidPayload` for a value
    that cannot be a limit.
    """
    values = {
        "max_energy_wh": max_energy_wh,
        "max_time_s": max_time_s,
        "max_cost": max_cost,
        "max_soc_percent": max_soc_percent,
    }
    check(values)
    if session.status == Status.ENDED:
        raise NotOpen("the session has already ended")
    row = SessionLimit.objects.select_for_update().filter(session=session).first() or SessionLimit(
        session=session
    )
    for name, value in values.items():
        setattr(row, name, value)
    row.set_by, row.set_at, row.is_untold = by[:100], clock.now(), True
    row.reached, row.reached_at, row.asked_at, row.times_asked = "", None, None, 0
    row.save()
    wake.changed(session.station_id)
    return row


def check(values: Mapping[str, Decimal | int | None]) -> None:
    """Raise `InvalidPayload` for values, by the names of `SessionLimit`, that cannot be limits."""
    for name, value in values.items():
        if value is not None and value <= 0:
            raise InvalidPayload(name, "must be more than 0")
    soc = values.get("max_soc_percent")
    if soc is not None and soc > 100:
        raise InvalidPayload("max_soc_percent", "must be at most 100")


@transaction.atomic(savepoint=False)
def of_start(command: Command, values: Mapping[str, Decimal | int | None]) -> StartLimit | None:
    """Keep limits for the session that a remote start brings about; None when nothing is limited."""
    check(values)
    given = {name: value for name, value in values.items() if value is not None}
    return StartLimit.objects.create(command=command, **given) if given else None


@transaction.atomic(savepoint=False)
def begun(command: Command, session: ChargingSession) -> None:
    """Give a session the limits of the remote start that brought it about, once."""
    row = StartLimit.objects.select_for_update().filter(command=command, session=None).first()
    if row is None:
        return
    row.session = session
    row.save(update_fields=["session"])
    if session.status != Status.ENDED:
        put(session, **{name: getattr(row, name) for name in FIELDS.values()}, by=command.requested_by)


@transaction.atomic(savepoint=False)
def tell(session: ChargingSession) -> dict[str, Decimal | int]:
    """Return, once, the limits that the session's station can keep and has not been told (E16.FR.02, E16.FR.12).

    One that was told and is no limit any more becomes too high to be one (E16.FR.17).
    """
    row = SessionLimit.objects.select_for_update().filter(session=session, is_untold=True).first()
    if row is None:
        return {}
    supported = _supported(session)
    values = {kind: value for kind, value in values_of(row).items() if kind in supported}
    gone = {kind: NO_LIMIT[kind] for kind in row.told if kind not in values}
    kept = _kept(row)
    row.is_untold = False
    row.told = sorted({*row.told, *values})
    row.save(update_fields=["is_untold", "told"])
    news = {kind: value for kind, value in values.items() if kind not in kept or kept[kind] > value}
    return news | gone


def kept_by_station(session: ChargingSession, values: Values) -> None:
    """Note the limits that a station says it keeps, ours or its driver's (E16.FR.01, E16.FR.03)."""
    row, _ = SessionLimit.objects.get_or_create(
        session=session, defaults={"set_by": "station", "set_at": clock.now(), "is_untold": False}
    )
    row.at_station = {**row.at_station, **{kind: str(value) for kind, value in values.items()}}
    row.save(update_fields=["at_station"])


def values_of(row: SessionLimit) -> dict[str, Decimal | int]:
    """Return the limits that are set, by kind."""
    found = {kind: getattr(row, name) for kind, name in FIELDS.items()}
    return {kind: value for kind, value in found.items() if value is not None}


def sweep() -> int:
    """Stop the running sessions that have reached a limit which nobody else keeps; return how many were asked to.

    Sessions that remote starts with limits brought about get theirs first.
    """
    started = RemoteRequest.objects.filter(
        command__start_limit__session=None,
        command__start_limit__isnull=False,
        state=RemoteRequest.State.SUCCEEDED,
    ).exclude(session=None)
    for request in started.select_related("command", "session"):
        assert request.session is not None
        begun(request.command, request.session)
    rows = SessionLimit.objects.filter(session__status=Status.ACTIVE, times_asked__lte=TIMES)
    return sum(_look_at(pk) for pk in list(rows.values_list("pk", flat=True)))


@transaction.atomic(savepoint=False)
def _look_at(pk: int) -> bool:
    rows = SessionLimit.objects.select_for_update(of=("self",), skip_locked=True)
    row = rows.select_related("session__station").filter(pk=pk).first()
    now = clock.now()
    if row is None or (row.asked_at is not None and now - row.asked_at < ASK_AGAIN):
        return False
    kind = row.reached or reached(row)
    if not kind:
        return False
    if row.times_asked == TIMES:  # the last stop has had its time, too
        _give_up(row)
        row.times_asked += 1
        row.save(update_fields=["times_asked"])
        return False
    row.reached, row.reached_at, row.asked_at = kind, row.reached_at or now, now
    try:
        remote.stop(row.session, requested_by=f"limit of {kind}")
        row.times_asked += 1
    except StationsError as error:  # it is away, or the session has just ended
        log.info("limit not enforced", session=row.session_id, kind=kind, why=type(error).__name__)
    row.save(update_fields=["reached", "reached_at", "asked_at", "times_asked"])
    return True


def _give_up(row: SessionLimit) -> None:
    """Hand a session over that went on after all our stops; the row is done with, a new limit begins anew."""
    session = row.session
    review.raise_item(
        "command_outcome",
        key=f"limit:{session.pk}:{row.set_at:%Y%m%d%H%M%S}",
        summary=f"{session.station.identity}: {session.transaction_id} goes on beyond its limit of {row.reached}, "
        f"asked to stop {row.times_asked} times",
        station=session.station,
        session=session,
        facts={
            "kind": row.reached,
            "limit": str(values_of(row).get(row.reached, "")),
            "asked": row.times_asked,
        },
    )


def reached(row: SessionLimit) -> str:
    """Return the kind of the first limit that is reached and that the station does not keep itself; '' if none."""
    kept = _kept(row)
    for kind, limit in values_of(row).items():
        is_kept = kind in kept and kept[kind] <= limit
        bound = limit * SLACK if is_kept else Decimal(limit)
        if (kind != Kind.SOC or not is_kept) and _amount(row.session, kind) >= bound:
            return kind
    return ""


def _amount(session: ChargingSession, kind: str) -> Decimal:
    """Return what the session has come to."""
    if kind == Kind.ENERGY:
        return session.energy_wh
    if kind == Kind.TIME:
        return Decimal(int((clock.now() - session.started_at).total_seconds()))
    if kind == Kind.SOC:
        return session.soc_percent or Decimal(0)
    cost = ports.running_cost(session)
    if cost is None:
        return Decimal(0)
    return cost.before_taxes if cost.after_taxes is None else cost.after_taxes


def _kept(row: SessionLimit) -> dict[str, Decimal]:
    found: dict[str, Any] = row.at_station
    return {kind: Decimal(value) for kind, value in found.items()}


def _supported(session: ChargingSession) -> set[str]:
    """Return the kinds of limits that the station says it can keep."""
    told = Variable.objects.filter(
        station=session.station_id, component__iexact="TxCtrlr", name__iexact=SUPPORTED, attribute="Actual"
    ).values_list("value", flat=True)
    words = {word.strip().lower().removeprefix("max") for value in told for word in (value or "").split(",")}
    return {Kind.TIME.value if word == "length" else word for word in words} & FIELDS.keys()
