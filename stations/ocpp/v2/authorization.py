"""Authorize and ClearCache (block C)."""

from typing import Any

from stations.ocpp.certificates import from_wire
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import values
from stations.services import authorization, plug_and_charge
from stations.services.plug_and_charge import Asked


def authorize(link: Link, incoming: Incoming) -> Payload:
    """Say whether the token may charge here, for how long that may be kept, and to which group it belongs (C01).

    A contract comes with its certificate, or with what is needed to ask whether that still holds (C07).
    """
    payload = incoming.payload
    token = payload["idToken"]
    uid, type = values.id_token(token), str(token.get("type") or "")
    told = payload.get("iso15118CertificateHashData") or []
    certificate = str(payload.get("certificate") or "")
    if not told and not certificate:
        decision = authorization.authorize(uid, station=link.station, type=type)
        incoming.flags += decision.flags
        return {"idTokenInfo": values.id_token_info(decision)}

    contract = plug_and_charge.authorize(
        uid, station=link.station, certificate=certificate, asked=[_asked(one) for one in told]
    )
    incoming.flags += contract.decision.flags

    return {
        "idTokenInfo": values.id_token_info(contract.decision),
        "certificateStatus": contract.certificate_status,
    }


def write_clear_cache() -> tuple[str, Payload]:
    """Write ClearCache (C11)."""
    return "ClearCache", {}


def _asked(told: dict[str, Any]) -> Asked:
    """Read an OCSPRequestDataType; what names no certificate cannot be asked about."""
    return Asked(from_wire(told), str(told.get("responderURL") or ""))
