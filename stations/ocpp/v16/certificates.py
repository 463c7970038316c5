"""CertificateSigned, InstallCertificate, DeleteCertificate, GetInstalledCertificateIds and ExtendedTriggerMessage for a
new request (1.6 security white paper sections 5.1 to 5.12), where their words differ from those of other versions.

What is about Plug & Charge travels inside DataTransfer: see `iso15118`.
"""

from cpo.lib import clock
from stations.models import Command, SigningUse
from stations.ocpp.certificates import (
    certificate_signed,
    delete_certificate,
    from_wire,
    install_certificate,
    number,
    to_wire,
)
from stations.ocpp.certificates import trigger_message as extended_trigger_message
from stations.ocpp.route import Payload
from stations.ocpp.v16 import iso15118
from stations.ocpp.v16.certificate_words import USES
from stations.pki.hash_data import HashData
from stations.services import installed_certificates
from stations.services.errors import UnknownAction
from stations.services.installed_certificates import Reported

__all__ = ["certificate_signed", "delete_certificate", "extended_trigger_message", "install_certificate"]

TRIGGER = "SignChargePointCertificate"


# --- requests of services


def write_certificate_signed(*, use: str, chain: str, request_id: int | None = None) -> tuple[str, Payload]:
    """Write CertificateSigned (5.1); 1.6 has no number of a request."""
    if use != SigningUse.CHARGING_STATION:
        return iso15118.write("CertificateSigned", {"certificateChain": chain})
    return "CertificateSigned", {"certificateChain": chain}


def write_request_certificate(*, use: str, evse: int = 0) -> tuple[str, Payload]:
    """Write ExtendedTriggerMessage (5.5); raise `UnknownAction` for what only later versions know."""
    if use == SigningUse.V2G:
        return iso15118.write("TriggerMessage", {})
    if use != SigningUse.CHARGING_STATION:
        raise UnknownAction(f"OCPP 1.6 knows no {use}")
    return "ExtendedTriggerMessage", {"requestedMessage": TRIGGER}


def write_install(*, use: str, certificate: str) -> tuple[str, Payload]:
    """Write InstallCertificate (5.11)."""
    if use not in USES:
        return iso15118.write(
            "InstallCertificate", {"certificateType": _known(use), "certificate": certificate}
        )
    return "InstallCertificate", {"certificateType": USES[use], "certificate": certificate}


def write_delete(*, use: str, hash_data: HashData) -> tuple[str, Payload]:
    """Write DeleteCertificate (5.3)."""
    payload = {"certificateHashData": to_wire(hash_data)}
    return ("DeleteCertificate", payload) if use in USES else iso15118.write("DeleteCertificate", payload)


def write_read(*, use: str) -> tuple[str, Payload]:
    """Write GetInstalledCertificateIds (5.7); it asks for one use at a time."""
    if use not in USES:
        return iso15118.write("GetInstalledCertificateIds", {"certificateType": [_known(use)]})
    return "GetInstalledCertificateIds", {"certificateType": USES[use]}


def _known(use: str) -> str:
    if use not in installed_certificates.PLUG_AND_CHARGE_USES:
        raise UnknownAction(f"OCPP 1.6 knows no {use}")
    return use


# --- what became of them


def get_installed_certificate_ids(command: Command, answer: Payload | None) -> None:
    """Store what is installed for the use that was asked for (5.8), whoever asked."""
    if answer is None:
        return
    use = next((ours for ours, word in USES.items() if word == command.payload.get("certificateType")), None)
    if use is None:
        return
    found = [Reported(use, data) for data in map(from_wire, answer.get("certificateHashData") or []) if data]
    installed_certificates.reported(
        command.station,
        uses=[use],
        found=found,
        now=clock.now(),
        expected=number(command.subject, "installed-root"),
    )
