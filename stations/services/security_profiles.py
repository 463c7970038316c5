"""Raising a station's security profile over OCPP, step by step (2.1 A05, 1.6 security white paper A05).

`raise_to` writes the change with its steps; each step's answer starts the next one. From the moment the new profile is
sent until the station has come back with it, or the time is up, either profile lets it in; then only one. The row
knows everything, so a killed process loses nothing: what was sent is answered or expires, and a sweep ends what waits.

A station with network profiles gets its new connection into a free slot (B09), that slot in front of the one in use,
and a restart (B10). Where it does not come back, the order of its slots is what it was.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.events import CertificatesChanged, StationChanged
from stations.models import (
    AuthorityCertificate,
    ChargingStation,
    ConnectionEvent,
    RootCertificate,
    RootUse,
    SecurityProfileChange,
    SigningUse,
    StationCertificate,
)
from stations.services import (
    certificate_authority,
    client_certificates,
    installed_certificates,
    local_ca,
    network_profiles,
    requests,
    root_certificates,
    security,
    wake,
)
from stations.services import security_change_rows as rows
from stations.services.errors import (
    LowerProfile,
    NoRoot,
    NotConfirmed,
    NotOpen,
)

Step, Status = SecurityProfileChange.Step, SecurityProfileChange.Status
Profile = ChargingStation.SecurityProfile

SUBJECT = "security_profile:"  # of the commands: what follows is the id of the change
FAILED_AUTHENTICATION = "FailedToAuthenticationAtCentralSystem"  # as the white paper spells it, chapter 8


@transaction.atomic(savepoint=False)
def raise_to(
    station: ChargingStation,
    *,
    profile: int,
    root: RootCertificate | None = None,
    trusts_us: bool = False,
    connection: network_profiles.Connection | None = None,
    requested_by: str = "",
) -> SecurityProfileChange:
    """Begin to raise a station's profile; it may be offline, the requests wait for it.

    `root` is installed in the station unless it `trusts_us` already; without one it is our own authority's. Where
    `connection` says nothing, a 2.x station connects to us as it does now. Raise `LowerProfile`, `ChangeUnderWay`,
    `NoRoot`, `NoSlot`, `InvalidPayload`.
    """
    if profile <= station.security_profile or profile not in Profile.values:
        raise LowerProfile(f"{station.identity} has profile {station.security_profile} already")
    now = clock.now()
    steps = _planned(station, profile, root=root, trusts_us=trusts_us, connection=connection)
    change = SecurityProfileChange(
        station=station, from_profile=station.security_profile, to_profile=profile, steps=steps,
        requested_by=requested_by[:100], created_at=now,
    )  # fmt: skip
    rows.begin(change, otherwise="the security profile of this station is being changed already")
    _go_on(change)
    return change


def own_root() -> RootCertificate | None:
    """Return the root of our own authority, made now if it has none yet; None when it is not to be asked."""
    own = RootCertificate.objects.filter(use=RootUse.CSMS, is_own=True).order_by("id")
    if not own.exists():
        authority = certificate_authority.current()
        if isinstance(authority, local_ca.LocalAuthority):
            with suppress(certificate_authority.AuthorityUnavailable):
                authority.signer(AuthorityCertificate.Role.STATIONS)
        root_certificates.keep_own()
    return own.first()


def _planned(
    station: ChargingStation,
    profile: int,
    *,
    root: RootCertificate | None,
    trusts_us: bool,
    connection: network_profiles.Connection | None,
) -> list[dict[str, Any]]:
    """Plan the steps that this rise needs.

    A station takes its certificate only from an authority that it trusts (A02.FR.06), be it the server's or not.
    """
    roots: list[int] = []
    if profile >= Profile.TLS and not trusts_us:
        chosen = root or own_root()
        if chosen is None:
            raise NoRoot("add the root certificate under which your server's certificate is issued")
        roots.append(chosen.pk)
    needs_certificate = profile == Profile.CLIENT_CERTIFICATE and not _has_certificate(station)
    ours = own_root() if needs_certificate else None
    if ours is not None and ours.pk not in roots:
        roots.append(ours.pk)
    steps = [_step(Step.ROOT) | {"root": pk} for pk in roots]
    if needs_certificate:
        steps += [_step(Step.ORGANIZATION), _step(Step.CERTIFICATE)]
    if not network_profiles.is_spoken(station):
        return [*steps, _step(Step.PROFILE), _step(Step.RETURN)]
    rise = network_profiles.plan(station, profile, connection or network_profiles.Connection())
    return [
        *steps,
        _step(Step.SLOT) | {"slot": rise.slot, "data": rise.data},
        _step(Step.PROFILE) | {"priority": rise.priority, "former": rise.former},
        _step(Step.RESTART),
        _step(Step.RETURN),
    ]


def _has_certificate(station: ChargingStation) -> bool:
    return StationCertificate.objects.filter(
        station=station,
        use__in=StationCertificate.CONNECTING,
        state__in=StationCertificate.VALID,
        not_after__gt=clock.now(),
    ).exists()


def _step(step: str) -> dict[str, Any]:
    return {"step": step, "state": "waiting", "note": "", "at": clock.now().isoformat()}


def _go_on(change: SecurityProfileChange) -> None:
    """Start the next step; the rest follows from the station's answers."""
    station, step = change.station, change.step
    if step is None:
        return
    START[step["step"]](change, station, step)
    _mark(step, "running")
    change.save(update_fields=["steps", "status", "return_until"])
    events.publish(StationChanged(station.pk))


