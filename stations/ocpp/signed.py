"""Signed messages: `<Action>-Signed` with a flattened JWS as payload (2.1 part 4 chapter 7, RFC 7515).

What is inside is processed as if it had come alone. A signature of a key that we know is checked: a wrong one, one made
for another message, or one by another algorithm than the three allowed is refused. A key that we do not know is no
reason to refuse: the connection itself is secured (section 7.2).
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from stations.models import ChargingStation
from stations.ocpp import codec, frames
from stations.ocpp.frames import CALL, CALL_RESULT, Call, CallResult, Frame, FrameRefused, Send
from stations.pki import certificates as pki
from stations.services import message_keys, review

SUFFIX = "-Signed"
ALGORITHMS = ("ES256", "RS256", "RS384")  # section 7.3
MEMBERS = {"protected", "payload", "signature"}
ACTION, MESSAGE_TYPE, THUMBPRINT = "OCPPAction", "OCPPMessageTypeId", "x5t#S256"
# What the journal says of a signature.
VERIFIED, UNVERIFIED, FAILED = "signature_verified", "signature_unverified", "signature_failed"

_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was inside: the frame as it would have come alone, its text, and what became of its signature.

    With a `fault` (code as in 2.x, words) there is none: it is to be refused.
    """

    verdict: str
    text: str = ""
    frame: Frame | None = None
    fault: tuple[str, str] | None = None


def is_signed(action: str) -> bool:
    """Tell whether an action is the signed form of another."""
    return action.endswith(SUFFIX)


def is_wrapped(payload: dict[str, Any]) -> bool:
    """Tell whether the payload of an answer is a JWS: no answer of OCPP has these members."""
    return "signature" in payload and payload.keys() >= MEMBERS


def open_request(version: str, station: ChargingStation, request: Call | Send) -> Opened:
    """Take a signed CALL or SEND apart (blocking: it looks keys up); what is refused waits for an operator."""
    kind = CALL if isinstance(request, Call) else frames.SEND
    action = request.action.removesuffix(SUFFIX)
    return _open(version, station, kind, request.message_id, request.payload, action)


def open_answer(version: str, station: ChargingStation, answer: CallResult, *, action: str) -> Opened:
    """Take a signed CALLRESULT apart; `action` is that of our request."""
    return _open(version, station, CALL_RESULT, answer.message_id, answer.payload, action)


def _open(
    version: str, station: ChargingStation, kind: int, message_id: str, payload: dict[str, Any], action: str
) -> Opened:
    try:
        if is_signed(action):
            raise _Refused("NotImplemented", "signed twice")
        header, content = _read(payload)
        verdict = _judge(station, payload, header, kind, action)
        middle = [] if kind == CALL_RESULT else [json.dumps(action)]
        text = f"[{','.join([str(kind), json.dumps(message_id), *middle, content])}]"
        return Opened(verdict, text, codec.decode(version, text))
    except _Refused as refused:
        if refused.code == "SecurityError":
            _tell(station, action, refused.words)
        return Opened(FAILED, fault=(refused.code, refused.words))
    except FrameRefused as refused:
        words = f"inside the signature: {refused.description}"
        return Opened(FAILED, fault=(refused.code_word or "FormatViolation", words))


class _Refused(Exception):
    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


