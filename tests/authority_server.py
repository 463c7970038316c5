"""A certificate authority and an OCSP responder of others, over real HTTP on loopback."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp

from tests import pki
from tests.pki import Pair

Reply = tuple[int, dict[str, str], bytes]
JSON = {"content-type": "application/json"}


class Authority:
    """Signs what it gets, in both styles. `answers` are given first: (status, headers, body) each."""

    def __init__(self) -> None:
        self.root = pki.authority("Their root")
        self.issuing = pki.authority("Their issuing", issuer=self.root)
        self.answers: list[Reply] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.later: dict[str, str] = {}  # id -> request, in the JSON style
        self.revoked: list[int] = []
        self.swaps_key = False

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request."""
        self.asked.append((method, path, headers, body))
        if self.answers:
            return self.answers.pop(0)
        if path == "/simpleenroll":
            csr = x509.load_der_x509_csr(base64.b64decode(body))
            return 200, {}, base64.encodebytes(_bundle(self.sign(csr)))
        if path == "/cacerts":
            return 200, {}, base64.encodebytes(_bundle(self.root.certificate, self.issuing.certificate))
        if path == "/crl":
            return 200, {}, self.crl()
        if path == "/roots":
            told = {"ChargingStationCertificate": [self.root.pem, self.issuing.pem]}
            return 200, JSON, json.dumps(told).encode()
        if path == "/revoke":
            self.revoked.append(int(json.loads(body)["serial_number"], 16))
            return 204, {}, b""
        text = self.later.pop(path.strip("/"), "") or json.loads(body)["csr"]
        leaf = self.sign(x509.load_pem_x509_csr(text.encode()))
        pem = leaf.public_bytes(Encoding.PEM).decode() + self.issuing.pem
        return 200, JSON, json.dumps({"certificate": pem}).encode()

    def sign(self, csr: x509.CertificateSigningRequest) -> x509.Certificate:
        moment = datetime.now(UTC)
        key = pki.ec_key().public_key() if self.swaps_key else csr.public_key()
        builder = (
            x509.CertificateBuilder().subject_name(csr.subject).issuer_name(self.issuing.certificate.subject)
            .public_key(key).serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(hours=1)).not_valid_after(moment + timedelta(days=30))
        )  # fmt: skip
        return builder.sign(self.issuing.key, hashes.SHA256())

    def crl(self, signer: Pair | None = None) -> bytes:
        signer = signer or self.issuing
        moment = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self.issuing.certificate.subject)
            .last_update(moment).next_update(moment + timedelta(days=1))
        )  # fmt: skip
        for number in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(moment).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _bundle(*certificates: x509.Certificate) -> bytes:
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


class Responder:
    """Answers OCSP for one issuer; `statuses` by serial number, good for all others."""

    def __init__(self, issuer: Pair, *, signer: Pair | None = None, is_sent: bool = False) -> None:
        self.issuer, self.signer = issuer, signer or issuer
        self.is_sent = is_sent  # its certificate, with the answer
        self.statuses: dict[int, ocsp.OCSPCertStatus] = {}
        self.valid_for = timedelta(hours=1)
        self.other_serial = False
        self.asked = 0

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request."""
        self.asked += 1
        asked = ocsp.load_der_ocsp_request(body)
        moment = datetime.now(UTC)
        status = self.statuses.get(asked.serial_number, ocsp.OCSPCertStatus.GOOD)
        is_revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            asked.issuer_name_hash, asked.issuer_key_hash,
            asked.serial_number + (1 if self.other_serial else 0), asked.hash_algorithm, status,
            moment - timedelta(days=1), moment + self.valid_for, moment if is_revoked else None, None,
        )  # fmt: skip
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.signer.certificate)
        if self.is_sent or self.signer is not self.issuer:
            builder = builder.certificates([self.signer.certificate])
        return 200, {}, builder.sign(self.signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


@contextmanager
def serving(reply: Callable[[str, str, dict[str, str], bytes], Reply]) -> Iterator[str]:
    """Serve on a free port of loopback; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            found = {name.lower(): value for name, value in self.headers.items()}
            status, headers, content = reply(self.command, self.path, found, body)
            self.send_response(status)
            for name, value in (headers | {"content-length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
