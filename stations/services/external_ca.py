"""An authority that is asked over HTTP: EST (RFC 7030), or one JSON request each (docs/operations.md).

Its address is the operator's own setting, so it may lie in a private network; there are no redirects, and nothing of an
answer becomes an address. What it tells of its roots is kept, for handshakes cannot wait for it.
"""

import base64
import json
from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from django.conf import settings
from django.db import transaction
from django.db.models import Max

from stations.models import AuthorityCertificate, SigningUse
from stations.pki import certificates, requests
from stations.services import guarded_http
from stations.services.certificate_authority import (
    AuthorityRefused,
    AuthorityUnavailable,
    Issued,
    Pending,
    Revocation,
    Wish,
)
from stations.services.client_certificates import issuer_name_hash
from stations.services.guarded_http import Answer

Role = AuthorityCertificate.Role
ROLES = {
    SigningUse.CHARGING_STATION: (Role.ROOT, Role.STATIONS),
    SigningUse.V2G: (Role.V2G_ROOT, Role.V2G),
    SigningUse.V2G20: (Role.V2G20_ROOT, Role.V2G20),
    SigningUse.COMBINED: (Role.V2G_ROOT, Role.V2G),
}
REFUSALS = {
    400,
    403,
    409,
    415,
    422,
}  # asking the same again changes nothing; 401 and 404 may be a wrong setting
RETRY_AFTER_S = 60
RETRY_AT_MOST_S = 6 * 3600


class ExternalAuthority:
    """Signs elsewhere, now or later. See CERTIFICATE_AUTHORITY_URL, _STYLE, _TOKEN."""

    name = "external"

    def sign(self, wish: Wish) -> Issued | Pending:
        """Send the request in the style of the settings."""
        return self._est(wish) if settings.CERTIFICATE_AUTHORITY_STYLE == "est" else self._json(wish)

    def collect(self, wish: Wish, *, reference: str) -> Issued | Pending:
        """Ask for what was promised: EST takes the same request again (RFC 7030 section 4.2.3), JSON its id."""
        if settings.CERTIFICATE_AUTHORITY_STYLE == "est":
            return self._est(wish)
        return self._read_json(_ask("GET", f"/{quote(reference, safe='')}"), wish)

    def revoke(self, certificate: x509.Certificate, *, reason: str) -> None:
        """Tell the authority; EST knows no revocation, so there an operator must."""
        if settings.CERTIFICATE_AUTHORITY_STYLE == "est":
            raise AuthorityRefused("EST knows no revocation: revoke it there too")
        body = {
            "serial_number": certificates.serial_hex(certificate),
            "issuer": certificates.label(certificate.issuer),
            "reason": reason,
        }
        answer = _ask("POST", "/revoke", content=json.dumps(body).encode(), type="application/json")
        if answer.status >= 300:
            raise _failure(answer)

    def revocations(self) -> Iterable[Revocation]:
        """Fetch and read the revocation list, if the settings name one. It must be signed by a certificate we keep."""
        if not settings.CERTIFICATE_AUTHORITY_CRL_URL:
            return ()
        answer = _ask("GET", "", url=settings.CERTIFICATE_AUTHORITY_CRL_URL)
        if answer.status != 200:
            raise _failure(answer)
        crl = _read_crl(answer.body)
        if not any(_signed(crl, issuer) for use in ROLES for issuer in self._all(use)):
            raise AuthorityUnavailable("its revocation list is signed by nobody that we know")
        issuer = issuer_name_hash(crl.issuer)
        return [
            Revocation(issuer, format(entry.serial_number, "x"), entry.revocation_date_utc) for entry in crl
        ]

    def roots(self, use: str) -> list[x509.Certificate]:
        """Give the roots as they were told last."""
        return _kept(ROLES[SigningUse(use)][0])

    def intermediates(self, use: str) -> list[x509.Certificate]:
        """Give the certificates between, as they were told last."""
        return _kept(ROLES[SigningUse(use)][1])

    def refresh(self) -> None:
        """Ask for the authority's own certificates and keep them."""
        if settings.CERTIFICATE_AUTHORITY_STYLE == "est":
            answer = _ask("GET", "/cacerts")
            if answer.status != 200:
                raise _failure(answer)
            _keep(SigningUse.CHARGING_STATION, _read_pkcs7(answer.body))
            return
        answer = _ask("GET", "/roots")
        if answer.status != 200:
            raise _failure(answer)
        told = _object(answer)
        for use in ROLES:
            text = told.get(use) or ()
            _keep(use, [c for part in ([text] if isinstance(text, str) else text) for c in _read_pem(part)])

    def _all(self, use: str) -> list[x509.Certificate]:
        return self.roots(use) + self.intermediates(use)

    def _est(self, wish: Wish) -> Issued | Pending:
        if wish.use != SigningUse.CHARGING_STATION:
            raise AuthorityRefused("EST signs stations' certificates only")
        der = requests.read(wish.csr).csr.public_bytes(Encoding.DER)
        answer = _ask("POST", "/simpleenroll", content=base64.b64encode(der), type="application/pkcs10")
        if answer.status == 202:
            return Pending(reference="est", retry_after_s=_retry_after(answer))
        if answer.status != 200:
            raise _failure(answer)
        return Issued(chain=self._completed(_read_pkcs7(answer.body), wish))

    def _json(self, wish: Wish) -> Issued | Pending:
        body: dict[str, Any] = {
            "csr": wish.csr,
            "use": wish.use,
            "common_name": wish.common_name,
            "organization": wish.organization,
            "station": wish.identity,
        }
        if wish.root is not None:
            body["root"] = wish.root
        answer = _ask("POST", "", content=json.dumps(body).encode(), type="application/json")
        return self._read_json(answer, wish)

    def _read_json(self, answer: Answer, wish: Wish) -> Issued | Pending:
        if answer.status not in (200, 201, 202):
            raise _failure(answer)
        told = _object(answer)
        if answer.status == 202:
            if not isinstance(told.get("id"), str) or not 0 < len(told["id"]) <= 255:
                raise AuthorityUnavailable("it promised a certificate without an id")
            return Pending(reference=told["id"], retry_after_s=_retry_after(answer))
        return Issued(chain=self._completed(_read_pem(told.get("certificate")), wish))

    def _completed(self, found: list[x509.Certificate], wish: Wish) -> tuple[x509.Certificate, ...]:
        """Put the leaf first and what leads to the root after it, from the answer or from what is kept."""
        key = requests.read(wish.csr).csr.public_key()
        leaf = next((certificate for certificate in found if certificate.public_key() == key), None)
        if leaf is None:
            raise AuthorityRefused("its answer holds no certificate for this key")
        chain, others = [leaf], [*found, *self.intermediates(wish.use)]
        while len(chain) < certificates.MAX_CHAIN:
            above = next(
                (
                    c
                    for c in others
                    if c.subject == chain[-1].issuer and c.subject != c.issuer and c not in chain
                ),
                None,
            )
            if above is None:
                break
            chain.append(above)
        return tuple(chain)


