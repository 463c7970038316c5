"""An authority that is asked over HTTP: EST (RFC 7030) and JSON, now or later, refusing or away."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from stations.models import RevokedCertificate
from stations.pki import certificates as x
from stations.services import certificate_authority, certificate_upkeep, certificates, guarded_http
from stations.services.certificate_authority import (
    AuthorityRefused,
    AuthorityUnavailable,
    Issued,
    Pending,
    Wish,
)
from stations.services.external_ca import ExternalAuthority
from tests import factories, pki
from tests.authority_server import JSON, Authority, serving

pytestmark = pytest.mark.django_db
STATION = "ChargingStationCertificate"
STYLES = pytest.mark.parametrize("style", ["est", "json"])


@pytest.fixture
def theirs(settings: Any) -> Iterator[Authority]:
    authority = Authority()
    with serving(authority.reply) as url:
        settings.CERTIFICATE_AUTHORITY = "stations.services.external_ca.ExternalAuthority"
        settings.CERTIFICATE_AUTHORITY_URL = url
        settings.CERTIFICATE_AUTHORITY_CRL_URL = f"{url}/crl"
        yield authority


def wish(**fields: Any) -> Wish:
    return Wish(**{"csr": pki.csr(), "use": STATION, "common_name": "ADA-1", "organization": pki.OPERATOR,
                   "identity": "ADA-1"} | fields)  # fmt: skip


def styled(settings: Any, style: str) -> ExternalAuthority:
    settings.CERTIFICATE_AUTHORITY_STYLE = style
    return ExternalAuthority()


@STYLES
def test_it_signs_and_what_it_signed_opens_the_connection(
    theirs: Authority, settings: Any, style: str
) -> None:
    authority = styled(settings, style)
    certificate_upkeep.refresh()

    signed = authority.sign(wish())

    assert isinstance(signed, Issued)
    assert signed.chain[1] == theirs.issuing.certificate
    station = factories.station("ADA-1")
    assert certificates.check_client(x.pem(signed.chain[0]), station=station) is None


def test_est_carries_the_request_as_base64_of_der(theirs: Authority, settings: Any) -> None:
    settings.CERTIFICATE_AUTHORITY_TOKEN = "ada:secret"
    styled(settings, "est").sign(wish())

    [(method, path, headers, body)] = theirs.asked
    assert (method, path, headers["content-type"]) == ("POST", "/simpleenroll", "application/pkcs10")
    assert headers["authorization"] == "Basic " + base64.b64encode(b"ada:secret").decode()
    assert base64.b64decode(body)[:1] == b"\x30"


def test_json_carries_what_was_checked(theirs: Authority, settings: Any) -> None:
    settings.CERTIFICATE_AUTHORITY_TOKEN = "a-bearer"
    styled(settings, "json").sign(wish())

    [(_, path, headers, body)] = theirs.asked
    assert (path, headers["authorization"]) == ("/", "Bearer a-bearer")
    assert {k: v for k, v in json.loads(body).items() if k != "csr"} == {
        "use": STATION, "common_name": "ADA-1", "organization": pki.OPERATOR, "station": "ADA-1",
    }  # fmt: skip


def test_a_promise_is_kept_later(theirs: Authority, settings: Any) -> None:
    asked = wish()
    theirs.answers = [(202, JSON | {"retry-after": "7"}, b'{"id": "case-1"}')]
    theirs.later["case-1"] = asked.csr

    authority = styled(settings, "json")
    promised = authority.sign(asked)

    assert promised == Pending(reference="case-1", retry_after_s=7)
    assert isinstance(authority.collect(asked, reference="case-1"), Issued)
    assert theirs.asked[-1][:2] == ("GET", "/case-1")


def test_est_takes_the_same_request_again_after_a_promise(theirs: Authority, settings: Any) -> None:
    asked = wish()
    theirs.answers = [(202, {"retry-after": "never"}, b"")]

    authority = styled(settings, "est")

    assert authority.sign(asked) == Pending(reference="est", retry_after_s=60)
    assert isinstance(authority.collect(asked, reference="est"), Issued)


@STYLES
@pytest.mark.parametrize(("status", "error"), [(400, AuthorityRefused), (403, AuthorityRefused),
                                               (401, AuthorityUnavailable), (429, AuthorityUnavailable),
                                               (503, AuthorityUnavailable), (302, AuthorityUnavailable)])  # fmt: skip
def test_a_refusal_is_told_from_a_failure(
    theirs: Authority, settings: Any, style: str, status: int, error: type[Exception]
) -> None:
    theirs.answers = [(status, {"location": "http://127.0.0.1:9/"}, b"no such \x00 profile")]

    with pytest.raises(error, match=str(status)):
        styled(settings, style).sign(wish())
    assert len(theirs.asked) == 1


@STYLES
@pytest.mark.parametrize(
    "body", [b"", b"hello", b"\x30\x03", b"[]", b'{"certificate": 7}', b"A" * 300_000, b"[" * 2000]
)
def test_an_answer_that_cannot_be_read_is_a_failure(
    theirs: Authority, settings: Any, style: str, body: bytes
) -> None:
    theirs.answers = [(200, {}, body)]

    with pytest.raises((AuthorityUnavailable, AuthorityRefused)):
        styled(settings, style).sign(wish())


@STYLES
def test_a_certificate_for_another_key_is_refused(theirs: Authority, settings: Any, style: str) -> None:
    theirs.swaps_key = True

    with pytest.raises(AuthorityRefused, match="this key"):
        styled(settings, style).sign(wish())


def test_an_authority_that_is_away_is_a_failure(settings: Any) -> None:
    settings.CERTIFICATE_AUTHORITY_URL = "http://127.0.0.1:9"

    with pytest.raises(AuthorityUnavailable):
        styled(settings, "json").sign(wish())


def test_without_an_address_nothing_is_asked(settings: Any) -> None:
    settings.CERTIFICATE_AUTHORITY_URL = ""

    with pytest.raises(AuthorityUnavailable, match="not set"):
        styled(settings, "est").sign(wish())


def test_a_revocation_is_told_where_the_style_knows_it(theirs: Authority, settings: Any) -> None:
    leaf = pki.leaf(theirs.issuing).certificate

    styled(settings, "json").revoke(leaf, reason="keyCompromise")

    assert theirs.revoked == [leaf.serial_number]
    with pytest.raises(AuthorityRefused, match="EST"):
        styled(settings, "est").revoke(leaf, reason="keyCompromise")


@STYLES
def test_what_the_authority_revoked_opens_nothing(theirs: Authority, settings: Any, style: str) -> None:
    signed = styled(settings, style).sign(wish())
    assert isinstance(signed, Issued)
    theirs.revoked = [signed.chain[0].serial_number]

    assert certificate_upkeep.refresh() == 1
    assert certificate_upkeep.refresh() == 0

    station = factories.station("ADA-1")
    assert certificates.check_client(x.pem(*signed.chain), station=station) == "certificate_revoked"


def test_a_revocation_list_of_a_stranger_is_not_believed(theirs: Authority, settings: Any) -> None:
    styled(settings, "est")
    theirs.revoked = [7]
    stranger = pki.authority("Their issuing")
    certificate_upkeep.refresh()
    RevokedCertificate.objects.all().delete()
    theirs.answers = [(200, {}, theirs.reply("GET", "/cacerts", {}, b"")[2]), (200, {}, theirs.crl(stranger))]

    certificate_upkeep.refresh()

    assert not RevokedCertificate.objects.exists()


def test_handshakes_ask_nobody(theirs: Authority, settings: Any) -> None:
    styled(settings, "est")
    certificate_upkeep.refresh()
    asked = len(theirs.asked)

    certificates.check_client(pki.leaf(theirs.root).pem, station=factories.station("ADA-1"))

    assert len(theirs.asked) == asked
    assert certificate_authority.current().name == "external"


def test_the_guarded_client_opens_no_private_address(theirs: Authority, settings: Any) -> None:
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False

    with pytest.raises(guarded_http.Unreachable, match="not a public address"):
        guarded_http.ask(
            guarded_http.GUARDED, "GET", f"{settings.CERTIFICATE_AUTHORITY_URL}/roots", timeout_s=2
        )
    assert theirs.asked == []
