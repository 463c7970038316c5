"""What we ask a partner's platform before we trust an exchange of credentials: its versions and its endpoints.

OCPI 2.2.1 version_information_endpoint, credentials#Registration. Everything that comes back is bounded and checked:
it names the URLs that we will talk to from then on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from cpo.lib import guard
from roaming import client
from roaming.models import Connection
from roaming.ocpi.envelope import CANNOT_USE_API, MISSING_ENDPOINTS, UNSUPPORTED_VERSION
from roaming.ocpi.versions import NEWEST, RECEIVER, SENDER, Version, newest_of

MAX_VERSIONS, MAX_ENDPOINTS = 50, 200
OF_AN_EMSP = {
    "tokens": SENDER,
    "commands": SENDER,
}  # modules whose sender he is; of the others he is the receiver
TIMEOUT_S = 8  # for each request: the partner waits for our answer meanwhile


class HandshakeFailed(Exception):
    """The partner's platform could not be used; `code` is the OCPI status that tells him so."""

    def __init__(self, message: str, *, code: int = CANNOT_USE_API) -> None:
        super().__init__(message)
        self.message, self.code = message, code


@dataclass(frozen=True, slots=True)
class Platform:
    """What we learned: the version both speak, its details URL and endpoints, and how the token is written."""

    version: Version
    endpoints: list[dict[str, str]]
    encoding: str


def ask(connection: Connection, *, url: str, token: str, wanted: Version | None = None) -> Platform:
    """Fetch versions and details; raises HandshakeFailed. `wanted`: only this version will do."""
    offered, encoding = _versions(connection, url, token)
    version = (
        newest_of([wanted.number] if wanted and wanted.number in offered else offered) if offered else None
    )
    if version is None or (wanted is not None and version is not wanted):
        speaks = ", ".join(sorted(offered)[:10]) or "nothing"
        number = (wanted or NEWEST).number
        raise HandshakeFailed(
            f"no common version: they speak {speaks}, not {number}", code=UNSUPPORTED_VERSION
        )
    details = _get(connection, offered[version.number], token, encoding)
    return Platform(version, _endpoints(details, version), encoding)


def check_url(url: object) -> str:
    """Return a partner's URL that may be stored; raises HandshakeFailed."""
    if not isinstance(url, str):
        raise HandshakeFailed("a URL is missing")
    try:
        guard.check_url(url)
    except guard.ForbiddenUrl as error:
        raise HandshakeFailed(f"{url[:200]}: {error}") from error
    if urlsplit(url).netloc == urlsplit(settings.PUBLIC_URL).netloc:
        raise HandshakeFailed(f"{url[:200]} is our own address")
    return url


def _versions(connection: Connection, url: str, token: str) -> tuple[dict[str, str], str]:
    """Return their versions with URLs, and the encoding of the token that they accepted."""
    fixed = connection.auth_encoding != Connection.Encoding.AUTO
    encodings = [connection.auth_encoding] if fixed else ["base64", "raw"]
    answer = client.Answer()
    for encoding in encodings:
        answer = _ask(connection, url, token, encoding)
        if not answer.is_unauthorized:
            break
    found = _data(answer, "versions")
    if not isinstance(found, list) or len(found) > MAX_VERSIONS:
        raise HandshakeFailed("versions: not a list of sane length")
    known = [item for item in found if isinstance(item, Mapping) and isinstance(item.get("version"), str)]
    return {item["version"]: check_url(item.get("url")) for item in known}, encoding


def _endpoints(details: Any, version: Version) -> list[dict[str, str]]:
    """Return their endpoints, checked; raises HandshakeFailed with 3003 when the least is missing.

    Where a version does not name roles, they are those of an eMSP; of two with one name his own comes first.
    """
    found = details.get("endpoints") if isinstance(details, Mapping) else None
    if not isinstance(found, list) or len(found) > MAX_ENDPOINTS:
        raise HandshakeFailed("version details: not a list of endpoints of sane length")
    endpoints = [
        {
            "identifier": str(item["identifier"])[:32],
            "role": str(item.get("role") or "").upper()[:8]
            if version.has_parties
            else OF_AN_EMSP.get(item["identifier"], RECEIVER),
            "url": check_url(item.get("url")),
        }
        for item in found
        if isinstance(item, Mapping) and isinstance(item.get("identifier"), str)
    ]
    if not version.has_parties:
        endpoints.sort(key=lambda endpoint: "emsp" not in endpoint["url"].lower())
    if not any(endpoint["identifier"] == "credentials" for endpoint in endpoints):
        raise HandshakeFailed("no credentials endpoint", code=MISSING_ENDPOINTS)
    return endpoints


def _get(connection: Connection, url: str, token: str, encoding: str) -> Any:
    return _data(_ask(connection, url, token, encoding), "version details")


def _ask(connection: Connection, url: str, token: str, encoding: str) -> client.Answer:
    answer, record = client.exchange(
        connection, "GET", url, module="versions", token=token, encoding=encoding, timeout_s=TIMEOUT_S
    )
    record.save()
    return answer


def _data(answer: client.Answer, what: str) -> Any:
    if not answer.is_ok:
        raise HandshakeFailed(f"GET {what}: {answer.reason}")
    return answer.data
