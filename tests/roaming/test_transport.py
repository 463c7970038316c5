"""Tokens, envelopes, ids and paths: what holds on every route (OCPI 2.2.1 transport_and_format, SECURITY O1-O8)."""

import base64
import gzip
import http.client
import urllib.request

import pytest

from roaming import keyring
from roaming.models import Exchange
from tests.emsp import Answer
from tests.roaming.platform import connection_of, network

pytestmark = pytest.mark.django_db


def header(value: str) -> dict[str, str]:
    return {"Authorization": value}


def encoded(token: str) -> str:
    return base64.b64encode(token.encode()).decode()


@pytest.mark.parametrize(
    "make",
    [
        lambda token: "",
        lambda token: "Token ",
        lambda token: "Token",
        lambda token: "Token wrong",
        lambda token: "Token " + encoded("wrong"),
        lambda token: "Basic " + encoded(token),
        lambda token: "token " + encoded(token),
        lambda token: "Token  " + encoded(token),
        lambda token: f"Token {encoded(token)} x",
        lambda token: f"Token {encoded(token)},Token {encoded(token)}",
        lambda token: "Token " + encoded(encoded(token)),
        lambda token: "Token " + "A" * 5000,
        lambda token: "Token é",
    ],
)
def test_attack_o1_no_or_wrong_token_is_401_in_an_envelope(partner, platform, make):
    value = make(partner.token_out)
    headers = header(value) if value else {}

    answer = partner.ask("GET", f"{platform}/ocpi/versions", headers=headers, token="")

    assert (answer.http, answer.code) == (401, 2001)
    assert answer.headers["www-authenticate"] == "Token"


@pytest.mark.parametrize(
    "make",
    [
        lambda token: "Token " + encoded(token),
        lambda token: "Token " + token,
        lambda token: "Token " + encoded(token + "\n"),
        lambda token: "Token " + encoded(token).rstrip("="),
    ],
    ids=["base64", "raw", "newline", "no padding"],
)
def test_attack_o2_the_token_is_understood_as_peers_write_it(partner, platform, make):
    answer = partner.ask(
        "GET", f"{platform}/ocpi/versions", headers=header(make(partner.token_out)), token=""
    )

    assert answer.http == 200


def test_attack_o7_tokens_are_looked_up_by_keyed_digest_so_time_tells_nothing(partner):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from rest_framework.test import APIRequestFactory

    from roaming.ocpi.base import CredentialsToken

    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Token {partner.token_out}")
    with CaptureQueriesContext(connection) as seen:
        CredentialsToken().authenticate(request)

    assert keyring.digest(partner.token_out) in seen[0]["sql"]
    assert all(partner.token_out not in query["sql"] for query in seen)


def test_attack_o8_a_token_in_the_query_is_ignored_and_noted(partner, platform):
    url = f"{platform}/ocpi/versions?token={partner.token_out}"

    assert partner.ask("GET", url, token="").http == 401
    assert partner.ask("GET", url).http == 200

    noted = Exchange.objects.filter(connection=connection_of(partner)).first()
    assert noted.warnings == ["credentials token in the query: ignored"]
    assert partner.token_out not in noted.url


def test_attack_o6_a_from_header_of_somebody_else_is_refused(partner, platform):
    spoofed = {"OCPI-from-country-code": "NL", "OCPI-from-party-id": "XYZ"}

    answer = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations", headers=spoofed)

    assert (answer.http, answer.code) == (200, 2001)
    assert answer.data is None


def test_a_to_header_of_somebody_else_is_refused(partner, platform):
    answer = partner.ask(
        "GET",
        f"{platform}/ocpi/cpo/2.2.1/locations",
        headers={"OCPI-to-country-code": "FR", "OCPI-to-party-id": "ZZZ"},
    )

    assert (answer.http, answer.code) == (200, 2000)


def test_routing_headers_come_back_swapped_on_functional_modules_only(partner, platform):
    sent = {
        "OCPI-from-country-code": "NL", "OCPI-from-party-id": "ABC",
        "OCPI-to-country-code": "NL", "OCPI-to-party-id": "OPN",
    }  # fmt: skip

    answer = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations", headers=sent)
    plain = partner.ask("GET", f"{platform}/ocpi/versions", headers=sent)

    assert (answer.headers["ocpi-to-party-id"], answer.headers["ocpi-from-party-id"]) == ("ABC", "OPN")
    assert not any(name.startswith("ocpi-") for name in plain.headers)


def test_message_ids_are_made_where_the_client_sent_none(partner, platform):
    request = urllib.request.Request(
        f"{platform}/ocpi/versions", headers=header("Token " + encoded(partner.token_out))
    )

    with urllib.request.urlopen(request) as response:
        assert len(response.headers["X-Request-ID"]) == 36
        assert len(response.headers["X-Correlation-ID"]) == 36


