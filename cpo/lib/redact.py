"""Keep secrets out of journals and logs.

`frame(text)` blanks the values of members that carry secrets in OCPP payloads: AuthorizationKey and
BasicAuthPassword values, PINs, passwords in URLs, tokens of file links. The shape of the frame stays, so that an
operator still sees what was asked.
"""

import json
import re
from typing import Any

BLANK = "••••"
_NAMES = r"(?:AuthorizationKey|BasicAuthPassword|password|basicAuthPassword|apnPassword|SharedSecret)"
# {"key": "AuthorizationKey", "value": "…"}, in either order of the two members
_KEY_THEN_VALUE = re.compile(
    rf'("key"\s*:\s*"{_NAMES}"\s*,(?:\s*"readonly"\s*:\s*\w+\s*,)?\s*"value"\s*:\s*")((?:[^"\\]|\\.)*)"',
    re.IGNORECASE,
)
_VALUE_THEN_KEY = re.compile(
    rf'("value"\s*:\s*")((?:[^"\\]|\\.)*)("\s*,\s*"key"\s*:\s*"{_NAMES}")', re.IGNORECASE
)
_ATTRIBUTE = re.compile(
    rf'("(?:attributeValue|actualValue)"\s*:\s*")((?:[^"\\]|\\.)*)("[^{{}}]*(?:{{[^{{}}]*}}[^{{}}]*)*"name"\s*:\s*"{_NAMES}")',
    re.IGNORECASE,
)
# The same of OCPP 2.x with the variable's name first: results, changes, and the attributes of a report.
_AFTER_NAME = re.compile(
    rf'("name"\s*:\s*"{_NAMES}"[^{{}}]{{0,300}}}}[^{{}}]{{0,300}}'
    r'(?:"component"\s*:\s*{[^{}]{0,300}(?:{[^{}]{0,100}}[^{}]{0,100})?}[^{}]{0,300})?'
    r"(?:\[\s*{[^{}]{0,300}?)?"
    rf'"(?:attributeValue|value|actualValue)"\s*:\s*")((?:[^"\\]|\\.)*)"',
    re.IGNORECASE,
)
_VPN_KEY = re.compile(r'("vpn"\s*:\s*{[^{}]{0,1500}?"key"\s*:\s*")((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_SIM_PIN = re.compile(r'("simPin"\s*:\s*)\d+', re.IGNORECASE)
_MEMBER = re.compile(rf'("{_NAMES}"\s*:\s*")((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_IDENTIFIER = re.compile(r'("customerIdentifier"\s*:\s*")((?:[^"\\]|\\.)*)"')
# What a station tells of a customer (OCPP 2.x N09): kept encrypted elsewhere.
_TOLD = re.compile(r'("data"\s*:\s*")((?:[^"\\]|\\.)*)"')
_FILE_TOKEN = re.compile(
    r"(/files/)[A-Za-z0-9_\-]{20,}"
)  # stations.services.files: who has it may use the link
# What a payment terminal may tell of a card and nobody needs to keep, in either order of the two members.
_CARD = r'"type"\s*:\s*"(?:HashedCardNr|CardExpiryDate|WalletUserI[dD])"'
_CARD_BEFORE = re.compile(rf'({_CARD}\s*,\s*"additionalIdToken"\s*:\s*")((?:[^"\\]|\\.)*)"')
_CARD_AFTER = re.compile(rf'("additionalIdToken"\s*:\s*")((?:[^"\\]|\\.)*)("\s*,\s*{_CARD})')
_URL_USER = re.compile(r"(\w+://[^/\s:@\"]+:)([^@\s\"/]+)@")


def payload(content: Any) -> Any:
    """Return a JSON payload with secret values blanked, for pages and for commands that are over."""
    text = json.dumps(content, default=str)
    clean = frame(text)
    return content if clean is text else json.loads(clean)


def frame(text: str) -> str:
    """Return the frame text with secret values blanked; the same object when there is nothing to hide."""
    lowered = text.lower()
    if "customeri" in lowered:
        text = _IDENTIFIER.sub(rf'\1{BLANK}"', text)
        text = _TOLD.sub(rf'\1{BLANK}"', text) if "NotifyCustomerInformation" in text else text
    if "additionalidtoken" in lowered:
        text = _CARD_AFTER.sub(rf"\1{BLANK}\3", _CARD_BEFORE.sub(rf'\1{BLANK}"', text))
    if (
        "authorizationkey" not in lowered
        and "password" not in lowered
        and "://" not in lowered
        and "sharedsecret" not in lowered
    ):
        return text if "simpin" not in lowered else _SIM_PIN.sub(r"\g<1>0", text)
    text = _KEY_THEN_VALUE.sub(rf'\1{BLANK}"', text)
    text = _VALUE_THEN_KEY.sub(rf"\1{BLANK}\3", text)
    text = _ATTRIBUTE.sub(rf"\1{BLANK}\3", text)
    text = _AFTER_NAME.sub(rf'\1{BLANK}"', text)
    if "vpn" in lowered or "simpin" in lowered:
        text = _SIM_PIN.sub(r"\g<1>0", _VPN_KEY.sub(rf'\1{BLANK}"', text))
    text = _MEMBER.sub(rf'\1{BLANK}"', text)
    text = _FILE_TOKEN.sub(rf"\1{BLANK}", text)
    return _URL_USER.sub(rf"\1{BLANK}@", text)
