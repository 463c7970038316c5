"""A simulated payment service: authorises, captures, cancels and refunds cards that do not exist, over real HTTP.

Its API is that of docs/payments.md. Whatever changes money is done once for each Idempotency-Key. Notices are signed
and sent in the background, as often as `notices` says.
"""

import hashlib
import hmac
import html
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

HANG_S = 30.0
NOTICE_S = 5  # patience with the platform
Answer = tuple[int, dict[str, Any]]


@dataclass
class Payment:
    """One payment; amounts as text of a decimal number."""

    id: str
    reference: str
    amount: str
    currency: str
    description: str
    return_url: str
    webhook_url: str
    status: str = "open"
    authorised: str = "0"
    captured: str = "0"
    refunded: str = "0"
    card: dict[str, str] = field(default_factory=dict)


class PaymentService:
    """The service: its payments, what it was asked, how it misbehaves. `fault` is asked for (method, path) each time.

    A fault is "500", "hang", "garbage", "drop", "after" (done, but answered with 500) or "declined"; "" is none.
    """

    def __init__(self, *, key: str, secret: str, port: int = 0, state: Path | None = None) -> None:
        self.key, self.secret, self.state = key, secret, state
        self.payments: dict[str, Payment] = {}
        self.answers: dict[str, Answer] = {}  # by Idempotency-Key
        self.requests: list[tuple[str, str, str]] = []  # method, path, key
        self.fault: Callable[[str, str], str] = lambda _method, _path: ""
        self.notices = 1  # of each event
        self.lock = threading.RLock()
        self._load()
        handler = type("BoundHandler", (Handler,), {"service": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads, self.server.block_on_close = True, False
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"

    def start(self) -> "PaymentService":
        """Serve in a thread."""
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Serve no more."""
        self.server.shutdown()
        self.server.server_close()

    def pay(self, payment_id: str, *, card: str = "4242") -> None:
        """A driver authorises the amount."""
        with self.lock:
            payment = self.payments[payment_id]
            if payment.status != "open":
                return
            payment.status, payment.authorised = "authorised", payment.amount
            payment.card = {"brand": "DEMO", "last4": card}
            self._save()
        self.notify(payment, "payment.authorised")

    def refuse(self, payment_id: str) -> None:
        """A driver goes away, or his card is refused."""
        with self.lock:
            payment = self.payments[payment_id]
            if payment.status == "open":
                payment.status = "refused"
                self._save()
        self.notify(payment, "payment.refused")

    def authorise_elsewhere(
        self, reference: str, amount: str, currency: str, webhook_url: str = ""
    ) -> Payment:
        """Somebody authorises at a kiosk or a terminal."""
        made = Payment(reference, reference, amount, currency, "", "", webhook_url, "authorised", amount)
        self.payments[reference] = made
        return made

    def notify(self, payment: Payment, kind: str) -> None:
        """Tell the platform, in the background."""
        if payment.webhook_url:
            body = json.dumps({"id": secrets.token_hex(8), "type": kind, "payment": payment.id}).encode()
            threading.Thread(target=self._tell, args=(payment.webhook_url, body), daemon=True).start()

    def signature(self, body: bytes, at: int | None = None) -> str:
        """Sign a notice."""
        at = int(time.time()) if at is None else at
        digest = hmac.new(self.secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return f"t={at},v1={digest}"

    def _tell(self, url: str, body: bytes) -> None:
        for _ in range(self.notices):
            headers = {"Content-Type": "application/json", "X-Signature": self.signature(body)}
            request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310
            with suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(request, timeout=NOTICE_S).close()  # noqa: S310

    def act(self, segments: list[str], body: dict[str, Any]) -> Answer:
        """Do what a POST asks for."""
        with self.lock:
            if segments == ["payments"]:
                return self._open(body)
            payment = self.payments.get(segments[1]) if len(segments) == 3 else None
            if payment is None:
                return 404, {"error": "unknown payment"}
            made = {"capture": self._capture, "cancel": self._cancel, "refunds": self._refund}.get(
                segments[2]
            )
            answer = made(payment, body) if made else (404, {"error": "unknown"})
            self._save()
            return answer

    def _open(self, body: dict[str, Any]) -> Answer:
        names = ("reference", "amount", "currency", "description", "return_url", "webhook_url")
        told: dict[str, Any] = {name: str(body[name]) for name in names}
        made = Payment(id=f"pay_{secrets.token_hex(9)}", **told)
        self.payments[made.id] = made
        self._save()
        return 201, asdict(made) | {"checkout_url": f"{self.base}/checkout/{made.id}"}

    def _capture(self, payment: Payment, body: dict[str, Any]) -> Answer:
        amount = Decimal(str(body["amount"]))
        if payment.status != "authorised" or not 0 < amount <= Decimal(payment.authorised):
            return 402, {"error": f"cannot capture {amount} of a payment that is {payment.status}"}
        payment.status, payment.captured = "captured", str(amount)
        return 200, asdict(payment)

    def _cancel(self, payment: Payment, body: dict[str, Any]) -> Answer:
        if payment.status == "captured":
            return 402, {"error": "it was captured"}
        payment.status = "cancelled"
        return 200, asdict(payment)

    def _refund(self, payment: Payment, body: dict[str, Any]) -> Answer:
        amount = Decimal(str(body["amount"])) + Decimal(payment.refunded)
        if payment.status != "captured" or amount > Decimal(payment.captured):
            return 402, {"error": "more than was captured"}
        payment.refunded = str(amount)
        return 200, asdict(payment)

    def _load(self) -> None:
        if self.state is not None and self.state.exists():
            told = json.loads(self.state.read_text())
            self.payments = {one["id"]: Payment(**one) for one in told["payments"]}
            self.answers = {key: (one[0], one[1]) for key, one in told["answers"].items()}

    def _save(self) -> None:
        if self.state is not None:
            told = {"payments": [asdict(one) for one in self.payments.values()], "answers": self.answers}
            self.state.write_text(json.dumps(told))


class Handler(BaseHTTPRequestHandler):
    """One request: of the platform, or of a driver's browser."""

    service: ClassVar[PaymentService]
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        segments = [part for part in urlsplit(self.path).path.split("/") if part]
        if segments[:1] == ["checkout"]:
            return self._page(segments[1:])
        if self._misbehaves() or not self._is_known():
            return None
        payment = self.service.payments.get(segments[1]) if len(segments) == 2 else None
        if payment is None:
            return self._answer(404, {"error": "unknown payment"})
        return self._answer(200, asdict(payment))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        segments = [part for part in urlsplit(self.path).path.split("/") if part]
        if segments[:1] == ["checkout"]:
            return self._decide(segments[1:], raw)
        fault = self._fault()
        if fault != "after" and self._misbehaves(fault):
            return None
        if not self._is_known():
            return None
        service, key = self.service, self.headers.get("Idempotency-Key", "")
        with service.lock:
            known = service.answers.get(key)
            answer = known or service.act(segments, json.loads(raw or b"{}"))
            if key and answer[0] < 500:
                service.answers[key] = answer
        if fault == "after" and self._misbehaves("500"):
            return None
        return self._answer(*answer)

    def _fault(self) -> str:
        path = urlsplit(self.path).path
        self.service.requests.append((self.command, path, self.headers.get("Idempotency-Key", "")))
        return self.service.fault(self.command, path)

    def _misbehaves(self, fault: str | None = None) -> bool:
        fault = self._fault() if fault is None else fault
        if not fault:
            return False
        if fault == "hang":
            time.sleep(HANG_S)
        if fault in ("hang", "drop"):
            self.close_connection = True
            return True
        if fault == "garbage":
            self._send(200, b"\x80 not json", "application/json")
            return True
        self._answer(402 if fault == "declined" else 500, {"error": fault})
        return True

    def _is_known(self) -> bool:
        given = self.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {self.service.key}".encode()):
            return True
        self._answer(401, {"error": "unknown key"})
        return False

    def _page(self, segments: list[str]) -> None:
        payment = self.service.payments.get(segments[0]) if segments else None
        if payment is None:
            return self._send(404, b"unknown payment", "text/plain")
        return self._send(200, page(payment), "text/html; charset=utf-8")

    def _decide(self, segments: list[str], raw: bytes) -> None:
        payment = self.service.payments.get(segments[0]) if segments else None
        if payment is None:
            return self._send(404, b"unknown payment", "text/plain")
        if parse_qs(raw.decode()).get("do") == ["pay"]:
            self.service.pay(payment.id)
        else:
            self.service.refuse(payment.id)
        self.send_response(303)
        self.send_header("Location", payment.return_url)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the demo prints what matters."""


def page(payment: Payment) -> bytes:
    """The page on which a driver would type a card number."""
    amount, what = html.escape(f"{payment.amount} {payment.currency}"), html.escape(payment.description)
    back = html.escape(payment.return_url)
    buttons = (
        '<form method="post"><button name="do" value="pay">Pay with a demo card</button> '
        '<button name="do" value="refuse">Go back without paying</button></form>'
        if payment.status == "open"
        else f'<p>This payment is {html.escape(payment.status)}. <a href="{back}">Back</a></p>'
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>Demo payment service</title><style>:root{color-scheme:light dark}body{font:18px sans-serif;"
        "max-width:28rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.7rem 1rem;margin:.3rem 0}"
        f"</style><h1>Demo payment service</h1><p>{what}</p><p>To authorise: <strong>{amount}</strong></p>{buttons}"
    ).encode()