@pytest.mark.parametrize(
    "path",
    ["versions", "versions/", "versions//", "/versions", "//versions/", "2.2.1", "2.2.1/", "cpo/2.2.1/locations",
     "cpo/2.2.1/locations/", "cpo//2.2.1//locations//"],
)  # fmt: skip
def test_both_slash_styles_and_doubled_slashes_answer_without_redirect(partner, platform, path):
    assert partner.ask("GET", f"{platform}/ocpi/{path}").http == 200


@pytest.mark.parametrize(
    "path",
    ["nowhere", "2.1", "9.9.9/credentials", "cpo/9.9.9/locations", "cpo/2.2.1/commands", "cpo/2.2.1/tokens"],
)
def test_unknown_paths_are_404_in_an_envelope_for_those_who_may_know(partner, platform, path):
    known = partner.ask("GET", f"{platform}/ocpi/{path}")
    unknown = partner.ask("GET", f"{platform}/ocpi/{path}", token="")

    assert (known.http, known.code) == (404, 2000)
    assert unknown.http == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_methods_that_a_module_has_not_are_405_with_allow(partner, platform, method):
    answer = partner.ask(method, f"{platform}/ocpi/cpo/2.2.1/cdrs", {})

    assert answer.http == 405
    assert answer.headers["allow"] == "GET"


def put(partner, platform, raw: bytes, **headers: str) -> Answer:
    url = f"{platform}/ocpi/cpo/2.2.1/tokens/NL/ABC/1"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return partner.ask("PUT", url, raw, headers=named)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b'{"uid": NaN}', 400),
        (b'{"uid": "\\u0000"}', 400),
        (b'{"uid": "\\ud800"}', 400),
        (b'{"uid": ' + b"9" * 5000 + b"}", 400),
        (b'{"uid": 1e999}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 30 + b"1" + b"}" * 30, 400),
        (b"[]", 200),
        (b"7", 200),
        (b" " * (2 * 1024 * 1024), 413),
    ],
    ids=["empty", "cut", "not utf-8", "NaN", "NUL", "surrogate", "long number", "overflow", "deep list",
         "deep object", "list", "number", "2 MiB"],
)  # fmt: skip
def test_attack_o19_documents_that_cannot_be_read_are_refused_in_an_envelope(partner, platform, raw, status):
    answer = put(partner, platform, raw)

    assert (answer.http, answer.code) == (status, 2001)


def test_attack_o19_other_content_types_and_compressed_bodies_are_415(partner, platform):
    assert put(partner, platform, b"{}", Content_Type="text/xml").http == 415
    bomb = gzip.compress(b" " * 50_000_000)
    assert put(partner, platform, bomb, Content_Encoding="gzip").http == 415


def test_a_content_type_with_charset_is_understood(partner, platform):
    assert put(partner, platform, b"{}", Content_Type="application/json; charset=utf-8").http == 200


def test_attack_o19_fifty_announced_megabytes_are_refused_before_they_are_sent(partner, platform):
    connection = http.client.HTTPConnection(platform.removeprefix("http://"))
    headers = header("Token " + encoded(partner.token_out)) | {"Content-Type": "application/json"}
    path = "/ocpi/cpo/2.2.1/tokens/NL/ABC/1"

    connection.request("PUT", path, b"{}", {**headers, "Content-Length": str(50 * 1024 * 1024)})

    assert connection.getresponse().status == 413
    connection.close()


def test_the_accept_header_changes_nothing(partner, platform):
    answer = partner.ask("GET", f"{platform}/ocpi/versions", headers={"Accept": "text/html"})

    assert (answer.http, answer.headers["content-type"]) == (200, "application/json")


def test_a_fault_of_ours_is_500_in_an_envelope_without_details(partner, platform, monkeypatch):
    network()

    def broken(*_args, **_kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("roaming.documents.locations", broken)
    answer = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations")

    assert (answer.http, answer.code) == (500, 3000)
    assert "secret" not in str(answer.body)


def test_every_request_is_kept_with_its_ids_and_without_the_token(partner, platform):
    partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations", headers={"X-Request-ID": "support-1"})

    kept = Exchange.objects.get(request_id="support-1")
    assert (kept.direction, kept.module, kept.http_status, kept.status_code) == ("in", "locations", 200, 1000)
    assert "authorization" not in kept.request_headers
    assert partner.token_out not in f"{kept.request_headers}{kept.response_body}"


def test_credentials_are_blanked_in_what_is_kept(partner):
    partner.rotate()

    for kept in Exchange.objects.filter(module="credentials"):
        assert partner.token_out not in kept.response_body
        assert connection_of(partner).token_we_send_them not in kept.request_body


@pytest.mark.parametrize(
    "path", ["versions%0A", "cpo/2.2.1/locations/%00", "%2e%2e/admin", "cpo/2.2.1/locations/%0Ax"]
)
def test_paths_with_control_characters_are_answered_in_an_envelope_too(partner, platform, path):
    assert partner.ask("GET", f"{platform}/ocpi/{path}").http == 404
