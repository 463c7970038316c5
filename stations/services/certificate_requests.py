"""Requests of stations for a certificate: judged before any authority sees them (white paper A02, A03)."""

from dataclasses import asdict
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from cpo.lib import events, nudge
from stations.events import CertificatesChanged
from stations.models import (
    ChargingStation,
    Command,
    Evse,
    ReviewItem,
    SigningUse,
    StationCertificate,
    Variable,
)
from stations.pki import certificates as x
from stations.pki import hash_data
from stations.pki import requests as pki_requests
from stations.pki.hash_data import HashData
from stations.services import alerts, certificate_authority
from stations.services import certificate_rows as rows
from stations.services.client_certificates import names_station, organizations

State = StationCertificate.State
MAX_NAME = 64  # characters of a CN or O, RFC 5280 appendix A
ASKED_WITHIN = timedelta(days=1)  # a request without a type answers the last wish of ours that is not older


@transaction.atomic(savepoint=False)
def request(
    station: ChargingStation,
    *,
    csr: str,
    use: str,
    now: datetime,
    request_id: int | None = None,
    root: HashData | None = None,
) -> StationCertificate | None:
    """Take a station's request: return the row when it will be signed, None when it is refused (A02.FR.11, .12).

    The same request again is the same wish; one with another key takes the place of what is still open. What is refused
    is told to an operator, with the reason. `request_id` is the station's number of it, `root` names the root under
    which it wants its certificate (2.1 A02.FR.24, .27).
    """
    try:
        wanted, organization = _judged(station, csr, use)
        _check_root(use, root)
    except pki_requests.BadRequest as error:
        _refuse(station, csr, use, str(error), now)
        return None
    mine = StationCertificate.objects.select_for_update().filter(station=station, use=use)
    same = mine.filter(key_fingerprint=wanted.key_fingerprint).order_by("-id").first()
    if same is not None and same.state in (
        *StationCertificate.OPEN,
        *StationCertificate.VALID,
        State.REJECTED,
    ):
        return _once_more(same, now, request_id)
    if _is_flood(station, now):
        _alert_flood(station)
        return None
    open_ones = mine.filter(state__in=StationCertificate.OPEN)
    if use not in StationCertificate.CONNECTING:  # each controller of a station has its own name
        open_ones = open_ones.filter(common_name=wanted.common_name[:100])
    for former in open_ones:
        rows.close(former, State.REPLACED, "another request came")
    row = StationCertificate.objects.create(
        station=station,
        use=use,
        csr=wanted.pem,
        key_fingerprint=wanted.key_fingerprint,
        common_name=wanted.common_name[:100],
        organization=organization[:100],
        key_label=wanted.key_label,
        request_id=request_id,
        wanted_root=asdict(root) if root else None,
        requested_at=now,
        next_try_at=now,
    )
    transaction.on_commit(lambda: nudge.task(rows.SIGN_TASK, row.pk))
    events.publish(CertificatesChanged(station.pk))
    return row


def use_without_type(station: ChargingStation, now: datetime) -> str:
    """Tell what a request of 2.x without a type is for: for both uses, where we asked for that or it has such a one.

    Else for the connection to us, as of a station without Plug & Charge (A02.FR.13).
    """
    asked = Command.objects.filter(
        station=station, subject__startswith="renewal:", created_at__gt=now - ASKED_WITHIN
    )
    last = asked.order_by("-id").values_list("subject", flat=True).first()
    if last is not None:
        is_combined = last.endswith(f":{SigningUse.COMBINED}")
    else:
        valid = StationCertificate.objects.filter(station=station, state__in=StationCertificate.VALID)
        is_combined = valid.filter(use=SigningUse.COMBINED).exists()
    return SigningUse.COMBINED if is_combined else SigningUse.CHARGING_STATION


def _check_root(use: str, root: HashData | None) -> None:
    """Refuse a wish for a root that our authority does not have; one that tells no roots decides itself."""
    ours = certificate_authority.current().roots(use)
    if root is None or not ours or root.hash_algorithm not in hash_data.ALGORITHMS:
        return
    if not any(hash_data.of(one, algorithm=root.hash_algorithm) == root for one in ours):
        raise pki_requests.BadRequest(f"it wants a root that we do not have: {root.serial_number}")


