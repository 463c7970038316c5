"""Signed meter values: what can be told about a blob without touching it.

The white paper on signed meter values for OCPP 1.6 wraps the meter's data in OCPP 2.x SignedMeterValueType written
as JSON inside `value`; older stations put OCMF text or an XML container there. Nothing here verifies a signature.
"""

import base64
import binascii
import json
from typing import NamedTuple


class SignedData(NamedTuple):
    """A signed value taken out of its wrapping. `data` is the meter's own text, or base64 where it is binary."""

    encoding: str  # 'OCMF', 'EDL', …; '' unknown
    data: str
    is_base64: bool
    public_key: str = ""  # as the station gave it
    method: str = ""


def unwrap(text: str) -> SignedData:
    """Read a blob's format, its meter data and its public key, as far as they are told; never raises."""
    wrapped = _wrapped(text)
    if wrapped is None:
        return SignedData(_encoding_of(text), text, is_base64=False)
    data, is_base64 = _decoded(str(wrapped.get("signedMeterData") or ""))
    encoding = str(wrapped.get("encodingMethod") or "")[:50] or _encoding_of(data)
    key, _ = _decoded(str(wrapped.get("publicKey") or ""))
    return SignedData(encoding, data, is_base64, key, str(wrapped.get("signingMethod") or "")[:50])


def printable(found: SignedData) -> SignedData:
    """Return the same data in base64 where its characters cannot stand in a document."""
    if is_plain(found.data):
        return found
    return found._replace(
        data=base64.b64encode(found.data.encode("utf-8", "replace")).decode(), is_base64=True
    )


def _wrapped(text: str) -> dict[str, object] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "signedMeterData" in found else None


def _decoded(text: str) -> tuple[str, bool]:
    """Return what a base64 text says, and False; the text itself where it is binary or no base64 (and whether)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text, False
    try:
        found = raw.decode()
    except UnicodeDecodeError:
        return text, True
    return (found, False) if is_plain(found) else (text, True)


def is_plain(text: str) -> bool:
    """Tell whether a text has no characters that a text file cannot hold."""
    return all(letter.isprintable() or letter in "\t\r\n" for letter in text)


def _encoding_of(text: str) -> str:
    """Know a format by its first characters."""
    start = text.lstrip()[:20]
    if start.startswith("OCMF|"):
        return "OCMF"
    if start.startswith("AP;"):
        return "ALFEN"
    return "XML" if start.startswith("<") else ""