def _install_root(change: SecurityProfileChange, station: ChargingStation, step: dict[str, Any]) -> None:
    root = RootCertificate.objects.get(pk=step["root"])
    _ask(change, "install_certificate", facts={"use": RootUse.CSMS, "certificate": root.certificate})


def _name_ourselves(change: SecurityProfileChange, station: ChargingStation, step: dict[str, Any]) -> None:
    _ask(change, "set_organization", facts={"name": client_certificates.organizations(station)[0]})


def _ask_for_certificate(
    change: SecurityProfileChange, station: ChargingStation, step: dict[str, Any]
) -> None:
    _ask(change, "request_certificate", facts={"use": SigningUse.CHARGING_STATION})


def _set_slot(change: SecurityProfileChange, station: ChargingStation, step: dict[str, Any]) -> None:
    network_profiles.set_slot(
        station, slot=step["slot"], data=step["data"], confirmed=True, **_options(change)
    )


def _send_profile(change: SecurityProfileChange, station: ChargingStation, step: dict[str, Any]) -> None:
    """Accept either profile from now on: the answer may get lost, and the station be back before it."""
    ChargingStation.objects.filter(pk=station.pk).update(next_security_profile=change.to_profile)
    station.next_security_profile = change.to_profile
    if "priority" in step:
        changes = [(network_profiles.PRIORITY, step["priority"])]
        _ask(change, "change_variables", facts={"changes": changes})
    else:
        _ask(change, "raise_security_profile", facts={"profile": change.to_profile})


def _restart(change: SecurityProfileChange, station: ChargingStation, step: dict[str, Any]) -> None:
    _ask(change, "restart", facts={})


def _await_return(change: SecurityProfileChange, station: ChargingStation, step: dict[str, Any]) -> None:
    is_later = any(other.get("is_later") for other in change.steps)
    within_s = settings.OCPP_QUEUED_COMMAND_TTL_S if is_later else settings.OCPP_PROFILE_RETURN_S
    change.status = Status.RETURNING
    change.return_until = clock.now() + timedelta(seconds=within_s)


START = {
    Step.ROOT: _install_root,
    Step.ORGANIZATION: _name_ourselves,
    Step.CERTIFICATE: _ask_for_certificate,
    Step.SLOT: _set_slot,
    Step.PROFILE: _send_profile,
    Step.RESTART: _restart,
    Step.RETURN: _await_return,
}


def _ask(change: SecurityProfileChange, request: str, *, facts: dict[str, Any]) -> None:
    requests.queue(change.station, request, facts=facts, **_options(change))


def _options(change: SecurityProfileChange) -> dict[str, Any]:
    return {
        "requested_by": change.requested_by or "security profile",
        "queue_offline": True,
        "subject": f"{SUBJECT}{change.pk}:{(change.step or {}).get('step', '')}",
    }


