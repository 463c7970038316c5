"""Authorize and ClearCache (block C)."""

from typing import Any

from stations import ports
from stations.ocpp.certificates import from_wire
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import values
from stations.ports import Decision, DriverTariff
from stations.services import authorization, plug_and_charge
from stations.services.plug_and_charge import Asked
from stations.services.station_costs import SHOWS_TARIFF, TAKES_TARIFFS

ACCEPTED = "Accepted"


def authorize(link: Link, incoming: Incoming) -> Payload:
    """Say whether the token may charge here, for how long that may be kept, and to which group it belongs (C01).

    A contract comes with its certificate, or with what is needed to ask whether that still holds (C07). A station that
    shows tariffs is told what the driver will pay (I01.FR.01, I01.FR.02).
    """
    answer, _ = _answer(link, incoming)
    return answer


def authorize_21(link: Link, incoming: Incoming) -> Payload:
    """The same for 2.1, where a station may calculate by a tariff of the driver's own (I08.FR.01)."""
    answer, tariff = _answer(link, incoming)
    if tariff is None or tariff.document is None or not link.quirks.get(TAKES_TARIFFS):
        return answer
    return answer | {"tariff": tariff.document}


def _answer(link: Link, incoming: Incoming) -> tuple[Payload, DriverTariff | None]:
    decision, besides = _decide(link, incoming)
    incoming.flags += decision.flags
    info = values.id_token_info(decision)
    tariff = None
    if decision.status == ACCEPTED and (link.quirks.get(SHOWS_TARIFF) or link.quirks.get(TAKES_TARIFFS)):
        tariff = ports.driver_tariff(link.station, decision.token)
    if tariff is not None and link.quirks.get(SHOWS_TARIFF):
        info["personalMessage"] = values.content(tariff.text, tariff.language)
    return {"idTokenInfo": info} | besides, tariff


def _decide(link: Link, incoming: Incoming) -> tuple[Decision, Payload]:
    """Decide about the token, or about the contract and its certificate."""
    payload = incoming.payload
    token = payload["idToken"]
    uid, type = values.id_token(token), str(token.get("type") or "")
    told = payload.get("iso15118CertificateHashData") or []
    certificate = str(payload.get("certificate") or "")
    if not told and not certificate:
        return authorization.authorize(uid, station=link.station, type=type), {}

    contract = plug_and_charge.authorize(
        uid, station=link.station, certificate=certificate, asked=[_asked(one) for one in told]
    )
    return contract.decision, {"certificateStatus": contract.certificate_status}


def write_clear_cache() -> tuple[str, Payload]:
    """Write ClearCache (C11)."""
    return "ClearCache", {}


def _asked(told: dict[str, Any]) -> Asked:
    """Read an OCSPRequestDataType; what names no certificate cannot be asked about."""
    return Asked(from_wire(told), str(told.get("responderURL") or ""))
