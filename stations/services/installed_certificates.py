"""Roots in stations: which we know, which lie where, installed and deleted (white paper M03 to M05, OCPP 2.1 block M).

A root is named by its hash data, as the station reports it. What is installed or deleted is read again afterwards.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from cpo.lib import clock, events
from stations.events import CertificatesChanged
from stations.models import (
    ChargingStation,
    Command,
    InstalledCertificate,
    ReviewItem,
    RootCertificate,
    RootUse,
    StationCertificate,
    Variable,
)
from stations.pki import certificates as x
from stations.pki import hash_data
from stations.pki.hash_data import HashData
from stations.services import alerts, certificate_guards, requests
from stations.services.certificate_guards import OWN_CHAIN
from stations.services.errors import NotConfirmed, UnknownAction

ALL = "read_all_certificates"  # the request about all uses, of versions that have one
TLS_USES = (RootUse.CSMS, RootUse.MANUFACTURER)
PLUG_AND_CHARGE_USES = (RootUse.V2G, RootUse.MO, OWN_CHAIN)
ALL_USES = (*TLS_USES, *PLUG_AND_CHARGE_USES, RootUse.OEM)
AT_MOST = 200  # certificates of one answer that are stored
CHECK = "verification"  # who asks after an installation or a deletion


class Reported(NamedTuple):
    """One certificate of a station's answer, with those below it in its chain."""

    use: str
    hash_data: HashData
    children: tuple[HashData, ...] = ()


def read(station: ChargingStation, *, uses: Iterable[str] | None = None, **options: Any) -> list[Command]:
    """Ask which certificates are installed (M03): a question per use; without `uses` one for all, where it can be said.

    `options` are those of `commands.queue`; raise what it raises.
    """
    if uses is None and _is_asked_once(station):
        return [requests.queue(station, ALL, facts={}, subject="certificates:all", **options)]
    wanted = list(uses) if uses is not None else [*TLS_USES, *_plug_and_charge(station)]
    with transaction.atomic():
        return [
            requests.queue(
                station, "read_certificates", facts={"use": use}, subject=f"certificates:{use}", **options
            )
            for use in wanted
        ]


def _is_asked_once(station: ChargingStation) -> bool:
    """Tell whether the station's version has a question about all uses."""
    try:
        requests.write(station, ALL, {})
    except UnknownAction:
        return False
    return True


def _plug_and_charge(station: ChargingStation) -> tuple[str, ...]:
    """A station that speaks it has this key (ISO 15118 application note, 2.1)."""
    key = Variable.objects.filter(station=station, name__iexact="ISO15118PnCEnabled", is_supported=True)
    return PLUG_AND_CHARGE_USES if key.exclude(reported_at=None).exists() else ()


def install(station: ChargingStation, *, root: RootCertificate, **options: Any) -> Command:
    """Install a root in a station (M05). `options` are those of `commands.queue`; raise what it raises."""
    with transaction.atomic():
        return requests.queue(
            station,
            "install_certificate",
            facts={"use": root.use, "certificate": root.certificate},
            subject=f"root:{root.pk}",
            **options,
        )


def delete(installed: InstalledCertificate, *, confirmed: bool = False, **options: Any) -> Command:
    """Delete a root from its station, named by the hashes that the station told (M04.FR.07).

    Raise `NotConfirmed` for the station's own certificate and for the last root of a use: without one it trusts no
    server of ours, or no firmware. `options` are those of `commands.queue`; raise what it raises.
    """
    why = certificate_guards.reason(installed)
    if why and not confirmed:
        raise NotConfirmed(f"{why}: confirm it")
    with transaction.atomic(), certificate_guards.confirmed():
        return requests.queue(
            installed.station,
            "delete_certificate",
            facts={"use": installed.use, "hash_data": told(installed)},
            subject=f"installed:{installed.pk}",
            **options,
        )


def told(row: InstalledCertificate) -> HashData:
    """Return a row's hash data."""
    return HashData(row.hash_algorithm, row.issuer_name_hash, row.issuer_key_hash, row.serial_number)


