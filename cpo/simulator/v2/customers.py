"""What a simulated station knows about a customer: told in parts of 512 characters, and forgotten (N09, N10).

It knows its authorization cache, its local list, who charges now, and what `station.customer_notes` holds by
customer identifier or by the serial number of a certificate.
"""

from typing import TYPE_CHECKING

from cpo.simulator.answers import Answer, Payload, Reaction
from cpo.simulator.transaction import timestamp

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

PART = 512  # characters of NotifyCustomerInformation.data
NAMES = ("idToken", "customerCertificate", "customerIdentifier")
NOTHING, CLEARED = "no data found", "data cleared"


async def customer_information(station: "Charger", payload: Payload) -> Answer:
    """N09.FR.09: exactly one name; N09.FR.07: a report, a clearing or both."""
    if sum(name in payload for name in NAMES) != 1:
        return Answer({"status": "Invalid"})
    if not payload["report"] and not payload["clear"]:
        return Answer({"status": "Rejected"})
    found = _known(station, payload)
    if payload["clear"]:
        _forget(station, payload)
    text = "\n".join(found) if payload["report"] else CLEARED
    parts = _parts(text or NOTHING, payload["requestId"], timestamp(station.clock.now()))
    return Answer({"status": "Accepted"}, then=lambda: station.send_parts("NotifyCustomerInformation", parts))


def _known(station: "Charger", payload: Payload) -> list[str]:
    uid = (payload.get("idToken") or {}).get("idToken", "")
    lines = []
    if uid in station.known_tags:
        lines.append(f"authorization cache: {uid} {station.known_tags[uid]}")
    if uid.upper() in station.local_list.entries:
        lines.append(f"local list: {uid} {station.local_list.entries[uid.upper()].get('status', '')}")
    lines += [f"charging: {one.id}" for one in station.running.values() if uid == one.token["idToken"]]
    note = station.customer_notes.get(_name(payload))
    return [*lines, note] if note else lines


def _forget(station: "Charger", payload: Payload) -> None:
    """N10.FR.03: all but the local list, which only the central system changes."""
    uid = (payload.get("idToken") or {}).get("idToken", "")
    station.known_tags.pop(uid, None)
    station.groups.pop(uid, None)
    station.customer_notes.pop(_name(payload), None)


def _name(payload: Payload) -> str:
    certificate = payload.get("customerCertificate") or {}
    return str(payload.get("customerIdentifier") or certificate.get("serialNumber") or "")


def _parts(text: str, request_id: int, now: str) -> list[Payload]:
    pieces = [text[at : at + PART] for at in range(0, len(text), PART)]
    return [
        {
            "data": piece, "seqNo": number, "tbc": number < len(pieces) - 1, "generatedAt": now,
            "requestId": request_id,
        }
        for number, piece in enumerate(pieces)
    ]  # fmt: skip


REACTIONS: dict[str, Reaction] = {"CustomerInformation": customer_information}
