"""The HTTP side of the simulated eMSP: tokens, envelope, fault modes, and a small page of what it received."""

import base64
import binascii
import html
import json
import time
from collections.abc import Mapping
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from cpo.simulator.partner import KEEP_REQUESTS, Partner, Refused, Seen, dump, now_text

HANG_S, SLOW_S = 60.0, 1.5
FAULTS = ("500", "429", "hang", "garbage", "auth-fail", "slow", "html", "3000", "2001", "drop")
FUNCTIONAL = ("locations", "tariffs", "sessions", "cdrs", "tokens")


def make_server(partner: Partner, port: int) -> ThreadingHTTPServer:
    """Return a server on loopback that speaks for this partner."""
    handler = type("BoundHandler", (Handler,), {"partner": partner})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    server.block_on_close = False
    return server


class Handler(BaseHTTPRequestHandler):
    """One request of the platform, or of somebody with a browser."""

    partner: ClassVar[Partner]
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path in ("/", "/received.json"):
            return self._show(path)
        return self._speak()

    def _speak(self) -> None:
        """Handle an OCPI request: authenticate, misbehave if told so, else do what it asks."""
        split = urlsplit(self.path)
        segments = [unquote(segment) for segment in split.path.split("/") if segment]
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(
            self.command,
            _module(segments, self.partner.version),
            self.path,
            None,
            dict(self.headers),
            time.monotonic(),
        )
        with self.partner.lock:
            self.partner.requests.append(seen)
            del self.partner.requests[:-KEEP_REQUESTS]
        if self._misbehave(seen):
            return None
        if not self._is_known():
            return self._answer(401, 2001, message="unknown token")
        self._check_headers(seen, raw)
        if raw:
            try:
                seen.body = json.loads(raw, parse_float=Decimal)
            except ValueError:
                return self._answer(400, 2001, message="not JSON")
        try:
            self._route(seen, segments, parse_qs(split.query))
        except Refused as refused:
            self._answer(200, 3001, message=str(refused))

    do_PUT = do_PATCH = do_POST = do_DELETE = _speak

    def _route(self, seen: Seen, segments: list[str], query: dict[str, list[str]]) -> None:
        partner = self.partner
        if segments == ["ocpi", "versions"]:
            spoken = {"version": partner.offers, "url": f"{partner.base}/ocpi/{partner.version}"}
            return self._answer(200, 1000, [spoken])
        if segments == ["ocpi", partner.version]:
            return self._answer(200, 1000, partner.details())
        if segments == ["ocpi", partner.version, "credentials"]:
            return self._credentials(seen)
        if segments[:3] != ["ocpi", "emsp", partner.version] or seen.module not in partner.modules:
            return self._answer(404, 2000, message="no such endpoint")
        rest = segments[4:]
        if seen.module == "tokens":
            return self._tokens(seen, rest, query)
        if seen.method == "GET":
            return self._stored(seen.module, rest)
        http, code, message, headers = partner.take(seen, rest)
        seen.verdict = f"{http} {code}"
        return self._answer(http, code, message=message, headers=headers)

    def _credentials(self, seen: Seen) -> None:
        partner = self.partner
        if seen.method == "DELETE":
            partner.token_in.clear()
            partner.token_out = partner.credentials_url = ""
            partner.save()
            return self._answer(200, 1000)
        if seen.method in ("POST", "PUT"):
            return self._answer(200, 1000, partner.take_credentials(seen.body))
        return self._answer(405, 2000, headers={"Allow": "GET, POST, PUT, DELETE"})

    def _tokens(self, seen: Seen, rest: list[str], query: dict[str, list[str]]) -> None:
        """Our Tokens sender interface: the paged list, and real-time authorization."""
        partner = self.partner
        if seen.method == "POST" and rest[1:] == ["authorize"]:
            info = partner.authorizes(rest[0], seen.body)
            return self._answer(200, 1000, info) if info else self._answer(404, 2004, message="unknown token")
        if seen.method != "GET" or rest:
            return self._answer(405, 2000)
        since = query.get("date_from", [""])[0]
        known = sorted(partner.drivers.values(), key=lambda token: str(token["uid"]))
        found = [token for token in known if token["last_updated"] >= since]
        offset = int(query.get("offset", ["0"])[0])
        limit = min(int(query.get("limit", ["50"])[0]), partner.page_limit)
        headers = {"X-Total-Count": str(len(found)), "X-Limit": str(partner.page_limit)}
        if offset + limit < len(found):
            url = f"{partner.base}/ocpi/emsp/{partner.version}/tokens/?offset={offset + limit}&limit={limit}"
            headers["Link"] = f'<{url}&date_from={since}>; rel="next"' if since else f'<{url}>; rel="next"'
        return self._answer(200, 1000, found[offset : offset + limit], headers=headers)

    def _stored(self, module: str, rest: list[str]) -> None:
        book = getattr(self.partner.books, module)
        found = book.get(rest[-1] if module == "cdrs" else rest[2]) if rest else None
        return self._answer(200, 1000, found) if found else self._answer(404, 2001, message="unknown")

    def _is_known(self) -> bool:
        """Check the Authorization header as the specification says: base64 of a token that we gave."""
        word, _, value = self.headers.get("Authorization", "").partition(" ")
        if word != "Token":
            return False
        if self.partner.encodes:
            try:
                value = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
        return value in self.partner.token_in or (
            bool(self.partner.token_a) and value == self.partner.token_a
        )

    def _check_headers(self, seen: Seen, raw: bytes) -> None:
        """Note what a strict reader would complain about."""
        faults = [
            f"{name} is missing" for name in ("X-Request-ID", "X-Correlation-ID") if name not in self.headers
        ]
        if raw and self.headers.get_content_type() != "application/json":
            faults.append(f"Content-Type is {self.headers.get('Content-Type')}")
        routed = [name for name in self.headers if name.lower().startswith("ocpi-")]
        if routed and seen.module not in FUNCTIONAL:
            faults.append("routing headers on a configuration module")
        if routed and not self.partner.rules.has_parties:
            faults.append("routing headers in a version that has none")
        has_sender = not self.partner.rules.has_parties
        if (
            seen.module in FUNCTIONAL
            and not has_sender
            and not any(name.lower() == "ocpi-from-party-id" for name in routed)
        ):
            faults.append("no OCPI-from headers")
        self.partner.violations += [f"{seen.method} {seen.module}: {fault}" for fault in faults]

    def _misbehave(self, seen: Seen) -> bool:
        """Do what the fault mode says; return whether that was the answer."""
        fault = self.partner.fault(seen) if callable(self.partner.fault) else self.partner.fault
        seen.verdict = fault or seen.verdict
        if fault == "slow":
            time.sleep(SLOW_S)
        if fault in ("", "slow"):
            return False
        if fault == "hang":
            time.sleep(HANG_S)
        if fault in ("hang", "drop"):
            self.close_connection = True
            return True
        answers: dict[str, tuple[int, bytes, dict[str, str]]] = {
            "500": (500, _envelope(3000), {}),
            "429": (429, _envelope(2000), {"Retry-After": "1"}),
            "garbage": (200, b"\x80\xff not json", {}),
            "html": (200, b"<html>maintenance</html>", {"Content-Type": "text/html"}),
            "auth-fail": (401, _envelope(2001), {}),
            "3000": (200, _envelope(3000), {}),
            "2001": (200, _envelope(2001), {}),
        }
        http, body, headers = answers[fault]
        self._send(http, body, headers)
        return True

    def _answer(
        self,
        http: int,
        code: int,
        data: Any = None,
        *,
        message: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self._send(http, _envelope(code, data, message), headers or {})

    def _send(self, http: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(http)
            for name in ("X-Request-ID", "X-Correlation-ID"):
                if name in self.headers:
                    self.send_header(name, self.headers[name])
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _show(self, path: str) -> None:
        with self.partner.lock:
            body = page(self.partner) if path == "/" else dump(received(self.partner))
        kind = "text/html; charset=utf-8" if path == "/" else "application/json"
        self._send(200, body, {"Content-Type": kind})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the demo prints what matters."""


def received(partner: Partner) -> dict[str, Any]:
    """What the platform has told us, and what was wrong with it."""
    return {
        **vars(partner.books),
        "violations": partner.violations[-50:],
        "registered": partner.is_registered,
    }


def page(partner: Partner) -> bytes:
    """A small page: what arrived, newest last."""
    books = vars(partner.books)
    counts = ", ".join(f"{len(book)} {name}" for name, book in books.items())
    rows = "".join(
        f"<tr><td>{_safe(c['id'])}<td>{_safe(_any(c, 'end_date_time', 'stop_date_time'))}"
        f"<td>{_safe(_any(c, 'cdr_location', 'location').get('name'))}"
        f"<td>{_safe(c['cdr_token']['uid'] if 'cdr_token' in c else c['auth_id'])}"
        f"<td>{_safe(c['total_energy'])} kWh<td>{_safe(_total(c['total_cost']))} {_safe(c['currency'])}"
        for c in list(books["cdrs"].values())[-50:]
    )
    running = "".join(
        f"<tr><td>{_safe(s['id'])}<td>{_safe(s['status'])}<td>{_safe(s['kwh'])} kWh<td>{_safe(s['last_updated'])}"
        for s in list(books["sessions"].values())[-20:]
    )
    state = "registered" if partner.is_registered else "not registered"
    return (
        "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=5>"
        f"<title>{_safe(partner.name)}</title><style>body{{font:15px sans-serif;margin:2rem}}"
        "td,th{padding:.2rem .8rem .2rem 0;text-align:left}</style>"
        f"<h1>{_safe(partner.name)} ({partner.country_code}*{partner.party_id})</h1><p>{state}; {counts}; "
        f"{len(partner.violations)} faults found. <a href=/received.json>received.json</a></p>"
        f"<h2>CDRs</h2><table>{rows}</table><h2>Sessions</h2><table>{running}</table>"
    ).encode()


def _any(document: Mapping[str, Any], *names: str) -> Any:
    return next(document[name] for name in names if name in document)


def _total(price: Any) -> Any:
    """The amount with taxes where it is told, whatever the version."""
    if not isinstance(price, dict):
        return price
    if "before_taxes" in price:
        return price["before_taxes"] + sum(tax["amount"] for tax in price.get("taxes", ()))
    return price.get("incl_vat", price["excl_vat"])


def _safe(value: Any) -> str:
    return html.escape(str(value))


def _module(segments: list[str], version: str) -> str:
    if segments[:3] == ["ocpi", "emsp", version] and len(segments) > 3:
        return segments[3]
    return "credentials" if segments[-1:] == ["credentials"] else "versions"


def _envelope(code: int, data: Any = None, message: str = "") -> bytes:
    body: dict[str, Any] = {"status_code": code, "timestamp": now_text()}
    if data is not None:
        body["data"] = data
    if message:
        body["status_message"] = message
    return dump(body)
