"""Certificate hash data: how OCPP names a certificate (white paper section 6.1, OCPP 2.1 CertificateHashDataType).

As OCSP does it (RFC 6960 section 4.1.1): the hash of the DER of the issuer's name, the hash of the issuer's public key
without tag and length, and the serial number in hex without leading zeroes. A root is its own issuer.
"""

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from stations.pki import certificates

ALGORITHMS: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
_HEX_BYTES = re.compile(r"([0-9a-f]{2})+")
_SERIAL = re.compile(r"[0-9a-f]{1,40}")


@dataclass(frozen=True, slots=True)
class HashData:
    """One certificate as stations name it. All in lower case, for case makes no difference (CiString)."""

    hash_algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str

    @classmethod
    def told(cls, algorithm: str, name_hash: str, key_hash: str, serial_number: str) -> "HashData":
        """Take what somebody told, with the case and the leading zeroes that make no difference taken away."""
        serial = serial_number.strip().lower().removeprefix("0x").lstrip("0")
        return cls(
            algorithm.strip().upper().replace("-", ""),
            name_hash.strip().lower(),
            key_hash.strip().lower(),
            serial or "0",
        )

    @property
    def is_readable(self) -> bool:
        """Tell whether all is hex, the hashes of whole bytes and the serial number of at most twenty."""
        pairs = _HEX_BYTES.fullmatch(self.issuer_name_hash) and _HEX_BYTES.fullmatch(self.issuer_key_hash)
        return bool(pairs and _SERIAL.fullmatch(self.serial_number))


def of(
    certificate: x509.Certificate, *, issuer: x509.Certificate | None = None, algorithm: str = "SHA256"
) -> HashData:
    """Compute a certificate's hash data; without an issuer it is a root, and issued itself."""
    request = (
        ocsp.OCSPRequestBuilder()
        .add_certificate(certificate, issuer or certificate, ALGORITHMS[algorithm])
        .build()
    )
    return HashData(
        hash_algorithm=algorithm,
        issuer_name_hash=request.issuer_name_hash.hex(),
        issuer_key_hash=request.issuer_key_hash.hex(),
        serial_number=certificates.serial_hex(certificate),
    )


def is_issuer(data: HashData, certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is the issuer that hash data names."""
    if data.hash_algorithm not in ALGORITHMS:
        return False
    named = of(certificate, algorithm=data.hash_algorithm)
    subject = hashes.Hash(ALGORITHMS[data.hash_algorithm])
    subject.update(certificate.subject.public_bytes())
    return (data.issuer_name_hash, data.issuer_key_hash) == (
        subject.finalize().hex(),
        named.issuer_key_hash,
    )
