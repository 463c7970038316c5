"""The one HTTP client towards partners: guarded, bounded, recorded.

`exchange` speaks and touches no database, so that several may run in threads; `call` also stores what was said and
moves the circuit breaker. Neither raises for what a partner does: the `Answer` tells.
"""

import atexit
import base64
import re
import time
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from os import getpid
from typing import Any
from urllib.parse import quote

import httpx
from django.conf import settings

from cpo.lib import clock, guard
from roaming import breaker, keyring, profiles, wire
from roaming.models import Connection, Exchange
from roaming.ocpi import versions

BODY_KEPT = 8192  # characters of a body that an Exchange keeps
ROUTINE_KEPT = 1024  # of one that went well and comes by the thousand
ROUTINE = ("locations", "sessions", "tariffs")
_TOKEN_MEMBER = re.compile(r'("token"\s*:\s*")((?:[^"\\]|\\.)*)')
SHOWN_HEADERS = frozenset(
    {"content-type", "content-length", "date", "location", "link", "retry-after", "x-limit", "x-total-count",
     "x-request-id", "x-correlation-id", "server", "user-agent", "accept", "allow",
     "ocpi-to-party-id", "ocpi-to-country-code", "ocpi-from-party-id", "ocpi-from-country-code"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a partner answered. `error` says why there is no OCPI answer; then `status_code` is None."""

    http_status: int | None = None
    status_code: int | None = None
    message: str = ""
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def is_ok(self) -> bool:
        """HTTP 2xx and OCPI 1xxx: only both together are a success."""
        is_http = self.http_status is not None and 200 <= self.http_status < 300
        return is_http and self.status_code is not None and 1000 <= self.status_code < 2000

    @property
    def is_unauthorized(self) -> bool:
        """They do not know our token; some answer 403 where OCPI says 401."""
        return self.http_status in (401, 403)

    @property
    def is_permanent(self) -> bool:
        """They understood and refuse: the same request would be refused again."""
        if self.is_ok or self.is_unauthorized or self.http_status in (408, 425, 429, 500, 502, 503, 504):
            return False
        return self.status_code is not None and 2000 <= self.status_code < 3000

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that they ask us to wait (RFC 9110 section 10.2.3), at most an hour."""
        value = self.headers.get("retry-after", "").strip()
        if not value:
            return None
        try:
            seconds = float(value) if value.isdigit() else _seconds_until(value)
        except (ValueError, TypeError):
            return None
        return min(max(seconds, 0.0), 3600.0)

    @property
    def reason(self) -> str:
        """One line for a person."""
        if self.error:
            return self.error
        return f"HTTP {self.http_status}, OCPI {self.status_code} {self.message}".strip()


@dataclass(frozen=True, slots=True)
class Route:
    """Who speaks to whom in the routing headers; '' leaves a header out (OCPI 2.2.1 transport_and_format)."""

    sender: str = ""  # 'NL*CPO'
    receiver: str = ""


def call(connection: Connection, method: str, url: str, *, module: str, **options: Any) -> Answer:
    """Do `exchange`, store it, and move the circuit breaker; a token that was just replaced is tried once more."""
    before = connection.token_out
    answer, record = exchange(connection, method, url, module=module, **options)
    record.save()
    if answer.is_unauthorized and "token" not in options:
        connection.refresh_from_db(fields=["token_out"])
        if connection.token_out != before:
            answer, record = exchange(connection, method, url, module=module, **options)
            record.save()
    breaker.note(connection, answer)
    return answer


def exchange(
    connection: Connection,
    method: str,
    url: str,
    *,
    module: str,
    body: Any = None,
    route: Route | None = None,
    object_key: str = "",
    timeout_s: float | None = None,
    token: str | None = None,
    encoding: str | None = None,
    correlation_id: str | None = None,
) -> tuple[Answer, Exchange]:
    """Send one request; return the answer and its unsaved record. `token` and `encoding` replace the stored ones."""
    request_id, correlation_id = str(uuid.uuid4()), correlation_id or str(uuid.uuid4())
    version = versions.of(connection.version)
    content = None if body is None else wire.dumps(body, fractions=version.has_fractions)
    headers = {"X-Request-ID": request_id, "X-Correlation-ID": correlation_id, "Accept": "application/json"}
    headers |= {"Accept-Encoding": "gzip, identity", "User-Agent": "OpenCPO"}
    if content is not None:
        headers["Content-Type"] = "application/json"
    routes = profiles.of(connection.profile).sends_routing_headers and version.has_parties
    if route is not None and routes:
        headers |= routing_headers(route)
    record = Exchange(
        connection=connection,
        direction=Exchange.Direction.OUT,
        at=clock.now(),
        module=module,
        method=method,
        url=url[:1000],
        object_key=object_key[:120],
        request_id=request_id,
        correlation_id=correlation_id[:100],
        request_headers=shown(headers),
        request_body=kept(content, module),
    )
    started = time.monotonic()
    try:
        clear = connection.token_we_send_them if token is None else token
        headers["Authorization"] = authorization(clear, encoding or _encoding(connection))
        record.request_headers["authorization"] = f"Token {clear[: keyring.PREFIX_LENGTH]}…"
        status, answer_headers, raw = fetch(
            method, url, headers=headers, content=content, timeout_s=timeout_s or settings.OCPI_TIMEOUT_S
        )
        answer = _read(status, answer_headers, raw)
        record.response_headers = shown(answer_headers)
        record.response_body = kept(raw, module, is_ok=answer.is_ok)
        record.request_body = kept(content, module, is_ok=answer.is_ok)
    except (httpx.HTTPError, guard.ForbiddenUrl, keyring.UnreadableSecret, TooMuch, UnicodeError) as error:
        answer = Answer(error=_explain(error))
    record.duration_ms = int((time.monotonic() - started) * 1000)
    record.http_status, record.status_code = answer.http_status, answer.status_code
    record.error = answer.error[:255]
    return answer, record


class TooMuch(Exception):
    """The answer is larger than OCPI_BODY_LIMIT."""


def fetch(
    method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, timeout_s: float
) -> tuple[int, dict[str, str], bytes]:
    """Do one bounded request through the guard; raises httpx.HTTPError, guard.ForbiddenUrl, TooMuch."""
    checked = guard.check_url(url)
    with guard.deadline(timeout_s), _http().stream(
        method, checked, headers=dict(headers), content=content, timeout=timeout_s
    ) as response:  # fmt: skip
        raw = bytearray()
        for chunk in response.iter_raw():
            raw += chunk
            if len(raw) > settings.OCPI_BODY_LIMIT:
                raise TooMuch
        found = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, found, _inflate(bytes(raw), found.get("content-encoding", ""))


def authorization(token: str, encoding: str) -> str:
    """Return the header's value (OCPI 2.2.1 transport_and_format#Authorization header)."""
    return "Token " + (token if encoding == "raw" else base64.b64encode(token.encode()).decode())


def shown_token(header: str, encoding: str) -> str:
    """Return the token inside an Authorization header that we have accepted."""
    value = header.partition(" ")[2]
    if encoding == "raw":
        return value
    return base64.b64decode(value + "=" * (-len(value) % 4)).decode().removesuffix("\n")


def routing_headers(route: Route) -> dict[str, str]:
    """Return the OCPI routing headers for a functional module."""
    headers: dict[str, str] = {}
    for name, party in (("to", route.receiver), ("from", route.sender)):
        if party:
            country_code, _, party_id = party.partition("*")
            headers |= {f"OCPI-{name}-party-id": party_id, f"OCPI-{name}-country-code": country_code}
    return headers


def join(endpoint: str, *parts: str, slash: bool = True) -> str:
    """Join an endpoint's URL and path segments with exactly one `/`; segments are escaped."""
    base, _, query = endpoint.partition("?")
    if slash or base.endswith("/"):
        base = base.rstrip("/") + "/"
    path = "/".join(quote(part, safe="*:@-._~!$&'(),;=+") for part in parts)
    return base + path + (f"?{query}" if query else "")


def shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that may be kept: nothing that authenticates anybody."""
    return {k.lower(): str(v)[:500] for k, v in headers.items() if k.lower() in SHOWN_HEADERS}


def kept(raw: bytes | None, module: str, *, is_ok: bool = False) -> str:
    """Return what an Exchange keeps of a body: cut, without NUL; tokens of the credentials module blanked."""
    if not raw:
        return ""
    limit = ROUTINE_KEPT if is_ok and module in ROUTINE else BODY_KEPT
    text = raw[: BODY_KEPT * 4].decode(errors="replace").replace("\x00", "�")
    if module == "credentials":
        text = _blank_tokens(text)
    return text if len(text) <= limit else text[:limit] + "…"


def _blank_tokens(text: str) -> str:
    return _TOKEN_MEMBER.sub(lambda found: f"{found[1]}{found[2][: keyring.PREFIX_LENGTH]}…", text)


def _encoding(connection: Connection) -> str:
    if connection.auth_encoding != Connection.Encoding.AUTO:
        return connection.auth_encoding
    wanted = profiles.of(connection.profile).auth_encoding
    return "raw" if wanted == "raw" else "base64"


def _read(status: int, headers: Mapping[str, str], raw: bytes) -> Answer:
    """Read the envelope; a body that is none makes an answer without status code."""
    try:
        document = wire.loads(raw)
    except wire.BadDocument as error:
        return Answer(http_status=status, headers=headers, error=f"HTTP {status}, no OCPI answer: {error}")
    code = document.get("status_code") if isinstance(document, dict) else None
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool) or not 0 < code < 100_000:
        return Answer(http_status=status, headers=headers, error=f"HTTP {status}, answer without status_code")
    return Answer(
        http_status=status,
        status_code=code,
        message=str(document.get("status_message") or "")[:200],
        data=document.get("data"),
        headers=headers,
    )


def _inflate(raw: bytes, encoding: str) -> bytes:
    """Undo gzip within the body limit: a small answer must not become a large one."""
    if encoding.lower() not in ("gzip", "x-gzip"):
        return raw
    inflater = zlib.decompressobj(wbits=31)
    try:
        text = inflater.decompress(raw, settings.OCPI_BODY_LIMIT)
    except zlib.error as error:
        raise httpx.DecodingError("broken gzip") from error
    if inflater.unconsumed_tail:
        raise TooMuch
    return text


def _explain(error: Exception) -> str:
    if isinstance(error, guard.ForbiddenUrl):
        return f"not opened: {error}"
    if isinstance(error, TooMuch):
        return "answer too large"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, keyring.UnreadableSecret):
        return "our token for this partner cannot be decrypted: register again"
    return f"{type(error).__name__}: {error}"[:200]


def _seconds_until(http_date: str) -> float:
    return (parsedate_to_datetime(http_date) - clock.now()) / timedelta(seconds=1)


_client: httpx.Client | None = None
_client_pid = 0


@atexit.register
def close() -> None:
    """Close this process's idle sockets."""
    global _client
    if _client is not None and _client_pid == getpid():
        _client.close()
    _client = None


def _http() -> httpx.Client:
    """Return this process's client; a fork gets its own sockets."""
    global _client, _client_pid
    if _client is None or _client_pid != getpid():
        _client = httpx.Client(transport=guard.GuardedTransport(), trust_env=False, follow_redirects=False)
        _client_pid = getpid()
    return _client
