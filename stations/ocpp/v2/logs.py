"""Logs in the words of 2.x (N01): diagnostics, security and, in 2.1, collected readings."""

from stations.models import LogUpload
from stations.ocpp import transfers
from stations.ocpp.route import Payload


def write_log(*, upload: LogUpload, location: str) -> tuple[str, Payload]:
    """Write GetLog."""
    return "GetLog", transfers.write_log(upload, location)
