"""Plug & Charge over OCPP 1.6: messages of 2.0.1 inside DataTransfer (application note, chapters 2 to 8).

The messages go to the services that 2.x uses; here stand only the words, and what of them cannot be read.
"""

import json
from collections.abc import Callable
from typing import Any

from stations.models import Command, SigningUse
from stations.ocpp.certificates import chains_told, from_wire, number, word_of
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v16 import data_transfer, values
from stations.pki.hash_data import HashData
from stations.services import (
    certificate_status,
    certificates,
    contracts,
    installed_certificates,
    plug_and_charge,
)
from stations.services.contracts import ContractWish, NoContract
from stations.services.plug_and_charge import Asked

VENDOR = "org.openchargealliance.iso15118pnc"
ACTIONS = ("Install", "Update")  # 8.3
MAX_HASHES, MAX_CHILDREN, MAX_EXI, MAX_PEM, MAX_URL = 4, 4, 5600, 5500, 512


class Unreadable(Exception):
    """The message inside is not what the application note says."""


def write(message: str, payload: Payload) -> tuple[str, Payload]:
    """Write a message of ours inside DataTransfer (2.2)."""
    return "DataTransfer", {"vendorId": VENDOR, "messageId": message, "data": json.dumps(payload)}


# --- from stations


def authorize(link: Link, payload: Payload) -> Payload:
    """Judge a contract and its certificate (chapter 5)."""
    emaid = values.id_tag(_member(payload, "idToken").get("idToken"))
    asked = [Asked(*_named(one)) for one in _list(payload, "iso15118CertificateHashData")[:MAX_HASHES]]
    certificate = _text(payload, "certificate", MAX_PEM, required=False)

    contract = plug_and_charge.authorize(emaid, station=link.station, certificate=certificate, asked=asked)

    info = values.id_tag_info(contract.decision)
    told = {"status": info["status"]}
    if "expiryDate" in info:
        told["cacheExpiryDateTime"] = info["expiryDate"]
    return {"certificateStatus": contract.certificate_status, "idTokenInfo": told}


def get_15118_ev_certificate(link: Link, payload: Payload) -> Payload:
    """Fetch a contract certificate for the vehicle (3.2)."""
    action = _text(payload, "action", 20)
    if action not in ACTIONS:
        raise Unreadable(f"action is {action!r}")
    request = _text(payload, "exiRequest", MAX_EXI)

    wish = ContractWish(action, _text(payload, "iso15118SchemaVersion", 50), request)
    try:
        found = contracts.exchange(link.station, wish, longest=MAX_EXI)
    except NoContract:
        return {"status": "Failed", "exiResponse": ""}

    return {"status": "Accepted", "exiResponse": found.response}


def get_certificate_status(link: Link, payload: Payload) -> Payload:
    """Say what a responder says of a certificate (4.4)."""
    named, url = _named(_member(payload, "ocspRequestData"))

    try:
        status = certificate_status.current().status(named, responder_url=url)
    except certificate_status.NoStatus:
        return {"status": "Failed"}

    text = certificate_status.as_text(status.response)
    return {"status": "Accepted", "ocspResult": text} if len(text) <= MAX_PEM else {"status": "Failed"}


def sign_certificate(link: Link, payload: Payload, incoming: Incoming) -> Payload:
    """Take the request for a Plug & Charge certificate; it comes later, in a call of ours (3.1)."""
    csr = _text(payload, "csr", MAX_PEM + 1)

    row = certificates.request(link.station, csr=csr, use=SigningUse.V2G, now=incoming.received_at)

    return {"status": "Rejected" if row is None else "Accepted"}