def _read(payload: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the protected header and the text inside; raise `_Refused` for what is no flattened JWS."""
    if not all(isinstance(payload.get(name), str) for name in MEMBERS):
        raise _Refused("FormatViolation", "the payload of a signed message is a flattened JWS")
    try:
        header = orjson.loads(_octets(payload["protected"]))
        content = _octets(payload["payload"]).decode()
    except (ValueError, binascii.Error) as error:
        raise _Refused("FormatViolation", "the JWS cannot be decoded") from error
    if not isinstance(header, dict):
        raise _Refused("FormatViolation", "the protected header is an object")
    return header, content


def _octets(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _judge(
    station: ChargingStation, payload: dict[str, Any], header: dict[str, Any], kind: int, action: str
) -> str:
    """Return what the signature is worth; raise `_Refused` for a wrong one."""
    if header.get("alg") not in ALGORITHMS or header.keys() & {"crit", "b64"}:
        raise _Refused("SecurityError", f"signed by other means than {', '.join(ALGORITHMS)}")
    if header.get(ACTION, action) != action or str(header.get(MESSAGE_TYPE, kind)) != str(kind):
        raise _Refused("SecurityError", "signed for another message")
    thumbprint = header.get(THUMBPRINT)
    if thumbprint is None:
        hit = any(_is_by(key, payload) for key in message_keys.of_station(station))
        return VERIFIED if hit and _is_bound(header) else UNVERIFIED
    key = message_keys.named(station, _hex(thumbprint))
    if key is None:
        return UNVERIFIED
    if not _is_by(key, payload):
        raise _Refused("SecurityError", "the signature is wrong")
    return VERIFIED if _is_bound(header) else UNVERIFIED


def _is_bound(header: dict[str, Any]) -> bool:
    """Tell whether the signature says for which message it was made, as it must."""
    return ACTION in header and MESSAGE_TYPE in header


def _hex(thumbprint: Any) -> str:
    try:
        return _octets(str(thumbprint)).hex()
    except (ValueError, binascii.Error) as error:
        raise _Refused("FormatViolation", "x5t#S256 is not base64url") from error


def _is_by(key: CertificatePublicKeyTypes, payload: dict[str, Any]) -> bool:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    wrapped: jws.FlattenedJSONSerialization = {
        "protected": payload["protected"],
        "payload": payload["payload"],
        "signature": payload["signature"],
    }
    for kind in (ECKey, RSAKey):
        try:
            jws.deserialize_json(wrapped, kind.import_key(pem), registry=_REGISTRY)
        except (JoseError, ValueError):
            continue
        return True
    return False


def _tell(station: ChargingStation, action: str, words: str) -> None:
    review.raise_item(
        "bad_frame",
        key=f"signature:{station.pk}:{action[:60]}",
        summary=f"{station.identity}: a signed {action[:64]} was refused, {words}",
        station=station,
        facts={"action": action[:64], "reason": words},
    )


# --- ours


def sign_call(message_id: str, action: str, payload: dict[str, Any]) -> str | None:
    """Return our CALL in its signed form; None when we have no key."""
    wrapped = _sign(CALL, action, codec.to_json(payload))
    return None if wrapped is None else codec.to_json([CALL, message_id, f"{action}{SUFFIX}", wrapped])


def sign_result(message_id: str, action: str, reply: str) -> str | None:
    """Return a CALLRESULT of ours in its signed form, for a request that was signed; None when we have no key."""
    before = codec.to_json([CALL_RESULT, message_id])[:-1] + ","
    wrapped = _sign(CALL_RESULT, action, reply[len(before) : -1])
    return None if wrapped is None else codec.to_json([CALL_RESULT, message_id, wrapped])


def _sign(kind: int, action: str, content: str) -> dict[str, Any] | None:
    signer = message_keys.ours()
    if signer is None:
        return None
    key, algorithm = _key(signer.key)
    der = bytes.fromhex(pki.fingerprint(signer.certificate))
    thumbprint = base64.urlsafe_b64encode(der).rstrip(b"=").decode()
    header = {"alg": algorithm, ACTION: action, MESSAGE_TYPE: kind, THUMBPRINT: thumbprint}
    made = jws.serialize_json({"protected": header}, content.encode(), key, registry=_REGISTRY)
    return dict(made)


def _key(pem: bytes) -> tuple[ECKey | RSAKey, str]:
    try:
        return ECKey.import_key(pem), "ES256"
    except (JoseError, ValueError):
        return RSAKey.import_key(pem), "RS256"
