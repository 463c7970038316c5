"""Certificates as every version words them: hash data, and what became of requests about certificates.

What differs stands in `v16.certificates`, `v16.iso15118` and `v2.certificates`.
"""

from collections.abc import Iterable
from typing import Any

from cpo.lib import clock
from stations.models import Command
from stations.ocpp.route import Payload
from stations.pki.hash_data import HashData
from stations.services import certificates, installed_certificates
from stations.services.installed_certificates import Reported

MAX_CHILDREN = 4  # sub-CAs that a chain tells


def to_wire(data: HashData) -> Payload:
    """Write hash data (1.6 white paper section 6.1, CertificateHashDataType)."""
    return {
        "hashAlgorithm": data.hash_algorithm,
        "issuerNameHash": data.issuer_name_hash,
        "issuerKeyHash": data.issuer_key_hash,
        "serialNumber": data.serial_number,
    }


def from_wire(told: Any) -> HashData | None:
    """Read hash data as tolerantly as the codec lets answers through; None for what names nothing."""
    if not isinstance(told, dict):
        return None
    names = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")
    parts = [str(told.get(name) or "").encode("ascii", "replace").decode() for name in names]
    data = HashData.told(*parts)
    return data if data.is_readable else None


def word_of(command: Command, answer: Payload | None) -> str:
    """Return the status that was answered, or what came instead."""
    if answer is not None:
        return str(answer.get("status") or "no status")[:50]
    return command.error_code or command.error_description or str(command.status)


def number(subject: str, kind: str) -> int | None:
    """Return the row that a command's subject names, if it is of this kind."""
    found, _, digits = subject.partition(":")
    return int(digits) if found == kind and digits.isdigit() else None


def certificate_signed(command: Command, answer: Payload | None) -> None:
    """Accepted, Rejected or silence (6.2; A02): each leads the certificate of the command's subject on."""
    pk = certificates.row_of(command.subject)
    if pk is not None:
        is_accepted = None if answer is None else answer.get("status") == "Accepted"
        by_hand = command.status == Command.Status.CANCELLED
        certificates.answered(pk, is_accepted=is_accepted, word=word_of(command, answer), by_hand=by_hand)


def trigger_message(command: Command, answer: Payload | None) -> None:
    """Take note of a station that will not ask for a new certificate; other triggers concern nobody here (A02)."""
    kind, _, use = command.subject.partition(":")
    if kind == "renewal":
        certificates.renewal_answered(
            command.station, use=use, word=word_of(command, answer), is_automatic=command.priority < 0
        )


def install_certificate(command: Command, answer: Payload | None) -> None:
    """Note what the station took (6.3; M05.FR.02)."""
    row_id = number(command.subject, "root")
    if row_id is not None and answer is not None:
        installed_certificates.was_installed(
            command.station, root_id=row_id, is_accepted=answer.get("status") == "Accepted"
        )


def delete_certificate(command: Command, answer: Payload | None) -> None:
    """Forget what the station deleted, or never had (6.7; M04.FR.02, .04)."""
    row_id = number(command.subject, "installed")
    if row_id is not None and answer is not None:
        is_gone = answer.get("status") in ("Accepted", "NotFound")
        installed_certificates.was_deleted(command.station, installed_id=row_id, is_gone=is_gone)


def chains_told(command: Command, answer: Payload, *, uses: Iterable[str]) -> None:
    """Store what GetInstalledCertificateIds of 2.x, and of 1.6 inside DataTransfer, told of these uses (M03)."""
    if answer.get("status") not in ("Accepted", "NotFound"):
        return
    found = []
    for told in answer.get("certificateHashDataChain") or []:
        data = from_wire(told.get("certificateHashData")) if isinstance(told, dict) else None
        if data is not None and str(told.get("certificateType")) in uses:
            below = map(from_wire, (told.get("childCertificateHashData") or [])[:MAX_CHILDREN])
            found.append(
                Reported(str(told["certificateType"]), data, tuple(child for child in below if child))
            )
    installed_certificates.reported(
        command.station,
        uses=uses,
        found=found,
        now=clock.now(),
        expected=number(command.subject, "installed-root"),
    )
