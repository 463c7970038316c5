"""What stations know about customers, in the words of 2.x (N09, N10)."""

from collections.abc import Mapping
from typing import Any

from stations import readings
from stations.models import Command, CustomerRequest
from stations.ocpp import transfers
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import values
from stations.services import customer_information

# Members of CertificateHashDataType against our words.
HASH_DATA = {
    "hashAlgorithm": "hash_algorithm",
    "issuerNameHash": "issuer_name_hash",
    "issuerKeyHash": "issuer_key_hash",
    "serialNumber": "serial_number",
}
Reference = CustomerRequest.Reference


def write_request(
    *, request: CustomerRequest, kind: str, reference: Mapping[str, str]
) -> tuple[str, Payload]:
    """Write CustomerInformation with exactly one name of the customer (N09.FR.01, FR.04, FR.08; N10.FR.08)."""
    payload: Payload = {
        "requestId": request.request_id,
        "report": request.is_report,
        "clear": request.is_clear,
    }
    if kind == Reference.ID_TOKEN:
        payload["idToken"] = values.write_id_token(reference["id_token"], reference["type"])
    elif kind == Reference.CERTIFICATE:
        payload["customerCertificate"] = {wire: reference[ours] for wire, ours in HASH_DATA.items()}
    else:
        payload["customerIdentifier"] = reference["identifier"]
    return "CustomerInformation", payload


def customer_information_outcome(command: Command, answer: Payload | None) -> None:
    """Await the parts, or note that there will be none (N09.FR.02, FR.03, FR.09; N10.FR.01, FR.05)."""
    request = _request_of(command)
    if answer is None:
        customer_information.not_asked(request, **transfers.silence(command))
    elif answer["status"] == "Accepted":
        customer_information.accepted(request)
    else:
        reason = transfers.status_info(answer)
        customer_information.refused(request, answer=answer["status"], reason=reason)


def notify_customer_information(link: Link, incoming: Incoming) -> Payload:
    """Keep one part (N09.FR.05, FR.06; N10.FR.03, FR.04, FR.06)."""
    payload = incoming.payload
    at, flags = readings.parse_timestamp(payload["generatedAt"], received_at=incoming.received_at)
    incoming.flags += flags

    part: dict[str, Any] = {
        "request_id": int(payload["requestId"]),
        "seq_no": int(payload["seqNo"]),
        "is_last": not payload.get("tbc", False),
        "text": str(payload["data"]).replace("\0", "\ufffd"),
        "generated_at": at,
    }
    request = customer_information.take_part(link.station, **part)
    if request is None and _adopted(link, part["request_id"]):  # the part was faster than the answer
        request = customer_information.take_part(link.station, **part)
    if request is None:
        incoming.flags.append("unasked_report")

    return {}


def _adopted(link: Link, request_id: int) -> bool:
    """Look for a command that somebody wrote by hand, without a request of ours behind it."""
    sent = Command.objects.filter(
        station_id=link.station_id, action="CustomerInformation", payload__requestId=request_id
    )
    command = sent.exclude(sent_at=None).order_by("-id").first()
    if command is None:
        return False
    _request_of(command)
    return True


def _request_of(command: Command) -> CustomerRequest:
    asked = command.payload
    kind, reference = _reference(asked)
    return customer_information.adopt(
        command,
        request_id=int(asked["requestId"]),
        kind=kind,
        reference=reference,
        report=asked["report"],
        clear=asked["clear"],
    )


def _reference(asked: Payload) -> tuple[str, dict[str, str]]:
    """Read whom a command is about that somebody wrote by hand."""
    if "idToken" in asked:
        token = asked["idToken"]
        return Reference.ID_TOKEN, {"id_token": str(token["idToken"]), "type": str(token["type"])}
    if "customerCertificate" in asked:
        hashes = asked["customerCertificate"]
        return Reference.CERTIFICATE, {ours: str(hashes[wire]) for wire, ours in HASH_DATA.items()}
    return Reference.IDENTIFIER, {"identifier": str(asked.get("customerIdentifier", ""))}
