"""Words of certificates in OCPP 1.6 against those of the domain (white paper chapter 6, application note chapter 7)."""

from typing import Any

from stations.models import Command, RootUse
from stations.ocpp.route import Payload
from stations.pki.hash_data import HashData

# Our word -> that of 1.6; what is not here is Plug & Charge, which travels inside DataTransfer.
USES: dict[str, str] = {
    RootUse.CSMS: "CentralSystemRootCertificate",
    RootUse.MANUFACTURER: "ManufacturerRootCertificate",
}


def to_wire(data: HashData) -> Payload:
    """Write hash data (6.1)."""
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
