"""Which certificates are deleted from a station only when somebody confirmed it (2.1 M04, remarks).

The question is asked where a certificate is deleted (`installed_certificates.delete`); a command that is sent by hand
cannot be asked, so it is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from stations.models import ChargingStation, InstalledCertificate
from stations.pki.hash_data import HashData
from stations.services.errors import InvalidPayload

OWN_CHAIN = "V2GCertificateChain"  # the station's own Plug & Charge certificate and what leads to its root
_is_confirmed: ContextVar[bool] = ContextVar("is_confirmed", default=False)


@contextmanager
def confirmed() -> Iterator[None]:
    """Let deletions through inside: whoever asked for them was asked."""
    token = _is_confirmed.set(True)
    try:
        yield
    finally:
        _is_confirmed.reset(token)


def reason(row: InstalledCertificate) -> str:
    """Say why this one wants a confirmation; '' where it does not."""
    if row.use == OWN_CHAIN:
        return "it is the station's own certificate"
    same_use = InstalledCertificate.objects.filter(station_id=row.station_id, use=row.use, parent=None)
    return "" if same_use.exclude(pk=row.pk).exists() else f"it is the station's last {row.use}"


def deletion(station: ChargingStation, payload: dict[str, Any]) -> None:
    """Refuse DeleteCertificate of such a one unless it was confirmed."""
    if _is_confirmed.get():
        return
    told = payload["certificateHashData"]
    data = HashData.told(
        told["hashAlgorithm"], told["issuerNameHash"], told["issuerKeyHash"], told["serialNumber"]
    )
    for row in InstalledCertificate.objects.filter(
        station=station,
        parent=None,
        issuer_name_hash=data.issuer_name_hash,
        issuer_key_hash=data.issuer_key_hash,
        serial_number=data.serial_number,
    ):
        why = reason(row)
        if why:
            raise InvalidPayload("certificateHashData", f"{why}: delete it among the station's certificates")