def _speaking(handler: Callable[..., Payload], *, with_call: bool = False) -> data_transfer.VendorHandler:
    """Wrap a handler: its JSON in, its JSON out, Rejected for what cannot be read."""

    def handle(link: Link, incoming: Incoming, data: str) -> tuple[str, str | None]:
        try:
            payload = json.loads(data)
            if not isinstance(payload, dict):
                raise Unreadable("not an object")
            answer = handler(link, payload, incoming) if with_call else handler(link, payload)
        except (ValueError, RecursionError, Unreadable):
            incoming.flags.append("data_unreadable")
            return "Rejected", None
        return "Accepted", json.dumps(answer)

    return handle


MESSAGES = {
    "Authorize": _speaking(authorize),
    "Get15118EVCertificate": _speaking(get_15118_ev_certificate),
    "GetCertificateStatus": _speaking(get_certificate_status),
    "SignCertificate": _speaking(sign_certificate, with_call=True),
}
data_transfer.VENDORS[VENDOR] = MESSAGES


# --- what became of ours


def outcome(command: Command, answer: Payload | None) -> None:
    """Take the station's answer inside the answer; a DataTransfer that was not accepted is a refusal."""
    message = str(command.payload.get("messageId") or "")
    inner, word = _inner(command, answer)
    status = None if answer is None else str((inner or {}).get("status") or "Rejected")
    subject, station = command.subject, command.station
    pk = certificates.row_of(subject)
    if message == "CertificateSigned" and pk is not None:
        is_accepted = None if status is None else status == "Accepted"
        by_hand = command.status == Command.Status.CANCELLED
        certificates.answered(pk, is_accepted=is_accepted, word=word, by_hand=by_hand)
    elif message == "TriggerMessage" and subject.startswith("renewal:"):
        use = subject.partition(":")[2]
        certificates.renewal_answered(station, use=use, word=word, is_automatic=command.priority < 0)
    elif message == "GetInstalledCertificateIds" and inner is not None:
        _reported(command, inner)
    elif message == "InstallCertificate" and (root := number(subject, "root")) is not None and status:
        installed_certificates.was_installed(station, root_id=root, is_accepted=status == "Accepted")
    elif message == "DeleteCertificate" and (row := number(subject, "installed")) is not None and status:
        is_gone = status in ("Accepted", "NotFound")
        installed_certificates.was_deleted(station, installed_id=row, is_gone=is_gone)


data_transfer.OUTCOMES[VENDOR] = outcome


def _inner(command: Command, answer: Payload | None) -> tuple[Payload | None, str]:
    """Return the message inside the answer, None if there is none, and a word for what came of it all."""
    if answer is None or answer.get("status") != "Accepted":
        return None, word_of(command, answer)
    try:
        inner = json.loads(str(answer.get("data") or ""))
    except (ValueError, RecursionError):
        inner = None
    if not isinstance(inner, dict):
        return None, "an answer that cannot be read"
    return inner, word_of(command, inner)


def _reported(command: Command, inner: Payload) -> None:
    """Store the chains that were told for the uses that were asked for (6.6)."""
    try:
        asked = json.loads(str(command.payload.get("data") or "")).get("certificateType") or []
    except (ValueError, AttributeError):
        return
    uses = [str(use) for use in (asked if isinstance(asked, list) else [asked])]
    uses = uses or list(installed_certificates.PLUG_AND_CHARGE_USES)
    chains_told(command, inner, uses=uses)


# --- what is in a message


def _text(payload: Payload, name: str, limit: int, *, required: bool = True) -> str:
    value = payload.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > limit or (required and not value):
        raise Unreadable(f"{name} is missing or too long")
    return value


def _member(payload: Payload, name: str) -> Payload:
    value = payload.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is missing")
    return value


def _list(payload: Payload, name: str) -> list[Any]:
    value = payload.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_HASHES:
        raise Unreadable(f"{name} is no list of at most {MAX_HASHES}")
    return value


def _named(told: Any) -> tuple[HashData, str]:
    data = from_wire(told)
    if data is None:
        raise Unreadable("hash data is missing")
    return data, _text(told, "responderURL", MAX_URL)
