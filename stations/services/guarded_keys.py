"""Which configuration keys hold a secret, and which can cut a station off when they are wrong.

Names are those of OCPP 1.6 chapter 9 and of the security white paper section 7, and what vendors call such things.
Key names compare without case (CiString).
"""

import re
from typing import Any

from cpo.lib import redact

# Never stored, never shown, never wished for: the station keeps them, we keep at most a hash.
_SECRET = re.compile(
    r"authorizationkey|passw|passphrase|secret|credential|privatekey|apikey|\bpsk|simpin|token$",
    re.IGNORECASE,
)
# A wrong value here and the station does not come back, or not as it should.
_STANDARD = frozenset(
    {
        "authorizationkey",
        "securityprofile",
        "websocketpinginterval",
        "cponame",
        "organizationname",
        "additionalrootcertificatecheck",
    }
)
_VENDOR = re.compile(
    r"url|uri$|endpoint|centralsystem|csms|backend|server|host|gateway|dns|proxy|apn|wifi|wlan"
    r"|ethernet|network|vpn|ipaddress|chargepointid|chargeboxid|identity|ocppversion|protocol",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Tell whether the value of this key must be kept nowhere."""
    return _SECRET.search(key) is not None


def is_guarded(key: str, *values: str | None) -> bool:
    """Tell whether a change of this key must be confirmed: by its name, or because a value of it is an address."""
    if is_secret(key) or key.casefold() in _STANDARD or _VENDOR.search(key):
        return True
    return any("://" in value for value in values if value)


def without_secrets(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer to GetConfiguration or GetVariables with the values of secrets blanked, any other as it is.

    A station should not tell them at all (security white paper section 7.2); some do.
    """
    results = answer.get("getVariableResult")
    if isinstance(results, list):
        return answer | {"getVariableResult": [_without_secret_value(result) for result in results]}
    entries = answer.get("configurationKey")
    if not isinstance(entries, list):
        return answer
    return answer | {"configurationKey": [_without_secret(entry) for entry in entries]}


def _without_secret(entry: Any) -> Any:
    if (
        not isinstance(entry, dict)
        or entry.get("value") in (None, "")
        or not is_secret(str(entry.get("key")))
    ):
        return entry
    return entry | {"value": redact.BLANK}


def _without_secret_value(result: Any) -> Any:
    variable = result.get("variable") if isinstance(result, dict) else None
    name = variable.get("name") if isinstance(variable, dict) else ""
    if not is_secret(str(name)) or not result.get("attributeValue"):
        return result
    return result | {"attributeValue": redact.BLANK}