@transaction.atomic(savepoint=False)
def answered(change_id: int, *, step: str, status: str) -> None:
    """Take the station's answer to a step: its word of the wire, such as Accepted, Rejected, RebootRequired."""
    change = _open(change_id)
    current = change.step if change else None
    accepted = status in ("Accepted", "RebootRequired", "Scheduled")
    if change is None or current is None:
        return
    if step == Step.PROFILE and current["step"] in (Step.RESTART, Step.RETURN) and not accepted:
        _fail(change, f"the station answered {status}")  # late: it was waited for in vain
        return
    if current["step"] != step:
        return
    if step == Step.ORGANIZATION and not accepted:
        _mark(
            current, "skipped", f"the station answered {status}; its request is signed with our name anyway"
        )
        _go_on(change)
    elif step == Step.RESTART and status != "Accepted":
        _mark(current, "done" if accepted else "skipped", f"the station answered {status}: it restarts later")
        current["is_later"] = True
        _go_on(change)
    elif not accepted:
        _fail(change, f"the station answered {status}")
    elif step == Step.CERTIFICATE:
        _mark(current, "running", "the station will ask for its certificate")
        change.save(update_fields=["steps"])
        events.publish(StationChanged(change.station_id))
    else:
        _mark(current, "done", "it takes effect at the next boot" if status == "RebootRequired" else "")
        if step == Step.ROOT:
            installed_certificates.was_installed(change.station, root_id=current["root"], is_accepted=True)
        if step == Step.PROFILE and status == "RebootRequired" and "priority" not in current:
            requests.queue(
                change.station, "restart", facts={}, requested_by=change.requested_by, queue_offline=True
            )
        _go_on(change)


@transaction.atomic(savepoint=False)
def unanswered(change_id: int, *, step: str, reason: str, was_sent: bool) -> None:
    """A step got no answer. If it was the new profile, the station may have taken it: wait for it all the same."""
    change = _open(change_id)
    current = change.step if change else None
    if change is None or current is None or current["step"] != step:
        return
    if step in (Step.PROFILE, Step.RESTART) and was_sent:
        _mark(current, "done", f"{reason}; perhaps it was taken")
        _go_on(change)
    else:
        _fail(change, reason)


@transaction.atomic(savepoint=False)
def certified(station_id: int) -> None:
    """The station has a certificate of ours now: go on if a change waits for it."""
    change = SecurityProfileChange.objects.select_for_update().filter(
        station_id=station_id, status=Status.RUNNING
    ).first()  # fmt: skip
    if change is None or change.step is None or change.step["step"] != Step.CERTIFICATE:
        return
    if _has_certificate(change.station):
        _mark(change.step, "done")
        _go_on(change)


@events.subscribe(CertificatesChanged)
def certificates_changed(event: CertificatesChanged) -> None:
    """Go on with a change that waits for this."""
    certified(event.station_id)


@transaction.atomic(savepoint=False)
def returned(station: ChargingStation, *, profile: int) -> None:
    """The station has come in with its new profile: from now on no other lets it in (A05.FR.09)."""
    went = ChargingStation.objects.filter(pk=station.pk, next_security_profile=profile).update(
        security_profile=profile, next_security_profile=None
    )
    station.security_profile, station.next_security_profile = profile, None
    change = rows.open_one(SecurityProfileChange, station=station, to_profile=profile)
    if change is not None:
        for step in change.steps:
            if step["state"] in ("waiting", "running"):
                _mark(step, "done")
        _close(change, Status.DONE, "")
        network_profiles.look(station)
    if went:
        wake.changed(station.pk)
        events.publish(StationChanged(station.pk))


def expire() -> int:
    """End the changes whose station did not come back in time, go on with those that may; return how many (sweep)."""
    count = 0
    late = SecurityProfileChange.objects.filter(status=Status.RETURNING, return_until__lte=clock.now())
    for change_id in late.values_list("pk", flat=True)[:100]:
        count += _give_up(change_id)
    waiting = SecurityProfileChange.objects.filter(status=Status.RUNNING).values_list("station_id", flat=True)
    for station_id in waiting[:1000]:
        certified(station_id)
    stale = SecurityProfileChange.objects.filter(
        status=Status.RUNNING,
        created_at__lte=clock.now() - 2 * timedelta(seconds=settings.OCPP_QUEUED_COMMAND_TTL_S),
    )
    for change_id in stale.values_list("pk", flat=True)[:100]:
        count += _give_up(change_id)
    return count


