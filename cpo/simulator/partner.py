"""A small OCPI eMSP, in one of three versions: registers at a platform, pushes its drivers' tokens, and receives what
the platform pushes.

For the demo and, as a strict referee with fault modes, for the tests. Standard library only, and no code of the
platform: what both get wrong, both would not see.
"""

import base64
import json
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zlib import crc32

from cpo.simulator import partner_rules, partner_rules_211, partner_rules_230
from cpo.simulator.partner_rules import envelope_faults
from cpo.simulator.partner_rules import faults as faults_of

RULES = {
    "2.1.1": partner_rules_211.RULES,
    "2.2.1": partner_rules.RULES,
    "2.3.0": partner_rules_230.RULES,
}
RECEIVES = ("locations", "tariffs", "sessions", "cdrs")
KEEP_REQUESTS = 2000
_MARKED = re.compile(r'"\\u0000(-?[0-9.]+)\\u0000"')
DISAGREES = "2001: differs from the one that we have"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered to us."""

    http: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> int | None:
        return self.body.get("status_code") if isinstance(self.body, dict) else None

    @property
    def data(self) -> Any:
        return self.body.get("data") if isinstance(self.body, dict) else None


@dataclass(slots=True)
class Seen:
    """A request that came in, for tests to look at."""

    method: str
    module: str
    path: str
    body: Any
    headers: Mapping[str, str]
    at: float
    verdict: str = ""


@dataclass
class Books:
    """What the platform has told us, by object id."""

    locations: dict[str, Any] = field(default_factory=dict)
    tariffs: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, Any] = field(default_factory=dict)
    cdrs: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """The platform would not do what we asked."""


class Partner:
    """One eMSP platform with one party. `base` is its address once it is started."""

    def __init__(
        self,
        *,
        country_code: str = "NL",
        party_id: str = "EMP",
        name: str = "Demo eMSP",
        port: int = 0,
        state: Path | None = None,
        version: str = "2.2.1",
        encodes: bool | None = None,
    ) -> None:
        self.version, self.rules = version, RULES[version]
        self.offers = version  # in our list of versions
        self.country_code, self.party_id, self.name = country_code, party_id, name
        # base64 in our Authorization headers, and expected in theirs
        self.encodes = self.rules.has_parties if encodes is None else encodes
        self.modules: tuple[str, ...] = (*RECEIVES, "tokens")
        self.books = Books()
        self.drivers: dict[str, dict[str, Any]] = {}
        self.requests: list[Seen] = []
        self.violations: list[str] = []
        self.deliveries: dict[str, int] = defaultdict(int)
        self.fault: Callable[[Seen], str] | str = (
            ""  # see partner_http.FAULTS; a function decides per request
        )
        self.authorizes: Callable[[str, Any], dict[str, Any] | None] = self._allow_known
        self.page_limit = 50
        self.state = state
        self.lock = threading.RLock()
        self.token_in: set[str] = set()  # tokens that the platform shows us
        self.token_a = ""  # one that we gave it to register here
        self.token_out = ""  # the token that we show it
        self.endpoints: dict[tuple[str, str], str] = {}
        self.credentials_url = self.versions_url = ""
        self._server: ThreadingHTTPServer | None = None
        self._port = port
        self._load()

    # --- as a server ---

    def start(self) -> "Partner":
        """Listen on loopback, in threads."""
        from cpo.simulator.partner_http import make_server

        self._server = make_server(self, self._port)
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        threading.Thread(target=serve, name="partner", daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def base(self) -> str:
        assert self._server is not None, "not started"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def details(self) -> dict[str, Any]:
        """Our version details."""
        roles = {module: "RECEIVER" for module in RECEIVES} | {"tokens": "SENDER"}
        listed = [
            {
                "identifier": module,
                "role": roles[module],
                "url": f"{self.base}/ocpi/emsp/{self.version}/{module}/",
            }
            for module in self.modules
        ]
        mine = {
            "identifier": "credentials",
            "role": "SENDER",
            "url": f"{self.base}/ocpi/{self.version}/credentials/",
        }
        endpoints = [mine, *listed]
        if not self.rules.has_parties:
            endpoints = [{k: v for k, v in each.items() if k != "role"} for each in endpoints]
        return {"version": self.version, "endpoints": endpoints}

    def invite(self) -> str:
        """Make a token A for the platform to register here."""
        self.token_a = secrets.token_urlsafe(24)
        return self.token_a

    def take_credentials(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a POST or PUT of credentials by the platform: call it back, then give it a new token."""
        self._report("credentials", faults_of(self.rules.credentials, body))
        previous = (self.token_out, self.versions_url)
        self.token_out, self.versions_url = body["token"], body["url"]
        try:
            self._discover()
        except Refused:
            self.token_out, self.versions_url = previous
            raise
        fresh = secrets.token_urlsafe(24)
        self.token_in = {fresh}
        self.token_a = ""
        self._save()
        return self.credentials(fresh)

    def credentials(self, token: str) -> dict[str, Any]:
        party = {
            "country_code": self.country_code,
            "party_id": self.party_id,
            "business_details": {"name": self.name},
        }
        mine = party if not self.rules.has_parties else {"roles": [{"role": "EMSP", **party}]}
        return {"token": token, "url": f"{self.base}/ocpi/versions", **mine}

    # --- as a client ---

    @property
    def is_registered(self) -> bool:
        return bool(self.token_out and self.credentials_url and not self.token_a)

    def register(self, versions_url: str, token_a: str) -> None:
        """Register at a platform with its token A; raises Refused."""
        self.versions_url, self.token_out = versions_url, token_a
        self._discover()
        self._exchange_credentials("POST")

    def rotate(self) -> None:
        """Replace both tokens."""
        self._exchange_credentials("PUT")

    def unregister(self) -> None:
        self.ask("DELETE", self.credentials_url)
        self.token_out = self.credentials_url = ""
        self.token_in.clear()
        self._save()

    def push_token(self, uid: str, **changes: Any) -> Answer:
        """Tell the platform about a driver's token."""
        contract = f"{self.country_code}-{self.party_id}-C{crc32(uid.encode()) % 10**8:08}-1"
        token = {
            "uid": uid,
            "type": "RFID",
            "issuer": self.name,
            "valid": True,
            "whitelist": "ALLOWED",
            "last_updated": self.now(),
        }
        if self.rules.has_parties:
            token |= {"country_code": self.country_code, "party_id": self.party_id, "contract_id": contract}
        else:
            token |= {"auth_id": contract}
        self.drivers[uid] = {**token, **changes}
        return self.ask(
            "PUT",
            f"{self.url('tokens', 'RECEIVER')}{self.country_code}/{self.party_id}/{uid}",
            self.drivers[uid],
        )

    def now(self) -> str:
        """The present in the words of our version."""
        text = now_text()
        return text if self.rules.has_fractions else text[:19] + "Z"

    def url(self, module: str, role: str) -> str:
        return self.endpoints[module, role].rstrip("/") + "/"

    def fetch_all(self, module: str, query: str = "") -> list[Any]:
        """Crawl a list of the platform by its links, checking paging and objects."""
        url = self.url(module, "SENDER") + (f"?{query}" if query else "")
        found: list[Any] = []
        while url:
            answer = self.ask("GET", url)
            if answer.http != 200 or answer.code != 1000:
                raise Refused(f"GET {url}: {answer.http} {answer.body}")
            for item in answer.data:
                self._report(f"GET {module}", faults_of(self.rules.objects[module], item))
            found += answer.data
            link = answer.headers.get("link", "")
            url = link[1 : link.index(">")] if link.endswith('rel="next"') else ""
        if int(answer.headers["x-total-count"]) != len(found):
            self._report(
                f"GET {module}", [f"X-Total-Count {answer.headers['x-total-count']}, got {len(found)}"]
            )
        return found

    def ask(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """Send one request to the platform and check its envelope."""
        raw = (
            None
            if body is None
            else body
            if isinstance(body, bytes)
            else json.dumps(body, default=str).encode()
        )
        sent = {"X-Request-ID": secrets.token_hex(8), "X-Correlation-ID": secrets.token_hex(8)}
        shown = self.token_out if token is None else token
        if shown:
            sent["Authorization"] = "Token " + (
                base64.b64encode(shown.encode()).decode() if self.encodes else shown
            )
        if raw is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        request = urllib.request.Request(url, raw, sent, method=method)  # noqa: S310  (loopback and tests)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                answer = _answer(response.status, response.read(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                answer = _answer(error.code, error.read(), error.headers)
        self._report(f"{method} {url}", envelope_faults(answer.body))
        if not self.rules.has_fractions and isinstance(answer.body, dict) and "." in answer.body["timestamp"]:
            self._report(f"{method} {url}", ["timestamp has a fraction of a second"])
        for name in ("X-Request-ID", "X-Correlation-ID"):
            if answer.headers.get(name.lower()) != sent.get(name):
                self._report(f"{method} {url}", [f"{name} is not the one that was sent"])
        return answer

    # --- what comes in ---

    def take(self, seen: Seen, segments: list[str]) -> tuple[int, int, str, dict[str, str]]:
        """Store a pushed object; return HTTP status, OCPI code, message and headers."""
        with self.lock:
            return getattr(self, f"_take_{seen.module}")(seen, segments)

    def _take_locations(self, seen: Seen, segments: list[str]) -> tuple[int, int, str, dict[str, str]]:
        if seen.method == "PATCH":
            return self._patch_location(seen, segments[2:])
        if seen.method != "PUT" or len(segments) != 3:
            return 405, 2000, "only PUT and PATCH", {}
        return self._put(seen, segments, self.books.locations)

    def _patch_location(self, seen: Seen, path: list[str]) -> tuple[int, int, str, dict[str, str]]:
        location = self.books.locations.get(path[0])
        if "last_updated" not in seen.body and self.rules.has_parties:
            return 200, 2001, "last_updated is required", {}
        if location is None:
            return 404, 2003, "unknown location", {}
        if len(path) == 1:
            location.update(seen.body)
            return 200, 1000, "", {}
        self._report("PATCH EVSE", faults_of(self.rules.status_patch, seen.body))
        evse = next((e for e in location.get("evses", []) if e["uid"] == path[1]), None)
        if evse is None:
            return 404, 2003, "unknown EVSE", {}
        changed_at = seen.body.get("last_updated", self.now())
        if changed_at >= evse["last_updated"]:
            evse.update(seen.body)
            location["last_updated"] = max(location["last_updated"], changed_at)
        return 200, 1000, "", {}

    def _take_tariffs(self, seen: Seen, segments: list[str]) -> tuple[int, int, str, dict[str, str]]:
        if seen.method == "DELETE":
            return (
                (200, 1000, "", {})
                if self.books.tariffs.pop(segments[2], None)
                else (404, 2001, "unknown tariff", {})
            )
        return self._put(seen, segments, self.books.tariffs)

    def _take_sessions(self, seen: Seen, segments: list[str]) -> tuple[int, int, str, dict[str, str]]:
        return self._put(seen, segments, self.books.sessions)

    def _take_cdrs(self, seen: Seen, segments: list[str]) -> tuple[int, int, str, dict[str, str]]:
        if seen.method != "POST" or segments:
            return 405, 2000, "only POST", {}
        faults = self._check(seen)
        if faults:
            return 200, 2001, faults[0], {}
        uid = seen.body["id"]
        self.deliveries[uid] += 1
        known = self.books.cdrs.get(uid)
        if known is not None and known != seen.body:
            self._report("POST CDR", [f"{uid} came twice with different content"])
            return 200, 2001, DISAGREES, {}
        self.books.cdrs[uid] = seen.body
        return (
            (200 if known else 201),
            1000,
            "",
            {"Location": f"{self.base}/ocpi/emsp/{self.version}/cdrs/{uid}"},
        )

    def _put(
        self, seen: Seen, segments: list[str], book: dict[str, Any]
    ) -> tuple[int, int, str, dict[str, str]]:
        faults = self._check(seen)
        if faults:
            return 200, 2001, faults[0], {}
        named = [
            seen.body.get("country_code", segments[0]),
            seen.body.get("party_id", segments[1]),
            seen.body["id"],
        ]
        if named != segments[:3]:
            self._report(seen.path, ["URL and object name different things"])
            return 200, 2001, "URL and object differ", {}
        known = book.get(seen.body["id"])
        if known is None or seen.body["last_updated"] >= known["last_updated"]:
            book[seen.body["id"]] = seen.body
        else:
            self._report(seen.path, ["older than what came before"])
        return (200 if known else 201), 1000, "", {}

    def _check(self, seen: Seen) -> list[str]:
        faults = faults_of(self.rules.objects[seen.module], seen.body)
        self._report(f"{seen.method} {seen.module}", faults)
        return faults

    def _report(self, what: str, faults: list[str]) -> None:
        self.violations += [f"{what}: {fault}" for fault in faults]

    def _allow_known(self, uid: str, _place: Any) -> dict[str, Any] | None:
        token = self.drivers.get(uid)
        if token is None:
            return None
        allowed = "ALLOWED" if token["valid"] else "BLOCKED"
        if not self.rules.has_parties:
            return {"allowed": allowed}
        return {"allowed": allowed, "token": token, "authorization_reference": secrets.token_hex(8)}

    # --- registration ---

    def _discover(self) -> None:
        """Fetch versions and details of the platform."""
        listed = self._need(self.ask("GET", self.versions_url))
        url = next((v["url"] for v in listed if v["version"] == self.version), None)
        if url is None:
            raise Refused(f"the platform does not speak {self.version}")
        details = self._need(self.ask("GET", url))
        for endpoint in details["endpoints"]:
            self._report("details", faults_of(self.rules.endpoint, endpoint))
        roles = {
            "tokens": "RECEIVER",
            "commands": "RECEIVER",
        }  # of a CPO, where the version does not name them
        self.endpoints = {
            (e["identifier"], e.get("role") or roles.get(e["identifier"], "SENDER")): e["url"]
            for e in details["endpoints"]
        }
        self.credentials_url = next(
            e["url"] for e in details["endpoints"] if e["identifier"] == "credentials"
        )

    def _exchange_credentials(self, method: str) -> None:
        offered = secrets.token_urlsafe(24)
        self.token_in.add(offered)
        given = self._need(self.ask(method, self.credentials_url, self.credentials(offered)))
        self._report(f"{method} credentials", faults_of(self.rules.credentials, given))
        self.token_in = {offered}
        self.token_out, self.versions_url = given["token"], given["url"]
        self._save()

    def _need(self, answer: Answer) -> Any:
        if answer.http not in (200, 201) or answer.code != 1000:
            raise Refused(f"HTTP {answer.http}, {answer.body}")
        return answer.data

    def _load(self) -> None:
        if self.state is None or not self.state.exists():
            return
        kept = json.loads(self.state.read_text(), parse_float=Decimal)
        self.token_in, self.token_out = set(kept["token_in"]), kept["token_out"]
        self.versions_url, self.credentials_url = kept["versions_url"], kept["credentials_url"]
        self.endpoints = {(module, role): url for module, role, url in kept["endpoints"]}
        self._port = self._port or kept.get("port", 0)
        for name, book in kept.get("books", {}).items():
            setattr(self.books, name, book)

    def _save(self) -> None:
        """Keep the registration and what was received across restarts."""
        if self.state is None:
            return
        with self.lock:
            kept = {
                "token_in": sorted(self.token_in),
                "token_out": self.token_out,
                "versions_url": self.versions_url,
                "credentials_url": self.credentials_url,
                "endpoints": [[module, role, url] for (module, role), url in self.endpoints.items()],
                "books": vars(self.books),
            }
            self.state.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.state.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_bytes(dump(kept))
            fresh.replace(self.state)

    save = _save


def now_text() -> str:
    """The present in OCPI's words."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def dump(value: Any) -> bytes:
    """Write JSON with decimals as exact numbers."""
    text = json.dumps(value, default=lambda number: f"\x00{number:f}\x00")
    return _MARKED.sub(r"\1", text).encode()


def _answer(status: int, raw: bytes, headers: Any) -> Answer:
    try:
        body = json.loads(raw, parse_float=Decimal)
    except ValueError:
        body = raw.decode(errors="replace")
    return Answer(status, body, {name.lower(): value for name, value in headers.items()})


def wait_for(condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """Wait until the condition is true and return its value; raises AssertionError."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found
