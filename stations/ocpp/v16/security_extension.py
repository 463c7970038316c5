"""Does a station speak the security extension of 1.6 (white paper edition 3)? No key and no message says it plainly."""

from stations.models import Command, SecurityEvent, Variable

# Requests of the extension, and keys that only a station with it has (white paper section 7).
ACTIONS = frozenset(
    {
        "CertificateSigned", "DeleteCertificate", "ExtendedTriggerMessage", "GetInstalledCertificateIds", "GetLog",
        "InstallCertificate", "SignedUpdateFirmware",
    }
)  # fmt: skip
KEYS = ("AdditionalRootCertificateCheck", "CertificateSignedMaxChainSize", "CpoName", "SecurityProfile")
UNKNOWN = frozenset({"NotImplemented", "NotSupported"})  # CALLERROR codes of who does not know a request


def is_spoken(station_id: int) -> bool:
    """Tell it from what the station answered to such a request last, else from what it has said by itself."""
    asked = Command.objects.filter(station_id=station_id, action__in=ACTIONS).exclude(answered_at=None)
    newest = asked.order_by("-id").values_list("error_code", flat=True).first()
    if newest is not None:
        return newest not in UNKNOWN
    known = Variable.objects.filter(station_id=station_id, name__in=KEYS, is_supported=True)
    return (
        known.exclude(reported_at=None).exists()
        or SecurityEvent.objects.filter(station_id=station_id).exists()
    )