def _ask(method: str, path: str, *, content: bytes | None = None, type: str = "", url: str = "") -> Answer:
    base = settings.CERTIFICATE_AUTHORITY_URL.rstrip("/")
    if not base.startswith(("https://", "http://")):
        raise AuthorityUnavailable("CERTIFICATE_AUTHORITY_URL is not set")
    headers = {"accept": "*/*"} if url else {"accept": "*/*", **_authorization()}
    if type:
        headers["content-type"] = type
        if type == "application/pkcs10":
            headers["content-transfer-encoding"] = "base64"
    try:
        return guarded_http.ask(
            _client,
            method,
            url or f"{base}{path}",
            content=content,
            headers=headers,
            timeout_s=settings.CERTIFICATE_AUTHORITY_TIMEOUT_S,
        )
    except guarded_http.Unreachable as error:
        raise AuthorityUnavailable(str(error)) from error


@cache
def _client() -> httpx.Client:
    """Give the client for the operator's own address."""
    roots = settings.CERTIFICATE_AUTHORITY_TLS_ROOTS
    verify = httpx.create_ssl_context(verify=roots, trust_env=False) if roots else True
    return httpx.Client(verify=verify, trust_env=False, follow_redirects=False)


def _authorization() -> dict[str, str]:
    token = settings.CERTIFICATE_AUTHORITY_TOKEN
    if not token:
        return {}
    if ":" in token:
        return {"authorization": "Basic " + base64.b64encode(token.encode()).decode()}
    return {"authorization": f"Bearer {token}"}


def _failure(answer: Answer) -> AuthorityRefused | AuthorityUnavailable:
    text = answer.body[:200].decode("utf-8", "replace").replace("\x00", "").strip()
    problem = f"it answered {answer.status}" + (f": {text}" if text else "")
    return AuthorityRefused(problem) if answer.status in REFUSALS else AuthorityUnavailable(problem)


def _retry_after(answer: Answer) -> int:
    text = answer.headers.get("retry-after", "")
    return min(int(text[:9]), RETRY_AT_MOST_S) if text.isascii() and text.isdigit() else RETRY_AFTER_S


def _object(answer: Answer) -> dict[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise AuthorityUnavailable("its answer is no JSON") from error
    if not isinstance(told, dict):
        raise AuthorityUnavailable("its answer is no JSON object")
    return told


def _read_pem(text: Any) -> list[x509.Certificate]:
    try:
        return certificates.read(str(text or ""))
    except certificates.Unreadable as error:
        raise AuthorityUnavailable(f"its certificate cannot be read: {error}") from error


def _read_pkcs7(body: bytes) -> list[x509.Certificate]:
    """Read a certs-only message: Base64 of DER as EST wants it, or DER, or PEM."""
    try:
        if body[:5] == b"-----":
            return pkcs7.load_pem_pkcs7_certificates(body)
        der = body if body[:1] == b"\x30" else base64.b64decode(b"".join(body.split()), validate=True)
        return pkcs7.load_der_pkcs7_certificates(der)
    except ValueError as error:
        raise AuthorityUnavailable("its certificates cannot be read") from error


def _read_crl(body: bytes) -> x509.CertificateRevocationList:
    try:
        load = x509.load_pem_x509_crl if body[:5] == b"-----" else x509.load_der_x509_crl
        return load(body)
    except ValueError as error:
        raise AuthorityUnavailable("its revocation list cannot be read") from error


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if crl.issuer != issuer.subject:
        return False
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False


def _kept(role: str) -> list[x509.Certificate]:
    rows = AuthorityCertificate.objects.filter(role=role).order_by("-generation")
    return [certificates.read_one(row.certificate) for row in rows]


@transaction.atomic(savepoint=False)
def _keep(use: str, found: list[x509.Certificate]) -> None:
    """Keep the authority's own certificates, without a key: what signed itself is a root."""
    root_role, issuing_role = ROLES[SigningUse(use)]
    for certificate in found:
        role = root_role if certificate.subject == certificate.issuer else issuing_role
        mark = certificates.fingerprint(certificate)
        if AuthorityCertificate.objects.filter(fingerprint=mark).exists():
            continue
        last = AuthorityCertificate.objects.filter(role=role).aggregate(last=Max("generation"))["last"] or 0
        AuthorityCertificate.objects.create(
            role=role,
            generation=last + 1,
            certificate=certificates.pem(certificate),
            private_key="",
            fingerprint=mark,
            subject=certificates.label(certificate.subject)[:255],
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )
