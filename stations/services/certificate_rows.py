"""What requests, signing and revocation of certificates share: rows taken, closed, told of."""

from datetime import datetime

from cryptography import x509
from django.db import models

from stations.models import (
    ChargingStation,
    Command,
    ReviewItem,
    RevokedCertificate,
    StationCertificate,
)
from stations.pki import certificates as x
from stations.services import alerts, commands
from stations.services.client_certificates import issuer_name_hash

SIGN_TASK = "stations.tasks.sign_certificates"


def subject(row: StationCertificate) -> str:
    """Name the row for commands about it."""
    return f"station-certificate:{row.pk}"


def row_of(subject: str) -> int | None:
    """Return the row that a command's subject names, None if it names no certificate."""
    kind, _, number = subject.partition(":")
    return int(number) if kind == "station-certificate" and number.isdigit() else None


def locked(pk: int, *states: str) -> StationCertificate | None:
    """Lock the row and return it if it is in one of these states."""
    rows = StationCertificate.objects.select_for_update(of=("self",)).select_related(
        "station__location__operator"
    )
    return rows.filter(pk=pk, state__in=states).first()


def waiting(row: StationCertificate) -> models.QuerySet[Command]:
    """Give the commands about a row that have no outcome yet."""
    return Command.objects.filter(
        station_id=row.station_id,
        subject=subject(row),
        status__in=[Command.Status.QUEUED, Command.Status.SENT],
    )


def close(row: StationCertificate, state: str, problem: str) -> None:
    """End a row's way in this state; what still waits to be sent about it need not be."""
    row.state, row.problem, row.next_try_at = state, problem, None
    row.save(update_fields=["state", "problem", "next_try_at"])
    take_back(row, why=problem)


def take_back(row: StationCertificate, *, why: str) -> None:
    """Cancel the commands about a row that were not sent yet; its state must tell by now that they do not matter."""
    for command in waiting(row).filter(status=Command.Status.QUEUED):
        commands.cancel(command, by=why)


def mark_revoked(certificate: x509.Certificate, *, reason: str, at: datetime) -> None:
    """Keep a certificate out from now on, whoever issued it."""
    RevokedCertificate.objects.get_or_create(
        issuer_name_hash=issuer_name_hash(certificate.issuer),
        serial_number=x.serial_hex(certificate),
        defaults={"reason": reason[:32], "revoked_at": at},
    )


def alert(station: ChargingStation, use: str, problem: str) -> None:
    """Tell an operator why a station's certificate does not come about."""
    word = "certificate" if use in StationCertificate.CONNECTING else "Plug & Charge certificate"
    alerts.alert(
        ReviewItem.Kind.CERTIFICATE_WANTED,
        f"certificate:{station.pk}:{use}",
        summary=f"{station.identity}, {word}: {problem}",
        station=station,
        facts={"use": use, "problem": problem},
    )
