"""Certificates of stations, from the request to the end (1.6 security white paper A02, A03; OCPP 2.1 block A).

Here stands what is done about them; a station's request is judged in `certificate_requests`, brought to its end in
`certificate_signing`, and a certificate that is shown in a handshake is checked in `client_certificates`.
"""

from contextlib import suppress
from typing import Any

from django.db import transaction
from django.db.models import Q

from cpo.lib import clock, events, nudge
from stations.events import CertificatesChanged
from stations.models import ChargingStation, Command, SigningUse, StationCertificate, Variable
from stations.pki import certificates as x
from stations.services import certificate_rows as rows
from stations.services import certificate_signing, configuration, requests, variable_keys
from stations.services.certificate_requests import request, use_without_type
from stations.services.certificate_rows import row_of
from stations.services.certificate_signing import answered
from stations.services.client_certificates import check_client, find_valid, organizations
from stations.services.errors import NotConfirmed, NotOpen, UnknownAction

__all__ = ["answered", "check_client", "find_valid", "request", "row_of", "use_without_type"]

State = StationCertificate.State
CONTROLLER = "ISO15118Ctrlr"  # who talks to vehicles, one for the station or one for each EVSE
# Of RFC 5280 section 5.3.1, those that fit a station.
REASONS = (
    "unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn",
)  # fmt: skip


def renew(
    station: ChargingStation,
    *,
    use: str = SigningUse.CHARGING_STATION,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    priority: int = 0,
) -> Command:
    """Ask the station for a new request (A02: ExtendedTriggerMessage, TriggerMessage), after the operator's name in it
    was put right.

    Where it has a controller for vehicles at each EVSE, each is asked and the first question returned. Raise what
    `requests.queue` raises.
    """
    with transaction.atomic():
        options: dict[str, Any] = {"requested_by": requested_by, "user": user, "queue_offline": queue_offline}
        _name_operator(station, use, options)
        asked = [
            requests.queue(
                station,
                "request_certificate",
                facts={"use": use} | ({"evse": evse} if evse else {}),
                priority=priority,
                subject=f"renewal:{use}",
                **options,
            )
            for evse in _controllers(station, use)
        ]
        return asked[0]


def uses(station: ChargingStation) -> list[str]:
    """Return the uses for which a station of its version can be asked to renew its certificate."""
    found = []
    for use in SigningUse.values:
        with suppress(UnknownAction):
            requests.write(station, "request_certificate", {"use": use})
            found.append(use)
    return found


def _controllers(station: ChargingStation, use: str) -> list[int]:
    """Return an EVSE of each controller for vehicles, by its SECC id (2.1 A02 alternative scenario); else [0]."""
    if use in StationCertificate.CONNECTING:
        return [0]
    ids = Variable.objects.filter(
        Q(evse_number__gt=0), station=station, component__iexact=CONTROLLER, name__iexact="SeccId"
    ).exclude(value=None)
    first = {row.value: row.evse_number for row in ids.order_by("-evse_number")}
    return sorted(first.values()) or [0]


def _name_operator(station: ChargingStation, use: str, options: dict[str, Any]) -> None:
    """Set the operator's name where the station told another one: a request with that would be refused (A02 item 5)."""
    of_2x = Q(component__iexact="SecurityCtrlr", name__iexact="OrganizationName")
    if use not in StationCertificate.CONNECTING:
        of_2x |= Q(component__iexact=CONTROLLER, name__iexact="OrganizationName")
    named = Q(component="", name__iexact="CpoName") | of_2x
    ours = organizations(station)
    for told in Variable.objects.filter(
        named, station=station, is_supported=True, attribute=variable_keys.ACTUAL
    ):
        if told.value is not None and not any(x.same_text(told.value, name) for name in ours):
            key = str(variable_keys.of(told))
            configuration.change(station, key=key, value=ours[0], confirmed=True, **options)


@transaction.atomic(savepoint=False)
def renewal_answered(station: ChargingStation, *, use: str, word: str, is_automatic: bool) -> None:
    """Take what became of the wish for a new request; where nobody waits for it, a refusal is told to an operator."""
    if is_automatic and word != "Accepted":
        rows.alert(station, use, f"it does not renew it: {word}")


def found_invalid(station: ChargingStation, *, why: str) -> None:
    """Keep what the station says is wrong with the certificate that it was sent (A02.FR.07)."""
    sent = StationCertificate.objects.filter(station=station, state__in=[State.SENT, State.REJECTED])
    row = sent.order_by("-id").first()
    if row is not None and why:
        problem = f"the station did not take it: {why}"[:255]
        StationCertificate.objects.filter(pk=row.pk).update(problem=problem)
        events.publish(CertificatesChanged(station.pk))


@transaction.atomic(savepoint=False)
def send_again(row: StationCertificate) -> StationCertificate:
    """Send an issued certificate once more, now; raise `NotOpen` when there is nothing to send."""
    found = rows.locked(row.pk, State.ISSUED, State.SENT, State.REJECTED)
    if found is None or not found.chain:
        raise NotOpen("there is nothing to send")
    found.tries = 0
    found.save(update_fields=["tries"])
    certificate_signing.send(found)
    return found


@transaction.atomic(savepoint=False)
def try_again(row: StationCertificate) -> StationCertificate:
    """Ask the authority once more about a request that it did not sign; raise `NotOpen` for any other."""
    found = rows.locked(row.pk, State.REQUESTED, State.REFUSED)
    if found is None or not found.key_fingerprint:
        raise NotOpen("there is no request to sign")
    found.state, found.tries, found.next_try_at = State.REQUESTED, 0, clock.now()
    found.save(update_fields=["state", "tries", "next_try_at"])
    transaction.on_commit(lambda: nudge.task(rows.SIGN_TASK, row.pk))
    events.publish(CertificatesChanged(found.station_id))
    return found


@transaction.atomic(savepoint=False)
def revoke(row: StationCertificate, *, reason: str, by: str, confirmed: bool = False) -> StationCertificate:
    """Declare a certificate invalid: it opens no connection from now on (2.6.3); the authority is told by a worker.

    Raise `NotOpen` when none was issued or it is revoked already, `NotConfirmed` where it locks out a station that has
    no other way in.
    """
    found = StationCertificate.objects.select_for_update().get(pk=row.pk)
    if not found.chain or found.state == State.REVOKED:
        raise NotOpen("there is no valid certificate to revoke")
    if not confirmed and is_only_key(found):
        raise NotConfirmed("the station has no other certificate and cannot connect again: confirm it")
    now = clock.now()
    rows.mark_revoked(x.read_one(found.chain), reason=reason, at=now)
    rows.close(found, State.REVOKED, f"revoked by {by}: {reason}"[:255])
    found.revoked_at = found.next_try_at = now
    found.save(update_fields=["revoked_at", "next_try_at"])
    transaction.on_commit(lambda: nudge.task(rows.SIGN_TASK, found.pk))
    events.publish(CertificatesChanged(found.station_id))
    return found


def is_only_key(row: StationCertificate) -> bool:
    """Tell whether a station of profile 3 would be left without a certificate."""
    profile = ChargingStation.SecurityProfile.CLIENT_CERTIFICATE
    connecting = StationCertificate.CONNECTING
    if row.use not in connecting or row.station.security_profile != profile:
        return False
    valid = Q(station_id=row.station_id, use__in=connecting, state__in=StationCertificate.VALID)
    return not StationCertificate.objects.filter(valid).exclude(pk=row.pk).exists()
