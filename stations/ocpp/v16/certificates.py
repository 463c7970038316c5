"""CertificateSigned, InstallCertificate, DeleteCertificate, GetInstalledCertificateIds and ExtendedTriggerMessage for a
new request (1.6 security white paper sections 5.1 to 5.12), and where their words differ from ours.

What is about Plug & Charge travels inside DataTransfer: see `iso15118`.
"""

from cpo.lib import clock
from stations.models import Command, SigningUse
from stations.ocpp.route import Payload
from stations.ocpp.v16 import iso15118
from stations.ocpp.v16.certificate_words import USES, from_wire, number, to_wire, word_of
from stations.pki.hash_data import HashData
from stations.services import certificates, installed_certificates
from stations.services.installed_certificates import Reported

TRIGGER = "SignChargePointCertificate"


# --- requests of services


def write_certificate_signed(*, use: str, chain: str) -> tuple[str, Payload]:
    """Write CertificateSigned (5.1)."""
    if use != SigningUse.CHARGING_STATION:
        return iso15118.write("CertificateSigned", {"certificateChain": chain})
    return "CertificateSigned", {"certificateChain": chain}


def write_request_certificate(*, use: str) -> tuple[str, Payload]:
    """Write ExtendedTriggerMessage (5.5)."""
    if use != SigningUse.CHARGING_STATION:
        return iso15118.write("TriggerMessage", {})
    return "ExtendedTriggerMessage", {"requestedMessage": TRIGGER}


def write_install(*, use: str, certificate: str) -> tuple[str, Payload]:
    """Write InstallCertificate (5.11)."""
    if use not in USES:
        return iso15118.write("InstallCertificate", {"certificateType": use, "certificate": certificate})
    return "InstallCertificate", {"certificateType": USES[use], "certificate": certificate}


def write_delete(*, use: str, hash_data: HashData) -> tuple[str, Payload]:
    """Write DeleteCertificate (5.3)."""
    payload = {"certificateHashData": to_wire(hash_data)}
    return ("DeleteCertificate", payload) if use in USES else iso15118.write("DeleteCertificate", payload)


def write_read(*, use: str) -> tuple[str, Payload]:
    """Write GetInstalledCertificateIds (5.7); it asks for one use at a time."""
    if use not in USES:
        return iso15118.write("GetInstalledCertificateIds", {"certificateType": [use]})
    return "GetInstalledCertificateIds", {"certificateType": USES[use]}


# --- what became of them


def certificate_signed(command: Command, answer: Payload | None) -> None:
    """Accepted, Rejected or silence (6.2): each leads the certificate of the command's subject on."""
    pk = certificates.row_of(command.subject)
    if pk is not None:
        is_accepted = None if answer is None else answer.get("status") == "Accepted"
        by_hand = command.status == Command.Status.CANCELLED
        certificates.answered(pk, is_accepted=is_accepted, word=word_of(command, answer), by_hand=by_hand)


def extended_trigger_message(command: Command, answer: Payload | None) -> None:
    """Take note of a station that will not ask for a new certificate; other triggers concern nobody here (6.17)."""
    kind, _, use = command.subject.partition(":")
    if kind == "renewal":
        certificates.renewal_answered(
            command.station, use=use, word=word_of(command, answer), is_automatic=command.priority < 0
        )


def install_certificate(command: Command, answer: Payload | None) -> None:
    """Note what the station took (6.3)."""
    row_id = number(command.subject, "root")
    if row_id is not None and answer is not None:
        installed_certificates.was_installed(
            command.station, root_id=row_id, is_accepted=answer.get("status") == "Accepted"
        )


def delete_certificate(command: Command, answer: Payload | None) -> None:
    """Forget what the station deleted, or never had (6.7)."""
    row_id = number(command.subject, "installed")
    if row_id is not None and answer is not None:
        is_gone = answer.get("status") in ("Accepted", "NotFound")
        installed_certificates.was_deleted(command.station, installed_id=row_id, is_gone=is_gone)


def get_installed_certificate_ids(command: Command, answer: Payload | None) -> None:
    """Store what is installed for the use that was asked for (5.8), whoever asked."""
    if answer is None:
        return
    use = next((ours for ours, word in USES.items() if word == command.payload.get("certificateType")), None)
    if use is None:
        return
    found = [Reported(use, data) for data in map(from_wire, answer.get("certificateHashData") or []) if data]
    installed_certificates.reported(command.station, uses=[use], found=found, now=clock.now())
