"""What everybody may ask our certificate authority: OCSP (RFC 6960 appendix A), revocation lists, roots.

`/pki/ocsp` is the address that our authority writes into what it signs. Nothing here knows sessions or cookies, and
nothing is a secret: certificates and their status are public.
"""

import base64
import binascii

from cryptography.x509 import ocsp
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from stations.pki import certificates
from stations.pki.hash_data import HashData
from stations.services import certificate_status, client_certificates, local_ca
from stations.services.certificate_authority import AuthorityUnavailable
from stations.services.certificate_status import NoStatus

MAX_REQUEST = 4096  # bytes; one certificate takes about a hundred
RESPONSE = "application/ocsp-response"


@csrf_exempt
@require_http_methods(["GET", "POST"])
def status(request: HttpRequest, encoded: str = "") -> HttpResponse:
    """Answer an OCSP request about one certificate of our authority: in the body, or as Base64 in the path."""
    try:
        der = request.body if request.method == "POST" else base64.b64decode(encoded, validate=True)
        if len(der) > MAX_REQUEST:
            return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        asked = ocsp.load_der_ocsp_request(der)
        named = HashData.told(
            asked.hash_algorithm.name.upper(),
            asked.issuer_name_hash.hex(),
            asked.issuer_key_hash.hex(),
            format(asked.serial_number, "x"),
        )
    except (ValueError, binascii.Error, NotImplementedError):
        return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    try:
        found = certificate_status.own(named)
    except NoStatus:
        return _failure(ocsp.OCSPResponseStatus.TRY_LATER)
    if found is None:
        return _failure(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    return HttpResponse(found.response, content_type=RESPONSE)


@require_safe
def revocations(request: HttpRequest, role: str) -> HttpResponse:
    """Give the revocation list of one of our issuing certificates, such as `stations.crl`."""
    try:
        crl = local_ca.crl(role)
    except AuthorityUnavailable as error:
        raise Http404 from error
    return HttpResponse(crl, content_type="application/pkix-crl")


@require_safe
def roots(request: HttpRequest) -> HttpResponse:
    """Give the roots under which stations' certificates open connections, for whoever ends TLS in front of us."""
    text = certificates.pem(*client_certificates.trusted_roots())
    return HttpResponse(text, content_type="application/x-pem-file")


def _failure(status: ocsp.OCSPResponseStatus) -> HttpResponse:
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return HttpResponse(response.public_bytes(local_ca.Encoding.DER), content_type=RESPONSE)
