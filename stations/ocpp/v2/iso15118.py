"""What vehicles and stations ask about certificates: contracts, OCSP, chains (M01, M02, M06, M07)."""

from typing import Any

from stations.ocpp.certificates import from_wire
from stations.ocpp.codec import timestamp
from stations.ocpp.link import Link
from stations.ocpp.route import Handler, Incoming, Payload
from stations.services import certificate_status, chain_status, contracts
from stations.services.certificate_status import NoStatus
from stations.services.chain_status import Sought
from stations.services.contracts import ContractWish, NoContract

HASH_DATA = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")
# CertificateStatusEnumType by what a source said.
STATUSES = {
    certificate_status.GOOD: "Good",
    certificate_status.REVOKED: "Revoked",
    certificate_status.UNKNOWN: "Unknown",
    chain_status.FAILED: "Failed",
}


def get_15118_ev_certificate(*, longest: int) -> Handler:
    """Make the handler that fetches a contract certificate for a vehicle (M01, M02).

    `longest`: characters of an EXI answer that the version's schema takes.
    """

    def handle(link: Link, incoming: Incoming) -> Payload:
        payload = incoming.payload
        wish = ContractWish(
            action=payload["action"],
            schema_version=payload["iso15118SchemaVersion"],
            request=payload["exiRequest"],
            most=payload.get("maximumContractCertificateChains"),
            emaids=tuple(payload.get("prioritizedEMAIDs") or ()),
        )

        try:
            found = contracts.exchange(link.station, wish, longest=longest)
        except NoContract as error:
            return {"status": "Failed", "exiResponse": "", "statusInfo": _reason("NotFound", error)}

        answer = {"status": "Accepted", "exiResponse": found.response}
        return answer | ({"remainingContracts": found.remaining} if found.remaining is not None else {})

    return handle


def get_certificate_status(*, longest: int) -> Handler:
    """Make the handler that says what a responder says of a certificate (M06.FR.01 to .09).

    `longest`: characters of an OCSP response that the version's schema takes.
    """

    def handle(link: Link, incoming: Incoming) -> Payload:
        told = incoming.payload["ocspRequestData"]
        named = from_wire(told)

        try:
            if named is None:
                raise NoStatus("the hashes cannot be read")
            status = certificate_status.current().status(named, responder_url=told["responderURL"])
        except NoStatus as error:
            return {"status": "Failed", "statusInfo": _reason("NotFound", error)}

        text = certificate_status.as_text(status.response)
        if len(text) > longest:
            return {"status": "Failed", "statusInfo": _reason("TooLargeElement", "the answer is too long")}
        return {"status": "Accepted", "ocspResult": text}

    return handle


def get_certificate_chain_status(link: Link, incoming: Incoming) -> Payload:
    """Say of each certificate of a vehicle's chain whether it is revoked (M07.FR.08)."""
    asked = incoming.payload["certificateStatusRequests"]

    told = chain_status.statuses(
        Sought(from_wire(one["certificateHashData"]), one["source"], tuple(one["urls"])) for one in asked
    )

    return {
        "certificateStatus": [
            {
                "certificateHashData": {name: one["certificateHashData"][name] for name in HASH_DATA},
                "source": one["source"],
                "status": STATUSES[found.word],
                "nextUpdate": timestamp(found.until),
            }
            for one, found in zip(asked, told, strict=True)
        ]
    }


def _reason(code: str, error: Any) -> Payload:
    return {"reasonCode": code, "additionalInfo": str(error)[:512]}
