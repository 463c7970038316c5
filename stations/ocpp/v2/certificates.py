"""CertificateSigned, InstallCertificate, DeleteCertificate, GetInstalledCertificateIds and TriggerMessage for a new
request (A02, A03, M03 to M05). Their words are those of the domain; SignCertificate is read in `notices`.
"""

from stations.models import Command, SigningUse
from stations.ocpp.certificates import (
    certificate_signed,
    chains_told,
    delete_certificate,
    install_certificate,
    to_wire,
    trigger_message,
)
from stations.ocpp.route import Payload
from stations.pki.hash_data import HashData
from stations.services import installed_certificates
from stations.services.errors import UnknownAction

__all__ = ["certificate_signed", "delete_certificate", "install_certificate", "trigger_message"]

# What asks a station for a new request, by the use of its certificate (A02, MessageTriggerEnumType).
TRIGGERS: dict[str, str] = {
    SigningUse.CHARGING_STATION: "SignChargingStationCertificate",
    SigningUse.V2G: "SignV2GCertificate",
    SigningUse.COMBINED: "SignCombinedCertificate",
}
TRIGGERS_21: dict[str, str] = TRIGGERS | {SigningUse.V2G20: "SignV2G20Certificate"}


# --- requests of services


def write_certificate_signed(*, use: str, chain: str, request_id: int | None = None) -> tuple[str, Payload]:
    """Write CertificateSigned with the type that was asked for; none for a combined certificate (A02.FR.14)."""
    payload: Payload = {"certificateChain": chain}
    if use != SigningUse.COMBINED:
        payload["certificateType"] = use
    return "CertificateSigned", payload


def write_certificate_signed_21(
    *, use: str, chain: str, request_id: int | None = None
) -> tuple[str, Payload]:
    """Write it with the number of the station's request (2.1 A02.FR.25)."""
    action, payload = write_certificate_signed(use=use, chain=chain)
    return action, payload | ({"requestId": request_id} if request_id is not None else {})


def write_request_certificate(*, use: str, evse: int = 0) -> tuple[str, Payload]:
    """Write TriggerMessage for a use that 2.0.1 knows; raise `UnknownAction` for another."""
    return _trigger(TRIGGERS, use, evse)


def write_request_certificate_21(*, use: str, evse: int = 0) -> tuple[str, Payload]:
    """The same with what 2.1 knows: certificates of ISO 15118-20 (A02.FR.23)."""
    return _trigger(TRIGGERS_21, use, evse)


def _trigger(triggers: dict[str, str], use: str, evse: int) -> tuple[str, Payload]:
    if use not in triggers:
        raise UnknownAction(f"the station's version of OCPP knows no {use}")
    return "TriggerMessage", {"requestedMessage": triggers[use]} | ({"evse": {"id": evse}} if evse else {})


def write_install(*, use: str, certificate: str) -> tuple[str, Payload]:
    """Write InstallCertificate (M05)."""
    return "InstallCertificate", {"certificateType": use, "certificate": certificate}


def write_delete(*, use: str, hash_data: HashData) -> tuple[str, Payload]:
    """Write DeleteCertificate with the hashes that the station told (M04.FR.07)."""
    return "DeleteCertificate", {"certificateHashData": to_wire(hash_data)}


def write_read(*, use: str) -> tuple[str, Payload]:
    """Write GetInstalledCertificateIds for one use (M03)."""
    return "GetInstalledCertificateIds", {"certificateType": [use]}


def write_read_all() -> tuple[str, Payload]:
    """Write GetInstalledCertificateIds for all uses: without naming one (M03)."""
    return "GetInstalledCertificateIds", {}


# --- what became of them


def get_installed_certificate_ids(command: Command, answer: Payload | None) -> None:
    """Store what is installed for the uses that were asked for, all where none was named (M03.FR.02 to .05)."""
    if answer is None:
        return
    chains_told(
        command, answer, uses=command.payload.get("certificateType") or installed_certificates.ALL_USES
    )