def _judged(station: ChargingStation, csr: str, use: str) -> tuple[pki_requests.SigningRequest, str]:
    """Read a request, check that its subject is this station of ours (A02.FR.13, A00.FR.511), spell the O our way."""
    if not settings.CERTIFICATE_AUTHORITY:
        raise pki_requests.BadRequest("there is no certificate authority here")
    wanted = pki_requests.read(csr)
    if len(wanted.common_name) > MAX_NAME:
        raise pki_requests.BadRequest(f"its CN is longer than {MAX_NAME} characters")
    names = organizations(station)
    organization = next((name for name in names if x.same_text(wanted.organization, name)), "")
    if not organization:
        told = f"O is {wanted.organization!r}" if wanted.organization else "it names no organisation (O)"
        raise pki_requests.BadRequest(f"{told}; set its CpoName (OrganizationName) to {names[0]!r}")
    is_for_vehicles = use not in StationCertificate.CONNECTING
    if not names_station(wanted.common_name, station) and not (
        is_for_vehicles
        and (_is_evse_id(station, wanted.common_name) or _is_controller(station, wanted.common_name))
    ):
        raise pki_requests.BadRequest(
            f"CN is {wanted.common_name!r}, neither its identity nor its serial number"
        )
    return wanted, organization


def _is_evse_id(station: ChargingStation, name: str) -> bool:
    """Vehicles are shown the id of the EVSE (ISO 15118-2 annex F); separators make no difference."""
    plain = name.replace("*", "").upper()
    ids = Evse.objects.filter(station=station).exclude(evse_id="").values_list("evse_id", flat=True)
    return any(plain == evse_id.replace("*", "").upper() for evse_id in ids)


def _is_controller(station: ChargingStation, name: str) -> bool:
    """Tell whether this is the id of a controller that the station reported (2.1 A02, SeccId), and nobody else's name.

    A station tells its variables itself: it must not take another one's name by telling that one's.
    """
    named = Variable.objects.filter(
        component__iexact="ISO15118Ctrlr", name__iexact="SeccId", value__iexact=name
    )
    others = ChargingStation.objects.exclude(pk=station.pk)
    return (
        named.filter(station=station).exists()
        and not named.exclude(station=station).exists()
        and not others.filter(Q(identity__iexact=name) | Q(serial_number=name)).exists()
    )


def _is_flood(station: ChargingStation, now: datetime) -> bool:
    hour = StationCertificate.objects.filter(station=station, requested_at__gt=now - timedelta(hours=1))
    return hour.count() >= settings.CERTIFICATE_REQUESTS_PER_HOUR


def _alert_flood(station: ChargingStation) -> None:
    alerts.alert(
        ReviewItem.Kind.FLOOD,
        f"certificate-flood:{station.pk}",
        summary=f"{station.identity} asks for certificates again and again",
        station=station,
    )


def _refuse(station: ChargingStation, csr: str, use: str, problem: str, now: datetime) -> None:
    """Note a request that cannot be signed; of a flood only that it goes on."""
    if _is_flood(station, now):
        _alert_flood(station)
        return
    StationCertificate.objects.create(
        station=station,
        use=use,
        state=State.REFUSED,
        csr=csr[: pki_requests.MAX_CSR].replace("\x00", ""),
        problem=problem[:255].replace("\x00", ""),
        requested_at=now,
    )
    rows.alert(station, use, f"its request cannot be signed: {problem}")
    events.publish(CertificatesChanged(station.pk))


def _once_more(row: StationCertificate, now: datetime, request_id: int | None) -> StationCertificate:
    """Answer a repeated request with what it already led to: what was issued is sent again."""
    if row.request_id != request_id:
        row.request_id = request_id
        row.save(update_fields=["request_id"])
    if row.state != State.REQUESTED and row.chain and not rows.waiting(row).exists():
        row.state, row.tries, row.next_try_at = State.ISSUED, 0, now
        row.save(update_fields=["state", "tries", "next_try_at"])
        transaction.on_commit(lambda: nudge.task(rows.SIGN_TASK, row.pk))
    return row