@transaction.atomic(savepoint=False)
def reported(
    station: ChargingStation,
    *,
    uses: Iterable[str],
    found: Iterable[Reported],
    now: datetime,
    expected: int | None = None,
) -> None:
    """Store a station's answer: for these uses it has what was found and nothing else (M03.FR.02, .04).

    `expected`: the root that it has just accepted; an operator is told if it is not among them.
    """
    known = _known_roots()
    kept: list[int] = []
    for entry in list(found)[:AT_MOST]:
        parent = _store(station, entry.use, entry.hash_data, known, now)
        kept.append(parent.pk)
        for child in entry.children[:4]:
            kept.append(_store(station, entry.use, child, known, now, parent=parent).pk)
    gone = InstalledCertificate.objects.filter(station=station, use__in=list(uses)).exclude(pk__in=kept)
    gone.delete()
    if expected is not None:
        _check(station, kept, expected)
    events.publish(CertificatesChanged(station.pk))


def _check(station: ChargingStation, kept: list[int], root_id: int) -> None:
    """Tell an operator of a root that the station accepted and does not tell."""
    root = RootCertificate.objects.filter(pk=root_id).first()
    if root is None or InstalledCertificate.objects.filter(pk__in=kept, root=root).exists():
        return
    alerts.alert(
        ReviewItem.Kind.CERTIFICATE_WANTED,
        f"not-installed:{station.pk}:{root.pk}",
        summary=f"{station.identity} accepted the root {root} and does not tell it"[:255],
        station=station,
        facts={"use": root.use, "serial_number": root.serial_number},
    )


def _store(
    station: ChargingStation,
    use: str,
    data: HashData,
    known: dict[HashData, int],
    now: datetime,
    parent: InstalledCertificate | None = None,
) -> InstalledCertificate:
    row, _ = InstalledCertificate.objects.update_or_create(
        station=station,
        use=use[:32],
        hash_algorithm=data.hash_algorithm[:6],
        issuer_name_hash=data.issuer_name_hash[:128],
        issuer_key_hash=data.issuer_key_hash[:128],
        serial_number=data.serial_number[:40],
        defaults={"reported_at": now, "parent": parent, "root_id": known.get(data)},
    )
    return row


def _known_roots() -> dict[HashData, int]:
    """Return the roots of ours by every name that a station may give them."""
    known: dict[HashData, int] = {}
    for pk, text in RootCertificate.objects.values_list("pk", "certificate"):
        certificate = x.read_one(text)
        for algorithm in hash_data.ALGORITHMS:
            known[hash_data.of(certificate, algorithm=algorithm)] = pk
    return known


@transaction.atomic(savepoint=False)
def was_installed(station: ChargingStation, *, root_id: int, is_accepted: bool) -> None:
    """Take a station's answer to an installation: what it took is noted, then read as it names it."""
    root = RootCertificate.objects.filter(pk=root_id).first()
    if root is None or not is_accepted:
        return
    data = hash_data.of(x.read_one(root.certificate))
    _store(station, root.use, data, {data: root.pk}, clock.now())
    _read_again(station, root.use, subject=f"installed-root:{root.pk}")
    events.publish(CertificatesChanged(station.pk))


@transaction.atomic(savepoint=False)
def was_deleted(station: ChargingStation, *, installed_id: int, is_gone: bool) -> None:
    """Take a station's answer to a deletion: gone, or never there; then read what it says that it has."""
    row = InstalledCertificate.objects.filter(pk=installed_id, station=station).first()
    if is_gone and row is not None:
        row.delete()
        _read_again(station, row.use, subject=f"certificates:{row.use}")
    events.publish(CertificatesChanged(station.pk))


def _read_again(station: ChargingStation, use: str, *, subject: str) -> None:
    requests.queue(
        station,
        "read_certificates",
        facts={"use": use},
        requested_by=CHECK,
        queue_offline=True,
        subject=subject,
    )


def chain_of(row: InstalledCertificate) -> StationCertificate | None:
    """Return the certificate of ours that a reported chain is, if it is one."""
    return (
        StationCertificate.objects.filter(station_id=row.station_id, serial_number=row.serial_number)
        .order_by("-id")
        .first()
    )