@transaction.atomic
def _give_up(change_id: int) -> int:
    change = _open(change_id)
    if change is None:
        return 0
    seen = ConnectionEvent.objects.filter(station_id=change.station_id, opened_at__gte=change.created_at)
    came_back = change.status == Status.RETURNING and seen.exists()
    _fail(
        change,
        f"it came back with profile {change.from_profile} only"
        if came_back
        else "it did not come back in time",
    )
    return 1


@transaction.atomic(savepoint=False)
def cancel(change: SecurityProfileChange, *, by: str) -> SecurityProfileChange:
    """Stop a change; the profile stays what it was. Raise `NotOpen` when it is over.

    A station that has taken the new profile already is locked out by this, until an operator sets it by hand.
    """
    found = _open(change.pk)
    if found is None:
        raise NotOpen("the change is over already")
    _withdraw(found)
    _put_back(found)
    _close(found, Status.CANCELLED, f"cancelled by {by}")
    return found


@transaction.atomic(savepoint=False)
def set_by_hand(
    station: ChargingStation, *, profile: int, confirmed: bool = False, by: str = ""
) -> ChargingStation:
    """Say which profile the station uses, because somebody set it at the station; a change under way ends.

    Lowering must be confirmed, for it opens what was closed (A00.FR.005): raise `NotConfirmed`. The station's open
    connection goes on: the next one is judged.
    """
    if profile not in Profile.values:
        raise LowerProfile("a profile is 0, 1, 2 or 3")
    station = ChargingStation.objects.select_for_update(no_key=True).get(pk=station.pk)
    if profile < station.security_profile and not confirmed:
        raise NotConfirmed("a lower security profile lets in what was kept out: confirm it")
    change = rows.open_one(SecurityProfileChange, station=station)
    if change is not None:
        _close(change, Status.CANCELLED, f"{by} set profile {profile} by hand".strip())
    station.security_profile, station.next_security_profile = profile, None
    station.save(update_fields=["security_profile", "next_security_profile"])
    wake.changed(station.pk)
    events.publish(StationChanged(station.pk))
    return station


def refused(station: ChargingStation, *, reason: str) -> None:
    """Keep a connection that was refused for its security as a security event, once an hour (A00.FR.323, .408)."""
    now = clock.now()
    security.record(
        station,
        type=FAILED_AUTHENTICATION,
        at=now.replace(minute=0, second=0, microsecond=0),
        tech_info=f"refused by the central system: {reason}",
        now=now,
    )


def _open(change_id: int) -> SecurityProfileChange | None:
    return rows.open_one(SecurityProfileChange, pk=change_id)


def _mark(step: dict[str, Any], state: str, note: str = "") -> None:
    step["state"], step["note"], step["at"] = state, note, clock.now().isoformat()


def _withdraw(change: SecurityProfileChange) -> None:
    ChargingStation.objects.filter(pk=change.station_id).update(next_security_profile=None)


def _put_back(change: SecurityProfileChange) -> None:
    """Have the station try its slots in the order that it had, if it may have taken the new one (B10)."""
    for step in change.steps:
        if "former" in step and step["state"] in ("running", "done"):
            network_profiles.put_back(change.station, step["former"], requested_by=change.requested_by)


def _fail(change: SecurityProfileChange, reason: str) -> None:
    """Leave the station with its old profile, and tell an operator."""
    current = change.step
    if current is not None and current["step"] != Step.PROFILE:
        _put_back(change)
    if current is not None:
        _mark(current, "failed", reason)
    _withdraw(change)
    _close(change, Status.FAILED, reason)
    rows.tell_operator(
        change,
        key=SUBJECT,
        summary=f" stays at profile {change.from_profile}:",
        reason=reason,
        to_profile=change.to_profile,
    )


def _close(change: SecurityProfileChange, status: str, reason: str) -> None:
    rows.close(change, status, reason, also=("steps",))
